package domain

import (
	"cmp"
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
	if more := r.GetLeadDays() - c.Old.GetLeadDays(); more > 0 && !c.Created() && c.Old.GetThrough() != nil {
		// What is due in between is not skipped: it is reminded of at the next look.
		r.Through = localdate.FromDays(localdate.Days(r.GetThrough()) - int(more))
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

// CreateReminderRule makes a rule.
func (d *Domain) CreateReminderRule(ctx context.Context, req *goalsv1.CreateReminderRuleRequest) (*goalsv1.ReminderRule, error) {
	return d.byTheirClock(ctx, req.GetParent(), func() (*goalsv1.ReminderRule, error) { return asRule(d.ReminderRules.Create(ctx, req)) })
}

// UpdateReminderRule changes a rule.
func (d *Domain) UpdateReminderRule(ctx context.Context, req *goalsv1.UpdateReminderRuleRequest) (*goalsv1.ReminderRule, error) {
	owner := resource.Owner(req.GetReminderRule().GetName())
	return d.byTheirClock(ctx, owner, func() (*goalsv1.ReminderRule, error) { return asRule(d.ReminderRules.Update(ctx, req)) })
}

func asRule(m proto.Message, err error) (*goalsv1.ReminderRule, error) {
	if err != nil {
		return nil, err
	}
	return m.(*goalsv1.ReminderRule), nil
}

// byTheirClock writes a rule, and finds its next time anew when the person came to
// count days in another way meanwhile: KeepPeople may have looked at their rules
// when this one was not written yet.
func (d *Domain) byTheirClock(ctx context.Context, owner string, write func() (*goalsv1.ReminderRule, error)) (*goalsv1.ReminderRule, error) {
	before, unknown := d.calendar(ctx, owner)
	rule, err := write() // tells better what is wrong with a name
	if err != nil || unknown != nil {
		return nil, cmp.Or(err, unknown)
	}
	after, err := d.calendar(ctx, owner)
	if err != nil || sameCalendar(before, after) {
		return rule, err
	}
	return d.findAnew(ctx, rule.GetName())
}

func sameCalendar(a, b localdate.Calendar) bool {
	return a.Zone.String() == b.Zone.String() && a.DayStart == b.DayStart
}

// findAnew lets a rule find its next time anew.
func (d *Domain) findAnew(ctx context.Context, name string) (*goalsv1.ReminderRule, error) {
	return d.ReminderRules.Mutate(ctx, "moved", name, "", func(r *goalsv1.ReminderRule, _ time.Time) error {
		r.NextTime = nil
		return nil
	})
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
			if _, err := d.findAnew(ctx, r.GetName()); err != nil && !isGone(err) {
				return err
			}
		}
	}
	return nil
}

// touchRule changes a rule by a verb of the service; that it is gone is no error.
func (d *Domain) touchRule(ctx context.Context, verb, name string, change func(*goalsv1.ReminderRule)) error {
	_, err := d.byTheirClock(ctx, resource.Owner(name), func() (*goalsv1.ReminderRule, error) {
		return d.ReminderRules.Mutate(ctx, verb, name, "", func(r *goalsv1.ReminderRule, _ time.Time) error {
			change(r)
			return nil
		})
	})
	if isGone(err) {
		return nil
	}
	return err
}
