package domain

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// TestImportedStep: each completion of an imported step is told of, up to the limit
// the latest ones; a step without any is told of once.
func TestImportedStep(t *testing.T) {
	made := resourcetest.Start.AddDate(-9, 0, 0)
	for n, want := range map[int]int{0: 1, 1: 1, 3: 3, maxTold: maxTold, maxTold + 1: maxTold} {
		r := newRig(t)
		before := len(r.Events(t, ada))
		s := &goalsv1.Step{
			Name: r.goal + "/steps/s", Title: "t", Recurrence: "FREQ=DAILY", StartDate: localdate.Of(made, time.UTC),
			CreateTime: timestamppb.New(made), UpdateTime: timestamppb.New(made),
		}
		for i := range n {
			at := made.AddDate(0, 0, i)
			s.Completions = append(s.Completions, &goalsv1.Completion{
				Id: fmt.Sprint(i), CompleteTime: timestamppb.New(at), LocalDate: localdate.Of(at, time.UTC), Occurrence: localdate.Of(at, time.UTC),
			})
		}
		if err := r.d.Steps.Restore(t.Context(), []proto.Message{s}, []string{"1"})[0]; err != nil {
			t.Fatal(err)
		}
		told := r.Events(t, ada)[before:]
		if len(told) != want {
			t.Fatalf("%d completions: %d events", n, len(told))
		}
		last := told[len(told)-1]
		if last.GetType() != "step.imported" || last.GetStep().GetCompletions() != int32(n) || !last.GetRecordTime().AsTime().Equal(made) ||
			n > 0 && last.GetStep().GetCompletion().GetId() != fmt.Sprint(n-1) {
			t.Errorf("%d completions: %v", n, last)
		}
	}
}

// TestImportedStates: what was achieved, dropped or reached is so after an import,
// and references need not be there yet.
func TestImportedStates(t *testing.T) {
	r := newRig(t)
	made := timestamppb.New(resourcetest.Start)
	goal := &goalsv1.Goal{
		Name: ada + "/goals/old", Title: "t", State: typev1.GoalState_GOAL_STATE_DROPPED, DropReason: "enough",
		Origins: []string{ada + "/lessons/later"}, CreateTime: made, UpdateTime: made,
	}
	if err := r.d.Goals.Restore(t.Context(), []proto.Message{goal}, []string{"1"})[0]; err != nil {
		t.Fatal(err)
	}
	step := &goalsv1.Step{
		Name: ada + "/goals/old/steps/s", Title: "t", Milestone: ada + "/goals/old/milestones/later", CreateTime: made, UpdateTime: made,
	}
	if err := r.d.Steps.Restore(t.Context(), []proto.Message{step}, []string{"1"})[0]; err != nil {
		t.Fatal(err)
	}
	got, err := r.d.Goals.Fetch(t.Context(), goal.GetName())
	if err != nil || got.GetState() != typev1.GoalState_GOAL_STATE_DROPPED || got.GetDropReason() != "enough" {
		t.Error(got, err)
	}
}
