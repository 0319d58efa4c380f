// Package storetest judges stores: one suite, run against every implementation
// and every decorator. Each contract sentence in package store has a case that
// bears its id.
package storetest

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Opener makes stores for the suite. One with a method Seals() bool that is true
// fills Record.Sealed itself.
type Opener interface {
	// Open makes a fresh store, closed when the test ends.
	Open(t testing.TB, schema store.Schema) store.Store
	// Reopen closes a store it made and opens the same data again; an error of
	// opening is returned.
	Reopen(t testing.TB, s store.Store, schema store.Schema) (store.Store, error)
}

// testCase is one case of the suite.
type testCase struct {
	id  string
	run func(t *testing.T, f fixture)
}

// Run runs the whole suite, each case on a fresh store.
func Run(t *testing.T, open Opener) {
	for _, c := range cases() {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			c.run(t, newFixture(t, open))
		})
	}
}

func cases() []testCase {
	var all []testCase
	for _, group := range [][]testCase{documentCases, raceCases, listCases, logCases, trimCases, lifeCases} {
		all = append(all, group...)
	}
	return all
}

// fixture is a store with short ways to use it.
type fixture struct {
	t     *testing.T
	open  Opener
	store store.Store
	now   time.Time
	newID ids.Source
}

func newFixture(t *testing.T, open Opener) fixture {
	return fixture{t: t, open: open, store: open.Open(t, Schema()), now: start, newID: ids.Sequence()}
}

// start is when the suite's records are written.
var start = time.Date(2026, 11, 23, 8, 30, 0, 123e6, time.UTC)

// Kinds of the suite's schema.
const (
	setbacks = "setbacks"
	lessons  = "lessons"
)

// Schema is the schema the suite works on.
func Schema() store.Schema {
	return store.Schema{Version: 2, Kinds: []store.Kind{
		{
			Name: setbacks,
			New:  func() proto.Message { return &journalv1.Setback{} },
			Keys: []store.Key{stateKey, intensityKey},
			Indexes: []store.Index{
				{Name: "by_name", Keys: []string{store.KeyParent, store.KeyName}},
				{Name: "by_create_time", Keys: []string{store.KeyParent, store.KeyCreateTime}},
				{Name: "by_state", Keys: []string{store.KeyParent, "state", "intensity"}},
				{Name: "by_owner", Keys: []string{store.KeyOwner, store.KeyUpdateTime}},
				{Name: "all", Keys: []string{"intensity"}},
			},
		},
		{
			Name:    lessons,
			New:     func() proto.Message { return &journalv1.Lesson{} },
			Indexes: []store.Index{{Name: "by_name", Keys: []string{store.KeyParent, store.KeyName}}},
		},
	}}
}

var stateKey = store.Key{Name: "state", Type: store.Text, Of: func(b proto.Message) store.Value {
	return b.(*journalv1.Setback).GetState().String()
}}

var intensityKey = store.Key{Name: "intensity", Type: store.Number, Of: func(b proto.Message) store.Value {
	return int64(b.(*journalv1.Setback).GetIntensity())
}}

const (
	ada   = "tenants/acme/people/ada"
	grace = "tenants/acme/people/grace"
)

// setback makes a record of a person.
func (f fixture) setback(owner, id string, intensity int32) store.Record {
	name := owner + "/setbacks/" + id
	return store.Record{
		Kind: setbacks, Name: name, Parent: owner, Owner: owner,
		CreateTime: f.now, UpdateTime: f.now,
		Body: &journalv1.Setback{
			Name: name, Intensity: intensity, State: typev1.SetbackState_SETBACK_STATE_OPEN,
			CreateTime: timestamppb.New(f.now), Title: "title of " + id,
		},
	}
}

// event makes an event about a record.
func (f fixture) event(r store.Record, verb string) *eventsv1.Event {
	return &eventsv1.Event{
		Id: f.newID(), Source: "rebound/test", Type: "setback." + verb, Subject: r.Name, Owner: r.Owner,
		Time: timestamppb.New(f.now), Data: &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{Intensity: 3}},
	}
}

// commit commits one write and gives its result.
func (f fixture) commit(w store.Write) store.Result {
	f.t.Helper()
	results := f.store.Commit(f.ctx(), w)
	if len(results) != 1 {
		f.t.Fatalf("Commit gave %d results for one write", len(results))
	}
	return results[0]
}

// insert inserts a record with one event and gives it as it was stored.
func (f fixture) insert(r store.Record) store.Record {
	f.t.Helper()
	res := f.commit(store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{f.event(r, "recorded")}})
	if res.Err != nil {
		f.t.Fatalf("insert %s: %v", r.Name, res.Err)
	}
	return res.Record
}

func (f fixture) get(name string) store.Record {
	f.t.Helper()
	r, err := f.store.Get(f.ctx(), setbacks, name)
	if err != nil {
		f.t.Fatalf("get %s: %v", name, err)
	}
	return r
}

func (f fixture) ctx() context.Context { return f.t.Context() }

// events reads the whole log of an owner's partition, that owner's events only,
// once at least n are there.
func (f fixture) events(owner string, n int) []*eventsv1.Event {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.ctx(), 10*time.Second)
	defer cancel()
	p := store.PartitionOf(owner, f.store.Partitions())
	var out []*eventsv1.Event
	var after int64
	var heads []int64
	for {
		batch, err := f.store.Read(ctx, p, after, 100)
		if err != nil {
			f.t.Fatalf("read: %v", err)
		}
		for _, e := range batch {
			if after = e.GetPosition(); e.GetOwner() == owner {
				out = append(out, e)
			}
		}
		if len(batch) > 0 {
			continue
		}
		if len(out) >= n {
			return out
		}
		if heads, err = f.store.Wait(ctx, heads); err != nil {
			f.t.Fatalf("waiting for %d events of %s, have %d: %v", n, owner, len(out), err)
		}
	}
}

// same fails the test unless two records are equal.
func same(t testing.TB, got, want store.Record) {
	t.Helper()
	if got.Kind != want.Kind || got.Name != want.Name || got.Parent != want.Parent || got.Owner != want.Owner ||
		got.RequestID != want.RequestID || got.Revision != want.Revision ||
		!got.CreateTime.Equal(want.CreateTime) || !got.UpdateTime.Equal(want.UpdateTime) ||
		string(got.Sealed) != string(want.Sealed) {
		t.Fatalf("record differs:\n got %+v\nwant %+v", got, want)
	}
	if !proto.Equal(got.Body, want.Body) {
		t.Fatalf("body of %s differs:\n got %v\nwant %v", want.Name, got.Body, want.Body)
	}
}
