package consume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Shares is how many shares the sources are read in, by as many processes at most. A
// share is made of the same people in every source whose number of partitions it
// divides, so that one process applies all that is told of a person.
const Shares = 8

// Work is what the division of the sources is called. Another division has another
// name, and other checkpoints.
const Work = "events-8"

const (
	// checkpointEvery is how often the place reached in a source is written down. It
	// only says where to go on after a restart: projections know for themselves what
	// they have seen.
	checkpointEvery = time.Second
	// settleTime is how long writing it down at the end may take.
	settleTime = 3 * time.Second
)

// Source is a service whose events are read.
type Source struct {
	// Name is one of Journal and Goals.
	Name   string
	Client *eventlog.Client
}

// The sources.
const (
	Journal = "journal"
	Goals   = "goals"
)

var sourceNames = []string{Journal, Goals}

// checkpoint is the name of the place that a generation has reached in a share of a
// source.
func (g Generation) checkpoint(source string, share int) string {
	return g.Name(fmt.Sprintf("%s/%d-of-%d", source, share, Shares))
}

// follow reads a share of all sources until ctx ends or a source refuses for good. What
// is applied is then applied to the generation that is kept along, too; nil: none.
// ended, unless nil, is called when the history of all sources has been applied.
func (c *Consumer) follow(ctx context.Context, share int, sources []Source, along *Consumer, ended func(context.Context) error) error {
	var one sync.Mutex // batch at a time: sources that meet in a projection would only make each other try again
	left := map[string]bool{}
	for _, s := range sources {
		left[s.Name] = true
	}
	handle := func(ctx context.Context, source string, res *eventsv1.StreamEventsResponse) error {
		one.Lock()
		defer one.Unlock()
		if err := c.patiently(ctx, res.GetEvents()); err != nil {
			return err
		}
		if along != nil {
			if err := along.patiently(ctx, res.GetEvents()); err != nil {
				return err
			}
		}
		if !res.GetHistoryEnd() || ended == nil || !left[source] {
			return nil
		}
		if delete(left, source); len(left) > 0 {
			return nil
		}
		return c.insist(ctx, "that projections have caught up could not be noted; trying again", ended)
	}
	var tasks []func(context.Context) error
	for _, s := range sources {
		tasks = append(tasks, func(ctx context.Context) error {
			return c.read(ctx, share, s, func(ctx context.Context, res *eventsv1.StreamEventsResponse) error {
				return handle(ctx, s.Name, res)
			})
		})
	}
	return lifecycle.Run(ctx, tasks...)
}

// read reads one share of a source, from where it was left. A release that did not
// know of shares left one place for the whole source, which is good for each.
func (c *Consumer) read(ctx context.Context, share int, source Source, handle func(context.Context, *eventsv1.StreamEventsResponse) error) error {
	at, err := c.checkpoints.Load(ctx, c.generation.checkpoint(source.Name, share))
	if err != nil {
		return err
	}
	token := at.Token()
	if token == "" && c.generation == 0 {
		if token, err = c.checkpoints.Peek(ctx, source.Name); err != nil {
			return err
		}
	}
	saved, unsaved := time.Time{}, ""
	err = source.Client.Share(share, Shares).Run(ctx, token, func(ctx context.Context, res *eventsv1.StreamEventsResponse) error {
		if len(res.GetEvents()) == 0 && !res.GetHistoryEnd() {
			return nil
		}
		err := handle(ctx, res)
		if err != nil && !errors.Is(err, errNear) {
			return err
		}
		unsaved = res.GetNextToken()
		if now := c.clock(); now.Sub(saved) >= checkpointEvery {
			at, saved, unsaved = c.checkpoints.Save(ctx, at, unsaved), now, ""
		}
		return err
	})
	if unsaved != "" { // so that whoever goes on begins here
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		c.checkpoints.Save(ctx, at, unsaved)
	}
	return err
}

// patiently applies a batch, however long the store cannot.
func (c *Consumer) patiently(ctx context.Context, events []*eventsv1.Event) error {
	return c.insist(ctx, "events could not be applied; trying again", func(ctx context.Context) error {
		return c.Apply(ctx, events)
	})
}

// insist does something, again and ever more slowly while it fails.
func (c *Consumer) insist(ctx context.Context, failed string, do func(context.Context) error) error {
	pause := backoff.NewExponentialBackOff()
	for {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrClosed) || errors.Is(err, errRetired) {
			return errors.Join(err, ctx.Err())
		}
		wait := pause.NextBackOff()
		c.log.WarnContext(ctx, failed, "cause", err.Error(), "wait_ms", wait.Milliseconds())
		if err := clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// again applies events, and, when another process was first with a projection, once
// more to what that one has made of it: it may read another source, or believe to
// have the same share.
func (c *Consumer) again(ctx context.Context, events []*eventsv1.Event) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Millisecond, 100*time.Millisecond
	for {
		if err := c.alive(ctx, false); err != nil {
			return err
		}
		kept, err := c.unerased(ctx, events)
		if err == nil && len(kept) > 0 {
			err = c.apply(ctx, kept)
		}
		if errors.Is(err, store.ErrNotFound) {
			if err := c.alive(ctx, true); err != nil {
				return err
			}
		}
		if !store.Outrun(err) {
			return err
		}
		if err := clock.Sleep(ctx, pause.NextBackOff()); err != nil {
			return err
		}
	}
}
