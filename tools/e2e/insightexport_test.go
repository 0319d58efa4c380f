package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// exported is an export that was downloaded.
type exported struct {
	manifest *insightsv1.ExportManifest
	files    map[string][]byte
}

// exports downloads an export.
func (c client) exports(path string) exported {
	t := c.r.t
	t.Helper()
	a := c.do("GET", path, "", "Accept", "application/zip")
	if a.status != 200 || a.header.Get("Content-Type") != "application/zip" || a.header.Get("Content-Disposition") != "attachment; filename=rebound-insights.zip" {
		t.Fatalf("%s: %d %v %.300s", path, a.status, a.header, a.raw)
	}
	return unzip(t, a.raw)
}

func unzip(t *testing.T, raw string) exported {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	out := exported{manifest: &insightsv1.ExportManifest{}, files: map[string][]byte{}}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out.files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := protojson.Unmarshal(out.files["manifest.json"], out.manifest); err != nil {
		t.Fatal(err)
	}
	return out
}

// records are the rows of an export's one file, by column.
func (x exported) records(t *testing.T) []object {
	t.Helper()
	if len(x.manifest.GetFiles()) != 1 {
		t.Fatalf("%d files", len(x.manifest.GetFiles()))
	}
	text := x.files[x.manifest.GetFiles()[0].GetName()]
	var out []object
	switch x.manifest.GetFormat() {
	case insightsv1.ExportFormat_EXPORT_FORMAT_NDJSON:
		for line := range bytes.Lines(text) {
			var o object
			if err := json.Unmarshal(line, &o); err != nil {
				t.Fatal(err)
			}
			out = append(out, o)
		}
	case insightsv1.ExportFormat_EXPORT_FORMAT_CSV:
		records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records[1:] {
			o := object{}
			for i, field := range r {
				o[records[0][i]] = field
			}
			out = append(out, o)
		}
	default:
		r := parquet.NewGenericReader[any](bytes.NewReader(text))
		rows := make([]any, r.NumRows())
		if _, err := r.Read(rows); err != nil && err != io.EOF { //nolint:errorlint // as io.Reader says
			t.Fatal(err)
		}
		for _, row := range rows {
			out = append(out, row.(map[string]any))
		}
	}
	return out
}

// TestExportJoinsTheStream: a pipeline exports, and goes on from the last token: by the
// stream and by the next export comes what came after, all of it and nothing else. In
// every format the export says what the stream does, row by row.
func TestExportJoinsTheStream(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	upAgain(c)
	pipeline := r.as("acme", "", "pipeline")
	const path = "/v1/tenants/acme/insights"
	lines, closeStream := pipeline.follow(path + ":stream")
	streamed, _ := collect(t, lines, 5)
	closeStream()
	var last string
	for _, format := range []string{"NDJSON", "CSV", "PARQUET"} {
		x := pipeline.exports(path + ":export?format=" + format)
		if x.manifest.GetRows() != 5 || x.manifest.GetResource() != "tenants/acme" || len(x.manifest.GetKinds()) != 5 {
			t.Errorf("%s: %v", format, x.manifest)
		}
		sameRows(t, format, x.records(t), streamed)
		last = x.manifest.GetLastToken()
		for name, text := range x.files {
			if bytes.Contains(text, []byte("people/ada")) || bytes.Contains(text, []byte("launch")) {
				t.Errorf("%s tells a pipeline who it is", name)
			}
		}
	}
	c.must("POST", ada+"/lessons?lessonId=l2", `{"statement":"Sleep on it"}`)
	c.must("POST", ada+"/lessons/l2:apply", `{}`)
	lines, closeStream = pipeline.follow(path + ":stream?resumeToken=" + url.QueryEscape(last))
	defer closeStream()
	after, _ := collect(t, lines, 1)
	if after[0].kind != "INSIGHT_KIND_LESSON_APPLIED" || slices.ContainsFunc(streamed, func(l line) bool { return l.name == after[0].name }) {
		t.Errorf("after the export comes %v", after)
	}
	next := pipeline.exports(path + ":export?resumeToken=" + url.QueryEscape(last))
	sameRows(t, "NDJSON", next.records(t), after)
	empty := pipeline.exports(path + ":export?resumeToken=" + url.QueryEscape(next.manifest.GetLastToken()))
	if empty.manifest.GetRows() != 0 || len(empty.files) != 1 {
		t.Errorf("nothing has come since, and the export has %v", empty.manifest)
	}
	all := pipeline.exports(path + ":export?format=CSV&filter=" + url.QueryEscape("kind = LESSON_APPLIED"))
	if all.manifest.GetRows() != 2 || len(all.manifest.GetKinds()) != 1 {
		t.Errorf("%v", all.manifest)
	}
}

// sameRows compares the rows of an export with the lines of the stream.
func sameRows(t *testing.T, format string, rows []object, lines []line) {
	t.Helper()
	if len(rows) != len(lines) {
		t.Fatalf("%s: %d rows, %d insights on the stream", format, len(rows), len(lines))
	}
	for i, row := range rows {
		in := lines[i].insight
		if format == "NDJSON" {
			if !reflect.DeepEqual(row, in) {
				t.Errorf("%s: row %d is %v, on the stream %v", format, i, row, in)
			}
			continue
		}
		if row["name"] != in["name"] || row["kind"] != in["kind"] || fmt.Sprint(row["n"]) != fmt.Sprint(in["n"]) || row["method"] != in["method"] ||
			row["tenant"] != "acme" || row["person"] != strings.Split(lines[i].name, "/")[3] {
			t.Errorf("%s: row %d is %v, on the stream %v", format, i, row, in)
		}
		if subjects, _ := json.Marshal(in["subjects"]); format == "CSV" && row["subjects"] != string(subjects) {
			t.Errorf("row %d is about %v, on the stream %s", i, row["subjects"], subjects)
		}
		data := dataOf(lines[i].kind)
		said := in[jsonName(data)].(map[string]any)
		columns := 0
		for column, value := range row {
			field, mine := strings.CutPrefix(column, data+"_")
			if !mine {
				continue
			}
			columns++
			if number, ok := said[field].(float64); ok && fmt.Sprint(value) != fmt.Sprint(number) {
				t.Errorf("%s: row %d says %s = %v, on the stream %v", format, i, column, value, number)
			}
		}
		if columns == 0 || columns < len(said) {
			t.Errorf("%s: row %d has %d columns for %v", format, i, columns, said)
		}
	}
}

// TestExportRefusals: what is wrong with a request is told before anything is sent, and
// only those may export who may stream.
func TestExportRefusals(t *testing.T) {
	r := newRig(t)
	c, pipeline := r.as("acme", "ada", "person"), r.as("acme", "", "pipeline")
	const path = "/v1/tenants/acme/insights:export"
	pipeline.refused("GET", path+"?format=XLSX", "", 400, "PARAMETER_INVALID")
	pipeline.refused("GET", path+"?start=yesterday", "", 400, "START_INVALID")
	pipeline.refused("GET", path+"?end=2026-01-01", "", 400, "END_INVALID")
	pipeline.refused("GET", path+"?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", "", 400, "END_NOT_AFTER_START")
	pipeline.refused("GET", path+"?resumeToken=x", "", 400, "RESUME_TOKEN_INVALID")
	pipeline.refused("GET", path+"?filter=nothing+%3D+1", "", 400, "FILTER_FIELD_UNKNOWN")
	pipeline.refused("GET", path, "", 406, "NOT_ACCEPTABLE", "Accept", "application/json")
	pipeline.refused("POST", path, "", 405, "METHOD_NOT_ALLOWED")
	pipeline.refused("GET", "/v1/tenants/other/insights:export", "", 403, "ACCESS_DENIED")
	c.refused("GET", path, "", 403, "ACCESS_DENIED")
	r.as("acme", "grace", "person").refused("GET", ada+"/insights:export", "", 403, "ACCESS_DENIED")
	r.as("acme", "", "analyst").refused("GET", path, "", 403, "ROLE_REQUIRED")
	client{r, ""}.refused("GET", path, "", 401, "TOKEN_MISSING")
	if x := c.exports(ada + "/insights:export?format=EXPORT_FORMAT_CSV"); x.manifest.GetFormat() != insightsv1.ExportFormat_EXPORT_FORMAT_CSV {
		t.Errorf("%v", x.manifest)
	}
}

// TestExportOverGRPC: over gRPC come the same bytes in parts.
func TestExportOverGRPC(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	upAgain(c)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+c.token)
	stream, err := insightsv1.NewInsightExportServiceClient(dial(t, r.at.HTTP)).ExportInsights(ctx, &insightsv1.ExportInsightsRequest{
		Parent: strings.TrimPrefix(ada, "/v1/"), Format: insightsv1.ExportFormat_EXPORT_FORMAT_PARQUET,
	})
	if err != nil {
		t.Fatal(err)
	}
	var raw []byte
	for {
		part, err := stream.Recv()
		if err == io.EOF { //nolint:errorlint // as grpc says
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, part.GetData()...)
	}
	got, want := unzip(t, string(raw)), c.exports(ada+"/insights:export?format=PARQUET")
	if len(got.manifest.GetFiles()) != 1 || !proto.Equal(got.manifest.GetFiles()[0], want.manifest.GetFiles()[0]) {
		t.Errorf("%v\n%v", got.manifest, want.manifest)
	}
}

// TestExportInsightsCommand: exports one after the other are unpacked and checked, and
// hold every insight once; one that breaks off, or is refused, leaves nothing.
func TestExportInsightsCommand(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	upAgain(c)
	folder := t.TempDir()
	binary := filepath.Join(folder, "rebound")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/rebound").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	export := func(out string, args ...string) (string, error) {
		args = append([]string{"export-insights", "--url", "http://" + r.at.HTTP, "--data", r.data, "--tenant", "acme", "--out", filepath.Join(folder, out)}, args...)
		text, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
		return string(text), err
	}
	said, err := export("one", "--format", "CSV")
	if err != nil || !strings.Contains(said, "5 insights-00001.csv") || !strings.Contains(said, "5 rows, all as the manifest says") || !strings.Contains(said, "--resume-token ") {
		t.Fatalf("%v\n%s", err, said)
	}
	c.must("POST", ada+"/lessons?lessonId=l2", `{"statement":"Sleep on it"}`)
	c.must("POST", ada+"/lessons/l2:apply", `{}`)
	lines, closeStream := c.follow(ada + "/insights:stream")
	defer closeStream()
	collect(t, lines, 6)
	if said, err = export("two", "--after", filepath.Join(folder, "one")); err != nil || !strings.Contains(said, "1 insights-00001.parquet") {
		t.Errorf("%v\n%s", err, said)
	}
	said, err = export("own", "--person", "ada", "--format", "NDJSON", "--start", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "--filter", "kind = LESSON_APPLIED")
	if err != nil || !strings.Contains(said, "2 rows") {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err = export("three", "--after", filepath.Join(folder, "own")); err == nil || !strings.Contains(said, "is of tenants/acme/people/ada") {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err = export("one"); err == nil || !strings.Contains(said, "not empty") {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err = export("four", "--filter", "n >"); err == nil || !strings.Contains(said, "FILTER_INVALID") {
		t.Errorf("%v\n%s", err, said)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".rebound-export-*")); len(left) != 0 {
		t.Errorf("%v stay", left)
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "four")); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
