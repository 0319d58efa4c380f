// Package consume reads the other services' events and keeps the projections and
// insights that follow from them. Each event counts exactly once: a projection
// carries the position it has reached, per source, in the same document; an
// insight has a name that follows from what it concludes, so that applying
// again makes none twice.
package consume

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/share"
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
		{
			Name: Projections, New: func() proto.Message { return &storagev1.Projection{} },
			Indexes: []store.Index{{Name: facts.NameIndex, Keys: []string{store.KeyName}}},
		},
		{Name: generationKind, New: func() proto.Message { return &storagev1.Generations{} }},
		facts.Kind(), eventlog.CheckpointKind(), share.Kind(),
	}
}

// Consumer applies events to one generation of projections. Several sources may feed
// one consumer.
type Consumer struct {
	// Generations knows which generations of projections there are.
	Generations *Generations

	docs        store.Documents
	checkpoints *eventlog.Checkpoints
	clock       clock.Clock
	log         *slog.Logger
	retireAfter time.Duration
	builds      chan struct{} // has room for as many shares as are built at once
	// erasing keeps a person who is being erased from being written about here; what
	// other processes write meanwhile is swept after them.
	erasing *sync.RWMutex

	generation Generation
	met        map[string]bool // whom this generation knows from the current one, and whether they are erased
}

// New gives a consumer that writes to a store.
func New(docs store.Documents, now clock.Clock, log *slog.Logger) *Consumer {
	return &Consumer{
		Generations: newGenerations(docs, now, log), docs: docs, checkpoints: eventlog.NewCheckpoints(docs, now), clock: now, log: log,
		retireAfter: retireAfter, builds: make(chan struct{}, buildAtOnce), erasing: &sync.RWMutex{},
	}
}

// Apply applies a batch of events, in order per owner: it reads every projection
// once, and writes insights, then weekly facts, then projections, once. Cut short
// anywhere, it can be done again.
func (c *Consumer) Apply(ctx context.Context, events []*eventsv1.Event) error {
	c.erasing.RLock()
	defer c.erasing.RUnlock()
	for _, piece := range pieces(events, store.MaxPage) {
		if err := c.again(ctx, piece); err != nil {
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
	if insights, err = c.marked(ctx, insights); err != nil {
		return err
	}
	if err := c.publish(ctx, insights); err != nil {
		return err
	}
	if err := c.commit(ctx, weekly); err != nil {
		return err
	}
	return c.commit(ctx, projections)
}

// commit writes.
func (c *Consumer) commit(ctx context.Context, writes []store.Write) error {
	if len(writes) == 0 {
		return nil
	}
	for _, res := range c.docs.Commit(ctx, writes...) {
		if res.Err != nil {
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
			Id: ids.Derived(in.GetName()), Source: eventSource, Type: eventTypes[in.GetCorrection()], Subject: in.GetName(), Owner: owner,
			Time: timestamppb.New(in.GetTime().AsTime()), Data: &eventsv1.Event_Insight{Insight: in},
		}},
	}
}

// Erase erases a person: what is kept of them becomes marks that nothing is to be
// kept any more, then their insights go. Events that come late find the marks. With
// the first goes a tombstone into the log, once, if pipelines ever could read of them.
func (c *Consumer) Erase(ctx context.Context, owner string, erase func(context.Context, string) (int64, error)) (int64, error) {
	c.erasing.Lock()
	defer c.erasing.Unlock()
	if err := c.markAll(ctx, owner); err != nil {
		return 0, err
	}
	return erase(ctx, owner)
}

// mark puts the marks in place of what one generation has of a person, and, if it is to
// tell, a tombstone into the log for those who could read of them.
func (c *Consumer) mark(ctx context.Context, in Generation, owner string, tell bool) error {
	one := *c
	one.generation = in
	for {
		b, err := one.load(ctx, []*eventsv1.Event{{Owner: owner}})
		if err != nil {
			return err
		}
		p := b.people[owner]
		known := p.projection.Body.(*storagev1.Projection)
		p.projection.Body = &storagev1.Projection{Name: p.projection.Name, Erased: true}
		p.facts.Body = &storagev1.WeeklyFacts{Name: p.facts.Name, Erased: true}
		mark := put(p.projection)
		if tell && (known.GetSharedWithPipeline() || known.GetShareWithPipeline()) {
			mark.Events = []*eventsv1.Event{c.tombstone(owner)}
		}
		if err = c.commit(ctx, []store.Write{mark, put(p.facts)}); !store.Outrun(err) {
			return err
		}
	}
}
