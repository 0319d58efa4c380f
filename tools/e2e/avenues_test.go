package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/goaltree"
)

// TestAvenuesOverREST goes from values over a brainstorm to a goal, as a portal would.
func TestAvenuesOverREST(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	const me = "tenants/acme/people/ada"
	c.must("POST", ada+"/values?valueId=candor", `{"displayName":"Candor","meaning":"Saying it on the first day"}`)
	if v := c.must("POST", ada+"/values?valueId=ease", `{"displayName":"Ease"}`); v["rank"] != 2.0 {
		t.Errorf("%v", v)
	}
	const request = "7f6a3c7e-4b7d-4b53-9a8e-0d2f3c1b2a11"
	brainstorm := func() []any {
		return c.must("POST", ada+"/avenues:batchCreate", `{"lines":["Teach what I know","  ","Learn to weld"],"kind":"SKILL","requestId":"`+request+`"}`)["results"].([]any)
	}
	results := brainstorm()
	var names []string
	for i, code := range []float64{0, float64(codes.InvalidArgument), 0} {
		result := results[i].(map[string]any)
		if st := result["status"].(map[string]any); st["code"] != code {
			t.Fatalf("line %d: %v", i, st)
		}
		if a, ok := result["avenue"].(map[string]any); ok {
			names = append(names, a["name"].(string))
		}
	}
	refused := results[1].(map[string]any)["status"].(map[string]any)["details"].([]any)
	if info := refused[0].(map[string]any); info["reason"] != "REQUIRED" || info["domain"] != "rebound.dev" {
		t.Errorf("%v", info)
	}
	if again := brainstorm(); again[2].(map[string]any)["avenue"].(map[string]any)["name"] != names[1] || len(c.must("GET", ada+"/avenues", "")["avenues"].([]any)) != 2 {
		t.Errorf("sent again it gives %v", again)
	}
	teach, weld := "/v1/"+names[0], "/v1/"+names[1]
	c.must("PATCH", teach, `{"ratings":{"realistic":5,"valuesFit":5,"joy":2},"values":["`+me+`/values/candor"]}`)
	c.must("PATCH", weld, `{"ratings":{"realistic":3,"joy":5},"experiments":[{"what":"A weekend course","by":{"year":2026,"month":12,"day":5},"learned":"I forgot the time"}]}`)
	order := func(body string) string {
		var out []string
		for _, row := range c.must("POST", ada+"/avenues:compare", body)["rows"].([]any) {
			row := row.(map[string]any)
			out = append(out, fmt.Sprintf("%v %v %v", row["rank"], row["title"], row["score"]))
		}
		return strings.Join(out, ", ")
	}
	if got := order(`{}`); got != "1 Learn to weld 4, 1 Teach what I know 4" && got != "1 Teach what I know 4, 1 Learn to weld 4" {
		t.Errorf("with equal weights: %s", got)
	}
	if got := order(`{"weights":{"joy":3}}`); got != "1 Learn to weld 4.5, 2 Teach what I know 3.2" {
		t.Errorf("with joy three times: %s", got)
	}
	if r := c.must("POST", teach+":reject", `{"reason":"Later"}`); r["state"] != "AVENUE_STATE_REJECTED" || r["rejectReason"] != "Later" {
		t.Errorf("%v", r)
	}
	c.refused("POST", teach+":choose", `{}`, 400, "AVENUE_STATE")
	first := c.must("POST", weld+":choose", `{}`)
	goal := first["goal"].(map[string]any)
	if goal["title"] != "Learn to weld" || !slices.Equal(goal["origins"].([]any), []any{names[1]}) || first["avenue"].(map[string]any)["goal"] != goal["name"] {
		t.Errorf("%v", first)
	}
	if second := c.must("POST", weld+":choose", `{}`)["goal"].(map[string]any); second["name"] != goal["name"] || second["etag"] != goal["etag"] {
		t.Errorf("chosen again: %v", second)
	}
	if found := c.must("GET", ada+"/avenues?filter=state=CHOSEN%20AND%20ratings.joy%3E4&query=WELD", "")["avenues"].([]any); len(found) != 1 {
		t.Errorf("%v", found)
	}
	// At the limit, and one beyond.
	lines := func(n int) string { return `{"lines":["a"` + strings.Repeat(`,"a"`, n-1) + `]}` }
	if full := c.must("POST", ada+"/avenues:batchCreate", lines(100))["results"].([]any); len(full) != 100 {
		t.Errorf("%d results", len(full))
	}
	c.refused("POST", ada+"/avenues:batchCreate", lines(101), 400, "REPEATED_MAX_ITEMS")
}

// TestGoalsOverREST measures a goal, foresees what may come in between, and shows it as a
// tree in the terminal.
func TestGoalsOverREST(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	const me = "tenants/acme/people/ada"
	c.must("POST", ada+"/goals?goalId=calm", `{"title":"Calmer work","horizon":"YEAR"}`)
	g := c.must("POST", ada+"/goals?goalId=demo", `{"title":"A demo that holds","parentGoal":"`+me+`/goals/calm","horizon":"MONTH",
		"origins":["`+me+`/setbacks/launch","`+me+`/visualizations/stage"],
		"keyResults":[{"id":"crashes","title":"Crashes","start":8,"target":0,"unit":"crashes","confidence":0.5}],
		"obstacles":[{"id":"hurry","obstacle":"A late request","when":"somebody asks for one more thing","then":"I ask what may wait"}],
		"preMortem":[{"cause":"We never tried it there","prevention":"Rehearse on the spot"}]}`)
	if g["score"] != 0.0 || g["keyResults"].([]any)[0].(map[string]any)["current"] != 8.0 {
		t.Errorf("%v", g)
	}
	c.refused("PATCH", ada+"/goals/calm", `{"parentGoal":"`+me+`/goals/demo"}`, 400, "GOAL_CYCLE")
	const request = "7f6a3c7e-4b7d-4b53-9a8e-0d2f3c1b2a11"
	for range 2 {
		g = c.must("POST", ada+"/goals/demo:checkInKeyResult", `{"keyResult":"crashes","current":2,"confidence":0.8,"note":"A quiet week","requestId":"`+request+`"}`)
	}
	result := g["keyResults"].([]any)[0].(map[string]any)
	if g["score"] != 0.75 || result["score"] != 0.75 || result["confidence"] != 0.8 || len(result["checkIns"].([]any)) != 2 {
		t.Errorf("%v", g)
	}
	for range 2 {
		g = c.must("POST", ada+"/goals/demo:meetObstacle", `{"obstacle":"hurry","followed":true,"requestId":"`+request+`"}`)
	}
	if o := g["obstacles"].([]any)[0].(map[string]any); o["timesMet"] != 1.0 || o["timesFollowed"] != 1.0 {
		t.Errorf("%v", o)
	}
	c.refused("POST", ada+"/goals/demo:checkInKeyResult", `{"keyResult":"absent"}`, 400, "KEY_RESULT_UNKNOWN")
	c.refused("POST", ada+"/goals/demo:meetObstacle", `{"obstacle":"absent"}`, 400, "OBSTACLE_UNKNOWN")
	c.must("PATCH", ada+"/goals/demo", `{"obstacles":[{"id":"hurry","obstacle":"A late request"}]}`)
	c.refused("POST", ada+"/goals/demo:meetObstacle", `{"obstacle":"hurry","followed":true}`, 400, "OBSTACLE_WITHOUT_PLAN")
	c.refused("PATCH", ada+"/goals/demo", `{"obstacles":[{"id":"a","obstacle":"x"},{"id":"a","obstacle":"y"}]}`, 400, "ID_REPEATED")
	if found := c.must("GET", ada+"/goals?filter=parent_goal=%22"+me+"/goals/calm%22%20AND%20score%3E=0.75", "")["goals"].([]any); len(found) != 1 {
		t.Errorf("%v", found)
	}
	c.must("POST", ada+"/goals/demo/milestones?milestoneId=m", `{"title":"First run","reward":"Cake"}`)
	c.must("POST", ada+"/goals/demo/steps?stepId=s", `{"title":"Book the room","milestone":"`+me+`/goals/demo/milestones/m"}`)
	c.must("POST", ada+"/goals/demo/steps/s:complete", `{}`)
	c.must("POST", ada+"/goals?goalId=past", `{"title":"Somebody else's dream"}`)
	if g := c.must("POST", ada+"/goals/past:drop", `{"reason":"It was never mine"}`); g["dropTime"] == nil || g["dropReason"] != "It was never mine" {
		t.Errorf("%v", g)
	}
	apiClient, err := api.New(api.Target{URL: "http://" + r.at.HTTP, Data: r.data})
	if err != nil {
		t.Fatal(err)
	}
	person, err := apiClient.Person("acme", "ada")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (goaltree.View{Person: person, Out: &out}).Show(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Calmer work\n", "─ ██████░░░░░░  50 %  A demo that holds\n", "─ █████████░░░  75 %  Crashes: at 2, from 8 to 0 crashes, 80 % sure\n", "─ ◇ First run → Cake\n", "─ ✓ Book the room\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tree lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "dream") {
		t.Errorf("the tree shows what was dropped:\n%s", out.String())
	}
}

// TestSubGoalsAtOnce: two goals that at the same time are each to become a part of the
// other: one does.
func TestSubGoalsAtOnce(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	goals := goalsv1.NewGoalServiceClient(dial(t, r.at.Goals))
	for round := range 5 {
		var names [2]string
		for i := range names {
			g, err := goals.CreateGoal(ctx, &goalsv1.CreateGoalRequest{Parent: "tenants/acme/people/ada", GoalId: fmt.Sprintf("g%d-%d", round, i), Goal: &goalsv1.Goal{Title: "t"}})
			if err != nil {
				t.Fatal(err)
			}
			names[i] = g.GetName()
		}
		var got [2]codes.Code
		var wg sync.WaitGroup
		for i := range names {
			wg.Go(func() {
				_, err := goals.UpdateGoal(ctx, &goalsv1.UpdateGoalRequest{Goal: &goalsv1.Goal{Name: names[i], ParentGoal: names[1-i]}})
				got[i] = status.Code(err)
			})
		}
		wg.Wait()
		slices.Sort(got[:])
		if got != [2]codes.Code{codes.OK, codes.InvalidArgument} {
			t.Errorf("round %d: %v", round, got)
		}
		parts := 0
		for _, name := range names {
			g, err := goals.GetGoal(ctx, &goalsv1.GetGoalRequest{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			if g.GetParentGoal() != "" {
				parts++
			}
		}
		if parts != 1 {
			t.Errorf("round %d: %d of the two are parts of the other", round, parts)
		}
	}
}

// TestAvenuesOverGRPC does the same in short over gRPC.
func TestAvenuesOverGRPC(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	const me = "tenants/acme/people/ada"
	conn := dial(t, r.at.HTTP)
	v, err := goalsv1.NewValueServiceClient(conn).CreateValue(ctx, &goalsv1.CreateValueRequest{Parent: me, Value: &goalsv1.Value{DisplayName: "Candor"}})
	if err != nil || v.GetRank() != 1 {
		t.Fatal(v, err)
	}
	avenues := goalsv1.NewAvenueServiceClient(conn)
	made, err := avenues.BatchCreateAvenues(ctx, &goalsv1.BatchCreateAvenuesRequest{Parent: me, Lines: []string{"Teach", ""}})
	if err != nil || len(made.GetResults()) != 2 || codes.Code(made.GetResults()[1].GetStatus().GetCode()) != codes.InvalidArgument {
		t.Fatal(made, err)
	}
	a := made.GetResults()[0].GetAvenue()
	a.Values, a.Ratings = []string{v.GetName()}, &goalsv1.AvenueRatings{Realistic: 4, ValuesFit: 4, Joy: 4}
	if a, err = avenues.UpdateAvenue(ctx, &goalsv1.UpdateAvenueRequest{Avenue: a}); err != nil {
		t.Fatal(err)
	}
	table, err := avenues.CompareAvenues(ctx, &goalsv1.CompareAvenuesRequest{Parent: me, Weights: &goalsv1.CompareWeights{Joy: proto.Float64(0)}})
	if err != nil || len(table.GetRows()) != 1 || table.GetRows()[0].GetScore() != 4 || table.GetWeights().GetRealistic() != 0.5 {
		t.Fatal(table, err)
	}
	chosen, err := avenues.ChooseAvenue(ctx, &goalsv1.ChooseAvenueRequest{Name: a.GetName(), Etag: a.GetEtag()})
	if err != nil || chosen.GetGoal().GetState() != typev1.GoalState_GOAL_STATE_ACTIVE {
		t.Fatal(chosen, err)
	}
	if _, err := avenues.ReopenAvenue(ctx, &goalsv1.ReopenAvenueRequest{Name: a.GetName()}); status.Code(err) != codes.FailedPrecondition {
		t.Fatal(err)
	}
	goals := goalsv1.NewGoalServiceClient(conn)
	sub, err := goals.CreateGoal(ctx, &goalsv1.CreateGoalRequest{Parent: me, Goal: &goalsv1.Goal{
		Title: "One lesson", ParentGoal: chosen.GetGoal().GetName(), KeyResults: []*goalsv1.KeyResult{{Id: "pupils", Title: "Pupils", Target: 5}}, Obstacles: []*goalsv1.Obstacle{{Id: "fear", Obstacle: "Fear", Then: "Breathe"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if sub, err = goals.CheckInKeyResult(ctx, &goalsv1.CheckInKeyResultRequest{Name: sub.GetName(), KeyResult: "pupils", Current: proto.Float64(4)}); err != nil || sub.GetScore() != 0.8 {
		t.Fatal(sub, err)
	}
	if sub, err = goals.MeetObstacle(ctx, &goalsv1.MeetObstacleRequest{Name: sub.GetName(), Obstacle: "fear", Followed: true}); err != nil || sub.GetObstacles()[0].GetTimesFollowed() != 1 {
		t.Fatal(sub, err)
	}
	_, err = goals.UpdateGoal(ctx, &goalsv1.UpdateGoalRequest{
		Goal: &goalsv1.Goal{Name: chosen.GetGoal().GetName(), ParentGoal: sub.GetName()}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"parent_goal"}},
	})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatal(err)
	}
}
