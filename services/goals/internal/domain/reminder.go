package domain

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/follow"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	fired        = typev1.ReminderState_REMINDER_STATE_FIRED
	acknowledged = typev1.ReminderState_REMINDER_STATE_ACKNOWLEDGED
	snoozed      = typev1.ReminderState_REMINDER_STATE_SNOOZED

	// maxSnooze is how far ahead a reminder can be snoozed.
	maxSnooze = 366 * 24 * time.Hour
)

// ReminderFired is the type of the event that says that a reminder came.
var ReminderFired = resource.EventType("reminders", "fired")

// ReminderFields are the fields of a reminder that filters may name.
var ReminderFields = []string{"state", "about", "subject", "reminder_rule", "due_date", "fire_time"}

// reminders are made when they come, under a name that follows from rule, subject
// and due date: each comes once, whoever makes it and however often.
func (d *Domain) reminders() resource.Type[*goalsv1.Reminder] {
	return resource.Type[*goalsv1.Reminder]{
		ReadOnly: true,
		Filter:   ReminderFields,
		Order:    []string{"fire_time"},
		Agenda:   "snooze_time",
		Derive:   d.deriveTitles,
		Decide:   decideReminder,
	}
}

func decideReminder(_ context.Context, c resource.Change[*goalsv1.Reminder]) ([]*eventsv1.Event, error) {
	return c.Event("fired", &eventsv1.Event{Data: &eventsv1.Event_Reminder{Reminder: &eventsv1.ReminderFacts{
		ReminderRule: c.New.GetReminderRule(), About: c.New.GetAbout(), Subject: c.New.GetSubject(), DueDate: c.New.GetDueDate(),
		State: c.New.GetState(), Fires: c.New.GetFires(),
	}}}), nil
}

// subjects are the steps and milestones that reminders are about, and what is known
// of the people whose lessons and debriefs they are about, by name.
type subjects struct {
	steps      map[string]*goalsv1.Step
	milestones map[string]*goalsv1.Milestone
	people     map[string]*storagev1.KnownPerson
}

// subjectsOf reads what reminders are about, whoever's they are, with three reads.
func (d *Domain) subjectsOf(ctx context.Context, reminders []*goalsv1.Reminder) (s subjects, err error) {
	var steps, milestones, people []string
	for _, r := range reminders {
		switch r.GetAbout() {
		case typev1.ReminderSubject_REMINDER_SUBJECT_STEPS, typev1.ReminderSubject_REMINDER_SUBJECT_STEP:
			steps = append(steps, r.GetSubject())
		case typev1.ReminderSubject_REMINDER_SUBJECT_MILESTONES:
			milestones = append(milestones, r.GetSubject())
		default:
			people = append(people, follow.Name(resource.Owner(r.GetName())))
		}
	}
	if s.steps, err = d.Steps.Batch(ctx, steps); err != nil {
		return s, err
	}
	if s.milestones, err = d.Milestones.Batch(ctx, milestones); err != nil {
		return s, err
	}
	s.people, err = d.People.Batch(ctx, people)
	return s, err
}

// deriveTitles shows what reminders are about.
func (d *Domain) deriveTitles(ctx context.Context, reminders []*goalsv1.Reminder) error {
	s, err := d.subjectsOf(ctx, reminders)
	if err != nil {
		return err
	}
	for _, r := range reminders {
		r.Title = s.steps[r.GetSubject()].GetTitle() + s.milestones[r.GetSubject()].GetTitle() // one of them
	}
	return nil
}

// done tells whether nothing is left of what a reminder is about: it was done,
// looked at, put off, or deleted.
func (s subjects) done(r *goalsv1.Reminder) bool {
	switch r.GetAbout() {
	case typev1.ReminderSubject_REMINDER_SUBJECT_STEPS, typev1.ReminderSubject_REMINDER_SUBJECT_STEP:
		step, there := s.steps[r.GetSubject()]
		return !there || step.GetState() != toDo || repeats(step) && !isTurn(step, r.GetDueDate())
	case typev1.ReminderSubject_REMINDER_SUBJECT_MILESTONES:
		m, there := s.milestones[r.GetSubject()]
		return !there || m.GetState() != ahead
	}
	owner := resource.Owner(r.GetName())
	due := s.people[follow.Name(owner)].GetRevisits()[strings.TrimPrefix(r.GetSubject(), owner+"/")]
	return !slices.Contains(due.GetDays(), int32(localdate.Days(r.GetDueDate())))
}

// RemindersByName gives reminders in the order of their names given; those that
// are gone are left out.
func (d *Domain) RemindersByName(ctx context.Context, names []string) ([]*goalsv1.Reminder, error) {
	found, err := d.Reminders.Batch(ctx, names)
	if err != nil {
		return nil, err
	}
	out := make([]*goalsv1.Reminder, 0, len(names))
	for _, name := range names {
		if r := found[name]; r != nil {
			out = append(out, r)
		}
	}
	return out, d.deriveTitles(ctx, out)
}

// AckReminder says that a reminder was seen. Its rule reminds as often as before
// again.
func (d *Domain) AckReminder(ctx context.Context, req *goalsv1.AckReminderRequest) (*goalsv1.Reminder, error) {
	return d.answer(ctx, "acknowledged", req.GetName(), req.GetEtag(), func(r *goalsv1.Reminder, now time.Time) error {
		if r.State != acknowledged {
			r.State, r.AckTime, r.SnoozeTime = acknowledged, timestamppb.New(now), nil
		}
		return nil
	})
}

// SnoozeReminder lets a reminder come again later.
func (d *Domain) SnoozeReminder(ctx context.Context, req *goalsv1.SnoozeReminderRequest) (*goalsv1.Reminder, error) {
	at, now := req.GetUntil().AsTime(), d.now()
	switch {
	case req.GetUntil() == nil:
		return nil, fault.Invalid("until", "REQUIRED", "is required")
	case !req.GetUntil().IsValid() || !at.After(now):
		return nil, fault.Invalid("until", "TIME_TOO_EARLY", "must be an instant in the future")
	case at.After(now.Add(maxSnooze)):
		return nil, fault.Invalid("until", "TIME_TOO_LATE", "must be at most 366 days ahead")
	}
	at, err := d.outsideQuiet(ctx, req.GetName(), clock.Truncate(at))
	if err != nil {
		return nil, err
	}
	return d.answer(ctx, "snoozed", req.GetName(), req.GetEtag(), func(r *goalsv1.Reminder, _ time.Time) error {
		if r.State == acknowledged {
			return fault.Precondition("REMINDER_ACKNOWLEDGED", "a reminder that was acknowledged does not come again")
		}
		r.State, r.SnoozeTime = snoozed, timestamppb.New(at)
		return nil
	})
}

// outsideQuiet moves an instant out of the quiet hours of a reminder's rule.
func (d *Domain) outsideQuiet(ctx context.Context, reminder string, at time.Time) (time.Time, error) {
	r, err := d.Reminders.Fetch(ctx, reminder)
	if err != nil {
		return at, err
	}
	rules, err := d.ReminderRules.Batch(ctx, []string{r.GetReminderRule()})
	if err != nil {
		return at, err
	}
	calendar, err := d.calendar(ctx, resource.Owner(reminder))
	return timingOf(rules[r.GetReminderRule()], calendar).Outside(at), err
}

// answer is what a person does with a reminder. It and its rule are two documents;
// calling again finishes what was cut short.
func (d *Domain) answer(ctx context.Context, verb, name, etag string, change func(*goalsv1.Reminder, time.Time) error) (*goalsv1.Reminder, error) {
	r, err := d.Reminders.Mutate(ctx, verb, name, etag, change)
	if err != nil {
		return nil, err
	}
	return r, d.touchRule(ctx, "answered", r.GetReminderRule(), func(rule *goalsv1.ReminderRule) { rule.Ignored = 0 })
}
