package domain

import (
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// drawStep draws a step of any kind.
func drawStep(t *rapid.T) *goalsv1.Step {
	s := &goalsv1.Step{Title: "t", Amount: rapid.SampledFrom([]float64{0, 1, 2.5}).Draw(t, "amount")}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 1:
		s.Times, s.Days = rapid.Int32Range(1, 5).Draw(t, "times"), rapid.Int32Range(1, 10).Draw(t, "days")
	case 2:
		s.Recurrence, s.StartDate = rapid.SampledFrom([]string{"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=DAILY;INTERVAL=2;COUNT=4", "FREQ=MONTHLY"}).Draw(t, "rule"), date(2026, 10, 1)
	}
	if repeats(s) && rapid.Bool().Draw(t, "limit") {
		s.Direction = atMost
	}
	return s
}

// TestCompleteUndo: to complete a step and to take that back changes nothing, and
// strength stays in 0..1 on the way.
func TestCompleteUndo(t *testing.T) {
	r := newRig(t)
	rapid.Check(t, func(t *rapid.T) {
		made, err := r.d.Steps.Create(r.t.Context(), &goalsv1.CreateStepRequest{Parent: r.goal, Step: drawStep(t)})
		if err != nil {
			t.Fatal(err)
		}
		s := made.(*goalsv1.Step)
		for range rapid.IntRange(1, 6).Draw(t, "completions") {
			at := timestamppb.New(resourcetest.Start.Add(-time.Duration(rapid.IntRange(0, 40*24).Draw(t, "hours ago")) * time.Hour))
			req := &goalsv1.CompleteStepRequest{Name: s.GetName(), CompleteTime: at, Amount: rapid.SampledFrom([]float64{0, 0.5, 3}).Draw(t, "done")}
			after, err := r.d.CompleteStep(r.t.Context(), req)
			if err != nil {
				continue // done already
			}
			if repeats(s) && (after.GetStrength() < 0 || after.GetStrength() > 1 || math.IsNaN(after.GetStrength()) || after.GetCurrentRun() > after.GetLongestRun()) {
				t.Fatalf("%v", after)
			}
			added := slices.IndexFunc(after.GetCompletions(), func(c *goalsv1.Completion) bool {
				return !slices.ContainsFunc(s.GetCompletions(), func(x *goalsv1.Completion) bool { return x.GetId() == c.GetId() })
			})
			undone, err := r.d.UndoStep(r.t.Context(), &goalsv1.UndoStepRequest{Name: s.GetName(), Completion: after.GetCompletions()[added].GetId()})
			if err != nil {
				t.Fatal(err)
			}
			undone.Etag, undone.UpdateTime = s.GetEtag(), s.GetUpdateTime()
			if !proto.Equal(s, undone) {
				t.Fatalf("before %v\nafter  %v", s, undone)
			}
			if s, err = r.d.CompleteStep(r.t.Context(), req); err != nil { // and go on from there
				t.Fatal(err)
			}
		}
	})
}
