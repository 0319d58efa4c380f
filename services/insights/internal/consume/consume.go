// Package consume reads the other services' events and keeps the projections and
// insights that follow from them. Each event counts exactly once: a projection
// carries the position it has reached, per source, in the same document; an
// insight has a name that follows from what it concludes, so that applying
// again makes none twice.
package consume

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Kinds of records.
const (
	Projections = "projection"
	Insights    = "insights"
)

// Kinds declares what the consumer keeps besides insights.
func Kinds() []store.Kind {
	return []store.Kind{
		{Name: Projections, New: func() proto.Message { return &storagev1.Projection{} }},
		facts.Kind(),
		eventlog.CheckpointKind(),
	}
}

// checkpointEvery is how often the place reached in a source is written down. It
// only says where to go on after a restart: projections know for themselves
// what they have seen.
const checkpointEvery = time.Second

// Consumer applies events. Several sources may feed one consumer.
type Consumer struct {
	docs        store.Documents
	checkpoints *eventlog.Checkpoints
	clock       clock.Clock
	log         *slog.Logger
	// one batch at a time: two sources that meet in one person's projection
	// would only make each other try again.
	mu sync.Mutex
}

// New gives a consumer that writes to a store.
func New(docs store.Documents, now clock.Clock, log *slog.Logger) *Consumer {
	return &Consumer{docs: docs, checkpoints: eventlog.NewCheckpoints(docs, now), clock: now, log: log}
}

// Run reads a source until ctx ends or the source refuses for good.
func (c *Consumer) Run(ctx context.Context, source string, client *eventlog.Client) error {
	at, err := c.checkpoints.Load(ctx, source)
	if err != nil {
		return err
	}
	saved := time.Time{}
	return client.Run(ctx, at.Token(), func(ctx context.Context, res *eventsv1.StreamEventsResponse) error {
		if err := c.patiently(ctx, res.GetEvents()); err != nil {
			return err
		}
		if now := c.clock(); now.Sub(saved) >= checkpointEvery {
			saved = now
			at = c.checkpoints.Save(ctx, at, res.GetNextToken())
		}
		return nil
	})
}

// patiently applies a batch, again and ever more slowly while the store cannot.
func (c *Consumer) patiently(ctx context.Context, events []*eventsv1.Event) error {
	pause := backoff.NewExponentialBackOff()
	for {
		err := c.Apply(ctx, events)
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return errors.Join(err, ctx.Err())
		}
		wait := pause.NextBackOff()
		c.log.WarnContext(ctx, "events could not be applied; trying again", "cause", err.Error(), "wait_ms", wait.Milliseconds())
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// Apply applies a batch of events, in order per owner: it reads every projection
// once, and writes insights, then weekly facts, then projections, once. Cut short
// anywhere, it can be done again.
func (c *Consumer) Apply(ctx context.Context, events []*eventsv1.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, piece := range pieces(events, store.MaxPage) {
		if err := c.apply(ctx, piece); err != nil {
			return err
		}
	}
	return nil
}

func (c *Consumer) apply(ctx context.Context, events []*eventsv1.Event) error {
	b, err := c.load(ctx, events)
	if err != nil {
		return err
	}
	var insights []store.Write
	for _, e := range events {
		for _, in := range b.apply(e) {
			insights = append(insights, c.insight(e.GetOwner(), in))
		}
	}
	weekly, projections := b.writes()
	if err := c.commit(ctx, insights, store.ErrExists); err != nil {
		return err
	}
	if err := c.commit(ctx, weekly, nil); err != nil {
		return err
	}
	return c.commit(ctx, projections, nil)
}

// commit writes, taking one kind of failure for done.
func (c *Consumer) commit(ctx context.Context, writes []store.Write, fine error) error {
	if len(writes) == 0 {
		return nil
	}
	for _, res := range c.docs.Commit(ctx, writes...) {
		if res.Err != nil && (fine == nil || !errors.Is(res.Err, fine)) {
			return res.Err
		}
	}
	return nil
}

// insight is the write of an insight, which publishes it too.
func (c *Consumer) insight(owner string, in *insightsv1.Insight) store.Write {
	now := c.clock()
	return store.Write{
		Op:     store.Insert,
		Record: store.Record{Kind: Insights, Name: in.GetName(), Parent: owner, Owner: owner, CreateTime: in.GetTime().AsTime(), UpdateTime: now, Body: in},
		Events: []*eventsv1.Event{{
			Id: ids.Derived(in.GetName()), Source: "rebound/insights", Type: "insight.concluded", Subject: in.GetName(), Owner: owner,
			Time: timestamppb.New(in.GetTime().AsTime()), Data: &eventsv1.Event_Insight{Insight: in},
		}},
	}
}

// Erase erases a person: what is kept of them becomes marks that nothing is to be
// kept any more, then their insights go. Events that come late find the marks.
func (c *Consumer) Erase(ctx context.Context, owner string, erase func(context.Context, string) (int64, error)) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		b, err := c.load(ctx, []*eventsv1.Event{{Owner: owner}})
		if err != nil {
			return 0, err
		}
		p := b.people[owner]
		p.projection.Body = &storagev1.Projection{Name: p.projection.Name, Erased: true}
		p.facts.Body = &storagev1.WeeklyFacts{Name: p.facts.Name, Erased: true}
		err = c.commit(ctx, []store.Write{put(p.projection), put(p.facts)}, nil)
		if err == nil {
			return erase(ctx, owner)
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return 0, err
		}
	}
}
