package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/summary"
)

// conclusions are parts of a summary, as JSON.
func conclusions(t *testing.T, s object, fields ...string) []string {
	t.Helper()
	var out []string
	for _, field := range fields {
		text, err := json.Marshal(s[field])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

// TestConclusionsOverREST lives a month and reads what follows from it.
func TestConclusionsOverREST(t *testing.T) {
	now := clock.NewManual(monday)
	r := newRigAt(t, now.Now)
	c := r.as("acme", "ada", "person")
	at := func(ago int) time.Time { return monday.AddDate(0, 0, -ago) }
	date := func(ago int) string {
		on := at(ago)
		return fmt.Sprintf(`{"year":%d,"month":%d,"day":%d}`, on.Year(), on.Month(), on.Day())
	}
	// Low for 20 days, better for 10; grateful on every third day.
	for ago := 30; ago > 0; ago-- {
		pleasantness := -3 + ago%2
		if ago <= 10 {
			pleasantness = 2 + ago%2
		}
		c.must("POST", fmt.Sprintf("%s/checkIns?checkInId=c%d", ada, ago), fmt.Sprintf(`{"pleasantness":%d,"energy":0,"time":%q}`, pleasantness, at(ago).Format(time.RFC3339)))
		if ago%3 == 0 {
			c.must("POST", fmt.Sprintf("%s/gratitudes?gratitudeId=%s", ada, at(ago).Format(time.DateOnly)), `{"items":["Tea"]}`)
		}
	}
	for i, ago := range []int{28, 25, 22, 20, 15} {
		id := fmt.Sprintf("s%d", i)
		c.must("POST", ada+"/setbacks?setbackId="+id, `{"title":"It failed","area":"PROJECT","failureKind":"INATTENTION","intensity":8,"occurredOn":`+date(ago)+`}`)
		c.must("POST", ada+"/setbacks/"+id+"/debriefs?debriefId=d", `{"moments":[{"what":"It broke"}]}`)
		c.must("POST", ada+"/setbacks/"+id+"/debriefs/d:complete", `{}`)
		c.must("POST", ada+"/setbacks/"+id+"/debriefs/d:revisit", fmt.Sprintf(`{"intensity":%d}`, 1+i))
		if i < 4 {
			c.must("POST", ada+"/setbacks/"+id+":recover", `{"recoveredOn":`+date(ago-2*(i+1))+`}`)
		}
		c.must("POST", ada+"/reframes?reframeId=r"+fmt.Sprint(i), fmt.Sprintf(`{"original":"I cannot","reframed":"I cannot yet","kind":"NOT_YET","beliefBefore":80,"beliefAfter":%d}`, 40+5*i))
	}
	c.must("POST", ada+"/strengths?strengthId=calm", `{"statement":"Calm","evidence":[{"prompt":"ENJOYED"},{"prompt":"PRAISED_FOR"}]}`)
	c.must("POST", ada+"/connections?connectionId=bo", `{"displayName":"Bo","energy":3}`)
	c.must("POST", ada+"/connections/bo/outreaches?outreachId=o", `{"ask":"Look at it?","state":"ANSWERED","opportunity":"A role"}`)
	c.must("POST", ada+"/lessons?lessonId=l", `{"statement":"Ask first"}`)
	c.must("POST", ada+"/goals?goalId=g", `{"title":"A new role"}`)
	c.must("POST", ada+"/goals/g/steps?stepId=walk", `{"title":"Walk","recurrence":"FREQ=DAILY","startDate":`+date(24)+`,"rewards":[{"completions":1,"reward":"New shoes"}]}`)
	c.must("POST", ada+"/goals/g/steps/walk:complete", `{"completeTime":"`+at(18).Format(time.RFC3339)+`"}`)

	eventually(t, []string{
		`{"celebrationsCelebrated":0,"celebrationsDue":1,"debriefsCompleted":5,"evidence":2,"gratitudeDays":10,"gratitudeDaysLast28":9,"revisits":5,"strengths":1}`,
		`{"answered":{"count":1,"n":1},"connections":1,"draining":0,"filling":1,"neutral":0,"opportunities":1}`,
		`{"applied":{"count":0,"n":1}}`,
	}, func() []string {
		return conclusions(t, c.must("GET", ada+"/summary", ""), "practice", "support", "lessons")
	})
	s := c.must("GET", ada+"/summary", "")
	rec := s["recovery"].(map[string]any)
	// They took 2, 4, 6 and 8 days; the first step came 10, 7, 4 and 2 days after.
	if rec["n"] != 4.0 || rec["lowerQuartileDays"] != 2.0 || rec["upperQuartileDays"] != 6.0 || rec["firstStepN"] != 4.0 || rec["medianDaysToFirstStep"] != 5.5 {
		t.Errorf("%v", rec)
	}
	if repeats := rec["repeats"].(map[string]any); repeats["count"] != 4.0 || repeats["share"] != 0.8 {
		t.Errorf("%v", repeats)
	}
	// From 8 to 1, 2, 3, 4 and 5: -5 on average, deviation 1.581, t(4) 2.776.
	intensity := rec["intensity"].(map[string]any)
	if low := intensity["interval"].(map[string]any)["low"].(float64); intensity["before"] != 8.0 || intensity["after"] != 3.0 || math.Abs(low+6.963) > 0.001 {
		t.Errorf("%v", intensity)
	}
	if r := s["reframes"].(map[string]any); r["notYet"].(map[string]any)["share"] != 1.0 || r["belief"].(map[string]any)["after"] != 50.0 {
		t.Errorf("%v", r)
	}
	if p := s["steps"].(map[string]any); p["n"] != 1.0 || p["meanStrength"].(float64) <= 0 || p["activeDaysLast7"] != 0.0 || p["activeDaysLast28"] != 1.0 {
		t.Errorf("%v", p)
	}
	mood := s["mood"].(map[string]any)
	points := mood["changePoints"].([]any)
	if len(points) != 1 || mood["changePointsN"] != 30.0 || mood["volatility"].(float64) <= 0 || mood["slope"].(map[string]any)["perWeek"].(float64) <= 0 {
		t.Fatalf("%v", mood)
	}
	if got := conclusions(t, points[0].(map[string]any), "on", "before", "after", "nBefore", "nAfter"); strings.Join(got, " ") != `{"day":13,"month":11,"year":2026} -2.5 2.5 20 10` {
		t.Errorf("%v", got)
	}
	found := s["associations"].([]any)
	if len(found) != 1 {
		t.Fatalf("%v", found)
	}
	a := found[0].(map[string]any)
	if a["practice"] != "PRACTICE_GRATITUDE" || a["daysWith"] != 10.0 || a["daysWithout"] != 20.0 || !strings.HasSuffix(a["statement"].(string), "nothing is known to go together.") {
		t.Errorf("%v", a)
	}

	told := c.must("GET", ada+"/insights?filter="+url.QueryEscape("kind = INTENSITY_REVISITED"), "")["insights"].([]any)
	if len(told) != 5 || told[0].(map[string]any)["intensityRevisited"].(map[string]any)["before"] != 8.0 {
		t.Errorf("%v", told)
	}

	// Before there was enough, nothing is told.
	then := c.must("GET", ada+"/summary?asOf="+at(22).Format("2006-01-02T15:04:05Z"), "")
	if m := then["mood"].(map[string]any); m["n"] != 9.0 || m["volatility"] != nil || m["slope"].(map[string]any)["perWeek"] != nil || len(m["changePoints"].([]any)) != 0 || len(then["associations"].([]any)) != 0 {
		t.Errorf("%v", then)
	}

	// What is deleted is taken back, what is below it too.
	c.must("DELETE", ada+"/setbacks/s0?force=true", "")
	c.must("DELETE", ada+"/connections/bo?force=true", "")
	c.must("DELETE", ada+"/strengths/calm", "")
	eventually(t, []string{
		`{"celebrationsCelebrated":0,"celebrationsDue":1,"debriefsCompleted":4,"evidence":0,"gratitudeDays":10,"gratitudeDaysLast28":9,"revisits":4,"strengths":0}`,
		`{"answered":{"count":0,"n":0},"connections":0,"draining":0,"filling":0,"neutral":0,"opportunities":0}`,
	}, func() []string { return conclusions(t, c.must("GET", ada+"/summary", ""), "practice", "support") })
}

// TestConclusionsOverGRPC reads what goes together over gRPC, and from nowhere else.
func TestConclusionsOverGRPC(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	conn := dial(t, r.at.Journal)
	checkIns, reflections := journalv1.NewCheckInServiceClient(conn), journalv1.NewReflectionServiceClient(conn)
	for ago := range int32(24) {
		at := timestamppb.New(time.Now().AddDate(0, 0, -int(ago)-1))
		pleasantness := ago % 3
		if ago%2 == 0 {
			pleasantness += 2
			if _, err := reflections.CreateReflection(ctx, &journalv1.CreateReflectionRequest{Parent: "tenants/acme/people/ada", Reflection: &journalv1.Reflection{
				Text: "I walked", StartTime: at, LocalDate: localdate.Of(at.AsTime(), time.UTC),
			}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := checkIns.CreateCheckIn(ctx, &journalv1.CreateCheckInRequest{Parent: "tenants/acme/people/ada", CheckIn: &journalv1.CheckIn{Pleasantness: proto.Int32(pleasantness), Energy: proto.Int32(0), Time: at}}); err != nil {
			t.Fatal(err)
		}
	}
	summaries := insightsv1.NewSummaryServiceClient(dial(t, r.at.Insights))
	var s *insightsv1.Summary
	eventually(t, []string{"24", "1"}, func() []string {
		var err error
		if s, err = summaries.GetSummary(ctx, &insightsv1.GetSummaryRequest{Name: "tenants/acme/people/ada/summary"}); err != nil {
			t.Fatal(err)
		}
		return []string{fmt.Sprint(s.GetMood().GetN()), fmt.Sprint(len(s.GetAssociations()))}
	})
	// The days with and without have the same mix of 0, 1 and 2, but for the 2 more.
	a := s.GetAssociations()[0]
	if a.GetPractice() != typev1.Practice_PRACTICE_REFLECTION || a.GetDaysWith() != 12 || a.GetDaysWithout() != 12 ||
		math.Abs(a.GetDifference()-2) > 1e-9 || math.Abs(a.GetMoodWith()-1) > 1e-9 || a.GetInterval().GetLow() <= 1 || a.GetInterval().GetHigh() >= 3 ||
		!strings.Contains(a.GetStatement(), "does not say what brings about what") {
		t.Errorf("%v", a)
	}
	if s.GetMood().GetSlope().GetN() != 24 || s.GetMood().GetSlope().Interval == nil {
		t.Errorf("%v", s.GetMood())
	}
}

// TestSummaryInTheTerminal: rebound summary tells a person what insights knows, with
// the mood of their check-ins as a line.
func TestSummaryInTheTerminal(t *testing.T) {
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
	said := func() []string {
		t.Helper()
		var out strings.Builder
		if err := summary.Print(t.Context(), person, &out); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	if got := said(); len(got) != 1 || got[0] != "Nothing to tell yet." {
		t.Errorf("%q", got)
	}
	c.must("POST", ada+"/setbacks?setbackId=s", `{"title":"The launch failed","intensity":7}`)
	c.must("POST", ada+"/setbacks/s:recover", `{}`)
	c.must("POST", ada+"/checkIns", `{"pleasantness":5,"energy":0,"time":"2026-03-01T12:00:00Z","timeZone":"UTC"}`)
	eventually(t, []string{
		"Mood      " + strings.Repeat("·", 27) + "█  28 days to 2026-03-01, -5 to 5",
		"          +5.0 now, by 1 check-in",
		"Recovery  1 setback recovered from, 0 open",
		"          half took at most 0 days (1 recovery)",
	}, said)
}
