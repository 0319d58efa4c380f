package domain

import (
	"context"
	"slices"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	toDo  = typev1.StepState_STEP_STATE_TO_DO
	done  = typev1.StepState_STEP_STATE_DONE
	split = typev1.StepState_STEP_STATE_SPLIT

	// maxCompletions is how many completions one step keeps.
	maxCompletions = 10_000
	// maxDuration is how long a step takes at most.
	maxDuration = 30 * 24 * time.Hour
	// maxTold is how many completions of an imported step are told of.
	maxTold = 1000
	// clockSkew is how far ahead of ours a client's clock may be.
	clockSkew = 5 * time.Minute
)

// A step that repeats is followed day by day from its start: both ends are bounded.
var earliestStart = &datepb.Date{Year: 1970, Month: 1, Day: 1}

// maxAhead is how many days before an occurrence it may be completed.
const maxAhead = 366

func (d *Domain) steps() resource.Type[*goalsv1.Step] {
	return resource.Type[*goalsv1.Step]{
		Filter:    []string{"state", "milestone", "due_date", "order", "days", "direction"},
		Order:     []string{"create_time", "due_date", "start_date", "state", "order"},
		Ascending: true,
		Derive:    d.deriveSteps,
		Decide:    d.decideStep,
	}
}

func (d *Domain) decideStep(ctx context.Context, c resource.Change[*goalsv1.Step]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("created", nil), nil
	}
	s := c.New
	today, err := d.today(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := d.checkStep(ctx, c); err != nil {
		return nil, err
	}
	if err := checkRepeating(s, today); err != nil {
		return nil, err
	}
	if err := setState(c.Old, s); err != nil {
		return nil, err
	}
	// What follows from today is told when it is read.
	s.SizeHint, s.Strength, s.CurrentRun, s.LongestRun = nil, nil, 0, 0
	facts := stepFacts(c, today)
	if c.Verb == resource.ImportedVerb && len(s.GetCompletions()) > 0 {
		return importedCompletions(c, facts), nil
	}
	if changed := changedCompletion(c.Old, s); changed != nil {
		facts.Completion = completionFacts(changed)
	}
	return c.Event("created", &eventsv1.Event{Data: &eventsv1.Event_Step{Step: facts}}), nil
}

func completionFacts(c *goalsv1.Completion) *eventsv1.StepCompletionFacts {
	return &eventsv1.StepCompletionFacts{
		Id: c.GetId(), CompleteTime: c.GetCompleteTime(), LocalDate: c.GetLocalDate(), Occurrence: c.GetOccurrence(), Amount: c.GetAmount(),
	}
}

// importedCompletions tells of the completions of an imported step, one event each,
// the latest if there are too many.
func importedCompletions(c resource.Change[*goalsv1.Step], facts *eventsv1.StepFacts) []*eventsv1.Event {
	completions := c.New.GetCompletions()
	var events []*eventsv1.Event
	for _, each := range completions[max(0, len(completions)-maxTold):] {
		of := proto.Clone(facts).(*eventsv1.StepFacts)
		of.Completion = completionFacts(each)
		events = append(events, c.Event("created", &eventsv1.Event{Data: &eventsv1.Event_Step{Step: of}})...)
	}
	return events
}

func (d *Domain) checkStep(ctx context.Context, c resource.Change[*goalsv1.Step]) error {
	s := c.New
	if err := checkRewards(s); err != nil {
		return err
	}
	if s.GetDueDate() != nil && repeats(s) {
		return fault.Invalid("step.due_date", "DUE_DATE_AND_RECURRENCE", "must not be set for a step that repeats")
	}
	if l := s.GetDuration(); l != nil && (!l.IsValid() || l.AsDuration() <= 0 || l.AsDuration() > maxDuration) {
		return fault.Invalid("step.duration", "DURATION_OUT_OF_RANGE", "must be more than 0 s and at most 30 days")
	}
	if err := localdate.CheckWhole("step.due_date", s.GetDueDate()); err != nil {
		return err
	}
	if err := localdate.CheckWhole("step.start_date", s.GetStartDate()); err != nil {
		return err
	}
	if start := s.GetStartDate(); start != nil && localdate.After(earliestStart, start) {
		return fault.Invalid("step.start_date", "DATE_TOO_EARLY", "must not be before 1970-01-01")
	}
	if s.GetMilestone() == "" || !c.Created() && c.Old.GetMilestone() == s.GetMilestone() {
		return nil
	}
	if err := d.Milestones.CheckReference(ctx, "step.milestone", c.Owner, s.GetMilestone()); err != nil {
		return err
	}
	if goalOf(s.GetMilestone()) != goalOf(c.Name) {
		return fault.Invalid("step.milestone", "REFERENCE_FOREIGN", "must name a milestone of the same goal")
	}
	return nil
}

// changedCompletion is the one that was added or taken back; nil for none.
func changedCompletion(old, s *goalsv1.Step) *goalsv1.Completion {
	find := func(in []*goalsv1.Completion, id string) bool {
		return slices.ContainsFunc(in, func(c *goalsv1.Completion) bool { return c.GetId() == id })
	}
	for _, c := range s.GetCompletions() {
		if !find(old.GetCompletions(), c.GetId()) {
			return c
		}
	}
	for _, c := range old.GetCompletions() {
		if !find(s.GetCompletions(), c.GetId()) {
			return c
		}
	}
	return nil
}

// CompleteStep adds a completion, and makes what it earns. Calling again with the
// same request id finishes what was cut short.
func (d *Domain) CompleteStep(ctx context.Context, req *goalsv1.CompleteStepRequest) (*goalsv1.Step, error) {
	cal, err := d.calendar(ctx, resource.Owner(req.GetName()))
	if err != nil {
		return nil, err
	}
	if req.GetTimeZone() != "" {
		zone, err := localdate.CheckZone("time_zone", req.GetTimeZone())
		if err != nil {
			return nil, err
		}
		cal = cal.In(zone)
	}
	id := d.newID()
	if req.GetRequestId() != "" {
		id = ids.Derived(req.GetName(), req.GetRequestId())
	}
	s, err := d.Steps.Mutate(ctx, "completed", req.GetName(), req.GetEtag(), func(s *goalsv1.Step, now time.Time) error {
		if slices.ContainsFunc(s.GetCompletions(), func(c *goalsv1.Completion) bool { return c.GetId() == id }) {
			return nil // the same request came again
		}
		if err := notSplit(s); err != nil {
			return err
		}
		if len(s.GetCompletions()) >= maxCompletions {
			return fault.Precondition("TOO_MANY_COMPLETIONS", "a step keeps at most %d completions", maxCompletions)
		}
		at := now
		if t := req.GetCompleteTime(); t != nil {
			if !t.IsValid() || t.AsTime().After(now.Add(clockSkew)) {
				return fault.Invalid("complete_time", "TIME_IN_FUTURE", "must be an instant that does not lie in the future")
			}
			at = clock.Truncate(t.AsTime())
		}
		c := &goalsv1.Completion{
			Id: id, CompleteTime: timestamppb.New(at), LocalDate: cal.Date(at), Amount: req.GetAmount(), Note: req.GetNote(),
		}
		if repeats(s) && localdate.After(earliestStart, c.LocalDate) {
			return fault.Invalid("complete_time", "TIME_TOO_EARLY", "must not be before 1970 for a step that repeats")
		}
		if c.Occurrence, err = chooseOccurrence(s, req.GetOccurrence(), c.LocalDate); err != nil {
			return err
		}
		s.Completions = append(s.Completions, c)
		slices.SortStableFunc(s.Completions, func(a, b *goalsv1.Completion) int {
			return a.GetCompleteTime().AsTime().Compare(b.GetCompleteTime().AsTime())
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, d.earnRewards(ctx, s)
}

// chooseOccurrence finds the occurrence that a completion counts for and checks
// that it is still open; nil for a step without a recurrence.
func chooseOccurrence(s *goalsv1.Step, asked, localDate *datepb.Date) (*datepb.Date, error) {
	if s.GetRecurrence() == "" {
		if asked != nil {
			return nil, fault.Invalid("occurrence", "NOT_REPEATING", "must not be set: the step has no recurrence")
		}
		if !repeats(s) && len(s.GetCompletions()) > 0 {
			return nil, fault.Precondition("STEP_DONE", "the step is done already")
		}
		return nil, nil
	}
	if err := localdate.CheckWhole("occurrence", asked); err != nil {
		return nil, err
	}
	if asked != nil && localdate.Between(localDate, asked) > maxAhead {
		return nil, fault.Invalid("occurrence", "OCCURRENCE_TOO_FAR", "must be at most %d days after the day it is completed on", maxAhead)
	}
	rule, err := parseRecurrence("step.recurrence", s.GetRecurrence(), s.GetStartDate())
	if err != nil {
		return nil, err
	}
	on := asked
	if on == nil {
		on = localDate
	}
	found := rule.atOrBefore(on)
	if found == nil || asked != nil && !proto.Equal(found, asked) {
		return nil, fault.Invalid("occurrence", "NOT_AN_OCCURRENCE", "must be a date on which the step occurs, and none lies on or before this one")
	}
	return found, openOccurrence(s, found)
}

// openOccurrence refuses what is done already for an occurrence.
func openOccurrence(s *goalsv1.Step, on *datepb.Date) error {
	if doneOccurrences(s)[localdate.Text(on)] {
		return fault.Precondition("OCCURRENCE_DONE", "the step is done already for its occurrence on %s", localdate.Text(on))
	}
	return nil
}

// UndoStep takes a completion back, or a skip.
func (d *Domain) UndoStep(ctx context.Context, req *goalsv1.UndoStepRequest) (*goalsv1.Step, error) {
	if req.GetSkippedDate() != nil {
		return d.undoSkip(ctx, req)
	}
	s, err := d.Steps.Mutate(ctx, "undone", req.GetName(), req.GetEtag(), func(s *goalsv1.Step, _ time.Time) error {
		if len(s.GetCompletions()) == 0 {
			return fault.Precondition("NOTHING_TO_UNDO", "the step has no completion")
		}
		i := len(s.Completions) - 1
		if req.GetCompletion() != "" {
			i = slices.IndexFunc(s.Completions, func(c *goalsv1.Completion) bool { return c.GetId() == req.GetCompletion() })
		}
		if i < 0 {
			return fault.Invalid("completion", "COMPLETION_UNKNOWN", "must be the id of a completion of the step")
		}
		s.Completions = slices.Delete(s.Completions, i, i+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, d.earnRewards(ctx, s)
}
