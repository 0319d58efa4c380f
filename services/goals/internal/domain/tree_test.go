package domain

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// hooked is a store with something that happens before each commit of a kind; an error
// comes in place of the commit.
type hooked struct {
	store.Store
	before func(kind string) error
}

func (h *hooked) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	if err := h.before(writes[0].Record.Kind); err != nil {
		return []store.Result{{Record: writes[0].Record, Err: err}}
	}
	return h.Store.Commit(ctx, writes...)
}

func goalName(owner, id string) string { return owner + "/goals/" + id }

func makeGoal(d *Domain, owner, id, parent string) error {
	_, err := d.Goals.Create(context.Background(), &goalsv1.CreateGoalRequest{Parent: owner, GoalId: id, Goal: &goalsv1.Goal{Title: "t", ParentGoal: parent}})
	return err
}

// putUnder makes a goal a part of another; "" takes it out.
func putUnder(d *Domain, goal, parent string) error {
	_, err := d.Goals.Update(context.Background(), &goalsv1.UpdateGoalRequest{
		Goal: &goalsv1.Goal{Name: goal, ParentGoal: parent}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"parent_goal"}},
	})
	return err
}

// parents reads which goal is a part of which.
func parents(t interface{ Fatal(...any) }, d *Domain, owner string) map[string]string {
	goals, err := d.Goals.All(context.Background(), owner)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, g := range goals {
		if g.GetParentGoal() != "" {
			out[g.GetName()] = g.GetParentGoal()
		}
	}
	return out
}

// cyclic tells whether a walk up from any goal comes back to it.
func cyclic(parent map[string]string) bool {
	for start := range parent {
		at := parent[start]
		for range parent {
			if at == start {
				return true
			}
			at = parent[at]
		}
	}
	return false
}

func refusedAs(err error, reason string) bool {
	f, ok := fault.As(err)
	return ok && f.Reason == reason
}

func TestSubGoals(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"a", "b", "c"} {
		if err := makeGoal(r.d, ada, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	a, b, c := goalName(ada, "a"), goalName(ada, "b"), goalName(ada, "c")
	for parent, reason := range map[string]string{
		a: "REFERENCE_SELF", goalName(ada, "absent"): "REFERENCE_UNKNOWN", "x": "NAME_INVALID",
		"tenants/acme/people/grace/goals/a": "REFERENCE_FOREIGN",
	} {
		resourcetest.Refused(t, putUnder(r.d, a, parent), reason)
	}
	for _, edge := range [][2]string{{a, b}, {b, c}} {
		if err := putUnder(r.d, edge[0], edge[1]); err != nil {
			t.Fatal(err)
		}
	}
	resourcetest.Refused(t, putUnder(r.d, c, a), "GOAL_CYCLE")
	resourcetest.Refused(t, putUnder(r.d, b, a), "GOAL_CYCLE")
	if got := parents(t, r.d, ada); !maps.Equal(got, map[string]string{a: b, b: c}) {
		t.Errorf("%v", got)
	}
	// Turned around at once, without waiting for anything.
	if err := putUnder(r.d, a, ""); err != nil {
		t.Fatal(err)
	}
	if err := putUnder(r.d, c, a); err != nil {
		t.Errorf("c under a, which is under nothing: %v", err)
	}
	// A goal that is made again under its old name is no way around.
	if err := makeGoal(r.d, ada, "d", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.Goals.Delete(t.Context(), &goalsv1.DeleteGoalRequest{Name: a}); err != nil {
		t.Fatal(err)
	}
	if got := parents(t, r.d, ada); got[c] != a {
		t.Errorf("a sub-goal lost the name of its parent: %v", got)
	}
	resourcetest.Refused(t, makeGoal(r.d, ada, "a", b), "GOAL_CYCLE")
	if err := makeGoal(r.d, ada, "a", goalName(ada, "d")); err != nil {
		t.Error(err)
	}
	// What a goal was made with is gone as soon as the goal is.
	for _, edge := range [][2]string{{"p", ""}, {"q", goalName(ada, "p")}, {"r", goalName(ada, "q")}} {
		if err := makeGoal(r.d, ada, edge[0], edge[1]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.d.Goals.Delete(t.Context(), &goalsv1.DeleteGoalRequest{Name: goalName(ada, "q")}); err != nil {
		t.Fatal(err)
	}
	if err := putUnder(r.d, goalName(ada, "p"), goalName(ada, "r")); err != nil {
		t.Errorf("a goal that was deleted is in the way: %v", err)
	}
	res, err := r.d.Goals.List(t.Context(), &goalsv1.ListGoalsRequest{Parent: ada, Filter: fmt.Sprintf("parent_goal = %q", c)})
	if err != nil || len(res.(*goalsv1.ListGoalsResponse).GetGoals()) != 1 {
		t.Errorf("%v, %v", res, err)
	}
	events := r.Events(t, ada)
	if f := events[len(events)-1].GetGoal(); f.GetParentGoal() != goalName(ada, "r") {
		t.Errorf("%v", f)
	}
}

// edit is one edit of a person's goals, and what is to come of it.
type edit struct {
	goal, parent string
	create, gone bool
	refused      string // the reason; "" for none
	after        map[string]string
}

// drawEdit draws an edit of goals of which some are there, and says what is to come of it.
func drawEdit(rt *rapid.T, owner string, model map[string]string, there map[string]bool) edit {
	id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
	e := edit{goal: goalName(owner, id.Draw(rt, "goal")), parent: goalName(owner, id.Draw(rt, "parent")), after: maps.Clone(model)}
	if rapid.IntRange(0, 4).Draw(rt, "out") == 0 {
		e.parent = ""
	}
	if e.create = !there[e.goal]; !e.create && rapid.IntRange(0, 5).Draw(rt, "delete") == 0 {
		e.gone = true
		delete(e.after, e.goal)
		return e
	}
	e.after[e.goal] = e.parent
	switch {
	case e.parent == "":
		delete(e.after, e.goal)
	case e.parent == e.goal:
		e.refused = "REFERENCE_SELF"
	case model[e.goal] == e.parent:
	case !there[e.parent]:
		e.refused = "REFERENCE_UNKNOWN"
	case cyclic(e.after):
		e.refused = "GOAL_CYCLE"
	}
	return e
}

func (e edit) do(d *Domain, owner string) error {
	switch {
	case e.create:
		return makeGoal(d, owner, e.goal[len(owner)+len("/goals/"):], e.parent)
	case e.gone:
		_, err := d.Goals.Delete(context.Background(), &goalsv1.DeleteGoalRequest{Name: e.goal})
		return err
	}
	return putUnder(d, e.goal, e.parent)
}

// TestNoOrderMakesACycle: one edit after the other, a goal becomes a part of another
// exactly when that is not a part of it.
func TestNoOrderMakesACycle(t *testing.T) {
	r := newRig(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		owner := fmt.Sprintf("tenants/acme/people/p%d", n)
		model, there := map[string]string{}, map[string]bool{}
		for range rapid.IntRange(1, 15).Draw(rt, "edits") {
			r.Clock.Advance(time.Millisecond)
			e := drawEdit(rt, owner, model, there)
			err := e.do(r.d, owner)
			switch {
			case e.refused != "":
				if !refusedAs(err, e.refused) {
					rt.Fatalf("%v: got %v, of %v", e, err, model)
				}
			case err != nil:
				rt.Fatalf("%v: %v, of %v", e, err, model)
			default:
				model, there[e.goal] = e.after, !e.gone
			}
		}
		if got := parents(rt, r.d, owner); !maps.Equal(got, model) {
			rt.Fatalf("%v, want %v", got, model)
		}
	})
}

// meanwhile plays edits that begin in the middle of others.
type meanwhile struct {
	r             *rig
	rt            *rapid.T
	owner         string
	depth, budget int
}

var fourIDs = []string{"a", "b", "c", "d"}

// edit makes one edit, and looks at what is there after it.
func (m *meanwhile) edit() {
	m.budget--
	// What was cut short is abandoned; nothing that is under way takes so long.
	if m.depth == 0 && rapid.IntRange(0, 4).Draw(m.rt, "later") == 0 {
		m.r.Clock.Advance(abandoned + time.Millisecond)
	}
	goal, parent := rapid.SampledFrom(fourIDs).Draw(m.rt, "goal"), rapid.SampledFrom(fourIDs).Draw(m.rt, "parent")
	to := goalName(m.owner, parent)
	if parent == goal {
		to = ""
	}
	// Refused, conflicting and cut short ones are fine: what counts is what is there.
	_ = putUnder(m.r.d, goalName(m.owner, goal), to)
	if p := parents(m.rt, m.r.d, m.owner); cyclic(p) {
		m.rt.Fatalf("a cycle: %v", p)
	}
}

// before is what happens before each write.
func (m *meanwhile) before(kind string) error {
	if m.depth < 3 && m.budget > 0 && rapid.Bool().Draw(m.rt, "meanwhile "+kind) {
		m.depth++
		m.edit()
		m.depth--
	}
	if rapid.IntRange(0, 5).Draw(m.rt, "cut short") == 0 {
		return store.ErrUnavailable
	}
	return nil
}

// TestNoInterleavingMakesACycle: edits begin in the middle of other edits, before any of
// their writes, and some of these writes never happen. After every edit the goals are
// free of cycles.
func TestNoInterleavingMakesACycle(t *testing.T) {
	r := newRig(t)
	hook := &hooked{Store: r.Deps.Store.(store.Store)}
	r.Deps.Store = hook
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &meanwhile{r: r, rt: rt, owner: fmt.Sprintf("tenants/acme/people/p%d", n), budget: rapid.IntRange(1, 8).Draw(rt, "edits")}
		hook.before = func(string) error { return nil }
		for _, id := range fourIDs {
			if err := makeGoal(r.d, m.owner, id, ""); err != nil {
				rt.Fatal(err)
			}
		}
		hook.before = m.before
		for m.budget > 0 {
			m.edit()
		}
	})
}

// TestTwoAtOnce: while one goal is about to become a part of another, the other cannot
// become a part of it; when the first was cut short, it can after a while.
func TestTwoAtOnce(t *testing.T) {
	r := newRig(t)
	a, b := goalName(ada, "a"), goalName(ada, "b")
	for _, id := range []string{"a", "b"} {
		if err := makeGoal(r.d, ada, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	meanwhile, cut := func() {}, false
	r.Deps.Store = &hooked{Store: r.Deps.Store.(store.Store), before: func(kind string) error {
		if kind != "goals" {
			return nil
		}
		do := meanwhile
		meanwhile = func() {}
		do()
		if cut {
			return store.ErrUnavailable
		}
		return nil
	}}
	var second error
	meanwhile = func() { second = putUnder(r.d, b, a) }
	if err := putUnder(r.d, a, b); err != nil {
		t.Fatal(err)
	}
	resourcetest.Refused(t, second, "GOAL_CYCLE")
	if err := putUnder(r.d, a, ""); err != nil {
		t.Fatal(err)
	}
	cut = true
	if err := putUnder(r.d, a, b); err == nil {
		t.Fatal("a commit that failed was answered well")
	}
	cut = false
	resourcetest.Refused(t, putUnder(r.d, b, a), "GOAL_CYCLE")
	r.Clock.Advance(abandoned + time.Millisecond)
	if err := putUnder(r.d, b, a); err != nil {
		t.Errorf("what was abandoned is in the way: %v", err)
	}
}

// TestRing: four goals that at the same time are each to become a part of the next.
func TestRing(t *testing.T) {
	r := newRig(t)
	ids := []string{"a", "b", "c", "d"}
	for round := range 5 {
		owner := fmt.Sprintf("tenants/acme/people/ring-%d", round)
		for _, id := range ids {
			if err := makeGoal(r.d, owner, id, ""); err != nil {
				t.Fatal(err)
			}
		}
		errs := make([]error, len(ids))
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { errs[i] = putUnder(r.d, goalName(owner, ids[i]), goalName(owner, ids[(i+1)%len(ids)])) })
		}
		wg.Wait()
		refused := 0
		for _, err := range errs {
			switch {
			case refusedAs(err, "GOAL_CYCLE"):
				refused++
			case err != nil:
				t.Errorf("%v", err)
			}
		}
		if p := parents(t, r.d, owner); refused != 1 || len(p) != len(ids)-1 || cyclic(p) {
			t.Errorf("%d were refused: %v", refused, p)
		}
	}
}

// TestTreeStaysSmall: edges that are over do not gather.
func TestTreeStaysSmall(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"a", "b", "c"} {
		if err := makeGoal(r.d, ada, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if err := putUnder(r.d, goalName(ada, "a"), goalName(ada, []string{"b", "c"}[i%2])); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := r.d.Trees.Fetch(t.Context(), ada+"/goalTree")
	if err != nil || len(tree.GetEdges()) > 2 {
		t.Errorf("%d edges, %v", len(tree.GetEdges()), err)
	}
}
