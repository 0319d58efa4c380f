package erasure

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// EventType is the type of the event that tells of an erased person.
const EventType = "person.erased"

// Follower obeys the erasures that another service publishes.
type Follower struct {
	// Service is what this service is called.
	Service string
	// Erase erases a person here, and tells how many documents there were.
	Erase func(ctx context.Context, owner string) (int64, error)
	// Journal takes the acknowledgement.
	Journal     journalv1.ErasureServiceClient
	Checkpoints *eventlog.Checkpoints
	Log         *slog.Logger
}

// Run follows the journal's events until ctx ends or the journal refuses for good.
func (f *Follower) Run(ctx context.Context, client *eventlog.Client) error {
	at, err := f.Checkpoints.Load(ctx, "erasures")
	if err != nil {
		return err
	}
	return client.Only(EventType).Run(ctx, at.Token(), func(ctx context.Context, res *eventsv1.StreamEventsResponse) error {
		for _, e := range res.GetEvents() {
			if err := f.patiently(ctx, e); err != nil {
				return err
			}
		}
		if len(res.GetEvents()) > 0 || res.GetHistoryEnd() {
			at = f.Checkpoints.Save(ctx, at, res.GetNextToken())
		}
		return nil
	})
}

// patiently obeys one event, again and ever more slowly while something fails.
func (f *Follower) patiently(ctx context.Context, e *eventsv1.Event) error {
	pause := backoff.NewExponentialBackOff()
	for {
		err := f.obey(ctx, e)
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return errors.Join(err, ctx.Err())
		}
		wait := pause.NextBackOff()
		f.Log.WarnContext(ctx, "a person could not be erased; trying again", "cause", err.Error(), "wait_ms", wait.Milliseconds())
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
