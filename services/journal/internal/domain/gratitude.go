package domain

import (
	"context"
	"strings"
	"time"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

func (d *Domain) gratitudes() resource.Type[*journalv1.Gratitude] {
	return resource.Type[*journalv1.Gratitude]{
		Filter:  []string{"local_date", "tags"},
		Order:   []string{"local_date"},
		ID:      d.gratitudeID,
		CheckID: d.checkGratitudeID,
		Decide:  d.decideGratitude,
	}
}

// gratitudeID is today's date where the person is: one set a day.
func (d *Domain) gratitudeID(ctx context.Context, parent string, _ *journalv1.Gratitude, now time.Time) (string, error) {
	cal, err := d.Calendar(ctx, parent)
	return localdate.Text(cal.Date(now)), err
}

func (d *Domain) checkGratitudeID(ctx context.Context, parent, id string, now time.Time) error {
	date, err := localdate.Parse(id)
	if err != nil {
		return fault.Invalid("gratitude_id", "DATE_INVALID", "must be a local date in the form YYYY-MM-DD")
	}
	cal, err := d.Calendar(ctx, parent)
	if err != nil {
		return err
	}
	return localdate.CheckNotInFuture("gratitude_id", date, cal.Date(now))
}

func (d *Domain) decideGratitude(_ context.Context, c resource.Change[*journalv1.Gratitude]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("recorded", nil), nil
	}
	for i, item := range c.New.GetItems() {
		if strings.TrimSpace(item) == "" {
			return nil, fault.Invalid(indexed("gratitude", i, "items"), "REQUIRED", "must not be blank")
		}
	}
	date, err := localdate.Parse(resource.LastSegment(c.Name))
	if err != nil {
		return nil, err
	}
	c.New.LocalDate = date
	return c.Event("recorded", &eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{
		LocalDate: date, Count: int32(len(c.New.GetItems())),
	}}}), nil
}
