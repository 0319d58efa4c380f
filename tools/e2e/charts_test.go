package e2e

import (
	"bytes"
	"image/png"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// chartsAt is a Thursday, in week 48.
var chartsAt = time.Date(2026, time.November, 26, 9, 0, 0, 0, time.UTC)

// TestCharts is a person who looks at charts of theirs, and a coach whom they let do
// so, over REST and gRPC; nobody else does.
func TestCharts(t *testing.T) {
	r := newRigAt(t, func() time.Time { return chartsAt })
	c, coach := r.as("acme", "ada", "person"), r.as("acme", "cara", "coach")
	if empty := c.do("GET", ada+"/charts/mood.svg", ""); empty.status != 200 || !strings.Contains(empty.raw, "No check-ins yet") {
		t.Errorf("%d %s", empty.status, empty.raw)
	}
	c.must("POST", ada+"/setbacks?setbackId=launch", `{"title":"`+canary+`","occurredOn":{"year":2026,"month":11,"day":20}}`)
	c.must("POST", ada+"/setbacks/launch:recover", `{}`)
	for _, pleasantness := range []string{"-2", "4"} {
		c.must("POST", ada+"/checkIns", `{"pleasantness":`+pleasantness+`,"energy":0,"note":"`+canary+`"}`)
	}
	c.must("POST", ada+"/gratitudes?gratitudeId=2026-11-26", `{"items":["`+canary+`"]}`)
	eventually(t, []string{"1 setback", "1 day with 2 check-ins"}, func() []string {
		var out []string
		for path, want := range map[string]string{"recovery": "1 setback", "mood": "1 day with 2 check-ins"} {
			if strings.Contains(c.do("GET", ada+"/charts/"+path+".svg", "").raw, want) {
				out = append(out, want)
			}
		}
		if len(out) == 2 {
			return []string{"1 setback", "1 day with 2 check-ins"}
		}
		return out
	})

	for _, kind := range []string{"mood", "recovery", "momentum", "practices"} {
		a := c.do("GET", ada+"/charts/"+kind+".svg?theme=DARK&widthPx=400", "")
		if a.status != 200 || a.header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(a.raw, ` width="400"`) || !strings.Contains(a.raw, "#12161C") {
			t.Errorf("%s: %d %s", kind, a.status, a.header.Get("Content-Type"))
		}
		if policy := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || a.header.Get("ETag") == "" {
			t.Errorf("%s: %q", kind, policy)
		}
		if strings.Contains(a.raw, canary) || strings.Contains(a.raw, "launch") || strings.Contains(a.raw, "ada") {
			t.Errorf("%s holds a person's words, or who they are", kind)
		}
		a = c.do("GET", ada+"/charts/"+kind+".png", "", "Accept", "image/*")
		if im, err := png.Decode(strings.NewReader(a.raw)); err != nil || im.Bounds().Dx() != 640 || a.header.Get("Content-Type") != "image/png" {
			t.Errorf("%s: %d %s: %v", kind, a.status, a.header.Get("Content-Type"), err)
		}
	}
	for path, reason := range map[string]string{
		"foo.svg": "NAME_INVALID", "mood.gif": "NAME_INVALID", "mood": "NAME_INVALID", "mood.svg?widthPx=319": "INT32_GTE_LTE",
		"mood.svg?widthPx=1601": "INT32_GTE_LTE", "mood.svg?days=27": "INT32_GTE_LTE", "mood.svg?theme=7": "PARAMETER_INVALID",
	} {
		c.refused("GET", ada+"/charts/"+path, "", 400, reason)
	}
	c.refused("GET", ada+"/charts/mood.svg", "", 406, "NOT_ACCEPTABLE", "Accept", "text/html")

	// A grant of the summary is none of the charts.
	c.must("POST", ada+"/grants", grantTo("cara", `"kind":"summary"`))
	coach.refused("GET", ada+"/charts/mood.svg", "", 403, "ACCESS_DENIED")
	c.must("POST", ada+"/grants?grantId=charts", grantTo("cara", `"kind":"charts"`))
	if a := coach.do("GET", ada+"/charts/mood.svg", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	entries := c.must("GET", ada+"/accessLog?pageSize=1", "")["accessLogEntries"].([]any)
	if e := entries[0].(map[string]any); e["method"] != "GetChart" || e["resources"].([]any)[0] != me+"/charts/mood.svg" || e["grants"].([]any)[0] != me+"/grants/charts" {
		t.Errorf("%v", e)
	}
	r.as("acme", "grace", "person").refused("GET", ada+"/charts/mood.svg", "", 403, "ACCESS_DENIED")
	r.as("other", "cara", "coach").refused("GET", ada+"/charts/mood.svg", "", 403, "ACCESS_DENIED")
	r.as("acme", "", "analyst").refused("GET", ada+"/charts/mood.svg", "", 403, "ROLE_REQUIRED")

	client := insightsv1.NewChartServiceClient(dial(t, r.at.Insights))
	as := func(token string) (string, error) {
		body, err := client.GetChart(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token),
			&insightsv1.GetChartRequest{Name: me + "/charts/recovery.png", WidthPx: 320})
		if im, bad := png.Decode(bytes.NewReader(body.GetData())); err == nil && (bad != nil || im.Bounds().Dx() != 320) {
			t.Error(bad)
		}
		return body.GetContentType(), err
	}
	if kind, err := as(coach.token); err != nil || kind != "image/png" {
		t.Errorf("%s %v", kind, err)
	}
	if _, err := as(r.token("acme", "hedy", "coach")); status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
}

// TestDigests is the same with digests.
func TestDigests(t *testing.T) {
	r := newRigAt(t, func() time.Time { return chartsAt })
	c, coach := r.as("acme", "ada", "person"), r.as("acme", "cara", "coach")
	getUpAgain(c)
	c.must("POST", ada+"/setbacks/launch:recover", `{}`)
	eventually(t, []string{"true"}, func() []string {
		p := c.must("GET", ada+"/digests/2026-W48", "")["period"].(map[string]any)
		if p["setbacksRecovered"] == 1.0 && p["stepsCompleted"] == 1.0 {
			return []string{"true"}
		}
		return nil
	})
	d := c.must("GET", ada+"/digests/2026-W48", "")
	if d["over"] != false || len(d["insights"].([]any)) == 0 || !strings.Contains(d["markdown"].(string), "- Setbacks recovered from: 1 (before: 0)\n") {
		t.Errorf("%v", d)
	}
	if d := c.must("GET", ada+"/digests/2026-10", ""); d["over"] != true || d["period"].(map[string]any)["setbacksRecovered"] != 0.0 || d["asOf"] != "2026-11-01T00:00:00Z" {
		t.Errorf("%v", d)
	}
	a := c.do("GET", ada+"/digests/2026-W48:page", "", "Accept", "text/html,*/*;q=0.8")
	if a.status != 200 || a.header.Get("Content-Type") != "text/html; charset=utf-8" || strings.Count(a.raw, "<svg ") != 4 ||
		!strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v %s", a.status, a.header, a.raw)
	}
	if strings.Contains(a.raw, "launch") || strings.Contains(d["markdown"].(string), "launch") || strings.Contains(a.raw, "people/ada") {
		t.Error("a digest holds a person's words")
	}
	for id, reason := range map[string]string{
		"2026-W49": "TIME_IN_FUTURE", "2026-12": "TIME_IN_FUTURE", "9999-12": "TIME_IN_FUTURE", "2025-W47": "TIME_TOO_EARLY", "2025-11": "TIME_TOO_EARLY",
		"0001-01": "TIME_TOO_EARLY", "2026-W54": "NAME_INVALID", "2026-13": "NAME_INVALID", "latest": "NAME_INVALID",
	} {
		c.refused("GET", ada+"/digests/"+id, "", 400, reason)
		c.refused("GET", ada+"/digests/"+id+":page", "", 400, reason)
	}
	c.must("GET", ada+"/digests/2025-12", "")
	coach.refused("GET", ada+"/digests/2026-W48", "", 403, "ACCESS_DENIED")
	c.must("POST", ada+"/grants", grantTo("cara", `"kind":"digests"`))
	if d := coach.must("GET", ada+"/digests/2026-W48", ""); len(d["insights"].([]any)) == 0 {
		t.Errorf("%v", d)
	}
	if a := coach.do("GET", ada+"/digests/2026-W48:page", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	coach.refused("GET", ada+"/charts/mood.svg", "", 403, "ACCESS_DENIED")
	r.as("acme", "grace", "person").refused("GET", ada+"/digests/2026-W48:page", "", 403, "ACCESS_DENIED")
	client := insightsv1.NewDigestServiceClient(dial(t, r.at.Insights))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+coach.token)
	if d, err := client.GetDigest(ctx, &insightsv1.GetDigestRequest{Name: me + "/digests/2026-W48"}); err != nil || d.GetPeriod().GetSetbacksRecovered() != 1 {
		t.Errorf("%v %v", d, err)
	}
	if page, err := client.GetDigestPage(ctx, &insightsv1.GetDigestPageRequest{Name: me + "/digests/2026-W48"}); err != nil || page.GetContentType() != "text/html; charset=utf-8" {
		t.Errorf("%v", err)
	}
	if _, err := client.GetDigest(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "hedy", "coach")),
		&insightsv1.GetDigestRequest{Name: me + "/digests/2026-W48"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
}
