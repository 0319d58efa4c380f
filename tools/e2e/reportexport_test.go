package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCohortReportExport: the export of a report says what the report does, with what
// is suppressed in it suppressed; for analysts of the tenant only.
func TestCohortReportExport(t *testing.T) {
	r := work(t)
	analyst := r.as("acme", "", "analyst")
	const reports = "/v1/tenants/acme/cohortReports"
	made := analyst.must("POST", reports+"?cohortReportId=moods", `{"metrics":["MOOD_LEVEL"],"groupBy":["department"],`+lastWeeks+`}`)
	means := map[string]string{}
	for _, c := range made["cells"].([]any) {
		cell := c.(map[string]any)
		key := strings.ReplaceAll(asText(t, cell["group"]), ": ", ":")
		if means[key] = cell["suppressed"].(string); cell["moodLevel"] != nil {
			means[key] = fmt.Sprint(cell["moodLevel"].(map[string]any)["mean"])
		}
	}
	for _, format := range []string{"CSV", "NDJSON", "PARQUET"} {
		a := analyst.do("GET", reports+"/moods:export?format="+format, "")
		if a.status != 200 || a.header.Get("Content-Disposition") != "attachment; filename=rebound-cohort-report.zip" {
			t.Fatalf("%d %.300s", a.status, a.raw)
		}
		x, got := unzip(t, a.raw), map[string]string{}
		for _, row := range x.records(t) {
			group, _ := row["group"].(string)
			switch measure, _ := row["measure"].(string); measure {
			case "mean":
				got[group] = fmt.Sprint(row["value"])
			case "":
				got[group] = fmt.Sprint(row["suppressed"])
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(means) || len(got) < 3 || x.manifest.GetContent() != "cohortReport" {
			t.Errorf("%s: the export says %v, the report %v", format, got, means)
		}
	}
	analyst.refused("GET", reports+"/absent:export", "", 404, "NOT_FOUND")
	r.as("acme", "", "pipeline").refused("GET", reports+"/moods:export", "", 403, "ROLE_REQUIRED")
	r.as("other", "", "analyst").refused("GET", reports+"/moods:export", "", 403, "ACCESS_DENIED")
	folder := t.TempDir()
	binary := filepath.Join(folder, "rebound")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/rebound").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, "export-report", "--url", "http://"+r.at.HTTP, "--token", analyst.token,
		"--tenant", "acme", "--report", "moods", "--out", filepath.Join(folder, "moods")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "cohort-report-00001.csv") {
		t.Errorf("%v\n%s", err, out)
	}
}
