package domain

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/remind"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// defaultHour is when to remind when nobody says.
const defaultHour = 9

func (d *Domain) reminderRules() resource.Type[*goalsv1.ReminderRule] {
	return resource.Type[*goalsv1.ReminderRule]{
		Filter:    []string{"about", "step", "disabled"},
		Order:     []string{"create_time"},
		Ascending: true,
		Agenda:    "next_time",
		Defaults: func(_ context.Context, _ string, r *goalsv1.ReminderRule, _ time.Time) error {
			if r.GetTimeOfDay() == nil {
				r.TimeOfDay = &timeofday.TimeOfDay{Hours: defaultHour}
			}
			return nil
		},
		Decide: d.decideReminderRule,
	}
}

// decideReminderRule checks a rule and finds when it looks next. A rule publishes
// nothing: its reminders do.
func (d *Domain) decideReminderRule(ctx context.Context, c resource.Change[*goalsv1.ReminderRule]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return nil, nil
	}
	if err := d.checkReminderRule(ctx, c); err != nil {
		return nil, err
	}
	r := c.New
	if r.GetDisabled() {
		r.NextTime = nil
		return nil, nil
	}
	if !c.Created() && c.Old.GetNextTime() != nil && r.GetNextTime() != nil && sameTiming(c.Old, r) {
		return nil, nil
	}
	calendar, err := d.calendar(ctx, c.Owner)
	if err != nil {
		return nil, err
	}
	timing := timingOf(r, calendar)
	passed := timing.Passed(c.Now)
	if c.Created() || c.Old.GetNextTime() == nil { // what was due before is not its business
		r.Through = localdate.FromDays(passed)
	}
	day := localdate.Days(r.GetThrough()) + 1
	if !r.GetPersistent() {
		day += remind.Pause(int(r.GetIgnored())) - 1
	}
	r.NextTime = timestamppb.New(timing.On(max(day, passed+1)))
	return nil, nil
}

func (d *Domain) checkReminderRule(ctx context.Context, c resource.Change[*goalsv1.ReminderRule]) error {
	r := c.New
	for _, at := range []struct {
		field string
		time  *timeofday.TimeOfDay
	}{
		{"time_of_day", r.GetTimeOfDay()}, {"quiet_hours.from", r.GetQuietHours().GetFrom()}, {"quiet_hours.until", r.GetQuietHours().GetUntil()},
	} {
		if err := checkTimeOfDay("reminder_rule."+at.field, at.time); err != nil {
			return err
		}
	}
	one := r.GetAbout() == typev1.ReminderSubject_REMINDER_SUBJECT_STEP
	switch {
	case one && r.GetStep() == "":
		return fault.Invalid("reminder_rule.step", "REQUIRED", "is required for STEP")
	case !one && r.GetStep() != "":
		return fault.Invalid("reminder_rule.step", "STEP_UNEXPECTED", "must be set for STEP only")
	case !c.Created() && c.Old.GetStep() == r.GetStep():
		return nil
	}
	return d.Steps.CheckReference(ctx, "reminder_rule.step", c.Owner, r.GetStep())
}

func checkTimeOfDay(field string, at *timeofday.TimeOfDay) error {
	if at.GetHours() < 0 || at.GetHours() > 23 || at.GetMinutes() < 0 || at.GetMinutes() > 59 || at.GetSeconds() != 0 || at.GetNanos() != 0 {
		return fault.Invalid(field, "TIME_OF_DAY_INVALID", "must be a time from 00:00 to 23:59, in hours and minutes")
	}
	return nil
}

// sameTiming tells whether nothing changed that the next time follows from.
func sameTiming(a, b *goalsv1.ReminderRule) bool {
	return proto.Equal(a.GetThrough(), b.GetThrough()) && proto.Equal(a.GetTimeOfDay(), b.GetTimeOfDay()) && proto.Equal(a.GetQuietHours(), b.GetQuietHours()) &&
		a.GetPersistent() == b.GetPersistent() && a.GetIgnored() == b.GetIgnored()
}

// timingOf is when a rule reminds.
func timingOf(r *goalsv1.ReminderRule, calendar localdate.Calendar) remind.Timing {
	return remind.Timing{
		Calendar: calendar, At: int(localdate.Minutes(r.GetTimeOfDay())),
		QuietFrom: int(localdate.Minutes(r.GetQuietHours().GetFrom())), QuietUntil: int(localdate.Minutes(r.GetQuietHours().GetUntil())),
	}
}

// KeepPeople is Keep of what is known of people, after which the rules of those
// who now count days in another way have their next time anew. One whose rules
// could not be changed is reminded once more by the old clock.
func (d *Domain) KeepPeople(ctx context.Context, names []string, change func(name string, p *storagev1.KnownPerson)) error {
	movers := map[string]bool{}
	err := d.People.Keep(ctx, names, func(name string, p *storagev1.KnownPerson) {
		zone, start := p.GetTimeZone(), p.GetDayStartMinutes()
		change(name, p)
		movers[name] = zone != p.GetTimeZone() || start != p.GetDayStartMinutes()
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if !movers[name] {
			continue
		}
		rules, err := d.ReminderRules.All(ctx, resource.Owner(name))
		if err != nil {
			return err
		}
		for _, r := range rules {
			if err := d.touchRule(ctx, "moved", r.GetName(), func(r *goalsv1.ReminderRule) { r.NextTime = nil }); err != nil { // it is found anew
				return err
			}
		}
	}
	return nil
}

// touchRule changes a rule by a verb of the service; that it is gone is no error.
func (d *Domain) touchRule(ctx context.Context, verb, name string, change func(*goalsv1.ReminderRule)) error {
	_, err := d.ReminderRules.Mutate(ctx, verb, name, "", func(r *goalsv1.ReminderRule, _ time.Time) error {
		change(r)
		return nil
	})
	if isGone(err) {
		return nil
	}
	return err
}
