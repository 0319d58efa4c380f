package domain

import (
	"context"
	"slices"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	skip  = typev1.BreakKind_BREAK_KIND_SKIP
	pause = typev1.BreakKind_BREAK_KIND_PAUSE

	// maxBreaks is how many breaks one step keeps.
	maxBreaks = 1000
)

// checkBreak checks and completes a break; field is what to blame, up to the name
// of the part.
func checkBreak(field string, b *goalsv1.Break, today *datepb.Date) error {
	if b.GetFromDate() == nil {
		b.FromDate = today
	}
	if b.GetKind() == typev1.BreakKind_BREAK_KIND_UNSPECIFIED {
		b.Kind = pause
	}
	if err := localdate.CheckWhole(field+"from_date", b.GetFromDate()); err != nil {
		return err
	}
	if localdate.After(earliestStart, b.GetFromDate()) {
		return fault.Invalid(field+"from_date", "DATE_TOO_EARLY", "must not be before 1970-01-01")
	}
	if err := localdate.CheckWhole(field+"until_date", b.GetUntilDate()); err != nil {
		return err
	}
	if b.GetUntilDate() != nil && localdate.After(b.GetFromDate(), b.GetUntilDate()) {
		return fault.Invalid(field+"until_date", "BREAK_ENDS_TOO_EARLY", "must not be before from_date")
	}
	return nil
}

func sortBreaks(breaks []*goalsv1.Break) {
	slices.SortStableFunc(breaks, func(a, b *goalsv1.Break) int { return localdate.Between(b.GetFromDate(), a.GetFromDate()) })
}

// addBreak adds a break unless it is there.
func addBreak(s *goalsv1.Step, b *goalsv1.Break) error {
	if slices.ContainsFunc(s.GetBreaks(), func(have *goalsv1.Break) bool { return proto.Equal(have, b) }) {
		return nil
	}
	if len(s.GetBreaks()) >= maxBreaks {
		return fault.Precondition("TOO_MANY_BREAKS", "a step keeps at most %d breaks", maxBreaks)
	}
	s.Breaks = append(s.GetBreaks(), b)
	return nil
}

// covers tells whether a date lies in a break.
func covers(b *goalsv1.Break, date *datepb.Date) bool {
	return !localdate.After(b.GetFromDate(), date) && (b.GetUntilDate() == nil || !localdate.After(date, b.GetUntilDate()))
}

// SkipStep skips a day, or an occurrence with the days up to the next one.
func (d *Domain) SkipStep(ctx context.Context, req *goalsv1.SkipStepRequest) (*goalsv1.Step, error) {
	if err := localdate.CheckWhole("date", req.GetDate()); err != nil {
		return nil, err
	}
	cal, err := d.calendar(ctx, resource.Owner(req.GetName()))
	if err != nil {
		return nil, err
	}
	return d.Steps.Mutate(ctx, "skipped", req.GetName(), req.GetEtag(), func(s *goalsv1.Step, now time.Time) error {
		if err := notSplit(s); err != nil {
			return err
		}
		if !repeats(s) {
			return fault.Precondition("STEP_NOT_REPEATING", "only a step that repeats can be skipped")
		}
		today := cal.Date(now)
		on := req.GetDate()
		if on == nil {
			on = today
		}
		if localdate.Between(today, on) > maxAhead {
			return fault.Invalid("date", "OCCURRENCE_TOO_FAR", "must be at most %d days ahead", maxAhead)
		}
		b, err := skipped(s, on)
		if err != nil {
			return err
		}
		if err := checkBreak("", b, today); err != nil {
			return fault.Invalid("date", "DATE_TOO_EARLY", "must not be before 1970-01-01")
		}
		return addBreak(s, b)
	})
}

// skipped is what skipping a date comes to.
func skipped(s *goalsv1.Step, on *datepb.Date) (*goalsv1.Break, error) {
	if s.GetRecurrence() == "" {
		return &goalsv1.Break{FromDate: on, UntilDate: on, Kind: skip}, nil
	}
	rule, err := parseRecurrence("step.recurrence", s.GetRecurrence(), s.GetStartDate())
	if err != nil {
		return nil, err
	}
	from := rule.atOrBefore(on)
	if from == nil {
		return nil, fault.Invalid("date", "NOT_AN_OCCURRENCE", "must not lie before the first occurrence of the step")
	}
	if err := openOccurrence(s, from); err != nil {
		return nil, err
	}
	until := from
	if next := rule.after(from); next != nil {
		until = localdate.FromDays(localdate.Days(next) - 1)
	}
	return &goalsv1.Break{FromDate: from, UntilDate: until, Kind: skip}, nil
}

// undoSkip takes a skip back.
func (d *Domain) undoSkip(ctx context.Context, req *goalsv1.UndoStepRequest) (*goalsv1.Step, error) {
	if err := localdate.CheckWhole("skipped_date", req.GetSkippedDate()); err != nil {
		return nil, err
	}
	if req.GetCompletion() != "" {
		return nil, fault.Invalid("skipped_date", "SKIP_AND_COMPLETION", "must not be set together with completion")
	}
	return d.Steps.Mutate(ctx, "unskipped", req.GetName(), req.GetEtag(), func(s *goalsv1.Step, _ time.Time) error {
		i := slices.IndexFunc(s.GetBreaks(), func(b *goalsv1.Break) bool { return b.GetKind() == skip && covers(b, req.GetSkippedDate()) })
		if i < 0 {
			return fault.Invalid("skipped_date", "SKIP_UNKNOWN", "must be a local date that was skipped")
		}
		s.Breaks = slices.Delete(s.GetBreaks(), i, i+1)
		return nil
	})
}

// PauseSteps lets repeating steps rest: each is a document of its own, and what was
// cut short is finished by the same call again.
func (d *Domain) PauseSteps(ctx context.Context, req *goalsv1.PauseStepsRequest) (*goalsv1.PauseStepsResponse, error) {
	b := &goalsv1.Break{FromDate: req.GetFromDate(), UntilDate: req.GetUntilDate(), Kind: req.GetKind()}
	cal, err := d.calendar(ctx, resource.Owner(req.GetParent()))
	if err != nil {
		return nil, err
	}
	if err := checkBreak("", b, cal.Date(d.now())); err != nil {
		return nil, err
	}
	steps, err := d.changeAll(ctx, "paused", req.GetParent(), func(s *goalsv1.Step) bool { return s.GetState() == toDo && repeats(s) },
		func(s *goalsv1.Step) error { return addBreak(s, proto.Clone(b).(*goalsv1.Break)) })
	return &goalsv1.PauseStepsResponse{Steps: steps}, err
}

// ResumeSteps ends pauses and illnesses that cover today.
func (d *Domain) ResumeSteps(ctx context.Context, req *goalsv1.ResumeStepsRequest) (*goalsv1.ResumeStepsResponse, error) {
	cal, err := d.calendar(ctx, resource.Owner(req.GetParent()))
	if err != nil {
		return nil, err
	}
	today := cal.Date(d.now())
	yesterday := localdate.FromDays(localdate.Days(today) - 1)
	rests := func(b *goalsv1.Break) bool { return b.GetKind() != skip && covers(b, today) }
	steps, err := d.changeAll(ctx, "resumed", req.GetParent(), func(s *goalsv1.Step) bool { return slices.ContainsFunc(s.GetBreaks(), rests) },
		func(s *goalsv1.Step) error {
			s.Breaks = slices.DeleteFunc(s.GetBreaks(), func(b *goalsv1.Break) bool { return rests(b) && localdate.After(b.GetFromDate(), yesterday) })
			for _, b := range s.GetBreaks() {
				if rests(b) {
					b.UntilDate = yesterday
				}
			}
			return nil
		})
	return &goalsv1.ResumeStepsResponse{Steps: steps}, err
}

// changeAll changes those steps below a goal, or all goals, that are meant. One that
// is deleted meanwhile is left out.
func (d *Domain) changeAll(ctx context.Context, verb, parent string, meant func(*goalsv1.Step) bool, change func(*goalsv1.Step) error) ([]*goalsv1.Step, error) {
	steps, err := d.Steps.Below(ctx, parent)
	if err != nil {
		return nil, err
	}
	var out []*goalsv1.Step
	for _, s := range steps {
		if !meant(s) {
			continue
		}
		changed, err := d.Steps.Mutate(ctx, verb, s.GetName(), "", func(s *goalsv1.Step, _ time.Time) error { return change(s) })
		if isGone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, changed)
	}
	return out, nil
}
