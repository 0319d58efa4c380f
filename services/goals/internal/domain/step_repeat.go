package domain

import (
	"context"
	"fmt"
	"slices"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/strength"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const atMost = typev1.TargetDirection_TARGET_DIRECTION_AT_MOST

// repeats tells whether a step is to be done again and again.
func repeats(s *goalsv1.Step) bool { return s.GetRecurrence() != "" || s.GetDays() > 0 }

// today is the date where the person is, for a step that repeats; others do not
// need it. One that begins to repeat counts from the date on which it was made.
func (d *Domain) today(ctx context.Context, c resource.Change[*goalsv1.Step]) (*datepb.Date, error) {
	if !repeats(c.New) && len(c.New.GetBreaks()) == 0 {
		return nil, nil
	}
	cal, err := d.calendar(ctx, c.Owner)
	if err != nil {
		return nil, err
	}
	if repeats(c.New) && c.New.GetStartDate() == nil {
		made := c.Now
		if !c.Created() {
			made = c.New.GetCreateTime().AsTime()
		}
		c.New.StartDate = cal.Date(made)
	}
	return cal.Date(c.Now), nil
}

// checkRepeating checks and completes what says how a step repeats.
func checkRepeating(s *goalsv1.Step, today *datepb.Date) error {
	switch limit := s.GetDirection() == atMost; {
	case limit && !repeats(s):
		return fault.Invalid("step.direction", "NOT_REPEATING", "AT_MOST is for a step that repeats")
	case s.GetTimes()+s.GetDays() > 0 && s.GetRecurrence() != "":
		return fault.Invalid("step.days", "DAYS_AND_RECURRENCE", "times and days must not be set together with recurrence")
	case s.GetTimes() > 0 && s.GetDays() == 0:
		return fault.Invalid("step.days", "TIMES_WITHOUT_DAYS", "must be set together with times")
	case s.GetDays() > 0 && s.GetTimes() == 0 && !limit:
		return fault.Invalid("step.times", "TIMES_WITHOUT_DAYS", "must be set together with days")
	}
	for i, b := range s.GetBreaks() {
		if err := checkBreak(fmt.Sprintf("step.breaks[%d].", i), b, today); err != nil {
			return err
		}
	}
	sortBreaks(s.GetBreaks())
	return nil
}

// setState tells from its completions whether a step is done, and what its rule
// comes to.
func setState(old, s *goalsv1.Step) error {
	s.State = toDo
	was := s.GetFrequency()
	s.Frequency = nil
	switch {
	case !repeats(s):
		if len(s.GetCompletions()) > 0 {
			s.State = done
		}
	case s.GetRecurrence() == "":
		s.Frequency = &goalsv1.Frequency{Times: s.GetTimes(), Days: s.GetDays()}
	default:
		rule, err := parseRecurrence("step.recurrence", s.GetRecurrence(), s.GetStartDate())
		if err != nil {
			return err
		}
		// To tell a rule's pace is some work: it stays what it was.
		if s.Frequency = was; was == nil || old.GetRecurrence() != s.GetRecurrence() || !proto.Equal(old.GetStartDate(), s.GetStartDate()) {
			times, days := rule.pace()
			s.Frequency = &goalsv1.Frequency{Times: int32(times), Days: int32(days)}
		}
		n, last, finite := rule.count()
		if finite && len(doneOccurrences(s)) >= n {
			s.State = done
		}
		if s.EndsOn = nil; finite && n <= maxCompletions {
			s.EndsOn = last
		}
	}
	if s.GetRecurrence() == "" {
		s.EndsOn = nil
	}
	if len(s.GetParts()) > 0 {
		s.State = split
	}
	return nil
}

// doneOccurrences are the dates of those occurrences for which nothing is left to
// do: with an amount, those for which so much was done. Of a limit there are none.
func doneOccurrences(s *goalsv1.Step) map[string]bool {
	if s.GetDirection() == atMost {
		return nil
	}
	sums := map[string]float64{}
	for _, c := range s.GetCompletions() {
		if c.GetOccurrence() != nil {
			sums[localdate.Text(c.GetOccurrence())] += share(s, c)
		}
	}
	out := map[string]bool{}
	for on, sum := range sums {
		if sum >= 1-1e-9 { // thirds make a whole
			out[on] = true
		}
	}
	return out
}

// share is how much of what is to be done each time a completion did.
func share(s *goalsv1.Step, c *goalsv1.Completion) float64 {
	if s.GetAmount() == 0 || c.GetAmount() == 0 {
		return 1
	}
	return c.GetAmount() / s.GetAmount()
}

// standing tells how strong a repeating step is as of a date. A rule that has
// ended, and a step that was split, stay as they were then.
func standing(s *goalsv1.Step, today *datepb.Date) strength.Standing {
	habit := habitOf(s)
	first, last, over := localdate.Days(today)+1, localdate.Days(today), false
	if s.GetDirection() == atMost && s.GetStartDate() != nil {
		first = localdate.Days(s.GetStartDate())
	}
	if end := s.GetEndsOn(); end != nil && localdate.Days(end) < last {
		last, over = localdate.Days(end), true
	}
	var latest int
	for _, c := range s.GetCompletions() {
		if day := dayOf(c); day >= 0 { // none is kept before 1970, but for one of before it repeated
			first, latest = min(first, day), max(latest, day)
		}
	}
	if s.GetState() == split && latest < last {
		last, over = latest, true
	}
	days := make([]strength.Day, max(0, last-first+1))
	for _, c := range s.GetCompletions() {
		if i := dayOf(c) - first; i >= 0 && i < len(days) {
			days[i].Done += doneBy(habit, c)
		}
	}
	for _, b := range s.GetBreaks() {
		from, until := localdate.Days(b.GetFromDate())-first, len(days)-1
		if b.GetUntilDate() != nil {
			until = min(until, localdate.Days(b.GetUntilDate())-first)
		}
		for i := max(0, from); i <= until; i++ {
			days[i].Skipped = true
		}
	}
	return habit.Follow(days, over)
}

// dayOf is the day that a completion counts for: that of its occurrence, or the
// one it was done on.
func dayOf(c *goalsv1.Completion) int {
	if c.GetOccurrence() != nil {
		return localdate.Days(c.GetOccurrence())
	}
	return localdate.Days(c.GetLocalDate())
}

func habitOf(s *goalsv1.Step) strength.Habit {
	f := frequencyOf(s)
	h := strength.Habit{Times: int(f.GetTimes()), Days: max(1, int(f.GetDays())), Amount: s.GetAmount(), AtMost: s.GetDirection() == atMost}
	if h.Times == 0 {
		h.Amount = 0 // not at all is not at all
	}
	return h
}

// doneBy is what a completion adds to its day: its amount, or as much as there was
// to do; once where there are no amounts.
func doneBy(h strength.Habit, c *goalsv1.Completion) float64 {
	switch {
	case h.Amount == 0:
		return 1
	case c.GetAmount() == 0:
		return h.Amount
	}
	return c.GetAmount()
}

// frequencyOf is how often a step repeats. Steps that were last written before
// this was kept have only their rule.
func frequencyOf(s *goalsv1.Step) *goalsv1.Frequency {
	if s.GetFrequency() != nil || s.GetRecurrence() == "" {
		return s.GetFrequency()
	}
	start := s.GetStartDate()
	if start == nil {
		start = earliestStart
	}
	rule, err := parseRecurrence("step.recurrence", s.GetRecurrence(), start)
	if err != nil {
		return nil // it was good when it was written
	}
	times, days := rule.pace()
	return &goalsv1.Frequency{Times: int32(times), Days: int32(days)}
}

// deriveSteps tells what follows from today: how strong repeating steps are, and
// what speaks for making a step smaller.
func (d *Domain) deriveSteps(ctx context.Context, steps []*goalsv1.Step) error {
	person, err := d.known(ctx, resource.Owner(steps[0].GetName()))
	if err != nil {
		return err
	}
	today := calendarOf(person).Date(d.now())
	for _, s := range steps {
		if s.GetState() == toDo && s.GetDirection() != atMost {
			s.SizeHint = d.size.Hint(person.GetLocale(), s.GetTitle(), s.GetDuration().AsDuration())
		}
		if repeats(s) {
			at := standing(s, today)
			s.Strength, s.CurrentRun, s.LongestRun = &at.Strength, int32(at.Run), int32(at.Longest)
			s.Frequency = frequencyOf(s)
		}
	}
	return nil
}

// stepFacts is what others may know of a step.
func stepFacts(c resource.Change[*goalsv1.Step], today *datepb.Date) *eventsv1.StepFacts {
	s := c.New
	f := &eventsv1.StepFacts{
		Goal: goalOf(c.Name), Milestone: s.GetMilestone(), State: s.GetState(),
		Repeating: repeats(s), Completions: int32(len(s.GetCompletions())), ChangedBreak: changedBreak(c.Old, s),
	}
	if repeats(s) {
		at := standing(s, today)
		f.Times, f.Days = s.GetFrequency().GetTimes(), s.GetFrequency().GetDays()
		f.Direction, f.Target = s.GetDirection(), s.GetAmount()
		f.Strength, f.CurrentRun = &at.Strength, int32(at.Run)
	}
	return f
}

// changedBreak is the first break that was added, or else taken away; nil for none.
func changedBreak(old, s *goalsv1.Step) *eventsv1.StepBreakFacts {
	missing := func(from, in []*goalsv1.Break) *eventsv1.StepBreakFacts {
		for _, b := range from {
			if !slices.ContainsFunc(in, func(x *goalsv1.Break) bool { return proto.Equal(x, b) }) {
				return &eventsv1.StepBreakFacts{FromDate: b.GetFromDate(), UntilDate: b.GetUntilDate(), Kind: b.GetKind()}
			}
		}
		return nil
	}
	if added := missing(s.GetBreaks(), old.GetBreaks()); added != nil {
		return added
	}
	return missing(old.GetBreaks(), s.GetBreaks())
}
