package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/rpc"
)

const ada = "/v1/tenants/acme/people/ada"

// getUpAgain is what a person does, over REST: from a setback to a completed step.
func getUpAgain(c client) {
	c.must("POST", ada+"/setbacks?setbackId=launch", `{"title":"The launch failed","account":"All at once.","area":"AREA_PROJECT",
		"failureKind":"FAILURE_KIND_TASK_CHALLENGE","factors":[{"kind":"FACTOR_KIND_OVERLOAD","note":"three weeks"}],
		"occurredOn":{"year":2026,"month":11,"day":20},"intensity":7,"feelings":["FEELING_SHAME","FEELING_FEAR"]}`)
	c.must("POST", ada+"/setbacks/launch/debriefs?debriefId=d1", `{"moments":[{"what":"The demo crashed","who":["Bo"],"feelings":["FEELING_FEAR"]}],
		"answers":[{"question":"why","text":"We rushed."}],"blindSpots":["Nobody tested."],"warningSigns":["The late nights."]}`)
	c.must("POST", ada+"/setbacks/launch/debriefs/d1:complete", `{}`)
	c.must("POST", ada+"/lessons?lessonId=l1", `{"statement":"Test earlier","nextTime":"Test first","setback":"tenants/acme/people/ada/setbacks/launch"}`)
	c.must("POST", ada+"/goals?goalId=g1", `{"title":"Ship something tested","origins":["tenants/acme/people/ada/lessons/l1"]}`)
	c.must("POST", ada+"/lessons/l1:plan", `{"goal":"tenants/acme/people/ada/goals/g1"}`)
	c.must("POST", ada+"/goals/g1/milestones?milestoneId=m1", `{"title":"A green week","reward":"A day off"}`)
	c.must("POST", ada+"/goals/g1/steps?stepId=s1", `{"title":"Write one test","milestone":"tenants/acme/people/ada/goals/g1/milestones/m1"}`)
	c.must("POST", ada+"/goals/g1/steps/s1:complete", `{"note":"It was easy"}`)
}

func TestJourneyOverREST(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	lines, closeStream := c.follow(ada + "/insights:stream")
	getUpAgain(c)
	got, token := collect(t, lines, 1)
	if !slices.Equal(kinds(got), []string{"STEP_MOMENTUM"}) {
		t.Fatalf("the stream says %v", kinds(got))
	}
	if s := c.must("GET", ada+"/setbacks/launch", ""); s["state"] != "SETBACK_STATE_DEBRIEFED" {
		t.Errorf("the setback is %v", s["state"])
	}
	if l := c.must("GET", ada+"/lessons/l1", ""); l["state"] != "LESSON_STATE_PLANNED" {
		t.Errorf("the lesson is %v", l["state"])
	}
	if g := c.must("GET", ada+"/goals/g1", ""); g["progress"] != 0.5 {
		t.Errorf("progress is %v", g["progress"])
	}
	closeStream()

	// The whole system stops and starts; meanwhile nothing is lost, and the
	// stream goes on from the token.
	r.stop()
	r.start()
	c.must("POST", ada+"/goals/g1/milestones/m1:reach", `{}`)
	c.must("POST", ada+"/lessons/l1:apply", `{"evidence":"I tested first."}`)
	c.must("POST", ada+"/setbacks/launch:recover", `{"note":"Up again"}`)
	c.must("POST", ada+"/goals/g1:achieve", `{}`)
	lines, _ = c.follow(ada + "/insights:stream?resumeToken=" + token)
	rest, _ := collect(t, lines, 4)
	want := []string{"GOAL_ACHIEVED", "LESSON_APPLIED", "MILESTONE_REACHED", "SETBACK_RECOVERED"}
	have := kinds(rest)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Fatalf("after the restart the stream says %v", have)
	}
	for _, l := range rest {
		if l.name == got[0].name {
			t.Error("an insight from before the token came again")
		}
	}
	whole, _ := c.follow(ada + "/insights:stream")
	all, _ := collect(t, whole, 5)
	listed := c.must("GET", ada+"/insights?orderBy=time", "")["insights"].([]any)
	if len(all) != 5 || len(listed) != 5 {
		t.Errorf("%d insights on the stream, %d in the list", len(all), len(listed))
	}
	// An insight is told just before the summary that it was drawn with is there.
	want = []string{
		"goalsAchieved 1", "lessonsApplied 1", "lessonsCaptured 1", "openSetbacks 0", "recoveredSetbacks 1",
		"stepsCompletedLast28 1", "stepsCompletedLast7 1",
	}
	eventually(t, want, func() []string {
		var out []string
		s := c.must("GET", ada+"/summary", "")
		for _, line := range want {
			field, _, _ := strings.Cut(line, " ")
			out = append(out, fmt.Sprint(field, " ", s[field]))
		}
		return out
	})
}

// TestServerSentEvents reads the SSE framing and resumes by Last-Event-ID.
func TestServerSentEvents(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	getUpAgain(c)
	lines, _ := c.follow(ada + "/insights:stream")
	collect(t, lines, 1) // it has been concluded
	read := func(headers ...string) (insights int, id string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.at.HTTP+ada+"/insights:stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		req.Header.Set("Accept", "text/event-stream")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
			t.Fatalf("Content-Type %s", ct)
		}
		scanner := bufio.NewScanner(res.Body)
		for scanner.Scan() {
			field, value, _ := strings.Cut(scanner.Text(), ": ")
			switch {
			case field == "event" && value == "insight":
				insights++
			case field == "id":
				id = value
			case field == "event" && value == "history-end":
				return insights, id
			}
		}
		t.Fatal("the stream ended before its history")
		return 0, ""
	}
	n, id := read()
	if n != 1 || id == "" {
		t.Fatalf("%d insights, id %q", n, id)
	}
	if n, _ := read("Last-Event-ID", id); n != 0 {
		t.Fatalf("%d insights after the last event's id", n)
	}
}

// TestJourneyOverGRPC does the same straight at the services, and through the
// gateway's port.
func TestJourneyOverGRPC(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	const me = "tenants/acme/people/ada"
	setbacks := journalv1.NewSetbackServiceClient(dial(t, r.at.Journal))
	s, err := setbacks.CreateSetback(ctx, &journalv1.CreateSetbackRequest{Parent: me, SetbackId: "launch", Setback: &journalv1.Setback{Title: "The launch failed", Intensity: 7}})
	if err != nil {
		t.Fatal(err)
	}
	debriefs := journalv1.NewDebriefServiceClient(dial(t, r.at.Journal))
	b, err := debriefs.CreateDebrief(ctx, &journalv1.CreateDebriefRequest{Parent: s.GetName(), Debrief: &journalv1.Debrief{Moments: []*journalv1.Moment{{What: "It crashed"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := debriefs.CompleteDebrief(ctx, &journalv1.CompleteDebriefRequest{Name: b.GetName()}); err != nil {
		t.Fatal(err)
	}
	l, err := journalv1.NewLessonServiceClient(dial(t, r.at.Journal)).CreateLesson(ctx, &journalv1.CreateLessonRequest{Parent: me, Lesson: &journalv1.Lesson{Statement: "Test earlier", Setback: s.GetName()}})
	if err != nil {
		t.Fatal(err)
	}
	// From here on through the gateway's port.
	edge := dial(t, r.at.HTTP)
	g, err := goalsv1.NewGoalServiceClient(edge).CreateGoal(ctx, &goalsv1.CreateGoalRequest{Parent: me, Goal: &goalsv1.Goal{Title: "Ship", Origins: []string{l.GetName()}}})
	if err != nil {
		t.Fatal(err)
	}
	steps := goalsv1.NewStepServiceClient(edge)
	step, err := steps.CreateStep(ctx, &goalsv1.CreateStepRequest{Parent: g.GetName(), Step: &goalsv1.Step{Title: "One test"}})
	if err != nil {
		t.Fatal(err)
	}
	if step, err = steps.CompleteStep(ctx, &goalsv1.CompleteStepRequest{Name: step.GetName()}); err != nil || step.GetState() != typev1.StepState_STEP_STATE_DONE {
		t.Fatalf("%v, %v", step, err)
	}
	streamCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for name, conn := range map[string]*grpc.ClientConn{"insights": dial(t, r.at.Insights), "gateway": edge} {
		stream, err := insightsv1.NewInsightServiceClient(conn).StreamInsights(streamCtx, &insightsv1.StreamInsightsRequest{Parent: me, Filter: "kind = STEP_MOMENTUM"})
		if err != nil {
			t.Fatal(err)
		}
		for {
			res, err := stream.Recv()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(res.GetInsights()) == 1 && proto.Size(res.GetInsights()[0]) > 0 {
				break
			}
		}
	}
	if got, err := setbacks.GetSetback(ctx, &journalv1.GetSetbackRequest{Name: s.GetName()}); err != nil || got.GetState() != typev1.SetbackState_SETBACK_STATE_DEBRIEFED {
		t.Fatalf("%v, %v", got.GetState(), err)
	}
	// Clients find their way by reflection, on every port.
	for target, want := range map[string]string{r.at.HTTP: "rebound.goals.v1.StepService", r.at.Journal: "rebound.journal.v1.SetbackService"} {
		if listed := reflected(t, target); !slices.Contains(listed, want) {
			t.Errorf("%s lists %v", target, listed)
		}
	}
	// Through the port that has no such service.
	if _, err := journalv1.NewSetbackServiceClient(dial(t, r.at.Goals)).GetSetback(ctx, &journalv1.GetSetbackRequest{Name: s.GetName()}); err == nil {
		t.Error("goals answers for the journal")
	}
}

// reflected lists a server's services.
func reflected(t *testing.T, target string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := reflectionv1.NewServerReflectionClient(dial(t, target)).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range res.GetListServicesResponse().GetService() {
		out = append(out, s.GetName())
	}
	return out
}

func dial(t *testing.T, target string) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(target, rpc.DialOptions{Limits: rpc.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}
