package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// rests tells of a step's breaks, as KIND from-until.
func rests(s *goalsv1.Step) []string {
	var out []string
	for _, b := range s.GetBreaks() {
		line := strings.TrimPrefix(b.GetKind().String(), "BREAK_KIND_") + " " + localdate.Text(b.GetFromDate())
		if b.GetUntilDate() != nil {
			line += " " + localdate.Text(b.GetUntilDate())
		}
		out = append(out, line)
	}
	return out
}

func (r *rig) skip(name string, on *datepb.Date) *goalsv1.Step {
	r.t.Helper()
	s, err := r.d.SkipStep(r.t.Context(), &goalsv1.SkipStepRequest{Name: name, Date: on})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// TestSkip: a day is skipped without harm; a weekly step skips its week.
func TestSkip(t *testing.T) {
	r := newRig(t)
	daily := r.step(&goalsv1.Step{Times: 1, Days: 1}).GetName()
	weekly := r.step(&goalsv1.Step{Recurrence: "FREQ=WEEKLY;BYDAY=MO;COUNT=10", StartDate: date(2026, 11, 16)}).GetName()
	r.complete(&goalsv1.CompleteStepRequest{Name: weekly, Occurrence: date(2026, 11, 16)})
	before := r.complete(&goalsv1.CompleteStepRequest{Name: daily})
	r.Clock.Advance(24 * time.Hour) // Tuesday
	for range 2 {                   // skipping again changes nothing
		if got := rests(r.skip(daily, nil)); !slices.Equal(got, []string{"SKIP 2026-11-24 2026-11-24"}) {
			t.Errorf("%v", got)
		}
	}
	s := r.skip(weekly, nil)
	if got := rests(s); !slices.Equal(got, []string{"SKIP 2026-11-23 2026-11-29"}) {
		t.Errorf("%v", got)
	}
	week := s.GetStrength()
	r.Clock.Advance(24 * time.Hour)
	if got := r.get(daily); !near(got.GetStrength(), before.GetStrength()) || got.GetCurrentRun() != 1 {
		t.Errorf("a skipped day made %v, run %d of %v", got.GetStrength(), got.GetCurrentRun(), before.GetStrength())
	}
	r.Clock.Advance(4 * 24 * time.Hour) // Sunday
	if got := r.get(weekly); !near(got.GetStrength(), week) || got.GetCurrentRun() != 7 {
		t.Errorf("a skipped week made %v, run %d of %v", got.GetStrength(), got.GetCurrentRun(), week)
	}
	if got := r.get(daily); got.GetStrength() >= before.GetStrength() || got.GetCurrentRun() != 0 {
		t.Errorf("days that were not skipped count: %v", got)
	}
	// The last occurrence of a rule has no next one.
	if got := rests(r.skip(weekly, date(2027, 1, 20))); !slices.Equal(got, []string{"SKIP 2026-11-23 2026-11-29", "SKIP 2027-01-18 2027-01-18"}) {
		t.Errorf("%v", got)
	}
	undo := func(on *datepb.Date, completion string) (*goalsv1.Step, error) {
		return r.d.UndoStep(t.Context(), &goalsv1.UndoStepRequest{Name: weekly, SkippedDate: on, Completion: completion})
	}
	if s, err := undo(date(2026, 11, 25), ""); err != nil || len(s.GetBreaks()) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	_, err := undo(date(2026, 11, 25), "")
	resourcetest.Refused(t, err, "SKIP_UNKNOWN")
	_, err = undo(date(2026, 11, 25), "x")
	resourcetest.Refused(t, err, "SKIP_AND_COMPLETION")
	_, err = undo(date(2026, 2, 30), "")
	resourcetest.Refused(t, err, "DATE_INVALID")

	once := r.step(&goalsv1.Step{}).GetName()
	for _, c := range []struct {
		reason, name string
		on           *datepb.Date
	}{
		{"STEP_NOT_REPEATING", once, nil},
		{"OCCURRENCE_DONE", weekly, date(2026, 11, 20)},
		{"NOT_AN_OCCURRENCE", weekly, date(2026, 11, 15)},
		{"OCCURRENCE_TOO_FAR", weekly, date(2028, 1, 1)},
		{"DATE_TOO_EARLY", daily, date(1969, 12, 31)},
		{"DATE_INVALID", daily, date(2026, 0, 31)},
	} {
		_, err := r.d.SkipStep(t.Context(), &goalsv1.SkipStepRequest{Name: c.name, Date: c.on})
		resourcetest.Refused(t, err, c.reason)
	}
	var told []string
	for _, e := range r.Events(t, ada) {
		if b := e.GetStep().GetChangedBreak(); b != nil && e.GetSubject() == weekly {
			told = append(told, fmt.Sprint(e.GetType(), " ", localdate.Text(b.GetFromDate()), " ", localdate.Text(b.GetUntilDate())))
		}
	}
	if want := []string{"step.skipped 2026-11-23 2026-11-29", "step.skipped 2027-01-18 2027-01-18", "step.unskipped 2026-11-23 2026-11-29"}; !slices.Equal(told, want) {
		t.Errorf("%v", told)
	}
}

// TestSkipLimit: a step keeps a thousand breaks, and no more.
func TestSkipLimit(t *testing.T) {
	r := newRig(t)
	s := &goalsv1.Step{Times: 1, Days: 1}
	for i := range maxBreaks - 1 {
		on := localdate.FromDays(i)
		s.Breaks = append(s.Breaks, &goalsv1.Break{FromDate: on, UntilDate: on, Kind: skip})
	}
	name := r.step(s).GetName()
	r.skip(name, date(2026, 11, 1))
	_, err := r.d.SkipStep(t.Context(), &goalsv1.SkipStepRequest{Name: name, Date: date(2026, 11, 2)})
	resourcetest.Refused(t, err, "TOO_MANY_BREAKS")
}

// TestPause: an illness lets everything that repeats rest, in all goals at once,
// and what was strong before is as strong after.
func TestPause(t *testing.T) {
	r := newRig(t)
	daily := r.step(&goalsv1.Step{Times: 1, Days: 1}).GetName()
	weekly := r.step(&goalsv1.Step{Recurrence: "FREQ=WEEKLY"}).GetName()
	once := r.step(&goalsv1.Step{}).GetName()
	made, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: "h", Goal: &goalsv1.Goal{Title: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := r.d.Steps.Create(t.Context(), &goalsv1.CreateStepRequest{Parent: made.(*goalsv1.Goal).GetName(), Step: &goalsv1.Step{Title: "t", Times: 2, Days: 7}})
	if err != nil {
		t.Fatal(err)
	}
	other := elsewhere.(*goalsv1.Step).GetName()
	before := r.complete(&goalsv1.CompleteStepRequest{Name: daily}).GetStrength()
	r.Clock.Advance(24 * time.Hour)
	pauseAll := func(req *goalsv1.PauseStepsRequest) []string {
		t.Helper()
		res, err := r.d.PauseSteps(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range res.GetSteps() {
			names = append(names, s.GetName())
		}
		return names
	}
	ill := &goalsv1.PauseStepsRequest{Parent: ada + "/goals/-", Kind: typev1.BreakKind_BREAK_KIND_ILLNESS}
	all := []string{daily, weekly, other}
	slices.Sort(all)
	for range 2 {
		names := pauseAll(ill)
		slices.Sort(names)
		if !slices.Equal(names, all) {
			t.Errorf("%v rest, want %v", names, all)
		}
	}
	if got := r.get(once); len(got.GetBreaks()) != 0 {
		t.Errorf("what does not repeat rests: %v", got)
	}
	holiday := &goalsv1.PauseStepsRequest{Parent: r.goal, FromDate: date(2026, 12, 24), UntilDate: date(2026, 12, 31)}
	if names := pauseAll(holiday); len(names) != 2 {
		t.Errorf("%v rest", names)
	}
	r.Clock.Advance(10 * 24 * time.Hour)
	if s := r.get(daily); !near(s.GetStrength(), before) || s.GetCurrentRun() != 1 {
		t.Errorf("ten days of illness made %v, run %d of %v", s.GetStrength(), s.GetCurrentRun(), before)
	}
	resumed, err := r.d.ResumeSteps(t.Context(), &goalsv1.ResumeStepsRequest{Parent: ada + "/goals/-"})
	if err != nil || len(resumed.GetSteps()) != 3 {
		t.Errorf("%v, %v", resumed, err)
	}
	if got, want := rests(r.get(daily)), []string{"ILLNESS 2026-11-24 2026-12-03", "PAUSE 2026-12-24 2026-12-31"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// What began today goes altogether.
	pauseAll(&goalsv1.PauseStepsRequest{Parent: made.(*goalsv1.Goal).GetName()})
	if _, err := r.d.ResumeSteps(t.Context(), &goalsv1.ResumeStepsRequest{Parent: made.(*goalsv1.Goal).GetName()}); err != nil {
		t.Fatal(err)
	}
	if got := rests(r.get(other)); !slices.Equal(got, []string{"ILLNESS 2026-11-24 2026-12-03"}) {
		t.Errorf("%v", got)
	}
	for parent, reason := range map[string]string{ada: "NAME_INVALID", ada + "/goals/absent": "NOT_FOUND", ada + "/goals/g/steps/-": "NAME_INVALID"} {
		_, err := r.d.PauseSteps(t.Context(), &goalsv1.PauseStepsRequest{Parent: parent})
		resourcetest.Refused(t, err, reason)
		_, err = r.d.ResumeSteps(t.Context(), &goalsv1.ResumeStepsRequest{Parent: parent})
		resourcetest.Refused(t, err, reason)
	}
	_, err = r.d.PauseSteps(t.Context(), &goalsv1.PauseStepsRequest{Parent: r.goal, FromDate: date(2026, 12, 2), UntilDate: date(2026, 12, 1)})
	resourcetest.Refused(t, err, "BREAK_ENDS_TOO_EARLY")
}

// TestHold: what repeats rests as long as its goal does.
func TestHold(t *testing.T) {
	r := newRig(t)
	daily := r.step(&goalsv1.Step{Times: 1, Days: 1}).GetName()
	before := r.complete(&goalsv1.CompleteStepRequest{Name: daily}).GetStrength()
	r.Clock.Advance(24 * time.Hour)
	for range 2 {
		if _, err := r.d.HoldGoal(t.Context(), &goalsv1.HoldGoalRequest{Name: r.goal}); err != nil {
			t.Fatal(err)
		}
	}
	r.Clock.Advance(30 * 24 * time.Hour)
	if _, err := r.d.ResumeGoal(t.Context(), &goalsv1.ResumeGoalRequest{Name: r.goal}); err != nil {
		t.Fatal(err)
	}
	s := r.get(daily)
	if got := rests(s); !slices.Equal(got, []string{"PAUSE 2026-11-24 2026-12-23"}) || !near(s.GetStrength(), before) || s.GetCurrentRun() != 1 {
		t.Errorf("%v, strength %v, run %d", got, s.GetStrength(), s.GetCurrentRun())
	}
}
