package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

func (r *rig) value(id, display string, rank int32) *goalsv1.Value {
	r.t.Helper()
	made, err := r.d.Values.Create(r.t.Context(), &goalsv1.CreateValueRequest{Parent: ada, ValueId: id, Value: &goalsv1.Value{DisplayName: display, Rank: rank}})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.Value)
}

func (r *rig) avenue(id string, a *goalsv1.Avenue) *goalsv1.Avenue {
	r.t.Helper()
	if a.Title == "" {
		a.Title = id
	}
	made, err := r.d.Avenues.Create(r.t.Context(), &goalsv1.CreateAvenueRequest{Parent: ada, AvenueId: id, Avenue: a})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.Avenue)
}

// TestValues: a value without a rank comes after all that are there.
func TestValues(t *testing.T) {
	r := newRig(t)
	var ranks []int32
	for i, rank := range []int32{0, 0, 7, 0, 1000, 0} {
		ranks = append(ranks, r.value(string(rune('a'+i)), "v", rank).GetRank())
	}
	if !slices.Equal(ranks, []int32{1, 2, 7, 8, 1000, 1000}) {
		t.Errorf("%v", ranks)
	}
	got, err := r.d.Values.Update(t.Context(), &goalsv1.UpdateValueRequest{
		Value: &goalsv1.Value{Name: ada + "/values/d", Rank: 1}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"rank"}},
	})
	if err != nil || got.(*goalsv1.Value).GetRank() != 1 {
		t.Fatal(got, err)
	}
	res, err := r.d.Values.List(t.Context(), &goalsv1.ListValuesRequest{Parent: ada})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, v := range res.(*goalsv1.ListValuesResponse).GetValues() {
		order = append(order, strings.TrimPrefix(v.GetName(), ada+"/values/"))
	}
	if !slices.Equal(order, []string{"a", "d", "b", "c", "e", "f"}) {
		t.Errorf("%v", order)
	}
	events := r.Events(t, ada)
	if e := events[len(events)-1]; e.GetType() != "value.updated" || e.GetValue().GetRank() != 1 {
		t.Errorf("%v", e)
	}
}

func TestAvenueRules(t *testing.T) {
	r := newRig(t)
	v := r.value("v", "candor", 0).GetName()
	a := r.avenue("a", &goalsv1.Avenue{
		Kind: typev1.AvenueKind_AVENUE_KIND_VENTURE, Values: []string{v}, Ratings: &goalsv1.AvenueRatings{Realistic: 2, Joy: 5},
		Experiments: []*goalsv1.Experiment{{What: "ask three people", By: date(2026, 12, 1)}, {What: "a weekend of it", Learned: "too lonely"}},
		State:       chosen, Goal: "sneaked in",
	})
	if a.GetState() != open || a.GetGoal() != "" || a.GetDecideTime() != nil {
		t.Errorf("%v", a)
	}
	events := r.Events(t, ada)
	f := events[len(events)-1].GetAvenue()
	if f.GetKind() != a.GetKind() || f.GetState() != open || f.GetRealistic() != 2 || f.GetValuesFit() != 0 || f.GetJoy() != 5 ||
		!slices.Equal(f.GetValues(), []string{v}) || f.GetExperiments() != 2 || f.GetExperimentsLearned() != 1 {
		t.Errorf("%v", f)
	}
	for reason, bad := range map[string]*goalsv1.Avenue{
		"REFERENCE_UNKNOWN": {Values: []string{v, ada + "/values/absent"}}, "REFERENCE_FOREIGN": {Values: []string{"tenants/acme/people/grace/values/v"}},
		"NAME_INVALID": {Values: []string{r.goal}}, "DATE_INVALID": {Experiments: []*goalsv1.Experiment{{What: "w", By: date(2026, 2, 30)}}},
		"REQUIRED": {Experiments: []*goalsv1.Experiment{{Learned: "l"}}},
	} {
		bad.Title = "t"
		_, err := r.d.Avenues.Create(t.Context(), &goalsv1.CreateAvenueRequest{Parent: ada, Avenue: bad})
		resourcetest.Refused(t, err, reason)
	}
	// An avenue keeps the name of a value that goes, and can still be changed.
	if _, err := r.d.Values.Delete(t.Context(), &goalsv1.DeleteValueRequest{Name: v}); err != nil {
		t.Fatal(err)
	}
	w := r.value("w", "ease", 0).GetName()
	got, err := r.d.Avenues.Update(t.Context(), &goalsv1.UpdateAvenueRequest{Avenue: &goalsv1.Avenue{Name: a.GetName(), Values: []string{v, w}}})
	if err != nil || !slices.Equal(got.(*goalsv1.Avenue).GetValues(), []string{v, w}) {
		t.Error(got, err)
	}
}

// TestBrainstorm: one status per line, in their order, and sent again it makes no more.
func TestBrainstorm(t *testing.T) {
	r := newRig(t)
	req := &goalsv1.BatchCreateAvenuesRequest{
		Parent: ada, Kind: typev1.AvenueKind_AVENUE_KIND_SKILL, RequestId: "7f6a3c7e-4b7d-4b53-9a8e-0d2f3c1b2a11",
		Lines: []string{" Learn to weld ", "   ", "Teach what I know", strings.Repeat("x", 201), ""},
	}
	var first []string
	for round := range 2 {
		res, err := r.d.BatchCreateAvenues(t.Context(), req)
		if err != nil || len(res.GetResults()) != len(req.GetLines()) {
			t.Fatal(res, err)
		}
		for i, reason := range []string{"", "REQUIRED", "", "STRING_MAX_LEN", "REQUIRED"} {
			got := res.GetResults()[i]
			if reason == "" {
				a := got.GetAvenue()
				if codes.Code(got.GetStatus().GetCode()) != codes.OK || a.GetTitle() != strings.TrimSpace(req.GetLines()[i]) || a.GetKind() != req.GetKind() || a.GetState() != open {
					t.Errorf("line %d: %v", i, got)
				}
				if round == 0 {
					first = append(first, a.GetName())
				} else if !slices.Contains(first, a.GetName()) {
					t.Errorf("line %d was made twice", i)
				}
				continue
			}
			st := status.FromProto(got.GetStatus())
			if got.GetAvenue() != nil || st.Code() != codes.InvalidArgument || strings.Contains(st.Message(), "xx") {
				t.Errorf("line %d: %v", i, got)
			}
			var said []string
			for _, d := range st.Details() {
				switch d := d.(type) {
				case *errdetails.ErrorInfo:
					said = append(said, d.GetReason())
				case *errdetails.BadRequest:
					said = append(said, d.GetFieldViolations()[0].GetField())
				}
			}
			if !slices.Equal(said, []string{reason, fmt.Sprintf("lines[%d]", i)}) {
				t.Errorf("line %d says %v", i, said)
			}
		}
	}
	all, err := r.d.Avenues.All(t.Context(), ada)
	if err != nil || len(all) != 2 {
		t.Errorf("%d avenues, %v", len(all), err)
	}
	_, err = r.d.BatchCreateAvenues(t.Context(), &goalsv1.BatchCreateAvenuesRequest{Parent: "tenants/acme", Lines: []string{"a"}})
	resourcetest.Refused(t, err, "NAME_INVALID")
}

// TestAvenueStates walks every state by every verb.
func TestAvenueStates(t *testing.T) {
	const name = ada + "/avenues/a"
	verbs := map[string]func(r *rig) (*goalsv1.Avenue, error){
		"choose": func(r *rig) (*goalsv1.Avenue, error) {
			res, err := r.d.ChooseAvenue(t.Context(), &goalsv1.ChooseAvenueRequest{Name: name})
			return res.GetAvenue(), err
		},
		"reject": func(r *rig) (*goalsv1.Avenue, error) {
			return r.d.RejectAvenue(t.Context(), &goalsv1.RejectAvenueRequest{Name: name, Reason: "too far away"})
		},
		"reopen": func(r *rig) (*goalsv1.Avenue, error) {
			return r.d.ReopenAvenue(t.Context(), &goalsv1.ReopenAvenueRequest{Name: name})
		},
	}
	reach := map[typev1.AvenueState][]string{open: {}, chosen: {"choose"}, rejected: {"reject"}}
	want := map[typev1.AvenueState]map[string]typev1.AvenueState{
		open:     {"choose": chosen, "reject": rejected, "reopen": open},
		chosen:   {"choose": chosen},
		rejected: {"reject": rejected, "reopen": open},
	}
	for from, path := range reach {
		for verb, do := range verbs {
			r := newRig(t)
			r.avenue("a", &goalsv1.Avenue{})
			for _, v := range path {
				if _, err := verbs[v](r); err != nil {
					t.Fatal(err)
				}
			}
			a, err := do(r)
			to, allowed := want[from][verb]
			if !allowed {
				resourcetest.Refused(t, err, "AVENUE_STATE")
				continue
			}
			if err != nil || a.GetState() != to || (a.GetGoal() != "") != (to == chosen) || (a.GetRejectReason() != "") != (to == rejected) || (a.GetDecideTime() != nil) != (to != open) {
				t.Errorf("%s of an avenue that is %s: %v, %v", verb, from, a, err)
			}
		}
	}
}

// TestChoose: choosing twice gives one goal, linked both ways, also when the first time
// was cut short between the two documents.
func TestChoose(t *testing.T) {
	r := newRig(t)
	a := r.avenue("a", &goalsv1.Avenue{Title: "Learn to weld"})
	choose := func() *goalsv1.ChooseAvenueResponse {
		t.Helper()
		res, err := r.d.ChooseAvenue(t.Context(), &goalsv1.ChooseAvenueRequest{Name: a.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first := choose()
	if g := first.GetGoal(); g.GetTitle() != "Learn to weld" || !slices.Equal(g.GetOrigins(), []string{a.GetName()}) || g.GetName() != first.GetAvenue().GetGoal() || g.GetState() != active {
		t.Fatalf("%v", first)
	}
	r.Clock.Advance(time.Hour)
	if again := choose(); !proto.Equal(again, first) {
		t.Errorf("chosen again: %v", again)
	}
	// As if it had been cut short: the avenue knows its goal, which is not there.
	if _, err := r.d.Goals.Delete(t.Context(), &goalsv1.DeleteGoalRequest{Name: first.GetGoal().GetName()}); err != nil {
		t.Fatal(err)
	}
	if again := choose(); again.GetGoal().GetName() != first.GetGoal().GetName() || again.GetGoal().GetTitle() != "Learn to weld" {
		t.Errorf("after it was cut short: %v", again)
	}
	// Another avenue under the same name is another goal.
	if _, err := r.d.Avenues.Delete(t.Context(), &goalsv1.DeleteAvenueRequest{Name: a.GetName()}); err != nil {
		t.Fatal(err)
	}
	r.avenue("a", &goalsv1.Avenue{Title: "Sail"})
	if other := choose(); other.GetGoal().GetName() == first.GetGoal().GetName() || other.GetGoal().GetTitle() != "Sail" {
		t.Errorf("another avenue gives %v", other)
	}
	_, err := r.d.ChooseAvenue(t.Context(), &goalsv1.ChooseAvenueRequest{Name: a.GetName(), Etag: "stale"})
	resourcetest.Refused(t, err, "ETAG_MISMATCH")
	_, err = r.d.ChooseAvenue(t.Context(), &goalsv1.ChooseAvenueRequest{Name: ada + "/avenues/absent"})
	resourcetest.Refused(t, err, "NOT_FOUND")
	// Goals name avenues that exist.
	for origin, reason := range map[string]string{ada + "/avenues/absent": "REFERENCE_UNKNOWN", ada + "/visualizations/v": "", a.GetName(): ""} {
		_, err := r.d.Goals.Create(t.Context(), &goalsv1.CreateGoalRequest{Parent: ada, Goal: &goalsv1.Goal{Title: "t", Origins: []string{ada + "/setbacks/s", origin}}})
		if reason != "" {
			resourcetest.Refused(t, err, reason)
		} else if err != nil {
			t.Error(origin, err)
		}
	}
}
