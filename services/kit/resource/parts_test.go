package resource_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// goalRig is goals, each with a singleton and steps below it, and an agenda.
type goalRig struct {
	*resourcetest.Rig
	t         *testing.T
	goals     *resource.Resource[*goalsv1.Goal]
	roadmaps  *resource.Resource[*goalsv1.Roadmap]
	steps     *resource.Resource[*goalsv1.Step]
	reminders *resource.Resource[*goalsv1.Reminder]
}

func newGoalRig(t *testing.T) *goalRig {
	t.Helper()
	r := &goalRig{Rig: resourcetest.New(t), t: t}
	r.goals = resource.Must(r.Deps, resource.Type[*goalsv1.Goal]{Children: []string{"steps"}, Along: []string{"roadmap"}})
	r.roadmaps = resource.Must(r.Deps, resource.Type[*goalsv1.Roadmap]{Derive: func(_ context.Context, docs []*goalsv1.Roadmap) error {
		for _, d := range docs {
			d.Progress = 0.5
		}
		return nil
	}})
	r.steps = resource.Must(r.Deps, resource.Type[*goalsv1.Step]{Order: []string{"state"}})
	r.reminders = resource.Must(r.Deps, resource.Type[*goalsv1.Reminder]{ReadOnly: true, Order: []string{"fire_time"}, Agenda: "snooze_time"})
	r.Open(t, r.goals.Kind(), r.roadmaps.Kind(), r.steps.Kind(), r.reminders.Kind())
	return r
}

// goal makes a goal and gives its name.
func (r *goalRig) goal(id string) string {
	r.t.Helper()
	made, err := r.goals.Create(r.t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: id, Goal: &goalsv1.Goal{Title: "t"}})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.Goal).GetName()
}

// TestSingletonBelowAParent: it is there with its parent, written or not, is made
// by the first change, once, and goes with the parent.
func TestSingletonBelowAParent(t *testing.T) {
	r := newGoalRig(t)
	goal := r.goal("g")
	blank, err := r.roadmaps.Fetch(t.Context(), goal+"/roadmap")
	if err != nil || blank.GetProgress() != 0.5 || blank.GetCreateTime() != nil {
		t.Errorf("never written: %v, %v", blank, err)
	}
	_, err = r.roadmaps.Fetch(t.Context(), ada+"/goals/absent/roadmap")
	wants(t, err, "NOT_FOUND", "")
	add := func(name string) error {
		_, err := r.roadmaps.Mutate(context.Background(), "linked", name, "", func(m *goalsv1.Roadmap, _ time.Time) error {
			m.Dependencies = append(m.Dependencies, &goalsv1.Dependency{Item: fmt.Sprint(len(m.GetDependencies())), Requires: "x"})
			m.Pending = append(m.Pending, &goalsv1.DateChange{Item: "y"}) // what only the server sets is kept
			return nil
		})
		return err
	}
	wants(t, add(ada+"/goals/absent/roadmap"), "NOT_FOUND", "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := add(goal + "/roadmap"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := r.roadmaps.Fetch(t.Context(), goal+"/roadmap")
	if err != nil || len(got.GetDependencies()) != 4 || len(got.GetPending()) != 4 || got.GetCreateTime() == nil {
		t.Errorf("four changes at once: %v, %v", got, err)
	}
	if _, err := r.roadmaps.Mutate(t.Context(), "linked", goal+"/roadmap", "stale", func(*goalsv1.Roadmap, time.Time) error { return nil }); err == nil {
		t.Error("a stale etag is taken")
	}
	if _, err := r.goals.Delete(t.Context(), &goalsv1.DeleteGoalRequest{Name: goal}); err != nil {
		t.Fatal(err)
	}
	r.goal("g")
	if again, err := r.roadmaps.Fetch(t.Context(), goal+"/roadmap"); err != nil || len(again.GetDependencies()) != 0 {
		t.Errorf("it outlived its parent: %v, %v", again, err)
	}
}

// TestBetweenEverywhere: along an enum, below all parents of a person.
func TestBetweenEverywhere(t *testing.T) {
	r := newGoalRig(t)
	for _, goal := range []string{r.goal("g"), r.goal("h")} {
		for i, state := range []typev1.StepState{typev1.StepState_STEP_STATE_TO_DO, typev1.StepState_STEP_STATE_DONE} {
			if err := r.steps.Keep(t.Context(), []string{fmt.Sprint(goal, "/steps/s", i)}, func(_ string, s *goalsv1.Step) { s.Title, s.State = "t", state }); err != nil {
				t.Fatal(err)
			}
		}
	}
	toDo := int64(typev1.StepState_STEP_STATE_TO_DO)
	for parent, want := range map[string][]string{
		ada + "/goals/-": {ada + "/goals/g/steps/s0", ada + "/goals/h/steps/s0"}, ada + "/goals/h": {ada + "/goals/h/steps/s0"},
		"tenants/acme/people/grace/goals/-": nil,
	} {
		found, err := r.steps.Between(t.Context(), parent, "state", toDo, toDo+1, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range found {
			got = append(got, s.GetName())
		}
		if !slices.Equal(got, want) {
			t.Errorf("below %s: %v", parent, got)
		}
	}
}

// TestDue: whoever's it is, by time, and nothing that has none.
func TestDue(t *testing.T) {
	r := newGoalRig(t)
	now := resourcetest.Start
	for name, at := range map[string]time.Time{"acme/people/ada/reminders/b": now, "acme/people/bo/reminders/a": now.Add(-time.Hour), "x/people/cy/reminders/c": now.Add(time.Millisecond), "x/people/cy/reminders/d": {}} {
		if err := r.reminders.Keep(t.Context(), []string{"tenants/" + name}, func(_ string, m *goalsv1.Reminder) {
			m.Subject = "s"
			if !at.IsZero() {
				m.SnoozeTime = timestamppb.New(at)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	due := func(limit int) (out []string) {
		found, err := r.reminders.Due(t.Context(), now, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range found {
			out = append(out, resource.LastSegment(m.GetName()))
		}
		return out
	}
	if got := due(10); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v", got)
	}
	if got := due(1); !slices.Equal(got, []string{"a"}) {
		t.Errorf("%v", got)
	}
	if _, err := resource.New(r.Deps, resource.Type[*goalsv1.Reminder]{ReadOnly: true, Agenda: "subject"}); err == nil {
		t.Error("an agenda without a time is taken")
	}
}

// TestCustomInPlaceOfStandard: a custom method may do more than a standard one, and
// take its place; two custom ones of a name are an error.
func TestCustomInPlaceOfStandard(t *testing.T) {
	r := newGoalRig(t)
	var calls int
	custom := resource.Unary("GetRoadmap", func(ctx context.Context, req *goalsv1.GetRoadmapRequest) (*goalsv1.Roadmap, error) {
		calls++
		return r.roadmaps.Fetch(ctx, req.GetName())
	})
	rest := []resource.Method{
		resource.Unary("LinkRoadmap", func(context.Context, *goalsv1.LinkRoadmapRequest) (*goalsv1.Roadmap, error) { return nil, nil }),
		resource.Unary("UnlinkRoadmap", func(context.Context, *goalsv1.UnlinkRoadmapRequest) (*goalsv1.Roadmap, error) { return nil, nil }),
		resource.Unary("ReplanGoal", func(context.Context, *goalsv1.ReplanGoalRequest) (*goalsv1.ReplanGoalResponse, error) {
			return nil, nil
		}),
	}
	sd := goalsv1.File_rebound_goals_v1_roadmap_proto.Services().Get(0)
	desc, err := resource.Service(sd, r.roadmaps.Methods(), append(rest, custom))
	if err != nil {
		t.Fatal(err)
	}
	goal := r.goal("g")
	for _, m := range desc.Methods {
		if m.MethodName == "GetRoadmap" {
			decode := func(req any) error { req.(*goalsv1.GetRoadmapRequest).Name = goal + "/roadmap"; return nil }
			if _, err := m.Handler(nil, t.Context(), decode, nil); err != nil || calls != 1 {
				t.Errorf("%v, %d calls", err, calls)
			}
		}
	}
	if _, err := resource.Service(sd, r.roadmaps.Methods(), append(rest, custom, custom)); err == nil {
		t.Error("two custom methods of one name are taken")
	}
}

// TestTakenAlongByTime: what people take along is read in the order in which it was
// made, though the service makes it.
func TestTakenAlongByTime(t *testing.T) {
	base := resourcetest.New(t)
	celebrations := resource.Must(base.Deps, resource.Type[*goalsv1.Celebration]{ReadOnly: true, TakenAlong: true, Order: []string{"earn_time"}})
	base.Open(t, celebrations.Kind())
	for _, id := range []string{"b", "a"} {
		if err := celebrations.Keep(t.Context(), []string{ada + "/celebrations/" + id}, func(_ string, c *goalsv1.Celebration) { c.Reward = "tea" }); err != nil {
			t.Fatal(err)
		}
		base.Clock.Advance(time.Second)
	}
	page, err := base.Deps.Portable()[0].Records(t.Context(), ada, true, nil, 10)
	if err != nil || len(page.Records) != 2 || resource.LastSegment(page.Records[0].Name) != "b" {
		t.Errorf("%v, %v", page, err)
	}
}
