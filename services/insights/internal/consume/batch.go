package consume

import (
	"context"
	"time"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// batch is the people of some events, as they become by them.
type batch struct {
	people map[string]*person // by owner
	order  []*person          // as their first events come
}

// person is what is kept of one person.
type person struct {
	projection, facts store.Record
	keeper            *facts.Keeper
	changed           bool
}

// load reads what is kept of the owners of events. The projections come first: a
// write of another process in between makes the one of the facts fail, and never lets
// them lie behind the projection.
func (c *Consumer) load(ctx context.Context, events []*eventsv1.Event) (*batch, error) {
	b := &batch{people: map[string]*person{}}
	var owners, projections, weekly []string
	for _, e := range events {
		if b.people[e.GetOwner()] == nil {
			p := &person{}
			b.people[e.GetOwner()], b.order = p, append(b.order, p)
			owners = append(owners, e.GetOwner())
			projections = append(projections, c.generation.Name(projection.Name(e.GetOwner())))
			weekly = append(weekly, c.generation.Name(facts.Name(e.GetOwner())))
		}
	}
	projected, err := c.docs.GetBatch(ctx, Projections, projections)
	if err != nil {
		return nil, err
	}
	kept, err := c.docs.GetBatch(ctx, facts.KindName, weekly)
	if err != nil {
		return nil, err
	}
	now := c.clock()
	for i, p := range b.order {
		p.projection = projectionOf(owners[i], projections[i], projected, now)
		p.facts = factsOf(owners[i], weekly[i], kept, now)
		p.keeper = facts.NewKeeper(p.facts.Body.(*storagev1.WeeklyFacts))
	}
	return b, nil
}

// apply applies an event and gives the insights it brings.
func (b *batch) apply(e *eventsv1.Event) []*insightsv1.Insight {
	p := b.people[e.GetOwner()]
	body := p.projection.Body.(*storagev1.Projection)
	if projection.Applied(body, e) {
		return nil
	}
	p.changed = true
	return projection.ApplyKeeping(body, p.keeper, e)
}

// writes gives what has changed.
func (b *batch) writes() (weekly, projections []store.Write) {
	for _, p := range b.order {
		if p.keeper.Changed() {
			weekly = append(weekly, put(p.facts))
		}
		if p.changed {
			projections = append(projections, put(p.projection))
		}
	}
	return weekly, projections
}

// put writes a record whether it is there already or not.
func put(rec store.Record) store.Write {
	op := store.Replace
	if rec.Revision == 0 {
		op = store.Insert
	}
	return store.Write{Op: op, Record: rec}
}

// projectionOf is the projection of a person to write now, by its name among those that
// were found.
func projectionOf(owner, name string, found map[string]store.Record, now time.Time) store.Record {
	rec, ok := found[name]
	if !ok {
		fresh := projection.New(owner)
		fresh.Name = name
		rec = store.Record{Kind: Projections, Name: name, Parent: owner, Owner: owner, CreateTime: now, Body: fresh}
	}
	rec.UpdateTime = now
	return rec
}

// factsOf is the weekly facts of a person likewise.
func factsOf(owner, name string, found map[string]store.Record, now time.Time) store.Record {
	rec, ok := found[name]
	if !ok {
		rec = store.Record{Kind: facts.KindName, Name: name, Parent: owner, Owner: owner, CreateTime: now, Body: &storagev1.WeeklyFacts{Name: name}}
	}
	rec.UpdateTime = now
	return rec
}
