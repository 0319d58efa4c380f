package domain

import (
	"slices"
	"testing"
	"time"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// TestTurnOf: golden turns of repeating steps, on Monday 2026-11-23 unless it says
// otherwise.
func TestTurnOf(t *testing.T) {
	r := newRig(t)
	turn := func(name string, day int32) string {
		t.Helper()
		if on := turnOf(r.get(name), date(2026, 11, day)); on != nil {
			return localdate.Text(on)[5:]
		}
		return ""
	}
	expect := func(name string, day int32, want string) {
		t.Helper()
		if got := turn(name, day); got != want {
			t.Errorf("%s on the %d.: %q, want %q", r.get(name).GetTitle(), day, got, want)
		}
	}
	weekly := r.add("weekly", &goalsv1.Step{Recurrence: "FREQ=WEEKLY;BYDAY=SA,TU", StartDate: date(2026, 11, 1)})
	expect(weekly, 23, "11-21")
	expect(weekly, 24, "11-24")
	r.complete(&goalsv1.CompleteStepRequest{Name: weekly}) // counts for Saturday
	expect(weekly, 23, "")
	if _, err := r.d.SkipStep(t.Context(), &goalsv1.SkipStepRequest{Name: weekly, Date: date(2026, 11, 24)}); err != nil {
		t.Fatal(err)
	}
	expect(weekly, 25, "")
	expect(weekly, 28, "11-28")
	pages := r.add("pages", &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 11, 1), Amount: 20})
	r.complete(&goalsv1.CompleteStepRequest{Name: pages, Amount: 15})
	expect(pages, 23, "11-23")
	r.complete(&goalsv1.CompleteStepRequest{Name: pages, Amount: 5})
	expect(pages, 23, "")
	twice := r.add("twice", &goalsv1.Step{Times: 2, Days: 7})
	expect(twice, 22, "") // it begins on the 23rd
	expect(twice, 23, "11-23")
	r.complete(&goalsv1.CompleteStepRequest{Name: twice})
	expect(twice, 23, "11-23")
	r.Clock.Advance(24 * time.Hour)
	r.complete(&goalsv1.CompleteStepRequest{Name: twice})
	expect(twice, 29, "")
	expect(twice, 30, "11-30")
	limit := r.add("limit", &goalsv1.Step{Times: 1, Days: 1, Direction: atMost})
	expect(limit, 24, "")
	if _, err := r.d.PauseSteps(t.Context(), &goalsv1.PauseStepsRequest{Parent: r.goal, UntilDate: date(2026, 11, 30)}); err != nil {
		t.Fatal(err)
	}
	expect(twice, 30, "")
}

// TestSplitOnTheRoadmap: the parts of a step take its place: what it waited for,
// and what waited for it.
func TestSplitOnTheRoadmap(t *testing.T) {
	r := newRig(t)
	first, whole, after := r.add("first", &goalsv1.Step{}), r.add("whole", &goalsv1.Step{DueDate: date(2026, 11, 20)}), r.add("after", &goalsv1.Step{DueDate: date(2026, 11, 30)})
	r.mustLink(whole, first)
	r.mustLink(after, whole)
	made, err := r.d.SplitStep(t.Context(), &goalsv1.SplitStepRequest{Name: whole, Parts: []*goalsv1.StepPart{{Title: "half"}, {Title: "rest"}}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.d.SplitStep(t.Context(), &goalsv1.SplitStepRequest{Name: made.GetSteps()[1].GetName(), Parts: []*goalsv1.StepPart{{Title: "quarter"}, {Title: "last"}}})
	if err != nil {
		t.Fatal(err)
	}
	offered := func() (out []string) {
		t.Helper()
		next, err := r.d.GetNext(t.Context(), &goalsv1.GetNextRequest{Name: ada + "/next"})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range next.GetSteps() {
			out = append(out, n.GetStep().GetTitle())
		}
		slices.Sort(out)
		return out
	}
	done := func(name string) { r.complete(&goalsv1.CompleteStepRequest{Name: name}) }
	for _, round := range []struct {
		done []string
		want []string
	}{
		{nil, []string{"first"}}, {[]string{first}, []string{"half", "last", "quarter"}},
		{[]string{made.GetSteps()[0].GetName(), again.GetSteps()[0].GetName()}, []string{"last"}},
		{[]string{again.GetSteps()[1].GetName()}, []string{"after"}},
	} {
		for _, name := range round.done {
			done(name)
		}
		if got := offered(); !slices.Equal(got, round.want) {
			t.Fatalf("after %v: %v is offered, want %v", round.done, got, round.want)
		}
		roadmap := r.roadmap()
		for _, i := range roadmap.GetItems() {
			if free := len(i.GetOpen()) == 0 && !i.GetDone(); free != slices.Contains(round.want, i.GetTitle()) {
				t.Errorf("after %v the roadmap says of %s: %v", round.done, i.GetTitle(), i)
			}
		}
	}
	if got := r.roadmap(); got.GetProgress() != 4.0/5 { // first, half, quarter, last of those and after
		t.Errorf("progress is %v", got.GetProgress())
	}
	if got := r.replan(&goalsv1.ReplanGoalRequest{}).GetChanges(); len(got) != 0 {
		t.Errorf("what was split slipped: %v", got)
	}
}
