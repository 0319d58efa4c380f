package consume

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	// near is how many events the generation that is built may be behind, per source,
	// when it begins to be kept together with the current one.
	near = 1000
	// sightTime is how old the knowledge of which generations there are may be when
	// events are applied. retireAfter is how long after another became current the old
	// one begins to go: by far longer, so that nobody builds on what is half gone.
	sightTime   = 3 * time.Second
	retireAfter = 10 * time.Second
	// retireBatch is how many documents are looked through, and deleted, at once;
	// retirePause is how long the store is left to others then.
	retireBatch = 200
	retirePause = 20 * time.Millisecond
	// buildAtOnce is how many shares a process builds at once.
	buildAtOnce = 2
)

var (
	// errRetired is a generation that is neither current nor built any more.
	errRetired = errors.New("consume: another generation has taken over")
	// errNear ends a reading that was to go to the end of history.
	errNear = errors.New("consume: the end of history")
)

// generational are the kinds of documents that there are once per generation, all
// with the index by_name.
var generational = []string{Projections, facts.KindName}

// of gives a consumer that keeps another generation.
func (c *Consumer) of(g *storagev1.Generation) *Consumer {
	other := *c
	other.generation = Generation(g.GetNumber())
	other.met = map[string]bool{}
	return &other
}

// Share reads one share of all sources until ctx ends or a source refuses for good:
// for the current generation, and for the one that is built.
func (c *Consumer) Share(ctx context.Context, share int, sources []Source) error {
	for ctx.Err() == nil {
		state, changed := c.Generations.view()
		same, others := context.WithCancel(ctx)
		go func() {
			select {
			case <-changed:
				others()
			case <-same.Done():
			}
		}()
		err := c.generations(same, state, share, sources)
		others()
		if err != nil && !errors.Is(err, errRetired) && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return ctx.Err()
}

// generations keeps a share of those generations that there are, until ctx ends.
func (c *Consumer) generations(ctx context.Context, state *storagev1.Generations, share int, sources []Source) error {
	if state.GetCurrent().GetVersion() > projection.Version {
		c.log.WarnContext(ctx, "projections were made by a later release, which has to keep them", "version", state.GetCurrent().GetVersion())
		<-ctx.Done()
		return ctx.Err()
	}
	current := c.of(state.GetCurrent())
	keep := func(ctx context.Context) error { return current.follow(ctx, share, sources, nil, nil) }
	if b := state.GetBuilding(); b != nil && b.GetVersion() == projection.Version {
		keep = func(ctx context.Context) error { return c.build(ctx, b, current, share, sources) }
	}
	tasks := []func(context.Context) error{keep}
	if share == 0 && state.GetOldest() < state.GetCurrent().GetNumber() {
		tasks = append(tasks, current.retire)
	}
	return lifecycle.Run(ctx, tasks...)
}

// build brings a share of a new generation to where the current one is, which goes on
// meanwhile. Then one reading keeps both, the new one first: it is never behind, and
// whoever reads it after the other sees nothing undone.
func (c *Consumer) build(ctx context.Context, g *storagev1.Generation, current *Consumer, share int, sources []Source) error {
	next := c.of(g)
	if !slices.Contains(g.GetCaughtUp(), int32(share)) {
		beside, stop := context.WithCancel(ctx)
		defer stop()
		err := lifecycle.Run(beside,
			func(ctx context.Context) error { return current.follow(ctx, share, sources, nil, nil) },
			func(ctx context.Context) error {
				defer stop()
				return next.approach(ctx, share, sources)
			})
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
	return next.follow(ctx, share, sources, current, func(ctx context.Context) error {
		return c.Generations.caughtUp(ctx, next.generation, share)
	})
}

// approach reads a share of all sources until little is left that was not read.
func (c *Consumer) approach(ctx context.Context, share int, sources []Source) error {
	select {
	case c.builds <- struct{}{}:
		defer func() { <-c.builds }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var one sync.Mutex
	var tasks []func(context.Context) error
	for _, s := range sources {
		tasks = append(tasks, func(ctx context.Context) error {
			for {
				n := 0
				err := c.read(ctx, share, s, func(ctx context.Context, res *eventsv1.StreamEventsResponse) error {
					one.Lock()
					defer one.Unlock()
					n += len(res.GetEvents())
					if err := c.patiently(ctx, res.GetEvents()); err != nil || !res.GetHistoryEnd() {
						return err
					}
					return errNear
				})
				if !errors.Is(err, errNear) {
					return err
				}
				if n < near {
					return nil
				}
			}
		})
	}
	return lifecycle.Run(ctx, tasks...)
}

// alive tells whether this consumer's generation is still there, as far as is known
// for sure.
func (c *Consumer) alive(ctx context.Context, sure bool) error {
	if sure || c.Generations.sight() > sightTime {
		if err := c.Generations.look(ctx); err != nil {
			return err
		}
	}
	if state, _ := c.Generations.view(); !slices.Contains(numbers(state), c.generation) {
		return errRetired
	}
	return nil
}

// sight is how old what is known of generations is.
func (g *Generations) sight() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Since(g.looked)
}

// unerased leaves out the events of those who were erased before this generation came
// to know them: they are marked in the current one, and get the mark here. To look
// once per person is enough, because whoever is erased later is marked in all
// generations that there are.
func (c *Consumer) unerased(ctx context.Context, events []*eventsv1.Event) ([]*eventsv1.Event, error) {
	state, _ := c.Generations.view()
	if numbers(state)[0] == c.generation {
		return events, nil
	}
	if len(c.met) > 50*store.MaxPage {
		clear(c.met)
	}
	var unknown []string
	for _, e := range events {
		if _, ok := c.met[e.GetOwner()]; !ok && !slices.Contains(unknown, e.GetOwner()) {
			unknown = append(unknown, e.GetOwner())
		}
	}
	found, err := c.Generations.Projections(ctx, unknown...)
	if err != nil {
		return nil, err
	}
	for _, owner := range unknown {
		erased := found[owner].GetErased()
		if erased {
			if err := c.mark(ctx, c.generation, owner, false); err != nil {
				return nil, err
			}
		}
		c.met[owner] = erased
	}
	return slices.DeleteFunc(slices.Clone(events), func(e *eventsv1.Event) bool { return c.met[e.GetOwner()] }), nil
}

// markAll marks an erased person in every generation that there is, the one that is
// read first, and in those that come to be meanwhile.
func (c *Consumer) markAll(ctx context.Context, owner string) error {
	var marked []Generation
	for {
		if err := c.Generations.look(ctx); err != nil {
			return err
		}
		state, _ := c.Generations.view()
		there := slices.DeleteFunc(numbers(state), func(g Generation) bool { return slices.Contains(marked, g) })
		if len(there) == 0 {
			return nil
		}
		for _, g := range there {
			if err := c.mark(ctx, g, owner, len(marked) == 0 && g == there[0]); err != nil {
				return err
			}
		}
		marked = append(marked, there...)
	}
}
