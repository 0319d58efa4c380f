package domain

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/follow"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

func titles(steps []*goalsv1.Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.GetTitle())
	}
	return out
}

// TestSplit: the parts take the step's place, once, and the step names them.
func TestSplit(t *testing.T) {
	r := newRig(t)
	m := r.milestone("m")
	s := r.step(&goalsv1.Step{Milestone: m, DueDate: date(2026, 12, 1), Unit: "pages", Amount: 30, Duration: durationpb.New(5 * time.Hour)})
	if got := s.GetSizeHint().GetReasons(); !slices.Equal(got, []goalsv1.SizeReason{goalsv1.SizeReason_SIZE_REASON_TOO_LONG, goalsv1.SizeReason_SIZE_REASON_NO_VERB}) {
		t.Errorf("%v", got)
	}
	req := &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: []*goalsv1.StepPart{
		{Title: "Read the first ten", Amount: 10, Duration: durationpb.New(time.Hour)}, {Title: "Read the rest", Amount: 20}, {Title: "Write three questions down"},
	}}
	var first *goalsv1.SplitStepResponse
	for range 2 {
		res, err := r.d.SplitStep(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = res
		}
		if got := titles(res.GetSteps()); !slices.Equal(got, []string{"Read the first ten", "Read the rest", "Write three questions down"}) {
			t.Errorf("%v", got)
		}
		part := res.GetSteps()[0]
		if part.GetMilestone() != m || part.GetDueDate().GetDay() != 1 || part.GetUnit() != "pages" || part.GetAmount() != 10 ||
			part.GetDuration().AsDuration() != time.Hour || part.GetState() != toDo || part.GetSizeHint() != nil {
			t.Errorf("%v", part)
		}
		if res.GetStep().GetState() != split || len(res.GetStep().GetParts()) != 3 || res.GetStep().GetParts()[0].GetStep() != first.GetSteps()[0].GetName() {
			t.Errorf("%v", res.GetStep())
		}
		if all, err := r.d.Steps.All(t.Context(), r.goal); err != nil || len(all) != 4 {
			t.Errorf("%d steps, %v", len(all), err)
		}
	}
	// Cut short, it is finished by the same call again.
	if _, err := r.d.Steps.Delete(t.Context(), &goalsv1.DeleteStepRequest{Name: first.GetSteps()[1].GetName()}); err != nil {
		t.Fatal(err)
	}
	if again, err := r.d.SplitStep(t.Context(), req); err != nil || again.GetSteps()[1].GetName() != first.GetSteps()[1].GetName() {
		t.Errorf("%v, %v", again, err)
	}
	_, err := r.d.SplitStep(t.Context(), &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: req.GetParts()[:2]})
	resourcetest.Refused(t, err, "STEP_SPLIT")
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName()})
	resourcetest.Refused(t, err, "STEP_SPLIT")
	_, err = r.d.SkipStep(t.Context(), &goalsv1.SkipStepRequest{Name: s.GetName()})
	resourcetest.Refused(t, err, "STEP_SPLIT")
	// Its parts count, not it.
	r.complete(&goalsv1.CompleteStepRequest{Name: first.GetSteps()[0].GetName()})
	goal, err := r.d.Goals.Fetch(t.Context(), r.goal)
	if err != nil || goal.GetProgress() != 0.25 { // of three parts and the milestone
		t.Errorf("%v, %v", goal.GetProgress(), err)
	}
}

func TestSplitRefused(t *testing.T) {
	r := newRig(t)
	parts := []*goalsv1.StepPart{{Title: "Call"}, {Title: "Write"}}
	s := r.step(&goalsv1.Step{})
	r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName()})
	for _, c := range []struct {
		reason string
		req    *goalsv1.SplitStepRequest
	}{
		{"STEP_DONE", &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: parts}},
		{"ETAG_MISMATCH", &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: parts, Etag: s.GetEtag()}},
		{"NOT_FOUND", &goalsv1.SplitStepRequest{Name: r.goal + "/steps/absent", Parts: parts}},
		{"NAME_INVALID", &goalsv1.SplitStepRequest{Name: r.goal, Parts: parts}},
		{"REQUIRED", &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: []*goalsv1.StepPart{{Title: "Call"}, {Title: " "}}}},
		{"DURATION_OUT_OF_RANGE", &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: []*goalsv1.StepPart{{Title: "Call", Duration: durationpb.New(0)}, {Title: "x"}}}},
	} {
		_, err := r.d.SplitStep(t.Context(), c.req)
		resourcetest.Refused(t, err, c.reason)
	}
	for _, d := range []*durationpb.Duration{durationpb.New(0), durationpb.New(maxDuration + 1), {Seconds: 1, Nanos: -1}} {
		_, err := r.d.Steps.Create(t.Context(), &goalsv1.CreateStepRequest{Parent: r.goal, Step: &goalsv1.Step{Title: "t", Duration: d}})
		resourcetest.Refused(t, err, "DURATION_OUT_OF_RANGE")
	}
}

// TestSplitRepeating: a habit that is too big becomes smaller ones, and stays as
// strong as it had become.
func TestSplitRepeating(t *testing.T) {
	r := newRig(t)
	s := r.step(&goalsv1.Step{Times: 3, Days: 7, Breaks: []*goalsv1.Break{{}}})
	s = r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName()})
	res, err := r.d.SplitStep(t.Context(), &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: []*goalsv1.StepPart{{Title: "Run"}, {Title: "Stretch"}}})
	if err != nil {
		t.Fatal(err)
	}
	if p := res.GetSteps()[1]; p.GetTimes() != 3 || p.GetDays() != 7 || p.GetStartDate() == nil || p.GetStrength() != 0 || len(p.GetCompletions()) != 0 || len(p.GetBreaks()) != 0 {
		t.Errorf("%v", p)
	}
	r.Clock.Advance(50 * 24 * time.Hour)
	if got := r.get(s.GetName()); got.GetStrength() != s.GetStrength() || got.GetStrength() == 0 || len(got.GetCompletions()) != 1 {
		t.Errorf("%v, before %v", got, s.GetStrength())
	}
}

// TestSizeHint: the hint follows the title, the duration and the person's language,
// and goes when the step is done.
func TestSizeHint(t *testing.T) {
	r := newRig(t)
	s := r.step(&goalsv1.Step{})
	s, err := r.update(&goalsv1.Step{Name: s.GetName(), Title: "Presentation for Monday"}, "title")
	if err != nil || s.GetSizeHint().GetQuestion() == "" || len(s.GetSizeHint().GetReasons()) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	if err := r.d.People.Keep(t.Context(), []string{follow.Name(ada)}, func(_ string, p *storagev1.KnownPerson) { p.Locale = "fr" }); err != nil {
		t.Fatal(err)
	}
	if s = r.get(s.GetName()); s.GetSizeHint() != nil {
		t.Errorf("in French there are no rules: %v", s.GetSizeHint())
	}
	if s, err = r.update(&goalsv1.Step{Name: s.GetName(), Duration: durationpb.New(3 * time.Hour)}, "duration"); err != nil || len(s.GetSizeHint().GetReasons()) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	if s = r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName()}); s.GetSizeHint() != nil {
		t.Errorf("what is done needs no hint: %v", s.GetSizeHint())
	}
	if limit := r.step(&goalsv1.Step{Days: 1, Direction: atMost}); limit.GetSizeHint() != nil {
		t.Errorf("a limit needs no hint: %v", limit.GetSizeHint())
	}
}
