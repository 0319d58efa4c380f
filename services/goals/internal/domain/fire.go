package domain

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	// maxTick is how many rules, and how many snoozed reminders, one tick looks at.
	maxTick = 200
	// maxBehind is how many days a rule that was not looked at for long catches up
	// with, the last one included.
	maxBehind = 31
	// maxAtOnce is how many of them at the same time.
	maxAtOnce = 8
)

// dueSubject is what a reminder is about, and the day on which that is due.
type dueSubject struct {
	name string
	day  int
}

// Tick lets all reminders come whose time has come, and tells whether there may
// be more. Several instances may do it at the same time, and each may be cut
// short: what comes has a name that follows from what it is, and a rule moves on
// only when all of it has come. What fails does not keep the rest.
func (d *Domain) Tick(ctx context.Context) (more bool, err error) {
	now := d.now()
	again, err := d.Reminders.Due(ctx, now, maxTick)
	if err != nil {
		return false, err
	}
	rules, err := d.ReminderRules.Due(ctx, now, maxTick)
	if err != nil {
		return false, err
	}
	errs := make([]error, len(rules))
	var g errgroup.Group
	g.SetLimit(maxAtOnce)
	for i, r := range rules {
		g.Go(func() error {
			errs[i] = d.fire(ctx, r, now)
			return nil // the others go on
		})
	}
	_ = g.Wait() // all errors are in errs
	return len(again) == maxTick || len(rules) == maxTick, errors.Join(append(errs, d.refire(ctx, again))...)
}

// refire lets snoozed reminders come again; one whose subject is done meanwhile
// counts as acknowledged.
func (d *Domain) refire(ctx context.Context, reminders []*goalsv1.Reminder) error {
	about, err := d.subjectsOf(ctx, reminders)
	if err != nil {
		return err
	}
	var errs []error
	for _, due := range reminders {
		verb, state := "fired", fired
		if about.done(due) {
			verb, state = "acknowledged", acknowledged
		}
		_, err := d.Reminders.Mutate(ctx, verb, due.GetName(), "", func(r *goalsv1.Reminder, now time.Time) error {
			if r.State != snoozed || r.GetSnoozeTime().AsTime().After(now) {
				return nil // somebody was faster
			}
			if r.State, r.SnoozeTime = state, nil; state == acknowledged {
				r.AckTime = timestamppb.New(now)
				return nil
			}
			r.FireTime = timestamppb.New(now)
			r.Fires++
			return nil
		})
		if !isGone(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// fire lets the reminders of a rule come that it has not looked for yet, then
// says that it has.
func (d *Domain) fire(ctx context.Context, rule *goalsv1.ReminderRule, now time.Time) error {
	owner := resource.Owner(rule.GetName())
	calendar, err := d.calendar(ctx, owner)
	if err != nil {
		return err
	}
	through, passed := localdate.Days(rule.GetThrough()), timingOf(rule, calendar).Passed(now)
	var names []string
	ignored := rule.GetIgnored()
	if passed > through {
		lead := int(rule.GetLeadDays())
		from := max(through+1, passed-maxBehind+1)
		due, err := d.dueSubjects(ctx, rule, owner, from+lead, passed+lead)
		if err != nil {
			return err
		}
		if names, err = d.remind(ctx, rule, owner, due, now); err != nil {
			return err
		}
		if ignored, err = d.ignored(ctx, rule); err != nil {
			return err
		}
	}
	return d.touchRule(ctx, "looked", rule.GetName(), func(r *goalsv1.ReminderRule) {
		if !proto.Equal(r.GetThrough(), rule.GetThrough()) {
			return // another instance was faster
		}
		r.NextTime = nil // it is found anew
		if passed > through {
			r.Through, r.Latest, r.Ignored = localdate.FromDays(passed), names, ignored
		}
	})
}

// remind makes the reminders about what is due. Those that are there stay as they
// are.
func (d *Domain) remind(ctx context.Context, rule *goalsv1.ReminderRule, owner string, due []dueSubject, now time.Time) ([]string, error) {
	slices.SortFunc(due, func(a, b dueSubject) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.name, b.name)) })
	names := make([]string, len(due))
	byName := make(map[string]dueSubject, len(due))
	for i, s := range due {
		names[i] = owner + "/reminders/" + ids.Derived(rule.GetName(), s.name, localdate.Text(localdate.FromDays(s.day)))
		byName[names[i]] = s
	}
	err := d.Reminders.Keep(ctx, names, func(name string, r *goalsv1.Reminder) {
		if r.State != 0 {
			return
		}
		s := byName[name]
		r.ReminderRule, r.About, r.Subject, r.DueDate = rule.GetName(), rule.GetAbout(), s.name, localdate.FromDays(s.day)
		r.State, r.FireTime, r.Fires = fired, timestamppb.New(now), 1
	})
	return names[:min(len(names), store.MaxPage)], err // Latest holds no more
}

// ignored is on how many days in a row nothing came of a rule's reminders, those
// of its latest day included.
func (d *Domain) ignored(ctx context.Context, rule *goalsv1.ReminderRule) (int32, error) {
	if len(rule.GetLatest()) == 0 {
		return rule.GetIgnored(), nil
	}
	latest, err := d.Reminders.Batch(ctx, rule.GetLatest())
	if err != nil {
		return 0, err
	}
	list := make([]*goalsv1.Reminder, 0, len(latest))
	for _, r := range latest {
		list = append(list, r)
	}
	about, err := d.subjectsOf(ctx, list)
	if err != nil {
		return 0, err
	}
	if slices.ContainsFunc(list, func(r *goalsv1.Reminder) bool { return r.GetState() != fired || about.done(r) }) {
		return 0, nil
	}
	return rule.GetIgnored() + 1, nil
}

// dueSubjects gives what a rule is about and is due from one day to another.
func (d *Domain) dueSubjects(ctx context.Context, rule *goalsv1.ReminderRule, owner string, from, to int) ([]dueSubject, error) {
	switch rule.GetAbout() {
	case typev1.ReminderSubject_REMINDER_SUBJECT_STEP:
		steps, err := d.Steps.Batch(ctx, []string{rule.GetStep()})
		if err != nil || steps[rule.GetStep()] == nil {
			return nil, err
		}
		return d.dueSteps(ctx, owner, []*goalsv1.Step{steps[rule.GetStep()]}, from, to)
	case typev1.ReminderSubject_REMINDER_SUBJECT_STEPS:
		steps, err := d.Steps.AllBetween(ctx, owner+"/goals/-", "state", int64(toDo), int64(toDo)+1)
		if err != nil {
			return nil, err
		}
		return d.dueSteps(ctx, owner, steps, from, to)
	case typev1.ReminderSubject_REMINDER_SUBJECT_MILESTONES:
		return d.dueMilestones(ctx, owner, from, to)
	case typev1.ReminderSubject_REMINDER_SUBJECT_LESSON_REVIEWS:
		return d.dueRevisits(ctx, owner, "lessons/", from, to)
	}
	return d.dueRevisits(ctx, owner, "setbacks/", from, to)
}

// activeGoals tells which goals of a person are active.
func (d *Domain) activeGoals(ctx context.Context, owner string) (map[string]bool, error) {
	goals, err := d.Goals.All(ctx, owner)
	out := make(map[string]bool, len(goals))
	for _, g := range goals {
		out[g.GetName()] = g.GetState() == active
	}
	return out, err
}

func (d *Domain) dueSteps(ctx context.Context, owner string, steps []*goalsv1.Step, from, to int) ([]dueSubject, error) {
	goals, err := d.activeGoals(ctx, owner)
	if err != nil {
		return nil, err
	}
	var out []dueSubject
	for _, s := range steps {
		on := s.GetDueDate()
		if repeats(s) {
			on = turnOf(s, localdate.FromDays(to))
		}
		if on != nil && s.GetState() == toDo && goals[goalOf(s.GetName())] && within(on, from, to) {
			out = append(out, dueSubject{s.GetName(), localdate.Days(on)})
		}
	}
	return out, nil
}

func within(on *datepb.Date, from, to int) bool {
	day := localdate.Days(on)
	return from <= day && day <= to
}

func (d *Domain) dueMilestones(ctx context.Context, owner string, from, to int) ([]dueSubject, error) {
	goals, err := d.activeGoals(ctx, owner)
	if err != nil {
		return nil, err
	}
	first, end := localdate.Text(localdate.FromDays(from)), localdate.Text(localdate.FromDays(to+1))
	milestones, err := d.Milestones.AllBetween(ctx, owner+"/goals/-", "due_date", first, end)
	var out []dueSubject
	for _, m := range milestones {
		if m.GetState() == ahead && goals[goalOf(m.GetName())] {
			out = append(out, dueSubject{m.GetName(), localdate.Days(m.GetDueDate())})
		}
	}
	return out, err
}

// dueRevisits gives what of the journal is to be looked at again.
func (d *Domain) dueRevisits(ctx context.Context, owner, prefix string, from, to int) ([]dueSubject, error) {
	p, err := d.known(ctx, owner)
	var out []dueSubject
	for name, days := range p.GetRevisits() {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		for _, day := range days.GetDays() {
			if from <= int(day) && int(day) <= to {
				out = append(out, dueSubject{owner + "/" + name, int(day)})
			}
		}
	}
	return out, err
}
