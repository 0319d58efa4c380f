package domain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// notSplit refuses what no longer concerns a step that was split.
func notSplit(s *goalsv1.Step) error {
	if len(s.GetParts()) > 0 {
		return fault.Precondition("STEP_SPLIT", "the step was split: its parts have taken its place")
	}
	return nil
}

// SplitStep makes smaller steps of one. It is written down in the step first, with
// all that the parts need: should making one of them fail, the call fails, and
// calling again makes those that are missing.
func (d *Domain) SplitStep(ctx context.Context, req *goalsv1.SplitStepRequest) (*goalsv1.SplitStepResponse, error) {
	for i, p := range req.GetParts() {
		field := fmt.Sprintf("parts[%d].", i)
		if strings.TrimSpace(p.GetTitle()) == "" {
			return nil, fault.Invalid(field+"title", "REQUIRED", "is required")
		}
		if l := p.GetDuration(); l != nil && (!l.IsValid() || l.AsDuration() <= 0 || l.AsDuration() > maxDuration) {
			return nil, fault.Invalid(field+"duration", "DURATION_OUT_OF_RANGE", "must be more than 0 s and at most 30 days")
		}
	}
	step, err := d.Steps.Mutate(ctx, "split", req.GetName(), req.GetEtag(), func(s *goalsv1.Step, _ time.Time) error {
		switch {
		case slices.EqualFunc(s.GetParts(), req.GetParts(), samePart):
			return nil
		case s.GetState() == done:
			return fault.Precondition("STEP_DONE", "the step is done already")
		case len(s.GetParts()) > 0:
			return notSplit(s)
		}
		for _, p := range req.GetParts() {
			part := proto.Clone(p).(*goalsv1.StepPart)
			part.Step = goalOf(req.GetName()) + "/steps/" + d.newID()
			s.Parts = append(s.Parts, part)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d.makeParts(ctx, step)
}

// samePart tells whether two parts say the same; only one of them has a name.
func samePart(a, b *goalsv1.StepPart) bool {
	return a.GetTitle() == b.GetTitle() && a.GetAmount() == b.GetAmount() && proto.Equal(a.GetDuration(), b.GetDuration())
}

// makeParts makes those parts of a step that are not there.
func (d *Domain) makeParts(ctx context.Context, step *goalsv1.Step) (*goalsv1.SplitStepResponse, error) {
	milestones, err := d.Milestones.Batch(ctx, []string{step.GetMilestone()})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(step.GetParts()))
	for i, p := range step.GetParts() {
		names[i] = p.GetStep()
		part := &goalsv1.Step{
			Title: p.GetTitle(), Amount: p.GetAmount(), Unit: step.GetUnit(), Duration: p.GetDuration(), DueDate: step.GetDueDate(),
			Recurrence: step.GetRecurrence(), StartDate: step.GetStartDate(), Times: step.GetTimes(), Days: step.GetDays(), Direction: step.GetDirection(),
		}
		if milestones[step.GetMilestone()] != nil { // it may have gone meanwhile
			part.Milestone = step.GetMilestone()
		}
		if err := d.Steps.Put(ctx, p.GetStep(), part); err != nil {
			return nil, err
		}
	}
	made, err := d.Steps.Batch(ctx, names)
	if err != nil {
		return nil, err
	}
	out := &goalsv1.SplitStepResponse{Step: step}
	for _, name := range names {
		if s := made[name]; s != nil { // one may have been deleted at once
			out.Steps = append(out.Steps, s)
		}
	}
	if len(out.GetSteps()) == 0 {
		return out, nil
	}
	return out, d.deriveSteps(ctx, out.GetSteps())
}
