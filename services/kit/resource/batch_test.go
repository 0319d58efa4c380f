package resource_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// counting is a store that counts what is asked of it.
type counting struct {
	store.Store
	commits, reads int
}

func (c *counting) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	c.commits++
	return c.Store.Commit(ctx, writes...)
}

func (c *counting) Get(ctx context.Context, kind, name string) (store.Record, error) {
	c.reads++
	return c.Store.Get(ctx, kind, name)
}

func (c *counting) GetBatch(ctx context.Context, kind string, names []string) (map[string]store.Record, error) {
	c.reads++
	return c.Store.GetBatch(ctx, kind, names)
}

func titled(titles ...string) []*journalv1.Setback {
	docs := make([]*journalv1.Setback, len(titles))
	for i, t := range titles {
		docs[i] = &journalv1.Setback{Title: t}
	}
	return docs
}

// TestCreateAll: each of a batch is made or refused alone, in one commit.
func TestCreateAll(t *testing.T) {
	r := newRig(t)
	counted := &counting{Store: r.store}
	r.Deps.Store = counted
	titles := []string{"a", " ", "b", strings.Repeat("x", 201), "c"}
	made, err := r.setbacks.CreateAll(t.Context(), ada, "", titled(titles...))
	if err != nil || len(made) != len(titles) || counted.commits != 1 {
		t.Fatalf("%d of %d in %d commits, %v", len(made), len(titles), counted.commits, err)
	}
	for i, reason := range []string{"", "REQUIRED", "", "STRING_MAX_LEN", ""} {
		m := made[i]
		switch {
		case reason != "":
			wants(t, m.Refused, reason, "")
			if m.Doc != nil {
				t.Errorf("line %d was refused and made", i)
			}
		case m.Refused != nil || m.Doc.GetTitle() != titles[i] || m.Doc.GetState() != typev1.SetbackState_SETBACK_STATE_OPEN || m.Doc.GetEtag() == "":
			t.Errorf("line %d: %v, %v", i, m.Doc, m.Refused)
		default:
			if got, err := r.setbacks.Fetch(t.Context(), m.Doc.GetName()); err != nil || !proto.Equal(got, m.Doc) {
				t.Errorf("line %d is not there as it was answered: %v, %v", i, got, err)
			}
		}
	}
	if n := r.events(); n != 3 {
		t.Errorf("%d events for three setbacks", n)
	}
	// Nothing to make is nothing to commit.
	if made, err = r.setbacks.CreateAll(t.Context(), ada, "", titled("")); err != nil || made[0].Refused == nil || counted.commits != 1 {
		t.Errorf("%v, %v, %d commits", made, err, counted.commits)
	}
}

// TestCreateAllAgain: the same request makes nothing twice, and what was refused stays so.
func TestCreateAllAgain(t *testing.T) {
	r := newRig(t)
	names := func(requestID string) string {
		t.Helper()
		made, err := r.setbacks.CreateAll(t.Context(), ada, requestID, titled("a", "", "b"))
		if err != nil {
			t.Fatal(err)
		}
		wants(t, made[1].Refused, "REQUIRED", "setback.title")
		return made[0].Doc.GetName() + " " + made[2].Doc.GetName()
	}
	first := names("r1")
	if names("r1") != first || r.events() != 2 {
		t.Errorf("sent again, it made more: %d events", r.events())
	}
	for _, other := range []string{"r2", ""} {
		if got := names(other); got == first {
			t.Error("another request gave the same setbacks")
		}
	}
	// One request id is good for one document and for a batch, apart from each other.
	single, err := r.setbacks.Create(t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, RequestId: "r1", Setback: &journalv1.Setback{Title: "t"}})
	if err != nil || strings.Contains(first, single.(*journalv1.Setback).GetName()) {
		t.Errorf("%v, %v", single, err)
	}
}

// TestCreateAllDerives: what follows from other documents is asked for once, for all of
// the batch that was made.
func TestCreateAllDerives(t *testing.T) {
	base := resourcetest.New(t)
	var derived []int
	goals := resource.Must(base.Deps, resource.Type[*goalsv1.Goal]{
		Derive: func(_ context.Context, docs []*goalsv1.Goal) error {
			derived = append(derived, len(docs))
			for _, g := range docs {
				g.Progress = 0.5
			}
			return nil
		},
	})
	base.Open(t, goals.Kind())
	made, err := goals.CreateAll(t.Context(), ada, "", []*goalsv1.Goal{{Title: "a"}, {}, {Title: "b"}})
	if err != nil || !slices.Equal(derived, []int{2}) || made[0].Doc.GetProgress() != 0.5 || made[2].Doc.GetProgress() != 0.5 {
		t.Errorf("%v, %v, %v", derived, made, err)
	}
}

// TestCreateAllFails: what is wrong with the whole batch is nobody's single fault.
func TestCreateAllFails(t *testing.T) {
	r := newRig(t)
	_, err := r.setbacks.CreateAll(t.Context(), "tenants/acme", "", titled("a"))
	wants(t, err, "NAME_INVALID", "parent")
	_, err = r.debriefs.CreateAll(t.Context(), ada+"/setbacks/absent", "", []*journalv1.Debrief{{}})
	wants(t, err, "NOT_FOUND", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if made, err := r.setbacks.CreateAll(ctx, ada, "", titled("a")); err == nil {
		t.Errorf("without a store it answers %v", made)
	}
}

// listRig is the engine with a type whose lists have ids.
func listRig(t *testing.T, decide func(c resource.Change[*goalsv1.Goal])) (*resource.Resource[*goalsv1.Goal], *resourcetest.Rig) {
	t.Helper()
	base := resourcetest.New(t)
	goals := resource.Must(base.Deps, resource.Type[*goalsv1.Goal]{
		Order: []string{"target_date"},
		Decide: func(_ context.Context, c resource.Change[*goalsv1.Goal]) ([]*eventsv1.Event, error) {
			decide(c)
			if c.Deleted() {
				return c.Event("created", nil), nil
			}
			return c.Event("created", &eventsv1.Event{Data: &eventsv1.Event_Goal{Goal: &eventsv1.GoalFacts{}}}), nil
		},
	})
	base.Open(t, goals.Kind())
	return goals, base
}

// TestListsWithIDs: in a list whose elements have ids, an update leaves what only the
// server sets where it was, in whichever order they come, and takes none from the client.
func TestListsWithIDs(t *testing.T) {
	score := 0.0
	goals, _ := listRig(t, func(c resource.Change[*goalsv1.Goal]) {
		for _, k := range c.New.GetKeyResults() {
			if k.GetScore() == 0 {
				score++
				k.Score = score
			}
		}
	})
	forged := func(id string) *goalsv1.KeyResult { return &goalsv1.KeyResult{Id: id, Title: id, Score: 99} }
	scores := func(g *goalsv1.Goal) map[string]float64 {
		out := map[string]float64{}
		for _, k := range g.GetKeyResults() {
			out[k.GetId()] = k.GetScore()
		}
		return out
	}
	made, err := goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: "g", Goal: &goalsv1.Goal{Title: "t", KeyResults: []*goalsv1.KeyResult{forged("a"), forged("b")}}})
	if err != nil || scores(made.(*goalsv1.Goal))["a"] != 1 || scores(made.(*goalsv1.Goal))["b"] != 2 {
		t.Fatal(made, err)
	}
	for _, mask := range []*fieldmaskpb.FieldMask{nil, {Paths: []string{"key_results"}}, {Paths: []string{"*"}}} {
		got, err := goals.Update(t.Context(), &goalsv1.UpdateGoalRequest{UpdateMask: mask, Goal: &goalsv1.Goal{
			Name: ada + "/goals/g", Title: "t", KeyResults: []*goalsv1.KeyResult{forged("b"), forged("new"), forged("a")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if s := scores(got.(*goalsv1.Goal)); s["a"] != 1 || s["b"] != 2 || s["new"] != 3 {
			t.Errorf("%v: %v", mask, s)
		}
	}
}

// TestPutBack: a change that the domain takes back is no write.
func TestPutBack(t *testing.T) {
	goals, base := listRig(t, func(c resource.Change[*goalsv1.Goal]) {
		if !c.Deleted() {
			c.New.Why = "always this"
		}
	})
	made, err := goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: "g", Goal: &goalsv1.Goal{Title: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := goals.Update(t.Context(), &goalsv1.UpdateGoalRequest{Goal: &goalsv1.Goal{Name: ada + "/goals/g", Why: "something else"}})
	if err != nil || !proto.Equal(got, made) || len(base.Events(t, ada)) != 1 {
		t.Errorf("%v, %v, %d events", got, err, len(base.Events(t, ada)))
	}
}

// TestChangeRevision: the domain learns on which revision it decides.
func TestChangeRevision(t *testing.T) {
	var seen []string
	goals, _ := listRig(t, func(c resource.Change[*goalsv1.Goal]) {
		if c.Revision == 0 {
			seen = append(seen, "none")
		} else {
			seen = append(seen, resource.Etag(c.Revision))
		}
	})
	made, err := goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, GoalId: "g", Goal: &goalsv1.Goal{Title: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := goals.Update(t.Context(), &goalsv1.UpdateGoalRequest{Goal: &goalsv1.Goal{Name: ada + "/goals/g", Title: "u"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := goals.Delete(t.Context(), &goalsv1.DeleteGoalRequest{Name: ada + "/goals/g"}); err != nil {
		t.Fatal(err)
	}
	last := changed.(*goalsv1.Goal).GetEtag()
	if want := []string{"none", made.(*goalsv1.Goal).GetEtag(), last, last}; !slices.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
}

// TestCheckReferences: a list of references is checked with one read, and each that is
// wrong is named by its place; those that were good before are not looked at again.
func TestCheckReferences(t *testing.T) {
	r := newRig(t)
	counted := &counting{Store: r.store}
	r.Deps.Store = counted
	a, b := r.create("a", &journalv1.Setback{Title: "A"}).GetName(), r.create("b", &journalv1.Setback{Title: "B"}).GetName()
	gone := ada + "/setbacks/gone"
	for _, c := range []struct {
		names, known []string
		reason, at   string
		docs, reads  int
	}{
		{[]string{a, b}, nil, "", "", 2, 1},
		{[]string{a, gone, b}, []string{gone}, "", "", 2, 1},
		{[]string{gone}, []string{gone, a}, "", "", 0, 0},
		{nil, nil, "", "", 0, 0},
		{[]string{a, gone}, []string{a}, "REFERENCE_UNKNOWN", "f[1]", 0, 1},
		{[]string{a, ada + "/lessons/l"}, nil, "NAME_INVALID", "f[1]", 0, 0},
		{[]string{a, b, "tenants/acme/people/grace/setbacks/a"}, nil, "REFERENCE_FOREIGN", "f[2]", 0, 0},
	} {
		counted.reads = 0
		docs, err := r.setbacks.CheckReferences(t.Context(), "f", ada, c.names, c.known)
		if c.reason != "" {
			wants(t, err, c.reason, c.at)
		} else if err != nil || len(docs) != c.docs {
			t.Errorf("%v: %v, %v", c.names, docs, err)
		}
		if counted.reads != c.reads {
			t.Errorf("%v: %d reads, want %d", c.names, counted.reads, c.reads)
		}
	}
}

// TestAt: a fault can blame another field, and is not changed by that.
func TestAt(t *testing.T) {
	f := fault.Invalid("setback.title", "REQUIRED", "is required")
	moved := f.At("lines[3]")
	if moved.Violations[0].Field != "lines[3]" || moved.Message != "lines[3]: is required" || moved.Reason != "REQUIRED" {
		t.Errorf("%v", moved)
	}
	if f.Violations[0].Field != "setback.title" || f.Message != "setback.title: is required" {
		t.Errorf("the fault itself changed: %v", f)
	}
	if other := fault.Precondition("X", "y"); other.At("z") != other {
		t.Error("a fault that blames no field changed")
	}
}
