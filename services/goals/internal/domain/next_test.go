package domain

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

func (r *rig) next(req *goalsv1.GetNextRequest) []string {
	r.t.Helper()
	req.Name = ada + "/next"
	got, err := r.d.GetNext(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, n := range got.GetSteps() {
		out = append(out, fmt.Sprintf("%s: %s (%.2f)", n.GetStep().GetTitle(), n.GetText(), n.GetScore()))
	}
	return out
}

// TestNext: what matters on Monday 2026-11-23, and why.
func TestNext(t *testing.T) {
	r := newRig(t)
	if got := r.next(&goalsv1.GetNextRequest{}); len(got) != 0 {
		t.Errorf("with nothing to do: %v", got)
	}
	m := r.stage("m", &goalsv1.Milestone{DueDate: date(2026, 11, 30)})
	late := r.add("late", &goalsv1.Step{DueDate: date(2026, 11, 20)})
	r.add("today", &goalsv1.Step{DueDate: date(2026, 11, 23)})
	staged := r.add("staged", &goalsv1.Step{Milestone: m})
	waits := r.add("waits", &goalsv1.Step{DueDate: date(2026, 11, 1)})
	r.add("weekly", &goalsv1.Step{Recurrence: "FREQ=WEEKLY;BYDAY=SA", StartDate: date(2026, 11, 1)})
	r.add("later", &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 12, 1)})
	r.add("whenever", &goalsv1.Step{})
	r.add("small", &goalsv1.Step{Duration: durationpb.New(10 * time.Minute)})
	r.mustLink(waits, staged)
	want := []string{
		"late: 3 days overdue (5.00)", "weekly: its turn came 2 days ago (5.00)", "today: due today (5.00)", "staged: due in 7 days (3.33)",
		"small: small: 10 minutes (1.83)",
	}
	if got := r.next(&goalsv1.GetNextRequest{}); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := r.next(&goalsv1.GetNextRequest{Limit: 1}); !slices.Equal(got, want[:1]) {
		t.Errorf("the best one: %q", got)
	}
	if got := r.next(&goalsv1.GetNextRequest{Date: date(2026, 11, 30), Limit: 20}); len(got) != 6 || got[0] != "staged: due today (5.33)" {
		t.Errorf("in a week: %q", got)
	}
	// What is done is gone, gives its goal momentum, and lets others begin.
	r.complete(&goalsv1.CompleteStepRequest{Name: late})
	r.complete(&goalsv1.CompleteStepRequest{Name: staged})
	r.complete(&goalsv1.CompleteStepRequest{Name: r.goal + "/steps/weekly", Occurrence: date(2026, 11, 21)})
	want = []string{"waits: 22 days overdue (6.00)", "today: due today (6.00)", "small: small: 10 minutes (2.83)", "whenever: its goal has momentum: 3 completions in 7 days (2.00)"}
	if got := r.next(&goalsv1.GetNextRequest{}); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	// Only active goals count.
	if _, err := r.d.HoldGoal(t.Context(), &goalsv1.HoldGoalRequest{Name: r.goal}); err != nil {
		t.Fatal(err)
	}
	if got := r.next(&goalsv1.GetNextRequest{}); len(got) != 0 {
		t.Errorf("of a goal that rests: %q", got)
	}
	_, err := r.d.GetNext(t.Context(), &goalsv1.GetNextRequest{Name: ada})
	resourcetest.Refused(t, err, "NAME_INVALID")
	_, err = r.d.GetNext(t.Context(), &goalsv1.GetNextRequest{Name: ada + "/next", Date: &datepb.Date{Year: 2026}})
	resourcetest.Refused(t, err, "DATE_INVALID")
}

// TestNextReads: as often with one goal as with six.
func TestNextReads(t *testing.T) {
	r := newRig(t)
	r.mustLink(r.add("a", &goalsv1.Step{}), r.add("b", &goalsv1.Step{}))
	counted := &counting{Documents: r.Deps.Store}
	reads := func() int {
		r.Deps.Store = counted
		defer func() { r.Deps.Store = counted.Documents }()
		before := counted.reads
		r.next(&goalsv1.GetNextRequest{})
		return counted.reads - before
	}
	first := reads()
	for i := range 5 {
		g, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, Goal: &goalsv1.Goal{Title: fmt.Sprint(i)}})
		if err != nil {
			t.Fatal(err)
		}
		r.goal = g.(*goalsv1.Goal).GetName()
		r.mustLink(r.add("a", &goalsv1.Step{}), r.add("b", &goalsv1.Step{}))
	}
	if again := reads(); again != first {
		t.Errorf("%d reads with one goal, %d with six", first, again)
	}
}

// TestNextNeverOffersWhatWaits: whatever was linked and done in whatever order.
func TestNextNeverOffersWhatWaits(t *testing.T) {
	r := newRig(t)
	var names []string
	for i := range 6 {
		s := &goalsv1.Step{DueDate: date(2026, 11, int32(20+i))}
		if i == 5 {
			s = &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 1, 1)}
		}
		names = append(names, r.add(fmt.Sprintf("s%d", i), s))
	}
	names = append(names, r.stage("m", &goalsv1.Milestone{}))
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(t, "edits") {
			a, b := rapid.SampledFrom(names).Draw(t, "a"), rapid.SampledFrom(names).Draw(t, "b")
			// What is refused changes nothing.
			switch rapid.IntRange(0, 4).Draw(t, "edit") {
			case 0, 1:
				_, _ = r.d.LinkRoadmap(ctx, &goalsv1.LinkRoadmapRequest{Name: roadmapOf(r.goal), Item: a, Requires: b})
			case 2:
				_, _ = r.d.UnlinkRoadmap(ctx, &goalsv1.UnlinkRoadmapRequest{Name: roadmapOf(r.goal), Item: a, Requires: b})
			case 3:
				_, _ = r.d.CompleteStep(ctx, &goalsv1.CompleteStepRequest{Name: a})
			case 4:
				_, _ = r.d.UndoStep(ctx, &goalsv1.UndoStepRequest{Name: a})
			}
		}
		next, err := r.d.GetNext(ctx, &goalsv1.GetNextRequest{Name: ada + "/next", Limit: 20})
		if err != nil {
			t.Fatal(err)
		}
		roadmap, err := r.d.Roadmaps.Fetch(ctx, roadmapOf(r.goal))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range next.GetSteps() {
			for _, item := range roadmap.GetItems() {
				if item.GetItem() == n.GetStep().GetName() && (item.GetDone() && n.GetStep().GetRecurrence() == "" || len(item.GetOpen()) > 0) {
					t.Fatalf("%s is offered, which waits for %v", item.GetItem(), item.GetOpen())
				}
			}
		}
	})
}

func TestCelebrations(t *testing.T) {
	r := newRig(t)
	m := r.stage("m", &goalsv1.Milestone{Reward: "a day off"})
	s := r.add("s", &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 11, 1), Rewards: []*goalsv1.StepReward{{Completions: 2, Reward: "cake"}, {Completions: 3}}})
	list := func(filter string) []string {
		t.Helper()
		res, err := r.d.Celebrations.List(t.Context(), &goalsv1.ListCelebrationsRequest{Parent: ada, Filter: filter, OrderBy: "earn_time"})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range res.(*goalsv1.ListCelebrationsResponse).GetCelebrations() {
			out = append(out, fmt.Sprint(resource.LastSegment(c.GetSubject()), c.GetCompletions(), " ", c.GetReward(), " ", c.GetHow(), c.GetWithWhom(), " ", c.GetState()))
		}
		return out
	}
	for day := range int32(2) {
		r.complete(&goalsv1.CompleteStepRequest{Name: s, CompleteTime: timestamppb.New(resourcetest.Start.AddDate(0, 0, int(day)-3))})
	}
	if _, err := r.d.ReachMilestone(t.Context(), &goalsv1.ReachMilestoneRequest{Name: m}); err != nil {
		t.Fatal(err)
	}
	cake, off := "s2 cake [] CELEBRATION_STATE_DUE", "m0 a day off [] CELEBRATION_STATE_DUE"
	if got := list("state = DUE"); !slices.Equal(got, []string{cake, off}) {
		t.Errorf("%v", got)
	}
	// What is no longer earned goes, unless it was celebrated.
	r.complete(&goalsv1.CompleteStepRequest{Name: s})
	if got := list(""); len(got) != 3 {
		t.Errorf("%v", got)
	}
	if _, err := r.d.UndoStep(t.Context(), &goalsv1.UndoStepRequest{Name: s}); err != nil {
		t.Fatal(err)
	}
	if got := list(""); !slices.Equal(got, []string{cake, off}) {
		t.Errorf("%v", got)
	}
	c, err := r.d.CelebrateCelebration(t.Context(), &goalsv1.CelebrateCelebrationRequest{Name: celebrationOf(s, 2), How: "with tea", WithWhom: []string{"Bo", "Cy"}})
	if err != nil || !c.GetCelebrateTime().AsTime().Equal(resourcetest.Start) || !c.GetEarnTime().AsTime().Equal(resourcetest.Start.AddDate(0, 0, -2)) {
		t.Fatal(c, err)
	}
	if _, err := r.d.UndoStep(t.Context(), &goalsv1.UndoStepRequest{Name: s}); err != nil {
		t.Fatal(err)
	}
	cake = "s2 cake with tea[Bo Cy] CELEBRATION_STATE_CELEBRATED"
	if got := list("state = CELEBRATED"); !slices.Equal(got, []string{cake}) {
		t.Errorf("%v", got)
	}
	// A milestone and its celebration say the same, whichever was told.
	r.Clock.Advance(time.Hour)
	if _, err := r.d.CelebrateMilestone(t.Context(), &goalsv1.CelebrateMilestoneRequest{Name: m, How: "at the sea", WithWhom: []string{"Bo"}}); err != nil {
		t.Fatal(err)
	}
	if got := list(""); !slices.Equal(got, []string{cake, "m0 a day off at the sea[Bo] CELEBRATION_STATE_CELEBRATED"}) {
		t.Errorf("%v", got)
	}
	if _, err := r.d.CelebrateCelebration(t.Context(), &goalsv1.CelebrateCelebrationRequest{Name: celebrationOf(m, 0), How: "in the hills"}); err != nil {
		t.Fatal(err)
	}
	got, err := r.d.Milestones.Fetch(t.Context(), m)
	if err != nil || got.GetState() != celebrated || got.GetCelebration() != "in the hills" || len(got.GetWithWhom()) != 0 {
		t.Fatal(got, err)
	}
	// What was earned stays when what it was for goes.
	if _, err := r.d.Milestones.Delete(t.Context(), &goalsv1.DeleteMilestoneRequest{Name: m}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.CelebrateCelebration(t.Context(), &goalsv1.CelebrateCelebrationRequest{Name: celebrationOf(m, 0), How: "at home"}); err != nil {
		t.Fatal(err)
	}
	_, err = r.d.CelebrateCelebration(t.Context(), &goalsv1.CelebrateCelebrationRequest{Name: ada + "/celebrations/absent"})
	resourcetest.Refused(t, err, "NOT_FOUND")
	_, err = r.d.Steps.Create(t.Context(), &goalsv1.CreateStepRequest{Parent: r.goal, Step: &goalsv1.Step{Title: "t", Rewards: []*goalsv1.StepReward{{Completions: 1}, {Completions: 1}}}})
	resourcetest.Refused(t, err, "REWARD_REPEATED")
	var told []string
	for _, e := range r.Events(t, ada) {
		if f := e.GetCelebration(); f != nil || e.GetType() == "celebration.deleted" {
			told = append(told, fmt.Sprint(e.GetType(), " ", f.GetCompletions(), " ", f.GetRewarded()))
		}
	}
	want := []string{
		"celebration.earned 2 true", "celebration.earned 0 true", "celebration.earned 3 false", "celebration.deleted 0 false",
		"celebration.celebrated 2 true", "celebration.celebrated 0 true", "celebration.celebrated 0 true", "celebration.celebrated 0 true",
	}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}

// TestProgressByWeight: golden table.
func TestProgressByWeight(t *testing.T) {
	type part struct {
		weight int32
		done   bool
	}
	for _, c := range []struct {
		parts []part
		want  float64
	}{
		{nil, 0}, {[]part{{1, false}}, 0}, {[]part{{1, true}}, 1}, {[]part{{1, true}, {1, false}}, 0.5},
		{[]part{{3, true}, {1, false}}, 0.75}, {[]part{{0, true}, {1, false}}, 0}, {[]part{{0, true}}, 0},
		{[]part{{100, false}, {1, true}, {1, true}}, 2.0 / 102}, {[]part{{2, true}, {3, true}, {5, false}}, 0.5},
	} {
		var tally tally
		for _, p := range c.parts {
			tally.count(p.weight, p.done)
		}
		if got := tally.progress(&goalsv1.Goal{State: active}); got != c.want {
			t.Errorf("%v: %v, want %v", c.parts, got, c.want)
		}
		if got := tally.progress(&goalsv1.Goal{State: achieved}); got != 1 {
			t.Errorf("achieved: %v", got)
		}
	}
}
