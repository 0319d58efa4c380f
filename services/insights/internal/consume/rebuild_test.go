package consume_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
)

// left gives the names of all projections and weekly facts, and how many checkpoints
// there are of a generation.
func left(t testing.TB, s *sqlite.Store, g consume.Generation) (names []string, checkpoints int) {
	t.Helper()
	return append(allOf(t, s, consume.Projections), allOf(t, s, facts.KindName)...), checkpointsOf(t, s, g)
}

// allOf gives the names of all documents of a kind.
func allOf(t testing.TB, s *sqlite.Store, kind string) []string {
	t.Helper()
	page, err := s.List(t.Context(), store.Query{Kind: kind, Index: "by_name", Limit: store.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, rec := range page.Records {
		names = append(names, rec.Name)
	}
	return names
}

func checkpointsOf(t testing.TB, s *sqlite.Store, g consume.Generation) int {
	t.Helper()
	var names []string
	for _, source := range []string{consume.Journal, consume.Goals} {
		for i := range consume.Shares {
			names = append(names, "checkpoints/"+g.Checkpoint(source, i))
		}
	}
	found, err := s.GetBatch(t.Context(), "checkpoints", names)
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// replaced waits until a generation is current and nothing is left of those before.
func (w *world) replaced(r *replica, s *sqlite.Store, g consume.Generation) {
	w.t.Helper()
	w.await("the rebuilt generation is current, and the old one gone", func() bool {
		return slices.Equal(r.Generations.Numbers(), []consume.Generation{g}) && r.Generations.Oldest() == g
	})
	for old := range g {
		names, checkpoints := left(w.t, s, old)
		if checkpoints > 0 {
			w.t.Errorf("%d checkpoints of generation %d are left", checkpoints, old)
		}
		for _, owner := range w.owners {
			if slices.Contains(names, old.Name(projection.Name(owner))) || slices.Contains(names, old.Name(facts.Name(owner))) {
				w.t.Errorf("something of %s in generation %d is left", owner, old)
			}
		}
	}
}

// TestRebuildBesideReads: while two processes rebuild, what is read is there, and
// never goes back, and new events show. Then the rebuilt is what is read, and it is
// what was lived; the old is gone.
func TestRebuildBesideReads(t *testing.T) {
	w := newWorld(t)
	_, s := open(t)
	for seed := range uint64(12) {
		w.live(seed, 100)
	}
	owners := slices.Clone(w.owners)
	first := w.replica(s, "")
	w.caughtUp(first)

	ctx, cancel := context.WithCancel(t.Context())
	var reads sync.WaitGroup
	look := func(r *replica) {
		reached := map[string]map[string]int64{}
		for ctx.Err() == nil {
			known, err := r.Generations.Projections(t.Context(), owners...)
			if err != nil {
				t.Error(err)
				return
			}
			for _, owner := range owners {
				now := known[owner].GetPositions()
				for source, before := range reached[owner] {
					if now[source] < before {
						t.Errorf("%s was known up to %d of %s, and now up to %d, in generation %v", owner, before, source, now[source], r.Generations.Numbers())
						return
					}
				}
				reached[owner] = now
			}
		}
	}
	reads.Go(func() { look(first) })
	second := w.replica(s, "2026-11-26")
	if got := second.Generations.Numbers(); !slices.Equal(got, []consume.Generation{0, 1}) {
		t.Fatalf("generations %v", got)
	}
	reads.Go(func() { look(second) })
	for seed := uint64(100); seed < 110; seed++ {
		w.live(seed, 20)
	}
	w.caughtUp(first)
	w.replaced(first, s, 1)
	cancel()
	reads.Wait()
	w.caughtUp(second)
	w.same(second, s)

	// The same label again does nothing, another does; after it things go on.
	third := w.replica(s, "2026-11-26")
	if got := third.Generations.Numbers(); !slices.Equal(got, []consume.Generation{1}) {
		t.Errorf("after a restart with the same label: generations %v", got)
	}
	w.live(200, 20)
	w.caughtUp(third)
	w.same(third, s)
}

// unfinished is a store in which it can be noted that a rebuild begins, and nothing that
// comes of it.
type unfinished struct {
	store.Documents
	noted atomic.Bool
}

func (u *unfinished) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	if len(writes) == 1 && writes[0].Record.Kind == "generations" && u.noted.Swap(true) {
		return []store.Result{{Err: store.ErrUnavailable}}
	}
	return u.Documents.Commit(ctx, writes...)
}

// TestRebuildCutShort: processes that stop in the middle of a rebuild go on with it
// when they come back, and a second rebuild takes the place of one under way.
func TestRebuildCutShort(t *testing.T) {
	w := newWorld(t)
	_, s := open(t)
	for seed := range uint64(12) {
		w.live(seed, 100)
	}
	first := w.replica(s, "")
	w.caughtUp(first)
	first.stop()
	again := w.replica(&unfinished{Documents: s}, "again")
	w.await("the rebuild has begun", func() bool {
		return len(allOf(t, s, consume.Projections)) > len(w.owners)
	})
	again.stop()
	if got := again.Generations.Numbers(); !slices.Equal(got, []consume.Generation{0, 1}) {
		t.Fatalf("generations %v", got)
	}
	anew := w.replica(s, "anew")
	if got := anew.Generations.Numbers(); !slices.Equal(got, []consume.Generation{0, 2}) {
		t.Fatalf("generations %v", got)
	}
	anew.stop()
	last := w.replica(s, "anew")
	w.replaced(last, s, 2)
	w.caughtUp(last)
	w.same(last, s)
}

// TestRebuildErased: whoever is erased before, in, or after a rebuild, by one process
// or by two at once, stays so, and nothing is told of them again.
func TestRebuildErased(t *testing.T) {
	w := newWorld(t)
	_, s := open(t)
	for seed := range uint64(8) {
		w.live(seed, 100)
	}
	first := w.replica(s, "")
	w.caughtUp(first)
	sweep := func(ctx context.Context, owner string) (int64, error) {
		page, err := s.List(ctx, store.Query{Kind: consume.Insights, Index: "by_name", Prefix: []store.Value{owner}, Limit: store.MaxPage})
		for _, rec := range page.Records {
			s.Commit(ctx, store.Write{Op: store.Delete, Record: rec}) // one that the other process deleted is gone as well
		}
		return int64(len(page.Records)), err
	}
	erased := w.owners[:7]
	erase := func(owner string, by ...*replica) {
		var all sync.WaitGroup
		for _, r := range by {
			all.Go(func() {
				if _, err := r.Erase(t.Context(), owner, sweep); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	erase(erased[0], first)
	second := w.replica(s, "again")
	for _, owner := range erased[1:6] {
		erase(owner, first, second)
	}
	w.replaced(first, s, 1)
	w.caughtUp(second)
	erase(erased[6], second)
	known, err := first.Generations.Projections(t.Context(), w.owners...)
	if err != nil {
		t.Fatal(err)
	}
	for i, owner := range w.owners {
		if known[owner] == nil || known[owner].GetErased() != (i < 7) || i < 7 && len(known[owner].GetPositions()) > 0 {
			t.Errorf("%s is known as %v", owner, known[owner])
		}
		if i < 7 {
			for range 2 { // as the eraser does: what was on its way when it came is swept after
				if _, err := sweep(t.Context(), owner); err != nil {
					t.Error(err)
				}
			}
			if n, err := sweep(t.Context(), owner); n > 0 || err != nil {
				t.Errorf("%d insights of %s are told again: %v", n, owner, err)
			}
		}
	}
}

// TestMarksOutlive: the mark of an erased person of whom no source tells any more is
// there in the next generation, too.
func TestMarksOutlive(t *testing.T) {
	w := newWorld(t)
	_, s := open(t)
	const gone = "tenants/acme/people/gone"
	first := w.replica(s, "")
	if _, err := first.Erase(t.Context(), gone, func(context.Context, string) (int64, error) { return 0, nil }); err != nil {
		t.Fatal(err)
	}
	second := w.replica(s, "again")
	w.replaced(second, s, 1)
	known, err := second.Generations.Projections(t.Context(), gone)
	if err != nil || !known[gone].GetErased() {
		t.Errorf("known as %v: %v", known[gone], err)
	}
}

// TestVersions: a later version has projections rebuilt, an earlier or the same one
// has not; what a release left that wrote no version down is of the first.
func TestVersions(t *testing.T) {
	for name, row := range map[string]struct {
		before  string // checkpoint of an earlier release
		version int32
		want    []consume.Generation
	}{
		"new store": {"", 2, []consume.Generation{0}},
		"as before": {"token", 1, []consume.Generation{0}},
		"later":     {"token", 2, []consume.Generation{0, 1}},
	} {
		c, s := open(t)
		checkpoints := eventlog.NewCheckpoints(s, clock.NewManual(begin).Now)
		if row.before != "" {
			at, err := checkpoints.Load(t.Context(), consume.Journal)
			if err != nil {
				t.Fatal(err)
			}
			checkpoints.Save(t.Context(), at, row.before)
		}
		for range 2 { // a second start changes nothing
			if err := c.Generations.Begin(t.Context(), row.version, ""); err != nil {
				t.Fatal(err)
			}
			if got := c.Generations.Numbers(); !slices.Equal(got, row.want) {
				t.Errorf("%s: generations %v, want %v", name, got, row.want)
			}
		}
		if err := c.Generations.Begin(t.Context(), row.version-1, ""); err != nil {
			t.Fatal(err)
		}
		if got := c.Generations.Numbers(); !slices.Equal(got, row.want) {
			t.Errorf("%s, then an earlier release: generations %v, want %v", name, got, row.want)
		}
	}
}

// TestLaterRelease: what a later release builds, or has built, this one leaves alone.
func TestLaterRelease(t *testing.T) {
	w := newWorld(t)
	w.live(1, 20)
	c, s := open(t)
	first := w.replica(s, "")
	if err := c.Generations.Begin(t.Context(), projection.Version+1, ""); err != nil {
		t.Fatal(err)
	}
	w.caughtUp(first)
	w.await("the rebuild is known", func() bool { return len(first.Generations.Numbers()) == 2 })
	w.live(2, 20)
	w.caughtUp(first)
	first.stop()
	if projections := allOf(t, s, consume.Projections); len(projections) != len(w.owners) {
		t.Errorf("projections of %d people: %v", len(w.owners), projections)
	}

	later, other := open(t)
	if err := later.Generations.Begin(t.Context(), projection.Version+1, ""); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := later.Share(ctx, store.PartitionOf(w.owners[0], store.DefaultPartitions)%consume.Shares, w.sources); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if projections := allOf(t, other, consume.Projections); len(projections) > 0 {
		t.Errorf("projections of a later release were changed: %v", projections)
	}
}
