package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
)

// staff is who works at acme: 14 in sales, 8 in care, 2 in legal.
func staff() map[string]string {
	out := map[string]string{}
	for i := range 24 {
		dept := "sales"
		if i >= 22 {
			dept = "legal"
		} else if i >= 14 {
			dept = "care"
		}
		out[fmt.Sprintf("p%02d", i)] = dept
	}
	return out
}

// work has everybody let themselves be counted, stand somewhere, and check in twice in
// each of the last three weeks.
func work(t *testing.T) *rig {
	now := clock.NewManual(monday.AddDate(0, 0, -7*5))
	r := newRigAt(t, now.Now)
	admin := r.as("acme", "", "admin")
	for id, dept := range staff() {
		me := "/v1/tenants/acme/people/" + id
		r.as("acme", id, "person").must("PATCH", me+"/profile", `{"consents":{"aggregateInsights":true}}`)
		admin.must("PATCH", me+"/affiliation", fmt.Sprintf(`{"attributes":{"department":%q},"effectiveFrom":{"year":2026,"month":1,"day":1}}`, dept))
	}
	now.Advance(monday.Sub(now.Now()))
	for id := range staff() {
		me, c := "/v1/tenants/acme/people/"+id, r.as("acme", id, "person")
		for ago := range 3 {
			for day := range 2 {
				at := monday.AddDate(0, 0, -7*(ago+1)+2*day)
				c.must("POST", me+"/checkIns", fmt.Sprintf(`{"pleasantness":%d,"energy":0,"time":%q}`, (int(id[2])+ago+day)%6-2, at.Format(time.RFC3339)))
			}
		}
	}
	for id := range staff() {
		eventually(t, []string{"6"}, func() []string {
			s := r.as("acme", id, "person").must("GET", "/v1/tenants/acme/people/"+id+"/summary", "")
			return []string{fmt.Sprint(s["mood"].(map[string]any)["n"])}
		})
	}
	return r
}

const lastWeeks = `"window":{"startDate":{"year":2026,"month":11,"day":2},"endDate":{"year":2026,"month":11,"day":22}}`

// told gives what a report says of each group's mood, or why it does not.
func told(report object) map[string]string {
	out := map[string]string{}
	for _, c := range report["cells"].([]any) {
		cell := c.(map[string]any)
		group, _ := cell["group"].(map[string]any)["department"].(string)
		if out[group] = strings.TrimPrefix(cell["suppressed"].(string), "SUPPRESSION_REASON_"); out[group] == "UNSPECIFIED" {
			out[group] = fmt.Sprint(cell["n"], " people, ", cell["weeks"], " weeks")
		}
	}
	return out
}

// TestCohortsOverREST: an analyst sees what departments are like, not a small one, and
// nothing that would lay a small one bare.
func TestCohortsOverREST(t *testing.T) {
	r := work(t)
	analyst := r.as("acme", "", "analyst")
	const reports = "/v1/tenants/acme/cohortReports"
	byDept := `{"metrics":["MOOD_LEVEL"],"groupBy":["department"],` + lastWeeks + `}`
	made := analyst.must("POST", reports+"?cohortReportId=moods", byDept)
	want := map[string]string{"": "24 people, 3 weeks", "sales": "14 people, 3 weeks", "care": "COMPLEMENT"}
	if got := told(made); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	again := analyst.must("GET", "/v1/"+made["name"].(string), "")
	if a, b := asText(t, made), asText(t, again); a != b {
		t.Errorf("got again, it is %s, not %s", b, a)
	}
	if got := told(analyst.must("POST", reports, byDept)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("asked again: %v", got)
	}
	for filter, want := range map[string]string{
		`attributes.department = \"legal\"`:     "TOO_FEW",
		`NOT attributes.department = \"legal\"`: "COMPLEMENT",
		`attributes.department = \"care\"`:      "OVERLAP",
	} {
		if got := told(analyst.must("POST", reports, `{"metrics":["MOOD_LEVEL"],"filter":"`+filter+`",`+lastWeeks+`}`))[""]; got != want {
			t.Errorf("%s: %s, not %s", filter, got, want)
		}
	}
	// Somebody moves, retroactively: that tells nothing of them.
	r.as("acme", "", "admin").must("PATCH", "/v1/tenants/acme/people/p00/affiliation", `{"attributes":{"department":"care"}}`)
	eventually(t, []string{"OVER_TIME"}, func() []string {
		return []string{told(analyst.must("POST", reports, byDept))["sales"]}
	})
	list := analyst.must("GET", reports+"?orderBy=name%20desc&filter=metrics:MOOD_LEVEL&pageSize=1", "")
	if one := list["cohortReports"].([]any)[0].(map[string]any); one["name"] != made["name"] || list["nextPageToken"] == "" {
		t.Errorf("listed %v", one["name"])
	}
	analyst.refused("POST", reports, `{"metrics":["MOOD_LEVEL"],"window":{"startDate":{"year":2026,"month":11,"day":3},"endDate":{"year":2026,"month":11,"day":22}}}`, 400, "WINDOW_NOT_WEEKS")
	analyst.refused("POST", reports, `{"metrics":["MOOD_LEVEL"],"filter":"department = 1",`+lastWeeks+`}`, 400, "FILTER_FIELD_UNKNOWN")
	for _, c := range []client{r.as("acme", "p00", "person"), r.as("acme", "p00", "coach"), r.as("acme", "", "admin"), r.as("acme", "", "pipeline")} {
		c.refused("POST", reports, byDept, 403, "ROLE_REQUIRED")
		c.refused("GET", reports+"/moods", "", 403, "ROLE_REQUIRED")
	}
	if a := r.as("other", "", "analyst").do("GET", reports+"/moods", ""); a.status != 403 {
		t.Errorf("another tenant's analyst: %d", a.status)
	}
}

func asText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCohortsOverGRPC: the same over gRPC, with minimums that are raised, and never
// lowered.
func TestCohortsOverGRPC(t *testing.T) {
	r := work(t)
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+r.token("acme", "", "analyst"))
	client := insightsv1.NewCohortReportServiceClient(dial(t, r.at.Insights))
	req := &insightsv1.CreateCohortReportRequest{
		Parent: "tenants/acme", RequestId: "6f1ed002-ab7e-4a4c-9cf6-3f3a6f1ed002",
		CohortReport: &insightsv1.CohortReport{
			Metrics: []insightsv1.CohortMetric{insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL, insightsv1.CohortMetric_COHORT_METRIC_PARTICIPATION},
			Filter:  `attributes.department = "sales"`,
			Window:  &insightsv1.CohortWindow{StartDate: &datepb.Date{Year: 2026, Month: 11, Day: 2}, EndDate: &datepb.Date{Year: 2026, Month: 11, Day: 22}},
		},
	}
	made, err := client.CreateCohortReport(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if c := made.GetCells()[0]; c.GetN() != 14 || len(c.GetMoodLevel().GetByWeek()) != 3 || made.GetMinimumPeople() != 5 {
		t.Errorf("made %s", protojson.Format(made))
	}
	if c := made.GetCells()[1]; c.GetSuppressed() != insightsv1.SuppressionReason_SUPPRESSION_REASON_HOMOGENEOUS {
		t.Errorf("all took part, and it says so: %v", c)
	}
	if again, err := client.CreateCohortReport(ctx, req); err != nil || !proto.Equal(again, made) {
		t.Errorf("sent again: %v, %v", again, err)
	}
	admin := r.as("acme", "", "admin")
	const policy = "/v1/tenants/acme/cohortPolicy"
	if p := r.as("acme", "", "analyst").must("GET", policy, ""); p["minimumPeople"] != 5.0 || p["minimumPeopleStrict"] != 10.0 {
		t.Errorf("the policy is %v", p)
	}
	r.as("acme", "", "analyst").refused("PATCH", policy, `{"minimumPeople":6}`, 403, "ROLE_REQUIRED")
	if p := admin.must("PATCH", policy, `{"minimumPeople":15}`); p["minimumPeople"] != 15.0 || p["minimumPeopleStrict"] != 15.0 {
		t.Errorf("raised, it is %v", p)
	}
	admin.refused("PATCH", policy, `{"minimumPeople":14}`, 400, "MINIMUM_LOWERED")
	admin.refused("PATCH", policy, `{"minimumPeople":1001}`, 400, "INT32_GTE_LTE")
	req.RequestId = ""
	strict, err := client.CreateCohortReport(ctx, req)
	if err != nil || strict.GetCells()[0].GetSuppressed() != insightsv1.SuppressionReason_SUPPRESSION_REASON_TOO_FEW {
		t.Errorf("with 15 people at least: %v, %v", strict, err)
	}
	if old, err := client.GetCohortReport(ctx, &insightsv1.GetCohortReportRequest{Name: made.GetName()}); err != nil || !proto.Equal(old, made) {
		t.Errorf("what was released stays: %v, %v", old, err)
	}
}
