package domain

import (
	"context"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

func (d *Domain) reflections() resource.Type[*journalv1.Reflection] {
	return resource.Type[*journalv1.Reflection]{
		Filter: []string{"local_date", "minutes", "setback", "tags"},
		Order:  []string{"create_time", "local_date"},
		Decide: d.decideReflection,
	}
}

func (d *Domain) decideReflection(ctx context.Context, c resource.Change[*journalv1.Reflection]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("written", nil), nil
	}
	r := c.New
	if t := r.GetStartTime(); t != nil && (!t.IsValid() || t.AsTime().After(c.Now.Add(clockSkew))) {
		return nil, fault.Invalid("reflection.start_time", "TIME_IN_FUTURE", "must be an instant that does not lie in the future")
	}
	if c.Created() {
		cal, err := d.Calendar(ctx, c.Owner)
		if err != nil {
			return nil, err
		}
		written := c.Now
		if t := r.GetStartTime(); t != nil {
			written = t.AsTime()
		}
		r.LocalDate = cal.Date(written)
	}
	if c.Created() || c.Old.GetSetback() != r.GetSetback() {
		if err := d.Setbacks.CheckReference(ctx, "reflection.setback", c.Owner, r.GetSetback()); err != nil {
			return nil, err
		}
	}
	return c.Event("written", &eventsv1.Event{Data: &eventsv1.Event_Reflection{Reflection: &eventsv1.ReflectionFacts{
		LocalDate: r.GetLocalDate(), Minutes: r.GetMinutes(), Setback: r.GetSetback(),
	}}}), nil
}
