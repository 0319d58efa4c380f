package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/next"
)

// monday is when these tests begin: 08:00 UTC, 09:00 in Berlin.
var monday = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// texts gives a field of the objects in a list.
func texts(list any, field string) []string {
	var out []string
	items, _ := list.([]any)
	for _, item := range items {
		out = append(out, fmt.Sprint(item.(map[string]any)[field]))
	}
	return out
}

// last is the last part of names.
func last(names []string) []string {
	for i, n := range names {
		names[i] = n[strings.LastIndex(n, "/")+1:]
	}
	return names
}

// TestPlanOverREST plans a goal as a portal would: a roadmap, what is next, what
// slipped, what was earned.
func TestPlanOverREST(t *testing.T) {
	now := clock.NewManual(monday)
	r := newRigAt(t, now.Now)
	c := r.as("acme", "ada", "person")
	const goal, name = ada + "/goals/g", "tenants/acme/people/ada/goals/g"
	c.must("POST", ada+"/goals?goalId=g", `{"title":"A new role","targetDate":{"year":2026,"month":12,"day":1}}`)
	c.must("POST", goal+"/milestones?milestoneId=offer", `{"title":"An offer","order":2,"weight":3,"reward":"A day at the sea"}`)
	c.must("POST", goal+"/milestones?milestoneId=ready", `{"title":"Ready to apply","order":1,"dueDate":{"year":2026,"month":11,"day":27}}`)
	for id, body := range map[string]string{
		"cv":    `{"title":"Write the CV","milestone":"` + name + `/milestones/ready","dueDate":{"year":2026,"month":11,"day":20}}`,
		"ask":   `{"title":"Ask Bo to read it","milestone":"` + name + `/milestones/ready","order":2,"dueDate":{"year":2026,"month":11,"day":26},"duration":"600s"}`,
		"apply": `{"title":"Apply twice","milestone":"` + name + `/milestones/offer","weight":2}`,
		"walk":  `{"title":"Walk","recurrence":"FREQ=DAILY","startDate":{"year":2026,"month":11,"day":1},"rewards":[{"completions":1,"reward":"New shoes"}]}`,
	} {
		c.must("POST", goal+"/steps?stepId="+id, body)
	}
	link := func(item, requires string) string {
		return `{"item":"` + name + "/" + item + `","requires":"` + name + "/" + requires + `"}`
	}
	c.must("POST", goal+"/roadmap:link", link("steps/ask", "steps/cv"))
	c.must("POST", goal+"/roadmap:link", link("steps/apply", "milestones/ready"))
	p := c.refused("POST", goal+"/roadmap:link", link("milestones/ready", "steps/apply"), 400, "DEPENDENCY_CYCLE")
	if f := texts(p["violations"], "field"); !slices.Equal(f, []string{"requires"}) {
		t.Errorf("%v", p)
	}
	roadmap := c.must("GET", goal+"/roadmap", "")
	if got := last(texts(roadmap["items"], "item")); !slices.Equal(got, []string{"cv", "ask", "ready", "apply", "offer", "walk"}) || roadmap["progress"] != 0.0 {
		t.Errorf("%v", roadmap)
	}
	c.refused("PATCH", goal+"/roadmap", `{"dependencies":[],"etag":"stale"}`, 409, "ETAG_MISMATCH")

	next := c.must("GET", ada+"/next", "")
	if got := texts(next["steps"], "text"); !slices.Equal(got, []string{"3 days overdue", "its turn today"}) {
		t.Errorf("%v", next)
	}
	// The CV has slipped: what it moves, then moved.
	plan := c.must("POST", goal+":replan", `{"validateOnly":true,"from":{"year":2026,"month":11,"day":30}}`)
	if got := last(texts(plan["changes"], "item")); !slices.Equal(got, []string{"cv", "ask", "ready"}) || plan["beyondTargetDate"] != true {
		t.Errorf("%v", plan)
	}
	plan = c.must("POST", goal+":replan", `{}`)
	if got := texts(plan["changes"], "reason"); !slices.Equal(got, []string{"MOVE_REASON_OVERDUE", "MOVE_REASON_DEPENDS", "MOVE_REASON_ORDER"}) || plan["beyondTargetDate"] != false {
		t.Errorf("%v", plan)
	}
	if s := c.must("GET", goal+"/steps/ask", ""); fmt.Sprint(s["dueDate"]) != "map[day:29 month:11 year:2026]" {
		t.Errorf("%v", s["dueDate"])
	}
	if again := c.must("POST", goal+":replan", `{}`); len(again["changes"].([]any)) != 0 {
		t.Errorf("%v", again)
	}
	c.must("POST", goal+"/steps/cv:complete", `{}`)
	c.must("POST", goal+"/steps/walk:complete", `{}`)
	c.must("POST", goal+"/milestones/ready:reach", `{}`)
	next = c.must("GET", ada+"/next?limit=1", "")
	if got := texts(next["steps"], "reason"); !slices.Equal(got, []string{"NEXT_REASON_DUE_SOON"}) {
		t.Errorf("%v", next)
	}
	if g := c.must("GET", goal, ""); g["progress"] != 0.25 { // (1 + 1) of (1 + 3 + 1 + 1 + 2)
		t.Errorf("progress is %v", g["progress"])
	}

	due := c.must("GET", ada+"/celebrations?filter=state=DUE&orderBy=earn_time", "")["celebrations"]
	if got := texts(due, "reward"); !slices.Equal(got, []string{"New shoes", ""}) && !slices.Equal(got, []string{"", "New shoes"}) {
		t.Errorf("%v", due)
	}
	shoes := due.([]any)[slices.Index(texts(due, "reward"), "New shoes")].(map[string]any)["name"].(string)
	c.must("POST", "/v1/"+shoes+":celebrate", `{"how":"Along the river","withWhom":["Bo"]}`)
	now.Advance(time.Minute)
	c.must("POST", goal+"/milestones/ready:celebrate", `{"how":"Cake","withWhom":["Cy"]}`)
	line := c.must("GET", ada+"/celebrations?filter=state=CELEBRATED&orderBy=celebrate_time", "")["celebrations"]
	if got := texts(line, "how"); !slices.Equal(got, []string{"Along the river", "Cake"}) {
		t.Errorf("%v", line)
	}
	if m := c.must("GET", goal+"/milestones/ready", ""); fmt.Sprint(m["withWhom"]) != "[Cy]" || m["celebration"] != "Cake" {
		t.Errorf("%v", m)
	}
	c.refused("POST", goal+"/milestones/offer:celebrate", `{}`, 400, "MILESTONE_AHEAD")
	c.must("GET", ada+"/next?limit=20", "")
	c.refused("GET", ada+"/next?limit=21", "", 400, "INT32_GTE_LTE")
	c.must("PATCH", goal+"/milestones/offer", `{"weight":100}`)
	c.refused("PATCH", goal+"/milestones/offer", `{"weight":101}`, 400, "INT32_GTE_LTE")
	c.refused("PATCH", goal+"/steps/walk", `{"rewards":[{"completions":0}]}`, 400, "INT32_GTE_LTE")
}

// reminders reads a stream of reminders until so many have come, and gives their
// subjects and the last token.
func (c client) reminders(path string, n int) (subjects []string, token string) {
	c.r.t.Helper()
	ctx, cancel := context.WithTimeout(c.r.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.r.at.HTTP+path, nil)
	if err != nil {
		c.r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	scanner := bufio.NewScanner(res.Body)
	ended := false
	for scanner.Scan() {
		var v struct {
			Reminder   object
			NextToken  string
			HistoryEnd bool
		}
		if err := json.Unmarshal(scanner.Bytes(), &v); err != nil {
			c.r.t.Fatal(err)
		}
		if v.Reminder != nil {
			subjects = append(subjects, fmt.Sprint(v.Reminder["title"]))
		}
		ended = ended || v.HistoryEnd
		if token = v.NextToken; token != "" && ended && len(subjects) >= n {
			return subjects, token
		}
	}
	c.r.t.Fatalf("%d of %d reminders came: %v", len(subjects), n, scanner.Err())
	return nil, ""
}

// TestRemindersOverREST: what a rule reminds of comes once, on the stream and in
// the list, over a restart and by the clock where the person is.
func TestRemindersOverREST(t *testing.T) {
	now := clock.NewManual(monday)
	r := newRigAt(t, now.Now)
	c := r.as("acme", "ada", "person")
	c.must("PATCH", ada+"/profile", `{"timeZone":"Europe/Berlin"}`)
	c.must("POST", ada+"/goals?goalId=g", `{"title":"Fit"}`)
	c.must("POST", ada+"/goals/g/steps?stepId=walk", `{"title":"Walk","recurrence":"FREQ=DAILY","startDate":{"year":2026,"month":11,"day":1}}`)
	c.must("POST", ada+"/goals/g/steps?stepId=shoes", `{"title":"Buy shoes","dueDate":{"year":2026,"month":11,"day":24}}`)
	rule := c.must("POST", ada+"/reminderRules?reminderRuleId=r", `{"about":"STEPS","title":"Evenings","timeOfDay":{"hours":18},"quietHours":{"from":{"hours":22},"until":{"hours":7}}}`)
	// What the journal says of the zone arrives by itself, and moves the rule.
	eventually(t, []string{"2026-11-23T17:00:00Z"}, func() []string {
		return []string{fmt.Sprint(c.must("GET", "/v1/"+rule["name"].(string), "")["nextTime"])}
	})
	c.refused("POST", ada+"/reminderRules", `{}`, 400, "REQUIRED")
	c.refused("POST", ada+"/reminderRules", `{"about":"STEP"}`, 400, "REQUIRED")
	c.refused("PATCH", ada+"/reminderRules/r", `{"leadDays":31}`, 400, "INT32_GTE_LTE")
	c.must("PATCH", ada+"/reminderRules/r", `{"title":"In the evening"}`)
	c.refused("POST", ada+"/reminderRules", `{"about":"STEPS","timeOfDay":{"hours":25}}`, 400, "TIME_OF_DAY_INVALID")

	later := func(d time.Duration) client {
		now.Advance(d)
		return r.as("acme", "ada", "person") // tokens are good for an hour
	}
	c = later(9 * time.Hour) // 18:00 in Berlin
	subjects, token := c.reminders(ada+"/reminders:stream", 1)
	if !slices.Equal(subjects, []string{"Walk"}) {
		t.Fatalf("%v", subjects)
	}
	r.stop()
	r.start()
	c = later(24 * time.Hour)
	subjects, token = c.reminders(ada+"/reminders:stream?resumeToken="+token, 2)
	slices.Sort(subjects)
	if !slices.Equal(subjects, []string{"Buy shoes", "Walk"}) {
		t.Fatalf("after the restart: %v", subjects)
	}
	list := c.must("GET", ada+"/reminders?filter=state=FIRED", "")["reminders"].([]any)
	if got := texts(list, "title"); len(got) != 3 || got[2] != "Walk" {
		t.Fatalf("%v", got)
	}
	shoes := "/v1/" + list[slices.Index(texts(list, "title"), "Buy shoes")].(map[string]any)["name"].(string)
	c.refused("POST", shoes+":snooze", `{"until":"2026-11-24T16:00:00Z"}`, 400, "TIME_TOO_EARLY")
	if s := c.must("POST", shoes+":snooze", `{"until":"2026-11-24T22:00:00Z"}`); s["snoozeTime"] != "2026-11-25T06:00:00Z" { // it is quiet until 07:00 in Berlin
		t.Errorf("%v", s)
	}
	c = later(13 * time.Hour)
	if subjects, _ = c.reminders(ada+"/reminders:stream?resumeToken="+token, 1); !slices.Equal(subjects, []string{"Buy shoes"}) {
		t.Fatalf("after the snooze: %v", subjects)
	}
	if s := c.must("POST", shoes+":ack", `{}`); s["state"] != "REMINDER_STATE_ACKNOWLEDGED" || s["fires"] != 2.0 {
		t.Errorf("%v", s)
	}
	c.refused("POST", shoes+":snooze", `{"until":"2026-11-26T16:00:00Z"}`, 400, "REMINDER_ACKNOWLEDGED")
	if subjects, _ = c.reminders(ada+"/reminders:stream?filter=state=FIRED", 2); !slices.Equal(subjects, []string{"Walk", "Walk"}) {
		t.Errorf("those that wait for an answer: %v", subjects)
	}
	c.refused("GET", ada+"/reminders:stream?resumeToken=garbage", "", 400, "RESUME_TOKEN_INVALID")
	c.refused("GET", ada+"/reminders:stream?filter=title=x", "", 400, "FILTER_FIELD_UNKNOWN")
	c.refused("GET", "/v1/tenants/acme/people/grace/reminders:stream", "", 403, "ACCESS_DENIED")
	// The same over Server-Sent Events.
	if a := r.sse(c, ada+"/reminders:stream"); !strings.Contains(a, "event: reminder\ndata: {") || !strings.Contains(a, "event: history-end") {
		t.Errorf("%s", a)
	}
}

// sse reads a stream of Server-Sent Events up to the end of its history.
func (r *rig) sse(c client, path string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.at.HTTP+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out strings.Builder
	scanner := bufio.NewScanner(res.Body)
	for scanner.Scan() {
		out.WriteString(scanner.Text() + "\n")
		if scanner.Text() == "event: history-end" {
			return out.String()
		}
	}
	r.t.Fatalf("the stream ended: %s", out.String())
	return ""
}

// TestPlanOverGRPC does the same straight at the service and through the
// gateway's port.
func TestPlanOverGRPC(t *testing.T) {
	now := clock.NewManual(monday)
	r := newRigAt(t, now.Now)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	const me = "tenants/acme/people/ada"
	conn := dial(t, r.at.Goals)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	g, err := goalsv1.NewGoalServiceClient(conn).CreateGoal(ctx, &goalsv1.CreateGoalRequest{Parent: me, Goal: &goalsv1.Goal{Title: "A new role"}})
	must(err)
	steps := goalsv1.NewStepServiceClient(conn)
	first, err := steps.CreateStep(ctx, &goalsv1.CreateStepRequest{Parent: g.GetName(), Step: &goalsv1.Step{Title: "Write", Rewards: []*goalsv1.StepReward{{Completions: 1, Reward: "Tea"}}}})
	must(err)
	second, err := steps.CreateStep(ctx, &goalsv1.CreateStepRequest{Parent: g.GetName(), Step: &goalsv1.Step{Title: "Send"}})
	must(err)
	roadmaps := goalsv1.NewRoadmapServiceClient(dial(t, r.at.HTTP))
	made, err := roadmaps.UpdateRoadmap(ctx, &goalsv1.UpdateRoadmapRequest{Roadmap: &goalsv1.Roadmap{
		Name: g.GetName() + "/roadmap", Dependencies: []*goalsv1.Dependency{{Item: second.GetName(), Requires: first.GetName()}},
	}})
	must(err)
	if items := made.GetItems(); len(items) != 2 || !slices.Equal(items[1].GetOpen(), []string{first.GetName()}) {
		t.Fatalf("%v", items)
	}
	ahead := func(want ...string) {
		t.Helper()
		next, err := goalsv1.NewNextServiceClient(conn).GetNext(ctx, &goalsv1.GetNextRequest{Name: me + "/next"})
		must(err)
		var got []string
		for _, s := range next.GetSteps() {
			got = append(got, s.GetStep().GetTitle())
		}
		if !slices.Equal(got, want) {
			t.Errorf("next is %v, want %v", got, want)
		}
	}
	ahead("Write")
	_, err = steps.CompleteStep(ctx, &goalsv1.CompleteStepRequest{Name: first.GetName()})
	must(err)
	ahead("Send")
	celebrations := goalsv1.NewCelebrationServiceClient(conn)
	earned, err := celebrations.ListCelebrations(ctx, &goalsv1.ListCelebrationsRequest{Parent: me, Filter: "state = DUE"})
	must(err)
	if n := len(earned.GetCelebrations()); n != 1 {
		t.Fatalf("%d are due", n)
	}
	taken, err := celebrations.CelebrateCelebration(ctx, &goalsv1.CelebrateCelebrationRequest{Name: earned.GetCelebrations()[0].GetName(), How: "In the garden", WithWhom: []string{"Bo"}})
	must(err)
	if taken.GetState() != typev1.CelebrationState_CELEBRATION_STATE_CELEBRATED || !taken.GetCelebrateTime().AsTime().Equal(monday) {
		t.Errorf("%v", taken)
	}
	_, err = steps.UpdateStep(ctx, &goalsv1.UpdateStepRequest{Step: &goalsv1.Step{Name: second.GetName(), DueDate: &datepb.Date{Year: 2026, Month: 11, Day: 23}}})
	must(err)
	rules := goalsv1.NewReminderRuleServiceClient(conn)
	_, err = rules.CreateReminderRule(ctx, &goalsv1.CreateReminderRuleRequest{Parent: me, ReminderRule: &goalsv1.ReminderRule{
		About: typev1.ReminderSubject_REMINDER_SUBJECT_STEPS, TimeOfDay: &timeofday.TimeOfDay{Hours: 8, Minutes: 30},
	}})
	must(err)
	stream, err := goalsv1.NewReminderServiceClient(dial(t, r.at.HTTP)).StreamReminders(ctx, &goalsv1.StreamRemindersRequest{Parent: me, Start: "LATEST"})
	must(err)
	res, err := stream.Recv()
	must(err)
	if !res.GetHistoryEnd() || len(res.GetReminders()) != 0 {
		t.Fatalf("%v", res)
	}
	now.Advance(30 * time.Minute)
	for len(res.GetReminders()) == 0 {
		res, err = stream.Recv()
		must(err)
	}
	reminder := res.GetReminders()[0]
	if reminder.GetSubject() != second.GetName() || reminder.GetTitle() != "Send" || !reminder.GetFireTime().AsTime().Equal(now.Now()) {
		t.Errorf("%v", reminder)
	}
	snoozed, err := goalsv1.NewReminderServiceClient(conn).SnoozeReminder(ctx, &goalsv1.SnoozeReminderRequest{Name: reminder.GetName(), Until: timestamppb.New(now.Now().Add(time.Hour))})
	must(err)
	if snoozed.GetState() != typev1.ReminderState_REMINDER_STATE_SNOOZED {
		t.Errorf("%v", snoozed)
	}
}

// TestNextInTheTerminal: rebound next says what matters, why, and what to celebrate.
func TestNextInTheTerminal(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	apiClient, err := api.New(api.Target{URL: "http://" + r.at.HTTP, Data: r.data})
	if err != nil {
		t.Fatal(err)
	}
	person, err := apiClient.Person("acme", "ada")
	if err != nil {
		t.Fatal(err)
	}
	said := func() string {
		t.Helper()
		var out strings.Builder
		if err := next.Print(t.Context(), person, 2, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := said(); got != "Nothing is waiting for you today.\n" {
		t.Errorf("%q", got)
	}
	c.must("POST", ada+"/goals?goalId=g", `{"title":"Fit"}`)
	c.must("POST", ada+"/goals/g/steps?stepId=shoes", `{"title":"Buy shoes","rewards":[{"completions":1,"reward":"A bath"}]}`)
	c.must("POST", ada+"/goals/g/steps?stepId=a", `{"title":"Überholen","dueDate":{"year":2020,"month":1,"day":1}}`)
	c.must("POST", ada+"/goals/g/steps?stepId=b", `{"title":"Walk","recurrence":"FREQ=DAILY","startDate":{"year":2020,"month":1,"day":1}}`)
	if got := said(); !strings.Contains(got, " 1. Überholen  ") || !strings.Contains(got, "days overdue  (goals/g/steps/a)\n") || !strings.Contains(got, " 2. Walk       its turn today  (goals/g/steps/b)\n") {
		t.Errorf("%s", got)
	}
	c.must("POST", ada+"/goals/g/steps/shoes:complete", `{}`)
	if got := said(); !strings.HasSuffix(got, "To celebrate: A bath  (goals/g/steps/shoes)\n") {
		t.Errorf("%s", got)
	}
}
