package consume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Generation is the number of a whole set of what is kept of people. One is read; at
// times another is built beside it, from the first event on, and takes its place.
type Generation int32

// Name is the name of a document in this generation; name is that in the first one.
func (g Generation) Name(name string) string {
	if g == 0 {
		return name
	}
	return fmt.Sprintf("%s/%d", name, g)
}

// generationOf is the generation of a document that Name has named.
func generationOf(rec store.Record) Generation {
	below := strings.Split(strings.TrimPrefix(rec.Name, rec.Owner+"/"), "/")
	n, err := strconv.ParseInt(below[len(below)-1], 10, 32)
	if len(below) == 1 || err != nil {
		return 0
	}
	return Generation(n)
}

const (
	generationKind = "generations"
	generationName = "generations/projections"

	// lookEach is how often a process looks which generations there are.
	lookEach = time.Second
	// maxLabels is how many labels are remembered.
	maxLabels = 100
)

// Generations knows which generation is read, and which is built.
type Generations struct {
	docs store.Documents
	now  clock.Clock
	log  *slog.Logger

	mu      sync.Mutex
	state   *storagev1.Generations
	looked  time.Time
	changed chan struct{} // closed and replaced when others are read or built
}

func newGenerations(docs store.Documents, now clock.Clock, log *slog.Logger) *Generations {
	return &Generations{docs: docs, now: now, log: log, state: first(0), changed: make(chan struct{})}
}

// first is what there is before anything is written down.
func first(version int32) *storagev1.Generations {
	return &storagev1.Generations{Name: generationName, Current: &storagev1.Generation{Version: version}}
}

// Begin has a generation built when the logic is of a later version than that of
// the latest one, or when it is asked for under a label that was not used before.
func (g *Generations) Begin(ctx context.Context, version int32, label string) error {
	version0, err := g.unwritten(ctx, version)
	if err != nil {
		return err
	}
	err = g.edit(ctx, version0, func(s *storagev1.Generations) {
		latest, asked := s.GetCurrent(), label != "" && !slices.Contains(s.GetLabels(), label)
		if s.GetBuilding() != nil {
			latest = s.GetBuilding()
		}
		if asked {
			s.Labels = append(s.Labels, label)
			s.Labels = s.Labels[max(0, len(s.Labels)-maxLabels):]
		}
		if asked || version > latest.GetVersion() {
			s.Building = &storagev1.Generation{Number: latest.GetNumber() + 1, Version: version}
		}
	})
	if state, _ := g.view(); err == nil && state.GetBuilding() != nil {
		g.log.InfoContext(ctx, "projections are rebuilt", "generation", state.GetBuilding().GetNumber(), "version", state.GetBuilding().GetVersion())
	}
	return err
}

// unwritten is the version of the first generation where it is not written down: a
// release that did not do so left its checkpoints, else there is nothing yet.
func (g *Generations) unwritten(ctx context.Context, version int32) (int32, error) {
	checkpoints := eventlog.NewCheckpoints(g.docs, g.now)
	for _, source := range sourceNames {
		token, err := checkpoints.Peek(ctx, source)
		if err != nil {
			return 0, err
		}
		if token != "" {
			return 1, nil
		}
	}
	return version, nil
}

// Run looks again and again until ctx ends.
func (g *Generations) Run(ctx context.Context) error {
	for {
		if err := clock.Sleep(ctx, lookEach); err != nil {
			return err
		}
		if err := g.look(ctx); err != nil && ctx.Err() == nil {
			g.log.WarnContext(ctx, "it is not known which projections are current; trying again", "cause", err.Error())
		}
	}
}

// look reads what there is.
func (g *Generations) look(ctx context.Context) error {
	rec, err := g.docs.Get(ctx, generationKind, generationName)
	if errors.Is(err, store.ErrNotFound) {
		g.set(first(0))
		return nil
	}
	if err == nil {
		g.set(rec.Body.(*storagev1.Generations))
	}
	return err
}

func (g *Generations) set(state *storagev1.Generations) {
	g.mu.Lock()
	defer g.mu.Unlock()
	others := !slices.Equal(numbers(state), numbers(g.state))
	g.state, g.looked = state, time.Now()
	if others {
		close(g.changed)
		g.changed = make(chan struct{})
	}
}

// numbers are those of the current generation and the one that is built.
func numbers(s *storagev1.Generations) []Generation {
	out := []Generation{Generation(s.GetCurrent().GetNumber())}
	if s.GetBuilding() != nil {
		out = append(out, Generation(s.GetBuilding().GetNumber()))
	}
	return out
}

// view is what was seen last, which nobody may change, and a channel that is closed
// when other generations are current or built.
func (g *Generations) view() (*storagev1.Generations, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state, g.changed
}

// edit changes what there is; version is that of the first generation where none is
// written down.
func (g *Generations) edit(ctx context.Context, version int32, change func(*storagev1.Generations)) error {
	empty := store.Record{Kind: generationKind, Name: generationName, Owner: generationName, Body: &storagev1.Generations{}}
	state, err := store.Edit(ctx, g.docs, g.now, empty, func(s *storagev1.Generations) bool {
		before := proto.CloneOf(s)
		if s.GetName() == "" {
			proto.Merge(s, first(version))
		}
		change(s)
		return !proto.Equal(before, s)
	})
	if err == nil {
		g.set(state)
	}
	return err
}

// caughtUp notes that a share of the generation that is built has caught up. With the
// last share it becomes the current one.
func (g *Generations) caughtUp(ctx context.Context, number Generation, share int) error {
	err := g.edit(ctx, projection.Version, func(s *storagev1.Generations) {
		b := s.GetBuilding()
		if b == nil || Generation(b.GetNumber()) != number || slices.Contains(b.GetCaughtUp(), int32(share)) {
			return
		}
		if b.CaughtUp = append(b.CaughtUp, int32(share)); len(b.GetCaughtUp()) == Shares {
			s.Current, s.Building = &storagev1.Generation{Number: b.GetNumber(), Version: b.GetVersion()}, nil
		}
	})
	if state, _ := g.view(); err == nil && numbers(state)[0] == number {
		g.log.InfoContext(ctx, "rebuilt projections are read from now on", "generation", int32(number))
	}
	return err
}

// Current is the generation that is read, as last seen.
func (g *Generations) Current() Generation {
	state, _ := g.view()
	return numbers(state)[0]
}

// Projections reads what is known about people, by owner, in the current generation.
// Whoever has none is not in it. At most store.MaxPage owners.
func (g *Generations) Projections(ctx context.Context, owners ...string) (map[string]*storagev1.Projection, error) {
	out := map[string]*storagev1.Projection{}
	for {
		state, _ := g.view()
		current := numbers(state)[0]
		var names, missing []string
		for _, owner := range owners {
			names = append(names, current.Name(projection.Name(owner)))
		}
		found, err := g.docs.GetBatch(ctx, Projections, names)
		if err != nil {
			return nil, err
		}
		for i, owner := range owners {
			if rec, ok := found[names[i]]; ok {
				out[owner] = rec.Body.(*storagev1.Projection)
			} else {
				missing = append(missing, owner)
			}
		}
		if len(missing) == 0 {
			return out, nil
		}
		// They may be on their way out: another generation is current, and it was not
		// seen yet.
		if err := g.look(ctx); err != nil {
			return nil, err
		}
		if state, _ = g.view(); numbers(state)[0] == current {
			return out, nil
		}
		owners = missing
	}
}
