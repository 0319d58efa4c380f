package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	datepb "google.golang.org/genproto/googleapis/type/date"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// dates gives the due dates of a goal's milestones and steps, by id.
func (r *rig) dates() map[string]string {
	r.t.Helper()
	out := map[string]string{}
	for _, i := range r.roadmap().GetItems() {
		if i.GetDueDate() != nil {
			out[i.GetTitle()] = localdate.Text(i.GetDueDate())
		}
	}
	return out
}

func (r *rig) replan(req *goalsv1.ReplanGoalRequest) *goalsv1.ReplanGoalResponse {
	r.t.Helper()
	req.Name = r.goal
	res, err := r.d.ReplanGoal(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func changes(res *goalsv1.ReplanGoalResponse) []string {
	var out []string
	for _, c := range res.GetChanges() {
		out = append(out, fmt.Sprintf("%s %s>%s %s", c.GetItem()[strings.LastIndex(c.GetItem(), "/")+1:], localdate.Text(c.GetFrom()), localdate.Text(c.GetTo()),
			strings.TrimPrefix(c.GetReason().String(), "MOVE_REASON_")))
	}
	return out
}

// slipped makes a goal with something overdue: today is 2026-11-23.
func slipped(t *testing.T) *rig {
	r := newRig(t)
	m := r.stage("m", &goalsv1.Milestone{DueDate: date(2026, 11, 30)})
	a := r.add("a", &goalsv1.Step{Milestone: m, DueDate: date(2026, 11, 18)})
	b := r.add("b", &goalsv1.Step{Milestone: m, DueDate: date(2026, 11, 27)})
	r.add("c", &goalsv1.Step{DueDate: date(2026, 11, 20)})
	r.add("far", &goalsv1.Step{DueDate: date(2026, 12, 24)})
	over := r.add("over", &goalsv1.Step{DueDate: date(2026, 11, 1)})
	r.complete(&goalsv1.CompleteStepRequest{Name: over})
	r.mustLink(b, a)
	return r
}

var wantMoves = []string{
	"a 2026-11-18>2026-11-23 OVERDUE", "c 2026-11-20>2026-11-25 OVERDUE", "b 2026-11-27>2026-12-02 DEPENDS", "m 2026-11-30>2026-12-02 ORDER",
}

func TestReplanGoal(t *testing.T) {
	r := slipped(t)
	before := r.dates()
	if got := changes(r.replan(&goalsv1.ReplanGoalRequest{ValidateOnly: true})); !slices.Equal(got, wantMoves) {
		t.Fatalf("%v", got)
	}
	if got := r.dates(); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("looking changed %v", got)
	}
	if got := changes(r.replan(&goalsv1.ReplanGoalRequest{})); !slices.Equal(got, wantMoves) {
		t.Fatalf("%v", got)
	}
	want := "map[a:2026-11-23 b:2026-12-02 c:2026-11-25 far:2026-12-24 m:2026-12-02 over:2026-11-01]"
	if got := fmt.Sprint(r.dates()); got != want || len(r.roadmap().GetPending()) != 0 {
		t.Errorf("%v, pending %v", got, r.roadmap().GetPending())
	}
	if got := r.replan(&goalsv1.ReplanGoalRequest{}).GetChanges(); len(got) != 0 {
		t.Errorf("again: %v", got)
	}
	var told []string
	for _, e := range r.Events(t, ada) {
		if strings.HasSuffix(e.GetType(), ".replanned") {
			told = append(told, e.GetType())
		}
	}
	if !slices.Equal(told, []string{"step.replanned", "step.replanned", "step.replanned", "milestone.replanned"}) {
		t.Errorf("%v", told)
	}
}

func TestReplanFrom(t *testing.T) {
	r := slipped(t)
	if _, err := r.d.Goals.Update(t.Context(), &goalsv1.UpdateGoalRequest{Goal: &goalsv1.Goal{Name: r.goal, TargetDate: date(2026, 12, 4)}}); err != nil {
		t.Fatal(err)
	}
	if res := r.replan(&goalsv1.ReplanGoalRequest{ValidateOnly: true}); res.GetBeyondTargetDate() {
		t.Error("2026-12-02 is not beyond 2026-12-04")
	}
	res := r.replan(&goalsv1.ReplanGoalRequest{ValidateOnly: true, From: date(2026, 12, 1)})
	if got := changes(res); got[0] != "a 2026-11-18>2026-12-01 OVERDUE" || !res.GetBeyondTargetDate() {
		t.Errorf("%v", res)
	}
	for from, reason := range map[*datepb.Date]string{date(2026, 11, 22): "DATE_IN_PAST", date(2026, 2, 30): "DATE_INVALID"} {
		_, err := r.d.ReplanGoal(t.Context(), &goalsv1.ReplanGoalRequest{Name: r.goal, From: from})
		resourcetest.Refused(t, err, reason)
	}
	if _, err := r.d.DropGoal(t.Context(), &goalsv1.DropGoalRequest{Name: r.goal}); err != nil {
		t.Fatal(err)
	}
	_, err := r.d.ReplanGoal(t.Context(), &goalsv1.ReplanGoalRequest{Name: r.goal})
	resourcetest.Refused(t, err, "GOAL_STATE")
}

// failing is a store whose writes fail after some.
type failing struct {
	store.Documents
	left atomic.Int64
}

func newFailing(whole store.Documents, left int) *failing {
	f := &failing{Documents: whole}
	f.left.Store(int64(left))
	return f
}

var errCut = errors.New("cut short")

func (f *failing) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	if f.left.Add(-1) < 0 {
		out := make([]store.Result, len(writes))
		for i := range out {
			out[i].Err = errCut
		}
		return out
	}
	return f.Documents.Commit(ctx, writes...)
}

// TestReplanCutShort: wherever it is cut short, calling again ends where calling
// once would have, though a day has passed.
func TestReplanCutShort(t *testing.T) {
	for left := range 6 {
		r := slipped(t)
		whole := r.Deps.Store
		r.Deps.Store = newFailing(whole, left)
		if _, err := r.d.ReplanGoal(t.Context(), &goalsv1.ReplanGoalRequest{Name: r.goal}); !errors.Is(err, errCut) {
			t.Fatalf("after %d writes: %v", left, err)
		}
		r.Deps.Store = whole
		if got := changes(r.replan(&goalsv1.ReplanGoalRequest{})); left > 0 && len(got) != 5-left && len(got) != 4 {
			t.Errorf("after %d writes: %v", left, got)
		}
		want := "map[a:2026-11-23 b:2026-12-02 c:2026-11-25 far:2026-12-24 m:2026-12-02 over:2026-11-01]"
		if got := fmt.Sprint(r.dates()); got != want || len(r.roadmap().GetPending()) != 0 {
			t.Errorf("after %d writes: %v, pending %v", left, got, r.roadmap().GetPending())
		}
	}
}
