package domain

import (
	"fmt"
	"slices"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

const ada = "tenants/acme/people/ada"

// rig is the domain on a store of its own, with a goal.
type rig struct {
	*resourcetest.Rig
	t    *testing.T
	d    *Domain
	goal string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	base := resourcetest.New(t)
	r := &rig{Rig: base, t: t, d: New(base.Deps)}
	base.Open(t, r.d.Kinds()...)
	made, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: "g", Goal: &goalsv1.Goal{Title: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	r.goal = made.(*goalsv1.Goal).GetName()
	return r
}

func (r *rig) step(s *goalsv1.Step) *goalsv1.Step {
	r.t.Helper()
	s.Title = "t"
	made, err := r.d.Steps.Create(r.t.Context(), &goalsv1.CreateStepRequest{Parent: r.goal, Step: s})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.Step)
}

func (r *rig) complete(req *goalsv1.CompleteStepRequest) *goalsv1.Step {
	r.t.Helper()
	s, err := r.d.CompleteStep(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) milestone(id string) string {
	r.t.Helper()
	made, err := r.d.Milestones.Create(r.t.Context(), &goalsv1.CreateMilestoneRequest{Parent: r.goal, MilestoneId: id, Milestone: &goalsv1.Milestone{Title: "t"}})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.Milestone).GetName()
}

func date(y, m, d int32) *datepb.Date { return &datepb.Date{Year: y, Month: m, Day: d} }

// TestGoalStates walks every state by every verb.
func TestGoalStates(t *testing.T) {
	verbs := map[string]func(r *rig) (*goalsv1.Goal, error){
		"achieve": func(r *rig) (*goalsv1.Goal, error) {
			return r.d.AchieveGoal(t.Context(), &goalsv1.AchieveGoalRequest{Name: r.goal})
		},
		"drop": func(r *rig) (*goalsv1.Goal, error) {
			return r.d.DropGoal(t.Context(), &goalsv1.DropGoalRequest{Name: r.goal, Reason: "why"})
		},
		"hold": func(r *rig) (*goalsv1.Goal, error) {
			return r.d.HoldGoal(t.Context(), &goalsv1.HoldGoalRequest{Name: r.goal})
		},
		"resume": func(r *rig) (*goalsv1.Goal, error) {
			return r.d.ResumeGoal(t.Context(), &goalsv1.ResumeGoalRequest{Name: r.goal})
		},
	}
	reach := map[typev1.GoalState][]string{active: {}, achieved: {"achieve"}, onHold: {"hold"}, dropped: {"drop"}}
	want := map[typev1.GoalState]map[string]typev1.GoalState{
		active:   {"achieve": achieved, "drop": dropped, "hold": onHold, "resume": active},
		achieved: {"achieve": achieved},
		onHold:   {"achieve": achieved, "drop": dropped, "hold": onHold, "resume": active},
		dropped:  {"drop": dropped, "resume": active},
	}
	for from, path := range reach {
		for verb, do := range verbs {
			r := newRig(t)
			for _, v := range path {
				if _, err := verbs[v](r); err != nil {
					t.Fatal(err)
				}
			}
			g, err := do(r)
			to, allowed := want[from][verb]
			if !allowed {
				resourcetest.Refused(t, err, "GOAL_STATE")
				continue
			}
			if err != nil || g.GetState() != to {
				t.Errorf("%s of a goal that is %s: %s, %v", verb, from, g.GetState(), err)
			}
			if (g.GetAchieveTime() != nil) != (to == achieved) || (g.GetDropReason() != "") != (to == dropped) {
				t.Errorf("%s of a goal that is %s: %v", verb, from, g)
			}
		}
	}
}

func TestGoalOrigins(t *testing.T) {
	r := newRig(t)
	for origin, reason := range map[string]string{
		ada + "/goals/g": "NAME_INVALID", "tenants/acme/people/grace/lessons/l": "REFERENCE_FOREIGN",
		ada + "/lessons/": "NAME_INVALID", "x": "NAME_INVALID",
	} {
		_, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, Goal: &goalsv1.Goal{Title: "t", Origins: []string{origin}}})
		resourcetest.Refused(t, err, reason)
	}
}

// TestProgress: reached milestones and one-time steps that are done, each the
// same; what repeats does not count.
func TestProgress(t *testing.T) {
	r := newRig(t)
	progress := func() float64 {
		t.Helper()
		got, err := r.d.Goals.Get(t.Context(), &goalsv1.GetGoalRequest{Name: r.goal})
		if err != nil {
			t.Fatal(err)
		}
		return got.(*goalsv1.Goal).GetProgress()
	}
	if progress() != 0 {
		t.Error("an empty goal has progress")
	}
	m := r.milestone("m")
	a, b, c := r.step(&goalsv1.Step{Milestone: m}), r.step(&goalsv1.Step{}), r.step(&goalsv1.Step{})
	daily := r.step(&goalsv1.Step{Recurrence: "FREQ=DAILY"})
	r.complete(&goalsv1.CompleteStepRequest{Name: a.GetName()})
	r.complete(&goalsv1.CompleteStepRequest{Name: daily.GetName()})
	if got := progress(); got != 0.25 {
		t.Errorf("one of four: %v", got)
	}
	if _, err := r.d.ReachMilestone(t.Context(), &goalsv1.ReachMilestoneRequest{Name: m}); err != nil {
		t.Fatal(err)
	}
	r.complete(&goalsv1.CompleteStepRequest{Name: b.GetName()})
	if got := progress(); got != 0.75 {
		t.Errorf("three of four: %v", got)
	}
	if _, err := r.d.UndoStep(t.Context(), &goalsv1.UndoStepRequest{Name: b.GetName()}); err != nil {
		t.Fatal(err)
	}
	if got := progress(); got != 0.5 {
		t.Errorf("after undo: %v", got)
	}
	r.complete(&goalsv1.CompleteStepRequest{Name: c.GetName()})
	if _, err := r.d.AchieveGoal(t.Context(), &goalsv1.AchieveGoalRequest{Name: r.goal}); err != nil {
		t.Fatal(err)
	}
	if got := progress(); got != 1 {
		t.Errorf("an achieved goal: %v", got)
	}
	// Several goals at once.
	if _, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: "h", Goal: &goalsv1.Goal{Title: "t"}}); err != nil {
		t.Fatal(err)
	}
	res, err := r.d.Goals.List(t.Context(), &goalsv1.ListGoalsRequest{Parent: ada, OrderBy: "name"})
	if err != nil {
		t.Fatal(err)
	}
	goals := res.(*goalsv1.ListGoalsResponse).GetGoals()
	if len(goals) != 2 || goals[0].GetProgress() != 1 || goals[1].GetProgress() != 0 {
		t.Errorf("%v", goals)
	}
}

func TestMilestones(t *testing.T) {
	r := newRig(t)
	m := r.milestone("m")
	_, err := r.d.CelebrateMilestone(t.Context(), &goalsv1.CelebrateMilestoneRequest{Name: m, How: "cake"})
	resourcetest.Refused(t, err, "MILESTONE_AHEAD")
	first, err := r.d.ReachMilestone(t.Context(), &goalsv1.ReachMilestoneRequest{Name: m})
	if err != nil || first.GetState() != reached {
		t.Fatal(first, err)
	}
	r.Clock.Advance(time.Hour)
	again, err := r.d.ReachMilestone(t.Context(), &goalsv1.ReachMilestoneRequest{Name: m})
	if err != nil || !again.GetReachTime().AsTime().Equal(first.GetReachTime().AsTime()) {
		t.Fatal("reaching again moved the time", err)
	}
	got, err := r.d.CelebrateMilestone(t.Context(), &goalsv1.CelebrateMilestoneRequest{Name: m, How: "cake"})
	if err != nil || got.GetState() != celebrated || got.GetCelebration() != "cake" {
		t.Fatal(got, err)
	}
	other, err := r.d.CelebrateMilestone(t.Context(), &goalsv1.CelebrateMilestoneRequest{Name: m, How: "tea"})
	if err != nil || other.GetCelebration() != "tea" || !other.GetCelebrateTime().AsTime().Equal(got.GetCelebrateTime().AsTime()) {
		t.Fatal(other, err)
	}
}

func TestCompleteOnce(t *testing.T) {
	r := newRig(t)
	s := r.step(&goalsv1.Step{DueDate: date(2026, 12, 1)})
	const request = "7f6a3c7e-4b7d-4b53-9a8e-0d2f3c1b2a11"
	for range 2 {
		got := r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), RequestId: request, Amount: 3, TimeZone: "Pacific/Auckland"})
		if len(got.GetCompletions()) != 1 || got.GetState() != done {
			t.Fatalf("%v", got)
		}
		c := got.GetCompletions()[0]
		if localdate.Text(c.GetLocalDate()) != "2026-11-23" || c.GetOccurrence() != nil || c.GetAmount() != 3 {
			t.Fatalf("%v", c)
		}
	}
	_, err := r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName()})
	resourcetest.Refused(t, err, "STEP_DONE")
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName(), TimeZone: "Mars/Olympus"})
	resourcetest.Refused(t, err, "TIME_ZONE_UNKNOWN")
	_, err = r.d.UndoStep(t.Context(), &goalsv1.UndoStepRequest{Name: s.GetName(), Completion: "other"})
	resourcetest.Refused(t, err, "COMPLETION_UNKNOWN")
	if got, err := r.d.UndoStep(t.Context(), &goalsv1.UndoStepRequest{Name: s.GetName()}); err != nil || got.GetState() != toDo {
		t.Fatal(got, err)
	}
	_, err = r.d.UndoStep(t.Context(), &goalsv1.UndoStepRequest{Name: s.GetName()})
	resourcetest.Refused(t, err, "NOTHING_TO_UNDO")
	// The exact time is kept, across a local midnight too.
	at := time.Date(2026, 11, 22, 11, 30, 0, 0, time.UTC)
	got := r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), CompleteTime: timestamppb.New(at), TimeZone: "Pacific/Auckland"})
	if c := got.GetCompletions()[0]; !c.GetCompleteTime().AsTime().Equal(at) || localdate.Text(c.GetLocalDate()) != "2026-11-23" {
		t.Fatalf("%v", c)
	}
	other := r.step(&goalsv1.Step{})
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: other.GetName(), CompleteTime: timestamppb.New(resourcetest.Start.Add(time.Hour))})
	resourcetest.Refused(t, err, "TIME_IN_FUTURE")
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: other.GetName(), Occurrence: date(2026, 11, 23)})
	resourcetest.Refused(t, err, "NOT_REPEATING")
	// The events say what was completed and taken back, and when.
	var told []string
	for _, e := range r.Events(t, ada) {
		if f := e.GetStep(); f != nil && f.GetCompletion() != nil {
			told = append(told, fmt.Sprint(e.GetType(), " ", f.GetState(), " ", f.GetCompletions()))
		}
	}
	want := []string{"step.completed STEP_STATE_DONE 1", "step.undone STEP_STATE_TO_DO 0", "step.completed STEP_STATE_DONE 1"}
	if !slices.Equal(told, want) {
		t.Errorf("events: %v", told)
	}
}

// TestRepeating: one completion per occurrence, on it or late.
func TestRepeating(t *testing.T) {
	r := newRig(t)
	s := r.step(&goalsv1.Step{Recurrence: "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3", StartDate: date(2026, 11, 16)}) // Monday; Thursday 19th, Monday 23rd
	got := r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName()})                                       // Monday 23rd
	if o := localdate.Text(got.GetCompletions()[0].GetOccurrence()); o != "2026-11-23" {
		t.Fatalf("it counts for %s", o)
	}
	_, err := r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName()})
	resourcetest.Refused(t, err, "OCCURRENCE_DONE")
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName(), Occurrence: date(2026, 11, 17)})
	resourcetest.Refused(t, err, "NOT_AN_OCCURRENCE")
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName(), Occurrence: date(2026, 11, 0)})
	resourcetest.Refused(t, err, "DATE_INVALID")
	late := timestamppb.New(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)) // Saturday counts for Thursday
	got = r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), CompleteTime: late})
	if o := localdate.Text(got.GetCompletions()[0].GetOccurrence()); o != "2026-11-19" || got.GetState() != toDo {
		t.Fatalf("it counts for %s, state %s", o, got.GetState())
	}
	got = r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), Occurrence: date(2026, 11, 16)})
	if got.GetState() != done || len(got.GetCompletions()) != 3 {
		t.Fatalf("%v", got)
	}
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName(), Occurrence: date(9999, 12, 31)})
	resourcetest.Refused(t, err, "OCCURRENCE_TOO_FAR")
	before := timestamppb.New(time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC))
	fresh := r.step(&goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 11, 16)})
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: fresh.GetName(), CompleteTime: before})
	resourcetest.Refused(t, err, "NOT_AN_OCCURRENCE")
}

func TestStepRules(t *testing.T) {
	r := newRig(t)
	m := r.milestone("m")
	other, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, Goal: &goalsv1.Goal{Title: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	for reason, s := range map[string]*goalsv1.Step{
		"DUE_DATE_AND_RECURRENCE": {DueDate: date(2026, 12, 1), Recurrence: "FREQ=DAILY"},
		"DATE_INVALID":            {DueDate: date(2026, 2, 30)},
		"DATE_TOO_EARLY":          {Recurrence: "FREQ=DAILY", StartDate: date(1, 1, 1)},
		"RECURRENCE_INVALID":      {Recurrence: "EVERY DAY"},
		"REFERENCE_UNKNOWN":       {Milestone: r.goal + "/milestones/absent"},
		"REFERENCE_FOREIGN":       {Milestone: "tenants/acme/people/grace/goals/g/milestones/m"},
	} {
		s.Title = "t"
		_, err := r.d.Steps.Create(t.Context(), &goalsv1.CreateStepRequest{Parent: r.goal, Step: s})
		resourcetest.Refused(t, err, reason)
	}
	_, err = r.d.Steps.Create(t.Context(), &goalsv1.CreateStepRequest{Parent: other.(*goalsv1.Goal).GetName(), Step: &goalsv1.Step{Title: "t", Milestone: m}})
	resourcetest.Refused(t, err, "REFERENCE_FOREIGN")
	// A step that becomes a repeating one keeps what was completed, and counts from
	// when it was made.
	s := r.step(&goalsv1.Step{})
	r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName()})
	r.Clock.Advance(72 * time.Hour)
	got, err := r.d.Steps.Update(t.Context(), &goalsv1.UpdateStepRequest{
		Step: &goalsv1.Step{Name: s.GetName(), Recurrence: "FREQ=DAILY"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"recurrence"}},
	})
	if err != nil || got.(*goalsv1.Step).GetState() != toDo || len(got.(*goalsv1.Step).GetCompletions()) != 1 ||
		localdate.Text(got.(*goalsv1.Step).GetStartDate()) != "2026-11-23" {
		t.Fatal(got, err)
	}
	// A goal goes with nothing below it, or by force.
	_, err = r.d.Goals.Delete(t.Context(), &goalsv1.DeleteGoalRequest{Name: r.goal})
	resourcetest.Refused(t, err, "HAS_CHILDREN")
}
