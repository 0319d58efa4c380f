// Package share divides work that never ends between the processes of a service. Who
// does which share stands on a roster in the store, which each process looks at every
// second: there it says that it is alive, and gives up or takes shares, so that all
// have as many. What one that died had is free when it has not been heard of for a
// few seconds.
//
// Two may believe to have one share for a moment, when one was asleep, or clocks
// differ. What they do must stand that; the roster keeps it rare.
package share

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	rosterKind = "rosters"

	// lookEach is how often a process looks at the roster.
	lookEach = time.Second
	// lookTime is how long that may take, so that one look that hangs is not the end.
	lookTime = 3 * time.Second
)

// Kind is what the store must know of rosters.
func Kind() store.Kind {
	return store.Kind{Name: rosterKind, New: func() proto.Message { return &storagev1.Roster{} }}
}

// Group is the processes that divide some work.
type Group struct {
	// Work names it. Where its division changes, it gets a new name.
	Work string
	// Shares is how many shares it has.
	Shares int
	Docs   store.Documents
	Clock  clock.Clock
	NewID  ids.Source
	Log    *slog.Logger
	// Do does a share, from 0, until its ctx ends: then the share is another's, or the
	// service stops. Any other end is the end of the service.
	Do func(ctx context.Context, share int) error

	me      string
	doing   map[int32]*doing
	failed  chan error
	changed bool // since the shares that are held were last logged
}

// doing is a share that is being done.
type doing struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// Run does shares until ctx ends, or one ends badly. What it had is free for others
// when it returns.
func (g *Group) Run(ctx context.Context) error {
	g.enter()
	defer g.leave(ctx)
	ticker := time.NewTicker(lookEach)
	defer ticker.Stop()
	for {
		if err := g.look(ctx); err != nil && ctx.Err() == nil {
			g.Log.WarnContext(ctx, "the roster could not be kept; trying again", "work", g.Work, "cause", err.Error())
		}
		select {
		case <-ticker.C:
		case err := <-g.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *Group) enter() {
	g.me, g.doing, g.failed = g.NewID(), map[int32]*doing{}, make(chan error, g.Shares)
}

// look takes part in the roster once, and does from then on what it says. While the
// roster cannot be read, what was done is done on.
func (g *Group) look(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var mine []int32
	err := g.edit(within, func(r *storagev1.Roster) {
		before := held(r, g.me)
		round(r, g.me, g.Shares, g.Clock())
		mine = held(r, g.me)
		for _, s := range before {
			if !slices.Contains(mine, s) {
				g.end(s) // before another begins
			}
		}
	})
	if err != nil {
		return err
	}
	for s := range g.doing {
		if !slices.Contains(mine, s) {
			g.end(s) // others took it for dead
		}
	}
	for _, s := range mine {
		if g.doing[s] == nil {
			g.begin(ctx, s)
		}
	}
	if g.changed {
		g.changed = false
		slices.Sort(mine)
		g.Log.InfoContext(ctx, "shares are divided", "work", g.Work, "shares", mine)
	}
	return nil
}

func (g *Group) begin(ctx context.Context, s int32) {
	ctx, stop := context.WithCancel(ctx)
	d := &doing{stop: stop, ended: make(chan struct{})}
	g.doing[s], g.changed = d, true
	go func() {
		defer close(d.ended)
		if err := g.Do(ctx, int(s)); ctx.Err() == nil {
			g.failed <- errors.Join(err, errEnded)
		}
	}()
}

var errEnded = errors.New("a share of the work has ended")

func (g *Group) end(s int32) {
	if d := g.doing[s]; d != nil {
		d.stop()
		<-d.ended
		delete(g.doing, s)
		g.changed = true
	}
}

// leave ends all shares and gives them up.
func (g *Group) leave(ctx context.Context) {
	for _, d := range g.doing {
		d.stop()
	}
	for s := range g.doing {
		g.end(s)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	if err := g.edit(ctx, func(r *storagev1.Roster) { leave(r, g.me) }); err != nil {
		g.Log.WarnContext(ctx, "shares could not be given up; others wait for them", "work", g.Work, "cause", err.Error())
	}
}

// edit changes the roster.
func (g *Group) edit(ctx context.Context, change func(*storagev1.Roster)) error {
	name := "rosters/" + g.Work
	first := store.Record{Kind: rosterKind, Name: name, Owner: name, Body: &storagev1.Roster{Name: name}}
	_, err := store.Edit(ctx, g.Docs, g.Clock, first, func(r *storagev1.Roster) bool {
		before := proto.CloneOf(r)
		change(r)
		return !proto.Equal(before, r)
	})
	return err
}
