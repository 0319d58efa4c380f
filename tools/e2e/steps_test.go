package e2e

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

// localDateOf completes a step at an instant, takes it back, and gives the local
// date that it was completed on.
func localDateOf(c client, step, at string) string {
	c.r.t.Helper()
	done := c.must("POST", step+":complete", `{"completeTime":"`+at+`"}`)
	c.must("POST", step+":undo", `{}`)
	d := done["completions"].([]any)[0].(map[string]any)["localDate"].(map[string]any)
	return fmt.Sprintf("%v-%v-%v", d["year"], d["month"], d["day"])
}

// TestDayStart: goals learns from the journal where a person is and when their day
// begins, also when it was told before goals listened.
func TestDayStart(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	c.must("POST", ada+"/goals?goalId=g", `{"title":"Sleep"}`)
	const step = ada + "/goals/g/steps/s"
	c.must("POST", ada+"/goals/g/steps?stepId=s", `{"title":"Put the phone away"}`)
	const night = "2026-03-29T01:30:00Z" // in Berlin 03:30, in New York 21:30
	if got := localDateOf(c, step, night); got != "2026-3-29" {
		t.Errorf("in UTC it is %s", got)
	}
	c.refused("PATCH", ada+"/profile", `{"dayStart":{"hours":13}}`, 400, "DAY_START_INVALID")
	c.must("PATCH", ada+"/profile", `{"timeZone":"Europe/Berlin","dayStart":{"hours":4}}`)
	eventually(t, []string{"2026-3-28"}, func() []string { return []string{localDateOf(c, step, night)} })
	r.stop()
	r.start()
	if got := localDateOf(c, step, night); got != "2026-3-28" {
		t.Errorf("after a restart it is %s", got)
	}
	c.must("PATCH", ada+"/profile", `{"dayStart":{}}`)
	eventually(t, []string{"2026-3-29"}, func() []string { return []string{localDateOf(c, step, night)} })
}

// strong fails the test unless a step has a strength, to six digits, and a run.
func strong(t *testing.T, step object, strength, run float64) {
	t.Helper()
	got, _ := step["strength"].(float64)
	if math.Abs(got-strength) > 5e-7 || step["currentRun"] != run {
		t.Errorf("strength %v and run %v, want %v and %v", step["strength"], step["currentRun"], strength, run)
	}
}

// TestStepsOverREST builds a habit over a week, is ill, splits what is too big, and
// goes on after a restart.
func TestStepsOverREST(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	c.must("POST", ada+"/goals?goalId=g", `{"title":"Get better at asking"}`)
	const steps = ada + "/goals/g/steps"
	c.must("POST", steps+"?stepId=daily", `{"title":"Ask one question","times":1,"days":1}`)
	c.must("POST", steps+"?stepId=rule", `{"title":"Read","recurrence":"FREQ=DAILY","amount":20,"unit":"pages","startDate":{"year":2026,"month":1,"day":1}}`)
	limit := c.must("POST", steps+"?stepId=limit", `{"title":"Coffee","days":1,"times":1,"amount":2,"unit":"cups","direction":"AT_MOST"}`)
	strong(t, limit, 1, 0)
	now := time.Now()
	var daily, rule object
	for ago := 6; ago >= 0; ago-- {
		at := now.AddDate(0, 0, -ago).UTC().Format(time.RFC3339)
		daily = c.must("POST", steps+"/daily:complete", `{"completeTime":"`+at+`"}`)
		c.must("POST", steps+"/rule:complete", `{"completeTime":"`+at+`","amount":5}`)
		rule = c.must("POST", steps+"/rule:complete", `{"completeTime":"`+at+`","amount":15}`)
	}
	strong(t, daily, 0.311495, 7)
	strong(t, rule, 0.311495, 7)
	c.refused("POST", steps+"/rule:complete", `{"amount":1}`, 400, "OCCURRENCE_DONE")
	undone := c.must("POST", steps+"/daily:undo", `{}`)
	strong(t, undone, 0.273789, 6)
	strong(t, c.must("POST", steps+"/daily:complete", `{}`), 0.311495, 7)

	// Skipped, paused, and taken up again.
	skipped := c.must("POST", steps+"/daily:skip", `{"date":{"year":2026,"month":1,"day":2}}`)
	if b := skipped["breaks"].([]any); len(b) != 1 || b[0].(map[string]any)["kind"] != "BREAK_KIND_SKIP" {
		t.Errorf("%v", b)
	}
	back := c.must("POST", steps+"/daily:undo", `{"skippedDate":{"year":2026,"month":1,"day":2}}`)
	if len(back["breaks"].([]any)) != 0 || len(back["completions"].([]any)) != 7 {
		t.Errorf("%v", back)
	}
	c.refused("POST", steps+"/daily:undo", `{"skippedDate":{"year":2026,"month":1,"day":2}}`, 400, "SKIP_UNKNOWN")
	ill := c.must("POST", ada+"/goals/-/steps:pause", `{"kind":"ILLNESS"}`)
	if len(ill["steps"].([]any)) != 3 {
		t.Errorf("%v", ill)
	}
	c.refused("POST", steps+":pause", `{"kind":"SKIP"}`, 400, "ENUM_NOT_IN")
	if well := c.must("POST", steps+":resume", `{}`); len(well["steps"].([]any)) != 3 {
		t.Errorf("%v", well)
	}
	paused := c.must("PATCH", steps+"/daily", `{"breaks":[{"fromDate":{"year":2026,"month":2,"day":1},"untilDate":{"year":2026,"month":2,"day":3}}]}`)
	if b := paused["breaks"].([]any); len(b) != 1 || b[0].(map[string]any)["kind"] != "BREAK_KIND_PAUSE" {
		t.Errorf("%v", b)
	}

	// What is too big becomes smaller.
	const words = "zanzibar"
	big := c.must("POST", steps+"?stepId=big", `{"title":"`+words+` slides","duration":"10800s"}`)
	hint := big["sizeHint"].(map[string]any)
	if fmt.Sprint(hint["reasons"]) != "[SIZE_REASON_TOO_LONG SIZE_REASON_NO_VERB]" || hint["question"] == "" {
		t.Errorf("%v", hint)
	}
	const parts = `{"parts":[{"title":"Write the ` + words + ` outline","duration":"3600s"},{"title":"Draw one slide"}]}`
	first := c.must("POST", steps+"/big:split", parts)
	again := c.must("POST", steps+"/big:split", parts)
	if fmt.Sprint(first["steps"]) != fmt.Sprint(again["steps"]) || len(first["steps"].([]any)) != 2 {
		t.Errorf("%v, then %v", first, again)
	}
	if s := first["step"].(map[string]any); s["state"] != "STEP_STATE_SPLIT" || s["sizeHint"] != nil {
		t.Errorf("%v", s)
	}
	c.refused("POST", steps+"/big:complete", `{}`, 400, "STEP_SPLIT")
	c.refused("POST", steps+"/big:split", `{"parts":[{"title":"x"}]}`, 400, "REPEATED_MIN_ITEMS")
	c.refused("POST", steps+"/big:split", `{"parts":[`+strings.TrimSuffix(strings.Repeat(`{"title":"x"},`, 21), ",")+`]}`, 400, "REPEATED_MAX_ITEMS")
	c.refused("POST", steps+"/big:skip", `{}`, 400, "STEP_SPLIT")
	part := "/v1/" + first["steps"].([]any)[0].(map[string]any)["name"].(string)
	c.must("POST", part+":complete", `{}`)
	if g := c.must("GET", ada+"/goals/g", ""); g["progress"] != 0.5 {
		t.Errorf("progress is %v", g["progress"])
	}
	c.refused("POST", steps, `{"title":"x","times":1}`, 400, "TIMES_WITHOUT_DAYS")
	c.refused("POST", steps, `{"title":"x","times":1001,"days":1}`, 400, "INT32_GTE_LTE")
	c.refused("POST", steps, `{"title":"x","times":1,"days":367}`, 400, "INT32_GTE_LTE")

	r.stop()
	r.start()
	strong(t, c.must("GET", steps+"/daily", ""), 0.311495, 7)
	listed := c.must("GET", ada+"/goals/-/steps?filter=days%3D1+AND+NOT+direction%3DAT_MOST", "")["steps"].([]any)
	if len(listed) != 1 {
		t.Fatalf("%v", listed)
	}
	strong(t, listed[0].(map[string]any), 0.311495, 7)
	r.stop()
	if strings.Contains(r.logs.String(), words) {
		t.Error("logs hold a person's words")
	}
	for place, raw := range r.stored() {
		if bytes.Contains(raw, []byte(words)) {
			t.Errorf("%s holds a person's words", place)
		}
	}
}

// TestStepsOverGRPC does the same in short over gRPC.
func TestStepsOverGRPC(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	conn := dial(t, r.at.Goals)
	goal, err := goalsv1.NewGoalServiceClient(conn).CreateGoal(ctx, &goalsv1.CreateGoalRequest{Parent: "tenants/acme/people/ada", Goal: &goalsv1.Goal{Title: "Run"}})
	if err != nil {
		t.Fatal(err)
	}
	steps := goalsv1.NewStepServiceClient(conn)
	s, err := steps.CreateStep(ctx, &goalsv1.CreateStepRequest{Parent: goal.GetName(), Step: &goalsv1.Step{
		Title: "Run", Times: 1, Days: 3, Duration: durationpb.New(3 * time.Hour),
	}})
	if err != nil || s.GetStrength() != 0 || s.GetFrequency().GetDays() != 3 || len(s.GetSizeHint().GetReasons()) != 1 {
		t.Fatal(s, err)
	}
	for _, ago := range []int{6, 3, 0} {
		at := timestamppb.New(time.Now().AddDate(0, 0, -ago))
		if s, err = steps.CompleteStep(ctx, &goalsv1.CompleteStepRequest{Name: s.GetName(), CompleteTime: at}); err != nil {
			t.Fatal(err)
		}
	}
	m, want := math.Pow(0.5, math.Sqrt(1.0/3)/13), 0.0
	for _, done := range []float64{0.5, 0.5, 0.5, 1, 1, 1, 1} {
		want = want*m + done*(1-m)
	}
	if math.Abs(s.GetStrength()-want) > 1e-9 || s.GetCurrentRun() != 7 || s.GetLongestRun() != 7 {
		t.Errorf("%v, run %d, longest %d; want %v", s.GetStrength(), s.GetCurrentRun(), s.GetLongestRun(), want)
	}
	if s, err = steps.SkipStep(ctx, &goalsv1.SkipStepRequest{Name: s.GetName()}); err != nil || len(s.GetBreaks()) != 1 {
		t.Fatal(s, err)
	}
	if s, err = steps.UndoStep(ctx, &goalsv1.UndoStepRequest{Name: s.GetName(), SkippedDate: s.GetBreaks()[0].GetFromDate()}); err != nil || len(s.GetBreaks()) != 0 {
		t.Fatal(s, err)
	}
	paused, err := steps.PauseSteps(ctx, &goalsv1.PauseStepsRequest{Parent: goal.GetName()})
	if err != nil || len(paused.GetSteps()) != 1 || paused.GetSteps()[0].GetBreaks()[0].GetKind() != typev1.BreakKind_BREAK_KIND_PAUSE {
		t.Fatal(paused, err)
	}
	if resumed, err := steps.ResumeSteps(ctx, &goalsv1.ResumeStepsRequest{Parent: goal.GetName()}); err != nil || len(resumed.GetSteps()[0].GetBreaks()) != 0 {
		t.Fatal(resumed, err)
	}
	split, err := steps.SplitStep(ctx, &goalsv1.SplitStepRequest{Name: s.GetName(), Parts: []*goalsv1.StepPart{{Title: "Walk"}, {Title: "Run around the block"}}})
	if err != nil || len(split.GetSteps()) != 2 || split.GetStep().GetState() != typev1.StepState_STEP_STATE_SPLIT || split.GetSteps()[0].GetDays() != 3 {
		t.Fatal(split, err)
	}
}
