package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Differential plays random scripts on two stores and checks that they answer
// alike in all but the revisions, which each store chooses.
func Differential(t *testing.T, one, other Opener) {
	a, b := newFixture(t, one), newFixture(t, other)
	var scripts atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		p := &pair{
			fixture: a, t: rt, stores: [2]store.Store{a.store, b.store}, tenant: fmt.Sprintf("tenants/t%d", scripts.Add(1)),
			revisions: [2]map[string]int64{{}, {}}, committed: map[string]int{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) { p.t = t; p.commit() },
			"get":    func(t *rapid.T) { p.t = t; p.get() },
			"batch":  func(t *rapid.T) { p.t = t; p.batch() },
			"list":   func(t *rapid.T) { p.t = t; p.list() },
		})
		p.logs()
	})
}

// pair is two stores that are told the same. Each script has a tenant of its own.
type pair struct {
	fixture
	t      *rapid.T
	stores [2]store.Store
	tenant string
	// revisions are the current ones of each store, by name.
	revisions [2]map[string]int64
	// committed counts the events of owners.
	committed map[string]int
}

func (p *pair) owner() string {
	return p.tenant + "/people/" + rapid.SampledFrom([]string{"ada", "grace"}).Draw(p.t, "owner")
}

func (p *pair) id() string {
	return rapid.SampledFrom([]string{"a", "B", "b", "c-1", "d", "é", "e"}).Draw(p.t, "id")
}

func (p *pair) record() store.Record {
	owner := p.owner()
	r := p.setback(owner, p.id(), rapid.Int32Range(-2, 3).Draw(p.t, "intensity"))
	r.Body.(*journalv1.Setback).State = typev1.SetbackState(rapid.Int32Range(0, 2).Draw(p.t, "state"))
	r.RequestID = rapid.SampledFrom([]string{"", "", "q1", "q2"}).Draw(p.t, "request")
	r.UpdateTime = start.Add(time.Duration(rapid.IntRange(0, 5).Draw(p.t, "time")) * time.Millisecond)
	if rapid.Bool().Draw(p.t, "sealed") {
		r.Sealed = []byte("sealed " + r.Name)
	}
	return r
}

// commit draws a few writes and gives them to both.
func (p *pair) commit() {
	n := rapid.IntRange(1, 4).Draw(p.t, "writes")
	var writes [2][]store.Write
	for range n {
		w := store.Write{Op: store.Op(rapid.IntRange(int(store.Insert), int(store.Delete)).Draw(p.t, "op")), Record: p.record()}
		for range rapid.IntRange(0, 2).Draw(p.t, "events") {
			w.Events = append(w.Events, p.event(w.Record, "told"))
		}
		stale := rapid.IntRange(0, 4).Draw(p.t, "stale") == 0
		for i := range p.stores {
			each := w
			each.Record.Body = proto.Clone(w.Record.Body)
			if each.Record.Revision = p.revisions[i][w.Record.Name]; stale {
				each.Record.Revision = 1
			}
			writes[i] = append(writes[i], each)
		}
	}
	var results [2][]store.Result
	for i, s := range p.stores {
		results[i] = s.Commit(p.ctx(), writes[i]...)
	}
	for n, res := range results[0] {
		p.judge(writes[0][n], res, results[1][n])
		for i := range p.stores {
			p.note(i, writes[i][n], results[i][n])
		}
	}
}

func (p *pair) judge(w store.Write, one, other store.Result) {
	if !errors.Is(outcomeOf(one.Err), outcomeOf(other.Err)) || one.Replayed != other.Replayed {
		p.t.Fatalf("op %d of %s: %v, replayed %v; the other: %v, replayed %v", w.Op, w.Record.Name, one.Err, one.Replayed, other.Err, other.Replayed)
	}
	if one.Err != nil {
		return
	}
	if !one.Replayed {
		p.committed[w.Record.Owner] += len(w.Events)
	}
	if w.Op != store.Delete {
		p.alike(one.Record, other.Record)
	}
}

// note remembers the current revision of what was written.
func (p *pair) note(i int, w store.Write, res store.Result) {
	switch {
	case res.Err != nil:
	case w.Op == store.Delete:
		delete(p.revisions[i], w.Record.Name)
	default:
		p.revisions[i][w.Record.Name] = res.Record.Revision
	}
}

// outcomeOf is the contract's error that an error wraps.
func outcomeOf(err error) error {
	for _, known := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict, store.ErrTooLarge, store.ErrInvalid} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// alike fails unless two records are equal but for the revision, which has to be
// the one that was given out.
func (p *pair) alike(one, other store.Record) {
	one.Revision, other.Revision = 0, 0
	if !one.CreateTime.Equal(other.CreateTime) || !one.UpdateTime.Equal(other.UpdateTime) || !proto.Equal(one.Body, other.Body) {
		p.t.Fatalf("records differ:\n%+v\n%+v", one, other)
	}
	one.Body, other.Body = nil, nil
	one.CreateTime, one.UpdateTime, other.CreateTime, other.UpdateTime = start, start, start, start
	if fmt.Sprintf("%+v", one) != fmt.Sprintf("%+v", other) {
		p.t.Fatalf("records differ:\n%+v\n%+v", one, other)
	}
}

func (p *pair) get() {
	kind := rapid.SampledFrom([]string{setbacks, setbacks, lessons}).Draw(p.t, "kind")
	name := p.owner() + "/setbacks/" + p.id()
	var records [2]store.Record
	var errs [2]error
	for i, s := range p.stores {
		records[i], errs[i] = s.Get(p.ctx(), kind, name)
		if errs[i] == nil && records[i].Revision != p.revisions[i][name] {
			p.t.Fatalf("store %d: %s has revision %d, given out was %d", i, name, records[i].Revision, p.revisions[i][name])
		}
	}
	if !errors.Is(outcomeOf(errs[0]), outcomeOf(errs[1])) {
		p.t.Fatalf("get %s: %v and %v", name, errs[0], errs[1])
	}
	if errs[0] == nil {
		p.alike(records[0], records[1])
	}
}

func (p *pair) batch() {
	var names []string
	for range rapid.IntRange(0, 5).Draw(p.t, "names") {
		names = append(names, p.owner()+"/setbacks/"+p.id())
	}
	var found [2]map[string]store.Record
	for i, s := range p.stores {
		var err error
		if found[i], err = s.GetBatch(p.ctx(), setbacks, names); err != nil {
			p.t.Fatal(err)
		}
	}
	if len(found[0]) != len(found[1]) {
		p.t.Fatalf("%d and %d records of %v", len(found[0]), len(found[1]), names)
	}
	for name, r := range found[0] {
		p.alike(r, found[1][name])
	}
}

// list reads pages along a random index until they end.
func (p *pair) list() {
	k, _ := Schema().Kind(setbacks)
	x := rapid.SampledFrom(k.Indexes[:4]).Draw(p.t, "index") // the last one is along all tenants
	q := store.Query{Kind: setbacks, Index: x.Name, Descending: rapid.Bool().Draw(p.t, "descending"), Limit: rapid.IntRange(1, 5).Draw(p.t, "limit")}
	for _, key := range x.Keys[:len(x.Keys)-1] {
		q.Prefix = append(q.Prefix, p.value(key))
	}
	last := x.Keys[len(x.Keys)-1]
	if rapid.Bool().Draw(p.t, "from") {
		q.From = p.value(last)
	}
	if rapid.Bool().Draw(p.t, "until") {
		q.Until = p.value(last)
	}
	for {
		var pages [2]store.Page
		for i, s := range p.stores {
			var err error
			if pages[i], err = s.List(p.ctx(), q); err != nil {
				p.t.Fatal(err)
			}
		}
		if len(pages[0].Records) != len(pages[1].Records) || fmt.Sprint(pages[0].Next) != fmt.Sprint(pages[1].Next) {
			p.t.Fatalf("%+v: %d records and %d, next %v and %v", q, len(pages[0].Records), len(pages[1].Records), pages[0].Next, pages[1].Next)
		}
		for i, r := range pages[0].Records {
			p.alike(r, pages[1].Records[i])
		}
		if pages[0].Next == nil {
			return
		}
		q.After = pages[0].Next
	}
}

// value draws a value of a built-in or declared key.
func (p *pair) value(key string) store.Value {
	switch key {
	case store.KeyName:
		return p.owner() + "/setbacks/" + p.id()
	case store.KeyParent, store.KeyOwner:
		return p.owner()
	case "state":
		return typev1.SetbackState(rapid.Int32Range(0, 2).Draw(p.t, "state")).String()
	case "intensity":
		return rapid.Int64Range(-2, 3).Draw(p.t, "intensity")
	}
	return start.Add(time.Duration(rapid.IntRange(0, 5).Draw(p.t, "time")) * time.Millisecond).UnixMilli()
}

// logs compares what the logs say about each owner.
func (p *pair) logs() {
	for owner, n := range p.committed {
		var events [2][]*eventsv1.Event
		for i, s := range p.stores {
			f := p.fixture
			f.store = s
			events[i] = f.events(owner, n)
		}
		if len(events[0]) != n || len(events[1]) != n {
			p.t.Fatalf("%s: %d and %d events of %d", owner, len(events[0]), len(events[1]), n)
		}
		for i, e := range events[0] {
			e.Position, events[1][i].Position = 0, 0
			if !proto.Equal(e, events[1][i]) {
				p.t.Fatalf("%s: event %d differs:\n%v\n%v", owner, i, e, events[1][i])
			}
		}
	}
}
