package stream

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"go.uber.org/goleak"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/token"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/golang-lru/v2/expirable.NewLRU[...].func1"))
}

const tenant = "tenants/acme"

// rig is an insights service without its edges: what happens is told it directly.
type rig struct {
	t        testing.TB
	store    *sqlite.Store
	consumer *consume.Consumer
	server   *Server
	clock    *clock.Manual
	position int64
}

func newRig(t testing.TB) *rig {
	t.Helper()
	kinds := append(consume.Kinds(), Kind(store.Kind{
		Name: consume.Insights, New: func() proto.Message { return &insightsv1.Insight{} },
		Keys: []store.Key{{Name: "time", Type: store.Number, Of: func(b proto.Message) store.Value {
			return b.(*insightsv1.Insight).GetTime().AsTime().UnixMilli()
		}}},
		Indexes: []store.Index{{Name: "by_time", Keys: []string{store.KeyParent, "time"}}, {Name: "by_name", Keys: []string{store.KeyParent, store.KeyName}}},
	}))
	s, err := sqlite.Open(t.Context(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "insights.db"), Schema: store.Schema{Version: 1, Kinds: kinds}, Partitions: 4, NewID: ids.Random,
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	key, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := filter.New((&insightsv1.Insight{}).ProtoReflect().Descriptor(), Filterable...)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: s, clock: clock.NewManual(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))}
	r.consumer = consume.New(s, r.clock.Now, nil)
	r.server = &Server{
		Hub: eventlog.NewHub(s), Bookmarks: eventlog.NewBookmarks(s, s.ID(), token.New(key)), Heartbeat: 2 * time.Millisecond, Docs: s,
		People: NewPeople(r.consumer.Generations), Fields: fields, Clock: r.clock.Now, Partitions: s.Partitions(), page: 3,
		Names: func(_, name string) (string, error) { return "p-" + ids.Derived(name), nil },
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.server.Hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func person(i int) string { return fmt.Sprintf("%s/people/p%d", tenant, i) }

// tell tells the service what happened.
func (r *rig) tell(owner, subject, kind string, e *eventsv1.Event) {
	r.t.Helper()
	r.position++
	e.Id, e.Owner, e.Subject, e.Type = ids.Derived(fmt.Sprint(r.position)), owner, owner+subject, kind
	e.Source, e.Position, e.Time = "rebound/journal", r.position, timestamppb.New(r.clock.Now())
	if err := r.consumer.Apply(context.Background(), []*eventsv1.Event{e}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) share(owner string, shares bool) {
	r.t.Helper()
	r.tell(owner, "/profile", "profile.updated", &eventsv1.Event{Data: &eventsv1.Event_Profile{Profile: &eventsv1.ProfileFacts{ShareWithPipeline: shares}}})
	r.server.People.cache.Purge()
}

// recover tells of a setback that was recovered from on a day of November.
func (r *rig) recover(owner, id string, day int32) {
	r.t.Helper()
	r.tell(owner, "/setbacks/"+id, "setback.recovered", &eventsv1.Event{Data: &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{
		OccurredOn: &datepb.Date{Year: 2026, Month: 11, Day: 1}, RecoveredOn: &datepb.Date{Year: 2026, Month: 11, Day: day},
		State: typev1.SetbackState_SETBACK_STATE_RECOVERED,
	}}})
}

func (r *rig) remove(owner, id string) {
	r.t.Helper()
	r.tell(owner, "/setbacks/"+id, "setback.deleted", &eventsv1.Event{})
}

// wire is one connection to a client.
type wire struct {
	grpc.ServerStream
	ctx  context.Context //nolint:containedctx // it stands in for a connection
	send func(*insightsv1.StreamInsightsResponse) error
}

func (w *wire) Context() context.Context                          { return w.ctx }
func (w *wire) Send(res *insightsv1.StreamInsightsResponse) error { return w.send(res) }

var errCut = errors.New("cut off")

// read reads a stream until take says that it is enough.
func (r *rig) read(as *auth.Principal, req *insightsv1.StreamInsightsRequest, take func(*insightsv1.StreamInsightsResponse) bool) error {
	ctx, cancel := context.WithTimeout(auth.NewContext(context.Background(), as), 20*time.Second)
	defer cancel()
	err := r.server.StreamInsights(req, &wire{ctx: ctx, send: func(res *insightsv1.StreamInsightsResponse) error {
		if !take(proto.CloneOf(res)) {
			return errCut
		}
		return nil
	}})
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

// whole reads from a start to the end of history.
func (r *rig) whole(as *auth.Principal, req *insightsv1.StreamInsightsRequest) []*insightsv1.StreamInsightsResponse {
	r.t.Helper()
	var out []*insightsv1.StreamInsightsResponse
	err := r.read(as, req, func(res *insightsv1.StreamInsightsResponse) bool {
		out = append(out, res)
		return !res.GetHistoryEnd()
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func insightsOf(responses []*insightsv1.StreamInsightsResponse) []*insightsv1.Insight {
	var out []*insightsv1.Insight
	for _, res := range responses {
		out = append(out, res.GetInsights()...)
	}
	return out
}

var pipeline = &auth.Principal{Subject: "pipeline", Tenant: "acme"}

// reader keeps what stands by what it is sent, as docs/pipelines.md says.
type client struct {
	stands    map[string]*insightsv1.Insight
	corrected map[string]bool
	settled   map[string]bool // before the last token
	open      map[string]bool // after it
	here      map[string]bool // on this connection
	token     string
	marks     int // ends of the snapshot
	ends      int // of history, on this connection
}

func newClient() *client {
	return &client{stands: map[string]*insightsv1.Insight{}, corrected: map[string]bool{}, settled: map[string]bool{}, open: map[string]bool{}}
}

func (c *client) take(t *rapid.T, res *insightsv1.StreamInsightsResponse) {
	for _, in := range res.GetInsights() {
		name := in.GetName()
		if c.here[name] || c.settled[name] {
			t.Fatalf("%s came again: on this connection %v, before the token %v", name, c.here[name], c.settled[name])
		}
		c.here[name], c.open[name] = true, true
		if c.corrected[in.GetCorrects()] = in.GetCorrects() != ""; in.GetCorrects() != "" {
			delete(c.stands, in.GetCorrects())
		}
		retracted := in.GetCorrection() == insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED
		if retracted && c.marks == 0 {
			t.Fatal("what was retracted is in the snapshot")
		}
		if !retracted && !c.corrected[name] {
			c.stands[name] = in
		}
	}
	if res.GetSnapshotEnd() {
		c.marks++
	}
	if res.GetHistoryEnd() {
		c.ends++
	}
	for name := range c.open {
		c.settled[name] = true
	}
	clear(c.open)
	c.token = res.GetNextToken()
}

// TestSnapshotThenTail: whatever is told while a snapshot is read, and however often
// the reader is cut off, it ends with what stands, gets nothing twice, and one mark.
func TestSnapshotThenTail(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		live := func(n int) {
			for range n {
				who, id := person(rapid.IntRange(0, 3).Draw(rt, "who")), fmt.Sprint("s", rapid.IntRange(0, 5).Draw(rt, "id"))
				r.clock.Advance(time.Duration(rapid.IntRange(0, 2).Draw(rt, "later")) * 20 * time.Second)
				if rapid.IntRange(0, 3).Draw(rt, "what") == 0 {
					r.remove(who, id)
				} else {
					r.recover(who, id, rapid.Int32Range(2, 20).Draw(rt, "day"))
				}
			}
		}
		parent, as := tenant, pipeline
		if rapid.Bool().Draw(rt, "own") {
			parent, as = person(0), &auth.Principal{Subject: "p0", Tenant: "acme", Person: "p0"}
		}
		for i := range 3 { // the fourth does not share
			r.share(person(i), true)
		}
		live(rapid.IntRange(0, 30).Draw(rt, "before"))
		c, left, quiet := newClient(), 25, 0
		for ended := false; !ended; {
			c.here, c.ends = map[string]bool{}, 0
			cut := rapid.IntRange(1, 6).Draw(rt, "cut")
			err := r.read(as, &insightsv1.StreamInsightsRequest{Parent: parent, Start: "SNAPSHOT", ResumeToken: c.token}, func(res *insightsv1.StreamInsightsResponse) bool {
				c.take(rt, res)
				if left > 0 {
					n := rapid.IntRange(0, 3).Draw(rt, "meanwhile")
					live(n)
					left -= n + 1
				}
				if cut--; left > 0 {
					return cut > 0
				}
				if quiet++; len(res.GetInsights()) > 0 || c.ends == 0 || !r.settled(rt, as, parent, c) {
					quiet = 0
				}
				ended = quiet == 3
				return !ended
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		if c.marks != 1 {
			rt.Fatalf("%d ends of the snapshot", c.marks)
		}
	})
}

// settled tells whether the reader knows what stands, and nothing else.
func (r *rig) settled(t *rapid.T, as *auth.Principal, parent string, c *client) bool {
	n := 0
	for i := range 4 {
		page, err := r.store.List(context.Background(), store.Query{Kind: consume.Insights, Index: "by_name", Prefix: []store.Value{person(i)}, Limit: store.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		if as == pipeline && i == 3 || as != pipeline && person(i) != parent {
			continue
		}
		for _, rec := range page.Records {
			in := rec.Body.(*insightsv1.Insight)
			if in.GetCorrectedBy() != "" || in.GetCorrection() == insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED {
				continue
			}
			n++
			if as == pipeline {
				if err := pseudonyms(r.server.Names).hide(in); err != nil {
					t.Fatal(err)
				}
			}
			if !proto.Equal(c.stands[in.GetName()], in) {
				return false
			}
		}
	}
	return n == len(c.stands)
}

// TestSnapshotOrder: what was written in one millisecond comes in an order that tells
// nothing of real names, and in batches that are not too long.
func TestSnapshotOrder(t *testing.T) {
	r := newRig(t)
	const people = 700
	for i := range people {
		r.share(person(i), true)
		r.recover(person(i), "s", 3)
	}
	var names []string
	for _, res := range r.whole(pipeline, &insightsv1.StreamInsightsRequest{Parent: tenant, Start: "SNAPSHOT"}) {
		if len(res.GetInsights()) > snapshotPage {
			t.Errorf("%d insights in one response", len(res.GetInsights()))
		}
		for _, in := range res.GetInsights() {
			names = append(names, in.GetName())
		}
	}
	if len(names) != people || !slices.IsSorted(names) {
		t.Errorf("%d insights, in the order of pseudonyms: %v", len(names), slices.IsSorted(names))
	}
}

// TestTombstones: who was erased is told of once, after all that came of them, to
// pipelines that could read of them; nobody gets their insights any more.
func TestTombstones(t *testing.T) {
	r := newRig(t)
	ada, grace, bob := person(0), person(1), person(2)
	for _, p := range []string{ada, grace} {
		r.share(p, true)
	}
	for _, p := range []string{ada, grace, bob} { // bob never shares
		r.recover(p, "s", 3)
	}
	before := r.whole(pipeline, &insightsv1.StreamInsightsRequest{Parent: tenant})
	erased := 0
	for range 2 { // told twice, it is done once
		for _, p := range []string{ada, bob} {
			if _, err := r.consumer.Erase(t.Context(), p, func(context.Context, string) (int64, error) { erased++; return 1, nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	pseudonym, err := pseudonyms(r.server.Names).name(ada)
	if err != nil {
		t.Fatal(err)
	}
	seen := func(req *insightsv1.StreamInsightsRequest) (people []string, gone []string) {
		req.Parent = tenant
		for _, res := range r.whole(pipeline, req) {
			for _, in := range res.GetInsights() {
				if people = append(people, ownerOf(in)); len(gone) > 0 && ownerOf(in) == pseudonym {
					t.Error("an insight comes after its person's tombstone")
				}
			}
			for _, tombstone := range res.GetTombstones() {
				gone = append(gone, tombstone.GetPerson())
			}
		}
		return people, gone
	}
	if len(insightsOf(before)) != 2 {
		t.Errorf("before, pipelines see %v", insightsOf(before))
	}
	if people, gone := seen(&insightsv1.StreamInsightsRequest{ResumeToken: before[len(before)-1].GetNextToken()}); len(people) != 0 || !slices.Equal(gone, []string{pseudonym}) {
		t.Errorf("after the token came %v, tombstones of %v, want %s", people, gone, pseudonym)
	}
	if people, gone := seen(&insightsv1.StreamInsightsRequest{Filter: "n > 1000"}); len(people) != 0 || !slices.Equal(gone, []string{pseudonym}) {
		t.Errorf("with a filter: %v, %v", people, gone)
	}
	if people, gone := seen(&insightsv1.StreamInsightsRequest{}); len(people) != 1 || len(gone) != 1 {
		t.Errorf("from the beginning: %v, %v", people, gone)
	}
	if people, gone := seen(&insightsv1.StreamInsightsRequest{Start: "SNAPSHOT"}); len(people) != 1 || len(gone) != 0 {
		t.Errorf("in a snapshot: %v, %v", people, gone)
	}
	r.server.People.cache.Purge()
	for i := range 3 {
		id := fmt.Sprint("p", i)
		as := &auth.Principal{Subject: id, Tenant: "acme", Person: id}
		got := r.whole(as, &insightsv1.StreamInsightsRequest{Parent: person(i)})
		if (len(insightsOf(got)) == 1) != (i == 1) || len(got[0].GetTombstones()) > 0 {
			t.Errorf("%s gets %v", id, got)
		}
	}
	// By pseudonym, only the one's.
	other, err := pseudonyms(r.server.Names).name(grace)
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range r.whole(pipeline, &insightsv1.StreamInsightsRequest{Parent: other}) {
		if len(res.GetTombstones()) > 0 {
			t.Error("a tombstone of somebody else")
		}
	}
}

func ownerOf(in *insightsv1.Insight) string {
	return strings.Join(strings.Split(in.GetName(), "/")[:4], "/")
}
