package domain

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// patch updates the rig's goal.
func (r *rig) patch(g *goalsv1.Goal, paths ...string) (*goalsv1.Goal, error) {
	g.Name = r.goal
	req := &goalsv1.UpdateGoalRequest{Goal: g}
	if len(paths) > 0 {
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: paths}
	}
	got, err := r.d.Goals.Update(r.t.Context(), req)
	if err != nil {
		return nil, err
	}
	return got.(*goalsv1.Goal), nil
}

func (r *rig) mustPatch(g *goalsv1.Goal, paths ...string) *goalsv1.Goal {
	r.t.Helper()
	got, err := r.patch(g, paths...)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

func TestKeyResultScore(t *testing.T) {
	for _, c := range []struct{ start, target, current, want float64 }{
		{0, 10, 0, 0}, {0, 10, 5, 0.5}, {0, 10, 10, 1}, {0, 10, 12, 1}, {0, 10, -3, 0},
		{100, 20, 100, 0}, {100, 20, 80, 0.25}, {100, 20, 20, 1}, {100, 20, 0, 1}, {100, 20, 120, 0}, // fewer of something
		{-5, 5, 0, 0.5}, {5, -5, 0, 0.5}, {0, 1e-12, 1e-12, 1}, {-1e12, 1e12, 0, 0.5},
	} {
		k := &goalsv1.KeyResult{Start: c.start, Target: c.target, Current: proto.Float64(c.current)}
		if got := keyResultScore(k); got != c.want {
			t.Errorf("from %v to %v, at %v: %v, want %v", c.start, c.target, c.current, got, c.want)
		}
	}
	number := rapid.Float64Range(-1e12, 1e12)
	rapid.Check(t, func(t *rapid.T) {
		k := &goalsv1.KeyResult{Start: number.Draw(t, "start"), Target: number.Draw(t, "target"), Current: proto.Float64(number.Draw(t, "current"))}
		if k.GetStart() == k.GetTarget() {
			return
		}
		s := keyResultScore(k)
		if !(s >= 0 && s <= 1) {
			t.Fatalf("%v", s)
		}
		closer := k.GetCurrent() + (k.GetTarget()-k.GetCurrent())/2
		if better := keyResultScore(&goalsv1.KeyResult{Start: k.GetStart(), Target: k.GetTarget(), Current: &closer}); s < 1 && better < s {
			t.Fatalf("closer to the target the score falls from %v to %v", s, better)
		}
	})
}

// history is the check-ins of a key result in short.
func history(g *goalsv1.Goal, id string) []string {
	var out []string
	for _, k := range g.GetKeyResults() {
		for _, e := range k.GetCheckIns() {
			if k.GetId() == id {
				line := fmt.Sprint(e.GetCurrent())
				if e.Confidence != nil {
					line += fmt.Sprint(" ", e.GetConfidence())
				}
				out = append(out, line+e.GetNote())
			}
		}
	}
	return out
}

// TestCheckIns: all that becomes of a key result is in its history, however it comes.
func TestCheckIns(t *testing.T) {
	r := newRig(t)
	g := r.mustPatch(&goalsv1.Goal{KeyResults: []*goalsv1.KeyResult{
		{Id: "users", Title: "users", Target: 10, Unit: "users"}, {Title: "bugs", Start: 8, Target: 0, Current: proto.Float64(6), Confidence: proto.Float64(0.5)},
	}})
	bugs := g.GetKeyResults()[1].GetId()
	if bugs == "" || g.GetKeyResults()[0].GetCurrent() != 0 || g.GetScore() != 0.125 || len(history(g, "users")) != 0 || !slices.Equal(history(g, bugs), []string{"6 0.5"}) {
		t.Fatalf("%v", g)
	}
	r.Clock.Advance(time.Hour)
	const request = "7f6a3c7e-4b7d-4b53-9a8e-0d2f3c1b2a11"
	for range 2 { // the second time it is the same request
		if _, err := r.d.CheckInKeyResult(t.Context(), &goalsv1.CheckInKeyResultRequest{
			Name: r.goal, KeyResult: "users", Current: proto.Float64(4), Confidence: proto.Float64(0.7), Note: " good week", RequestId: request,
		}); err != nil {
			t.Fatal(err)
		}
	}
	// A check-in that says nothing new is one all the same.
	g, err := r.d.CheckInKeyResult(t.Context(), &goalsv1.CheckInKeyResultRequest{Name: r.goal, KeyResult: "users"})
	if err != nil || !slices.Equal(history(g, "users"), []string{"4 0.7 good week", "4 0.7"}) || g.GetKeyResults()[0].GetScore() != 0.4 {
		t.Fatal(history(g, "users"), g, err)
	}
	if at := g.GetKeyResults()[0].GetCheckIns()[0].GetCheckInTime().AsTime(); !at.Equal(resourcetest.Start.Add(time.Hour)) {
		t.Errorf("checked in at %v", at)
	}
	events := r.Events(t, ada)
	if e := events[len(events)-1]; e.GetType() != "goal.checkedIn" || e.GetGoal().GetKeyResults() != 2 || e.GetGoal().GetScore() != 0.325 || e.GetGoal().GetConfidence() != 0.6 {
		t.Errorf("%v", e)
	}
	// An update: what is left out stays, what changes is noted, what is forged is not.
	g = r.mustPatch(&goalsv1.Goal{KeyResults: []*goalsv1.KeyResult{
		{Id: bugs, Title: "bugs", Start: 8, Target: 0}, {Id: "users", Title: "paying users", Target: 20, Current: proto.Float64(5), CheckIns: []*goalsv1.KeyResultCheckIn{{Current: 99}}},
	}})
	if !slices.Equal(history(g, bugs), []string{"6 0.5"}) || !slices.Equal(history(g, "users"), []string{"4 0.7 good week", "4 0.7", "5 0.7"}) || g.GetKeyResults()[1].GetScore() != 0.25 {
		t.Fatal(history(g, bugs), history(g, "users"), g)
	}
	// The latest are kept.
	for i := range maxCheckIns + 5 {
		if g, err = r.d.CheckInKeyResult(t.Context(), &goalsv1.CheckInKeyResultRequest{Name: r.goal, KeyResult: bugs, Current: proto.Float64(float64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if h := history(g, bugs); len(h) != maxCheckIns || h[0] != "5 0.5" {
		t.Errorf("%d, from %s", len(h), h[0])
	}
	// Without key results there is no score.
	if g = r.mustPatch(&goalsv1.Goal{}, "key_results"); g.Score != nil {
		t.Errorf("%v", g)
	}
	_, err = r.d.CheckInKeyResult(t.Context(), &goalsv1.CheckInKeyResultRequest{Name: r.goal, KeyResult: "users"})
	resourcetest.Refused(t, err, "KEY_RESULT_UNKNOWN")
	for reason, bad := range map[string][]*goalsv1.KeyResult{
		"TARGET_IS_START": {{Title: "t", Start: 3, Target: 3}}, "ID_REPEATED": {{Id: "a", Title: "t", Target: 1}, {Id: "a", Title: "t", Target: 1}},
		"STRING_PATTERN": {{Id: "No Id", Title: "t", Target: 1}}, "REQUIRED": {{Target: 1}},
	} {
		_, err := r.patch(&goalsv1.Goal{KeyResults: bad})
		if reason == "STRING_PATTERN" {
			if err == nil {
				t.Error("an id with a blank was taken")
			}
			continue
		}
		resourcetest.Refused(t, err, reason)
	}
}

// TestObstacles: an if-then plan, how often it was needed, and how often it was kept.
func TestObstacles(t *testing.T) {
	r := newRig(t)
	g := r.mustPatch(&goalsv1.Goal{Obstacles: []*goalsv1.Obstacle{
		{Id: "phone", Obstacle: "my phone", When: "it rings", Then: "I let it ring", TimesMet: 7}, {Obstacle: "no time"},
	}, PreMortem: []*goalsv1.ImaginedCause{{Cause: "I never began", Prevention: "ten minutes a day"}}})
	bare := g.GetObstacles()[1].GetId()
	if g.GetObstacles()[0].GetTimesMet() != 0 || bare == "" {
		t.Fatalf("%v", g)
	}
	meet := func(id string, followed bool, request string) (*goalsv1.Goal, error) {
		return r.d.MeetObstacle(t.Context(), &goalsv1.MeetObstacleRequest{Name: r.goal, Obstacle: id, Followed: followed, RequestId: request})
	}
	const request = "7f6a3c7e-4b7d-4b53-9a8e-0d2f3c1b2a11"
	for _, m := range []struct {
		id       string
		followed bool
		request  string
	}{{"phone", true, request}, {"phone", true, request}, {"phone", false, ""}, {"phone", true, ""}, {bare, false, request}} {
		var err error
		if g, err = meet(m.id, m.followed, m.request); err != nil {
			t.Fatal(err)
		}
	}
	counts := func(g *goalsv1.Goal) string {
		var out string
		for _, o := range g.GetObstacles() {
			out += fmt.Sprintf("%d/%d of %d ", o.GetTimesFollowed(), o.GetTimesMet(), len(o.GetMeetings()))
		}
		return out
	}
	if got := counts(g); got != "2/3 of 3 0/1 of 1 " {
		t.Errorf("%s", got)
	}
	events := r.Events(t, ada)
	f := events[len(events)-1].GetGoal()
	if events[len(events)-1].GetType() != "goal.obstacleMet" || f.GetObstacles() != 2 || f.GetTimesMet() != 4 || f.GetTimesFollowed() != 2 || f.GetImaginedCauses() != 1 {
		t.Errorf("%v", f)
	}
	_, err := meet(bare, true, "")
	resourcetest.Refused(t, err, "OBSTACLE_WITHOUT_PLAN")
	_, err = meet("absent", false, "")
	resourcetest.Refused(t, err, "OBSTACLE_UNKNOWN")
	// A better plan keeps the counts.
	g = r.mustPatch(&goalsv1.Goal{Obstacles: []*goalsv1.Obstacle{{Id: bare, Obstacle: "no time", Then: "I do five minutes"}, {Id: "phone", Obstacle: "my phone"}}})
	if got := counts(g); got != "0/1 of 1 2/3 of 3 " {
		t.Errorf("%s", got)
	}
	for range maxMeetings {
		if g, err = meet("phone", false, ""); err != nil {
			t.Fatal(err)
		}
	}
	if o := g.GetObstacles()[1]; o.GetTimesMet() != maxMeetings+3 || len(o.GetMeetings()) != maxMeetings {
		t.Errorf("%d met, %d kept", o.GetTimesMet(), len(o.GetMeetings()))
	}
	_, err = r.patch(&goalsv1.Goal{Obstacles: []*goalsv1.Obstacle{{Id: "a", Obstacle: "o"}, {Id: "a", Obstacle: "o"}}})
	resourcetest.Refused(t, err, "ID_REPEATED")
	_, err = r.patch(&goalsv1.Goal{PreMortem: []*goalsv1.ImaginedCause{{Prevention: "p"}}})
	resourcetest.Refused(t, err, "REQUIRED")
}

// TestDropTime: letting go is dated, and taking up again clears the date.
func TestDropTime(t *testing.T) {
	r := newRig(t)
	g, err := r.d.DropGoal(t.Context(), &goalsv1.DropGoalRequest{Name: r.goal, Reason: "it was somebody else's dream"})
	if err != nil || !g.GetDropTime().AsTime().Equal(resourcetest.Start) {
		t.Fatal(g, err)
	}
	if g, err = r.d.ResumeGoal(t.Context(), &goalsv1.ResumeGoalRequest{Name: r.goal}); err != nil || g.GetDropTime() != nil {
		t.Fatal(g, err)
	}
}
