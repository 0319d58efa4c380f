package domain

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// clockSkew is how far ahead of ours a client's clock may be.
const clockSkew = 5 * time.Minute

func (d *Domain) checkIns() resource.Type[*journalv1.CheckIn] {
	return resource.Type[*journalv1.CheckIn]{
		Filter:   []string{"pleasantness", "energy", "labels", "time", "local_date", "setback", "tags"},
		Order:    []string{"time"},
		Defaults: d.defaultCheckIn,
		Decide:   d.decideCheckIn,
	}
}

func (d *Domain) defaultCheckIn(ctx context.Context, name string, c *journalv1.CheckIn, now time.Time) error {
	if c.GetTime() == nil {
		c.Time = timestamppb.New(now)
	}
	if c.GetTimeZone() == "" {
		cal, err := d.Calendar(ctx, resource.Owner(name))
		if err != nil {
			return err
		}
		c.TimeZone = cal.Zone.String()
	}
	return nil
}

func (d *Domain) decideCheckIn(ctx context.Context, c resource.Change[*journalv1.CheckIn]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("recorded", nil), nil
	}
	in := c.New
	if !in.GetTime().IsValid() {
		return nil, fault.Invalid("check_in.time", "TIME_INVALID", "must be an instant between the years 1 and 9999")
	}
	if in.GetTime().AsTime().After(c.Now.Add(clockSkew)) {
		return nil, fault.Invalid("check_in.time", "TIME_IN_FUTURE", "must not lie in the future")
	}
	zone, err := localdate.CheckZone("check_in.time_zone", in.GetTimeZone())
	if err != nil {
		return nil, err
	}
	// A day that begins at another time by now changes nothing about those before.
	if c.Created() || !proto.Equal(c.Old.GetTime(), in.GetTime()) || c.Old.GetTimeZone() != in.GetTimeZone() {
		cal, err := d.Calendar(ctx, c.Owner)
		if err != nil {
			return nil, err
		}
		in.LocalDate = cal.In(zone).Date(in.GetTime().AsTime())
	}
	if c.Created() || c.Old.GetSetback() != in.GetSetback() {
		if err := d.Setbacks.CheckReference(ctx, "check_in.setback", c.Owner, in.GetSetback()); err != nil {
			return nil, err
		}
	}
	return c.Event("recorded", &eventsv1.Event{Data: &eventsv1.Event_CheckIn{CheckIn: &eventsv1.CheckInFacts{
		Pleasantness: in.GetPleasantness(), Energy: in.GetEnergy(), Labels: in.GetLabels(),
		Time: in.GetTime(), LocalDate: in.GetLocalDate(), Setback: in.GetSetback(),
	}}}), nil
}
