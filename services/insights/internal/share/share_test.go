package share

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRounds: however processes come, go and die, no share is had by two, and as
// soon as all have looked twice, every share is had, by as many as can be alike.
func TestRounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shares := rapid.IntRange(1, 16).Draw(rt, "shares")
		r, now, next := &storagev1.Roster{}, resourcetest.Start, 0
		var alive []string
		look := func(id string) {
			round(r, id, shares, now)
			had := map[int32]string{}
			for _, m := range r.GetMembers() {
				for _, s := range m.GetShares() {
					if had[s] != "" || s < 0 || int(s) >= shares {
						rt.Fatalf("share %d of %d is had by %s and %s", s, shares, had[s], m.GetId())
					}
					had[s] = m.GetId()
				}
			}
		}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch what := rapid.IntRange(0, 3).Draw(rt, "what"); {
			case what == 0 || len(alive) == 0:
				next++
				alive = append(alive, fmt.Sprint("p", next))
			case what == 1:
				i := rapid.IntRange(0, len(alive)-1).Draw(rt, "gone")
				if rapid.Bool().Draw(rt, "well") {
					leave(r, alive[i])
				}
				alive = slices.Delete(alive, i, i+1)
			default:
				look(rapid.SampledFrom(alive).Draw(rt, "looks"))
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "ms")) * time.Millisecond)
		}
		if len(alive) == 0 {
			return
		}
		for _, id := range alive { // they keep their places while the dead lose theirs
			look(id)
		}
		now = now.Add(TTL)
		for range 3 {
			for _, id := range alive {
				look(id)
			}
		}
		total := 0
		for _, id := range alive {
			n := len(held(r, id))
			if total += n; n < shares/len(alive) || n > (shares-1)/len(alive)+1 {
				rt.Fatalf("%s has %d of %d shares among %d", id, n, shares, len(alive))
			}
		}
		if total != shares {
			rt.Fatalf("%d of %d shares are had", total, shares)
		}
	})
}

// process is one that takes part, and what it does.
type process struct {
	*Group
	mu  sync.Mutex
	has []int
}

func newProcess(docs store.Documents, rig *resourcetest.Rig) *process {
	p := &process{}
	p.Group = &Group{Work: "test", Shares: 8, Docs: docs, Clock: rig.Clock.Now, NewID: ids.Random, Log: slog.New(slog.DiscardHandler)}
	p.Do = func(ctx context.Context, s int) error {
		p.mu.Lock()
		p.has = append(p.has, s)
		p.mu.Unlock()
		<-ctx.Done()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.has = slices.DeleteFunc(p.has, func(x int) bool { return x == s })
		return ctx.Err()
	}
	p.enter()
	return p
}

func (p *process) looks(t *testing.T, want int) {
	t.Helper()
	if err := p.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.does(t, want)
}

// does checks how many shares are being done.
func (p *process) does(t *testing.T, want int) {
	t.Helper()
	var n int
	for range 1000 {
		p.mu.Lock()
		n = len(p.has)
		p.mu.Unlock()
		if n == want {
			return
		}
		time.Sleep(time.Millisecond) // until goroutines have begun
	}
	t.Errorf("%d shares are done, want %d", n, want)
}

// TestTakeover: a newcomer gets its part, one that dies loses its own when its time
// is over, one that leaves at once, and one that only slept stops what it had.
func TestTakeover(t *testing.T) {
	rig := resourcetest.New(t)
	docs := rig.Open(t, Kind())
	one, two := newProcess(docs, rig), newProcess(docs, rig)
	defer two.leave(context.Background())
	defer one.leave(context.Background())
	one.looks(t, 8)
	two.looks(t, 0)
	one.looks(t, 4)
	two.looks(t, 4)

	rig.Clock.Advance(TTL - time.Millisecond) // one says nothing
	two.looks(t, 4)
	rig.Clock.Advance(time.Millisecond)
	two.looks(t, 8)
	one.does(t, 4) // it slept, and does not know
	one.looks(t, 0)
	two.looks(t, 4)
	one.looks(t, 4)

	one.leave(t.Context())
	one.does(t, 0)
	two.looks(t, 8)
}

// TestRun: what is done ends with Run, the roster is empty then, and a share that
// fails ends it.
func TestRun(t *testing.T) {
	rig := resourcetest.New(t)
	docs := rig.Open(t, Kind())
	p := newProcess(docs, rig)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.does(t, 8)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.does(t, 0)
	rec, err := docs.Get(t.Context(), rosterKind, "rosters/test")
	if err != nil || len(rec.Body.(*storagev1.Roster).GetMembers()) != 0 {
		t.Errorf("the roster has %v: %v", rec.Body, err)
	}
	broken := errors.New("broken")
	p.Do = func(context.Context, int) error { return broken }
	if err := p.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("a share failed, Run gives %v", err)
	}
}
