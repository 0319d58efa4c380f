package domain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// add makes a step with an id.
func (r *rig) add(id string, s *goalsv1.Step) string {
	r.t.Helper()
	s.Title = id
	made, err := r.d.Steps.Create(r.t.Context(), &goalsv1.CreateStepRequest{Parent: r.goal, StepId: id, Step: s})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.Step).GetName()
}

// stage makes a milestone with an id.
func (r *rig) stage(id string, m *goalsv1.Milestone) string {
	r.t.Helper()
	m.Title = id
	made, err := r.d.Milestones.Create(r.t.Context(), &goalsv1.CreateMilestoneRequest{Parent: r.goal, MilestoneId: id, Milestone: m})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.Milestone).GetName()
}

func (r *rig) link(item, requires string) (*goalsv1.Roadmap, error) {
	return r.d.LinkRoadmap(r.t.Context(), &goalsv1.LinkRoadmapRequest{Name: roadmapOf(r.goal), Item: item, Requires: requires})
}

func (r *rig) mustLink(item, requires string) {
	r.t.Helper()
	if _, err := r.link(item, requires); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) roadmap() *goalsv1.Roadmap {
	r.t.Helper()
	got, err := r.d.Roadmaps.Fetch(r.t.Context(), roadmapOf(r.goal))
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// shown is a roadmap in words: title, what is in its way.
func shown(m *goalsv1.Roadmap) []string {
	var out []string
	for _, i := range m.GetItems() {
		line := i.GetTitle()
		if i.GetDone() {
			line += " done"
		}
		for _, o := range i.GetOpen() {
			line += " <" + o[strings.LastIndex(o, "/")+1:]
		}
		out = append(out, line)
	}
	return out
}

func TestRoadmap(t *testing.T) {
	r := newRig(t)
	if got := r.roadmap(); len(got.GetItems()) != 0 || got.GetProgress() != 0 || got.GetName() != roadmapOf(r.goal) {
		t.Errorf("an empty roadmap: %v", got)
	}
	second := r.stage("second", &goalsv1.Milestone{Order: 2, Weight: proto.Int32(3)})
	first := r.stage("first", &goalsv1.Milestone{Order: 1})
	loose := r.add("loose", &goalsv1.Step{Weight: proto.Int32(0)})
	b := r.add("b", &goalsv1.Step{Milestone: first, Order: 2})
	a := r.add("a", &goalsv1.Step{Milestone: first, Order: 1})
	c := r.add("c", &goalsv1.Step{Milestone: second})
	if got := shown(r.roadmap()); !slices.Equal(got, []string{"a", "b", "first", "c", "second", "loose"}) {
		t.Errorf("%v", got)
	}
	r.mustLink(a, b)
	r.mustLink(a, loose)
	r.mustLink(second, first)
	r.mustLink(a, b) // again
	if got := shown(r.roadmap()); !slices.Equal(got, []string{"b", "loose", "a <b <loose", "first", "c", "second <first"}) {
		t.Errorf("%v", got)
	}
	r.complete(&goalsv1.CompleteStepRequest{Name: b})
	r.complete(&goalsv1.CompleteStepRequest{Name: c})
	if got := r.roadmap(); !slices.Equal(shown(got), []string{"b done", "loose", "a <loose", "first", "c done", "second <first"}) || got.GetProgress() != 2.0/7 {
		t.Errorf("%v, %v", shown(got), got.GetProgress())
	}
	// A milestone or step that goes takes its dependencies along, at the next change.
	if _, err := r.d.Steps.Delete(t.Context(), &goalsv1.DeleteStepRequest{Name: loose}); err != nil {
		t.Fatal(err)
	}
	if got := shown(r.roadmap()); !slices.Equal(got, []string{"b done", "a", "first", "c done", "second <first"}) {
		t.Errorf("%v", got)
	}
	r.mustLink(c, a)
	if got := r.roadmap().GetDependencies(); len(got) != 3 {
		t.Errorf("%v", got)
	}
	if _, err := r.d.UnlinkRoadmap(t.Context(), &goalsv1.UnlinkRoadmapRequest{Name: roadmapOf(r.goal), Item: c, Requires: a}); err != nil {
		t.Fatal(err)
	}
	if got := r.roadmap().GetDependencies(); len(got) != 2 {
		t.Errorf("%v", got)
	}
	// The roadmap goes with its goal and does not stop it.
	if _, err := r.d.Goals.Delete(t.Context(), &goalsv1.DeleteGoalRequest{Name: r.goal, Force: true}); err != nil {
		t.Fatal(err)
	}
	_, err := r.d.Roadmaps.Fetch(t.Context(), roadmapOf(r.goal))
	resourcetest.Refused(t, err, "NOT_FOUND")
	_, err = r.link(a, b)
	resourcetest.Refused(t, err, "REFERENCE_UNKNOWN")
}

func TestRoadmapRefuses(t *testing.T) {
	r := newRig(t)
	a, b, c := r.add("a", &goalsv1.Step{}), r.add("b", &goalsv1.Step{}), r.stage("c", &goalsv1.Milestone{})
	if _, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: "h", Goal: &goalsv1.Goal{Title: "t"}}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ item, requires, reason string }{
		{a, a, "REFERENCE_SELF"}, {a, r.goal + "/steps/absent", "REFERENCE_UNKNOWN"}, {r.goal, a, "REFERENCE_FOREIGN"},
		{a, ada + "/goals/h/steps/x", "REFERENCE_FOREIGN"}, {a, r.goal + "/steps/", "REFERENCE_FOREIGN"}, {a, r.goal + "/steps/x/y", "REFERENCE_FOREIGN"},
	} {
		_, err := r.link(x.item, x.requires)
		resourcetest.Refused(t, err, x.reason)
	}
	r.mustLink(b, a)
	r.mustLink(c, b)
	_, err := r.link(a, c)
	resourcetest.Refused(t, err, "DEPENDENCY_CYCLE")
	update := func(deps ...*goalsv1.Dependency) error {
		_, err := r.d.Roadmaps.Update(t.Context(), &goalsv1.UpdateRoadmapRequest{
			Roadmap: &goalsv1.Roadmap{Name: roadmapOf(r.goal), Dependencies: deps}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"dependencies"}},
		})
		return err
	}
	resourcetest.Refused(t, update(&goalsv1.Dependency{Item: a, Requires: b}, &goalsv1.Dependency{Item: b, Requires: a}), "DEPENDENCY_CYCLE")
	resourcetest.Refused(t, update(&goalsv1.Dependency{Item: a, Requires: b}, &goalsv1.Dependency{Item: a, Requires: b}), "DEPENDENCY_REPEATED")
	resourcetest.Refused(t, update(&goalsv1.Dependency{Item: a}), "REQUIRED")
	resourcetest.Refused(t, update(&goalsv1.Dependency{Item: a, Requires: r.goal + "/steps/absent"}), "REFERENCE_UNKNOWN")
	if got := r.roadmap().GetDependencies(); len(got) != 2 {
		t.Errorf("a refused change changed %v", got)
	}
	if err := update(&goalsv1.Dependency{Item: a, Requires: c}); err != nil {
		t.Errorf("all of them at once: %v", err)
	}
}

// TestRoadmapLimit: a thousand dependencies, and not one more.
func TestRoadmapLimit(t *testing.T) {
	r := newRig(t)
	var names []string
	var deps []*goalsv1.Dependency
	for i := range 46 {
		names = append(names, r.add(fmt.Sprintf("s%d", i), &goalsv1.Step{}))
		for _, earlier := range names[:i] {
			deps = append(deps, &goalsv1.Dependency{Item: names[i], Requires: earlier})
		}
	}
	update := func(deps []*goalsv1.Dependency) error {
		_, err := r.d.Roadmaps.Update(t.Context(), &goalsv1.UpdateRoadmapRequest{Roadmap: &goalsv1.Roadmap{Name: roadmapOf(r.goal), Dependencies: deps}})
		return err
	}
	if err := update(deps[:maxDependencies]); err != nil {
		t.Fatal(err)
	}
	_, err := r.link(deps[maxDependencies].GetItem(), deps[maxDependencies].GetRequires())
	resourcetest.Refused(t, err, "TOO_MANY_DEPENDENCIES")
	if err := update(deps[:maxDependencies+1]); err == nil {
		t.Error("one more is taken")
	}
}

// TestRoadmapNeverCircles: whatever the order of edits, and whoever makes them at
// the same time, there is no circle, and what is refused would have made one.
func TestRoadmapNeverCircles(t *testing.T) {
	r := newRig(t)
	names := make([]string, 6)
	for i := range names {
		names[i] = r.add(fmt.Sprintf("s%d", i), &goalsv1.Step{})
	}
	rapid.Check(t, func(t *rapid.T) {
		type edit struct {
			item, requires string
			unlink         bool
		}
		edits := make([][]edit, 3)
		for i := range edits {
			for range rapid.IntRange(0, 5).Draw(t, "edits") {
				edits[i] = append(edits[i], edit{rapid.SampledFrom(names).Draw(t, "item"), rapid.SampledFrom(names).Draw(t, "requires"), rapid.IntRange(0, 3).Draw(t, "unlink") == 0})
			}
		}
		var wg sync.WaitGroup
		for _, list := range edits {
			wg.Go(func() {
				for _, e := range list {
					var err error
					if e.unlink {
						_, err = r.d.UnlinkRoadmap(context.Background(), &goalsv1.UnlinkRoadmapRequest{Name: roadmapOf(r.goal), Item: e.item, Requires: e.requires})
					} else {
						_, err = r.d.LinkRoadmap(context.Background(), &goalsv1.LinkRoadmapRequest{Name: roadmapOf(r.goal), Item: e.item, Requires: e.requires})
					}
					if f, ok := fault.As(err); err != nil && (!ok || !slices.Contains([]string{"DEPENDENCY_CYCLE", "REFERENCE_SELF", "ETAG_MISMATCH"}, f.Reason)) {
						t.Errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		got, err := r.d.Roadmaps.Fetch(context.Background(), roadmapOf(r.goal))
		if err != nil {
			t.Fatal(err)
		}
		if circle := edgesOf(got).Circle(); circle != nil {
			t.Fatalf("a circle: %v", circle)
		}
	})
}

// counting is a store that counts how often it is read.
type counting struct {
	store.Documents
	reads int
}

func (c *counting) Get(ctx context.Context, kind, name string) (store.Record, error) {
	c.reads++
	return c.Documents.Get(ctx, kind, name)
}

func (c *counting) GetBatch(ctx context.Context, kind string, names []string) (map[string]store.Record, error) {
	c.reads++
	return c.Documents.GetBatch(ctx, kind, names)
}

func (c *counting) List(ctx context.Context, q store.Query) (store.Page, error) {
	c.reads++
	return c.Documents.List(ctx, q)
}
