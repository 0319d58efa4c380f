package consume_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// TestTwoBelieve: two processes that believe to have the same share apply the same
// events at the same time, in batches of their own. What comes of it is what one alone
// would have made, and each insight is told once.
func TestTwoBelieve(t *testing.T) {
	for seed := range uint64(6) {
		events := history(seed, 300)
		alone, aloneStore := open(t)
		if err := alone.Apply(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		one, s := open(t)
		two := consume.New(s, clock.NewManual(begin).Now, slog.New(slog.DiscardHandler))
		var both sync.WaitGroup
		for i, c := range []*consume.Consumer{one, two} {
			both.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				for at := 0; at < len(events); {
					n := min(1+r.IntN(20), len(events)-at)
					if err := c.Apply(t.Context(), events[at:at+n]); err != nil {
						t.Error(err)
					}
					at += n
				}
			})
		}
		both.Wait()
		for i := range 3 {
			owner := fmt.Sprintf("tenants/acme/people/p%d", i)
			if a, b := dump(t, aloneStore, owner), dump(t, s, owner); !equal(a, b) {
				t.Errorf("%s:\nalone    %v\ntogether %v", owner, a, b)
			}
		}
		if a, b := published(t, aloneStore), published(t, s); a != b {
			t.Errorf("alone %d insights were published, together %d", a, b)
		}
	}
}

// TestSourcesApart: a person's journal and goals are applied by two processes at the
// same time. Nothing is lost, whoever writes first.
func TestSourcesApart(t *testing.T) {
	const seed, owner = 7, "tenants/acme/people/p0"
	bySource := map[string][]*eventsv1.Event{}
	for _, e := range history(seed, 600) {
		if e.GetOwner() == owner {
			bySource[e.GetSource()] = append(bySource[e.GetSource()], e)
		}
	}
	one, s := open(t)
	two := consume.New(s, clock.NewManual(begin).Now, slog.New(slog.DiscardHandler))
	var both sync.WaitGroup
	for source, c := range map[string]*consume.Consumer{"rebound/journal": one, "rebound/goals": two} {
		both.Go(func() {
			for _, e := range bySource[source] {
				if err := c.Apply(t.Context(), []*eventsv1.Event{e}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	for source, events := range bySource {
		if got, want := reached(t, s, owner)[source], events[len(events)-1].GetPosition(); got != want {
			t.Errorf("%s was applied up to %d of %d", source, got, want)
		}
	}
	published(t, s)
}

// reached gives how far a person's projection has applied each source.
func reached(t *testing.T, s store.Documents, owner string) map[string]int64 {
	t.Helper()
	rec, err := s.Get(t.Context(), consume.Projections, projection.Name(owner))
	if err != nil {
		t.Fatal(err)
	}
	return rec.Body.(*storagev1.Projection).GetPositions()
}

// BenchmarkShares reads the lives of many people over gRPC, in shares, and applies
// them.
func BenchmarkShares(b *testing.B) {
	w := newWorld(b)
	for seed := range uint64(60) {
		w.live(seed, 100)
	}
	w.heads()
	for b.Loop() {
		_, s := open(b)
		r := w.replica(s, "")
		w.caughtUp(r)
		r.stop()
	}
	b.ReportMetric(float64(len(w.told)*b.N)/b.Elapsed().Seconds(), "events/s")
}
