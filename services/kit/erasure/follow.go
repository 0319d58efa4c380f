package erasure

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// EventType is the type of the event that tells of an erased person.
const EventType = "person.erased"

// Follower obeys the erasures that the journal publishes, and hands on what else a
// service wants to know of the journal, all in the order in which it happened:
// what is told of a person before they were erased never comes after it.
type Follower struct {
	// Service is what this service is called.
	Service string
	// Erase erases a person here, and tells how many documents there were.
	Erase func(ctx context.Context, owner string) (int64, error)
	// Journal takes the acknowledgement.
	Journal     journalv1.ErasureServiceClient
	Checkpoints *eventlog.Checkpoints
	Log         *slog.Logger
	// Also is what else to hand on.
	Also Also
}

// Also is what a service wants to know of the journal besides erasures. The zero
// Also is nothing.
type Also struct {
	// Reading names it. Where Types change, or what Apply makes of them, it gets a
	// new name, and starts at the beginning.
	Reading string
	// Types are the types of events.
	Types []string
	// Apply takes events in. They may come again.
	Apply func(ctx context.Context, events []*eventsv1.Event) error
}

// Run follows the journal's events until ctx ends or the journal refuses for good.
func (f *Follower) Run(ctx context.Context, client *eventlog.Client) error {
	reading := "erasures"
	if f.Also.Reading != "" {
		reading = f.Also.Reading
	}
	at, err := f.Checkpoints.Load(ctx, reading)
	if err != nil {
		return err
	}
	types := append([]string{EventType}, f.Also.Types...)
	return client.Only(types...).Run(ctx, at.Token(), func(ctx context.Context, res *eventsv1.StreamEventsResponse) error {
		if err := f.take(ctx, res.GetEvents()); err != nil {
			return err
		}
		if len(res.GetEvents()) > 0 || res.GetHistoryEnd() {
			at = f.Checkpoints.Save(ctx, at, res.GetNextToken())
		}
		return nil
	})
}

// take obeys erasures and hands on what lies between them.
func (f *Follower) take(ctx context.Context, events []*eventsv1.Event) error {
	for len(events) > 0 {
		n := slices.IndexFunc(events, func(e *eventsv1.Event) bool { return e.GetType() == EventType })
		var err error
		switch {
		case n == 0:
			n = 1
			err = f.patiently(ctx, func() error { return f.obey(ctx, events[0]) })
		case n < 0:
			n = len(events)
			fallthrough
		default:
			err = f.patiently(ctx, func() error { return f.Also.Apply(ctx, events[:n]) })
		}
		if err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// patiently does something, again and ever more slowly while it fails.
func (f *Follower) patiently(ctx context.Context, do func() error) error {
	pause := backoff.NewExponentialBackOff()
	for {
		err := do()
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return errors.Join(err, ctx.Err())
		}
		wait := pause.NextBackOff()
		f.Log.WarnContext(ctx, "an event of the journal could not be taken in; trying again", "cause", err.Error(), "wait_ms", wait.Milliseconds())
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func (f *Follower) obey(ctx context.Context, e *eventsv1.Event) error {
	n, err := f.Erase(ctx, e.GetOwner())
	if err != nil {
		return err
	}
	_, err = f.Journal.AcknowledgeErasure(ctx, &journalv1.AcknowledgeErasureRequest{
		Name: e.GetPersonErased().GetErasure(), Service: f.Service, Records: n,
	})
	return err
}
