package export

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/kind"
)

var begin = time.Date(2026, 11, 23, 8, 0, 0, 250_000_000, time.UTC)

// formats are those that files are written in.
var formats = []insightsv1.ExportFormat{
	insightsv1.ExportFormat_EXPORT_FORMAT_NDJSON, insightsv1.ExportFormat_EXPORT_FORMAT_CSV, insightsv1.ExportFormat_EXPORT_FORMAT_PARQUET,
}

// sample is the nth insight: of one kind after another, with something in every
// field that it has.
func sample(n int) *insightsv1.Insight {
	kinds := insightsv1.InsightKind(0).Descriptor().Values()
	k := insightsv1.InsightKind(kinds.Get(1 + n%(kinds.Len()-1)).Number())
	owner := fmt.Sprintf("tenants/acme/people/p%d", n%7)
	in := &insightsv1.Insight{
		Name: fmt.Sprintf("%s/insights/i%d", owner, n), Kind: k, Time: timestamppb.New(begin.Add(time.Duration(n) * time.Minute)),
		N: int32(n + 1), Method: "m", MethodVersion: "1",
	}
	for i := range 1 + n%3 {
		in.Subjects = append(in.Subjects, fmt.Sprintf("%s/setbacks/s%d", owner, i))
	}
	data := in.ProtoReflect().Descriptor().Oneofs().ByName("data").Fields().ByNumber(protoreflect.FieldNumber(19 + k))
	fill(in.ProtoReflect().Mutable(data).Message(), n)
	return in
}

func fill(m protoreflect.Message, n int) {
	for i := range m.Descriptor().Fields().Len() {
		switch fd := m.Descriptor().Fields().Get(i); {
		case fd.Kind() == protoreflect.Int32Kind:
			m.Set(fd, protoreflect.ValueOfInt32(int32(n%5)))
		case fd.Kind() == protoreflect.DoubleKind:
			m.Set(fd, protoreflect.ValueOfFloat64(float64(n%9)/4-1))
		case fd.Message() != nil && fd.Message().FullName() == "google.type.Date":
			m.Set(fd, protoreflect.ValueOfMessage((&datepb.Date{Year: 2026, Month: int32(1 + n%12), Day: 28}).ProtoReflect()))
		}
	}
}

// archived is what an archive holds.
type archived struct {
	manifest *insightsv1.ExportManifest
	files    map[string][]byte
	order    []string
}

// pack writes n insights into an archive and reads it again, holding it to its
// manifest.
func pack(t *testing.T, format insightsv1.ExportFormat, n int, perFile int64) archived {
	t.Helper()
	var out bytes.Buffer
	a := NewArchive(&out, Insights(), &insightsv1.ExportManifest{Content: "insights", Format: format, CreateTime: timestamppb.New(begin)})
	a.fileRows = perFile
	for i := range n {
		if err := a.Add(sample(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return unpack(t, out.Bytes())
}

func unpack(t *testing.T, text []byte) archived {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	got := archived{manifest: &insightsv1.ExportManifest{}, files: map[string][]byte{}}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got.files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		got.order = append(got.order, f.Name)
	}
	if last := got.order[len(got.order)-1]; last != manifestFile {
		t.Fatalf("the last file is %s", last)
	}
	if err := protojson.Unmarshal(got.files[manifestFile], got.manifest); err != nil {
		t.Fatal(err)
	}
	if len(got.manifest.GetFiles()) != len(got.order)-1 {
		t.Fatalf("files %v, manifest %v", got.order, got.manifest)
	}
	total := int64(0)
	for i, f := range got.manifest.GetFiles() {
		text := got.files[f.GetName()]
		if sum := sha256.Sum256(text); f.GetName() != got.order[i] || f.GetBytes() != int64(len(text)) || f.GetSha256() != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is not what the manifest says", f.GetName())
		}
		total += f.GetRows()
	}
	if total != got.manifest.GetRows() {
		t.Errorf("%d rows in files, %d in all", total, got.manifest.GetRows())
	}
	return got
}

// TestFiles: rows go into files of a bounded size, in order, and the manifest says
// what is in each. An export of nothing has a manifest too.
func TestFiles(t *testing.T) {
	for _, format := range formats {
		for n, want := range map[int][]int64{0: nil, 1: {1}, 9: {9}, 10: {10}, 11: {10, 1}, 25: {10, 10, 5}} {
			got := pack(t, format, n, 10)
			var rows []int64
			for _, f := range got.manifest.GetFiles() {
				rows = append(rows, f.GetRows())
			}
			if fmt.Sprint(rows) != fmt.Sprint(want) || got.manifest.GetVersion() != 1 || got.manifest.GetFormat() != format {
				t.Errorf("%v: %d rows lie in files of %v: %v", format, n, rows, got.manifest)
			}
		}
	}
	if got := pack(t, insightsv1.ExportFormat_EXPORT_FORMAT_UNSPECIFIED, 1, 10); got.order[0] != "insights-00001.ndjson" {
		t.Errorf("without a format there is %v", got.order)
	}
}

// TestSameBytes: the same insights give the same archive.
func TestSameBytes(t *testing.T) {
	for _, format := range formats {
		a, b := pack(t, format, 30, 100), pack(t, format, 30, 100)
		if !proto.Equal(a.manifest, b.manifest) {
			t.Errorf("%v\n%v", a.manifest, b.manifest)
		}
	}
}

// TestLines: a line is the JSON of the API, and says all.
func TestLines(t *testing.T) {
	got := pack(t, insightsv1.ExportFormat_EXPORT_FORMAT_NDJSON, 20, 100)
	lines := strings.Split(strings.TrimSuffix(string(got.files["insights-00001.ndjson"]), "\n"), "\n")
	if len(lines) != 20 || got.manifest.GetColumns() != nil {
		t.Fatalf("%d lines, %v", len(lines), got.manifest.GetColumns())
	}
	for i, line := range lines {
		var in insightsv1.Insight
		if err := protojson.Unmarshal([]byte(line), &in); err != nil || !proto.Equal(&in, sample(i)) {
			t.Errorf("%v: %s", err, line)
		}
	}
	if !strings.HasPrefix(lines[5], `{"name":"tenants/acme/people/p5/insights/i5","kind":"INSIGHT_KIND_MILESTONE_REACHED","subjects":["tenants`) ||
		!strings.HasSuffix(lines[5], `"milestoneReached":{"daysEarly":0}}`) {
		t.Error(lines[5])
	}
}

// wantColumns are names that pipelines rely on: they must stay.
const wantColumns = "name string,tenant string,person string,kind string,subjects list<string>,time timestamp,n int32,method string,method_version string,schema string," +
	"correction string,corrects string," +
	"setback_recovered_occurred_on date,setback_recovered_recovered_on date,setback_recovered_days int32,lesson_applied_days int32," +
	"gratitude_run_days int32,gratitude_run_first date,gratitude_run_last date,mood_shift_before double,mood_shift_after double," +
	"step_momentum_active_days int32,step_momentum_steps int32,milestone_reached_days_early int32,goal_achieved_days int32," +
	"intensity_revisited_before int32,intensity_revisited_after int32,intensity_revisited_days int32"

// TestColumns: columns that there were are there, with the same types, each once, and
// every kind has one that is set for it.
func TestColumns(t *testing.T) {
	table := Insights()
	seen := map[string]string{}
	for _, c := range table.describe() {
		if seen[c.GetName()] != "" {
			t.Errorf("there are two columns %s", c.GetName())
		}
		seen[c.GetName()] = c.GetType()
	}
	for _, c := range strings.Split(wantColumns, ",") {
		name, typ, _ := strings.Cut(c, " ")
		if seen[name] != typ {
			t.Errorf("column %s is %q, want %q", name, seen[name], typ)
		}
	}
	row := make([]cell, len(table.columns))
	for i := range insightsv1.InsightKind(0).Descriptor().Values().Len() - 1 {
		in := sample(i)
		if err := table.fill(row, in); err != nil {
			t.Fatal(err)
		}
		own, set := kind.Traits(in.GetKind()).GetData()+"_", 0
		for j, c := range table.columns {
			switch says := isData(c.name); {
			case says && row[j].set != strings.HasPrefix(c.name, own):
				t.Errorf("%s of %v is set: %v", c.name, in.GetKind(), row[j].set)
			case says && row[j].set:
				set++
			}
		}
		if set == 0 {
			t.Errorf("no column says what %v says", in.GetKind())
		}
	}
}

// isData tells columns of what single kinds say from those that all kinds have.
func isData(column string) bool {
	fields := (&insightsv1.Insight{}).ProtoReflect().Descriptor().Oneofs().ByName("data").Fields()
	for i := range fields.Len() {
		if strings.HasPrefix(column, string(fields.Get(i).Name())+"_") {
			return true
		}
	}
	return false
}

// TestCSV: a table with a header, lists in JSON, and nothing where there is nothing.
func TestCSV(t *testing.T) {
	got := pack(t, insightsv1.ExportFormat_EXPORT_FORMAT_CSV, 9, 100)
	text := got.files["insights-00001.csv"]
	if bytes.Count(text, []byte("\r\n")) != 10 {
		t.Errorf("%q", text)
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(records) != 10 {
		t.Fatal(len(records), err)
	}
	at := map[string]int{}
	for i, name := range records[0] {
		at[name] = i
		if got.manifest.GetColumns()[i].GetName() != name {
			t.Errorf("column %d is %s, the manifest says %v", i, name, got.manifest.GetColumns()[i])
		}
	}
	for column, want := range map[string]string{
		"name": "tenants/acme/people/p3/insights/i3", "tenant": "acme", "person": "p3", "kind": "INSIGHT_KIND_MOOD_SHIFT", "n": "4",
		"time": "2026-11-23T08:03:00.250Z", "subjects": `["tenants/acme/people/p3/setbacks/s0"]`, "schema": "insightSchemas/mood-shift-v1",
		"mood_shift_before": "-0.25", "gratitude_run_days": "", "gratitude_run_first": "",
	} {
		if got := records[4][at[column]]; got != want {
			t.Errorf("%s is %q, want %q", column, got, want)
		}
	}
	if got := records[1][at["setback_recovered_occurred_on"]]; got != "2026-01-28" {
		t.Errorf("a date is %q", got)
	}
}

// TestHarmless: what begins like a formula is text in a spreadsheet, a number stays a
// number.
func TestHarmless(t *testing.T) {
	tenant := column{name: "tenant", is: text}
	for in, want := range map[string]string{"=1+1": "'=1+1", "@x": "'@x", "-x": "'-x", "+1": "'+1", "\tx": "'\tx", "acme": "acme", "": ""} {
		if got, err := csvField(tenant, textCell(in)); got != want || err != nil {
			t.Errorf("%q is written %q, want %q: %v", in, got, want, err)
		}
	}
	if got, err := csvField(column{is: double}, cell{set: true, f: -1.5}); got != "-1.5" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestParquet: every row comes back as it was, by the types that the manifest tells.
func TestParquet(t *testing.T) {
	const n = 300
	got := pack(t, insightsv1.ExportFormat_EXPORT_FORMAT_PARQUET, n, 1000)
	text := got.files["insights-00001.parquet"]
	f, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRows() != n {
		t.Fatalf("%d rows", f.NumRows())
	}
	table, cells := Insights(), make([]cell, len(Insights().columns))
	for i, field := range f.Root().Columns() {
		if field.Name() != table.columns[i].name {
			t.Errorf("column %d is %s, want %s", i, field.Name(), table.columns[i].name)
		}
	}
	var rows []parquet.Row
	for _, g := range f.RowGroups() {
		r := g.Rows()
		for {
			batch := make([]parquet.Row, 50)
			n, err := r.ReadRows(batch)
			for _, row := range batch[:n] {
				rows = append(rows, row.Clone())
			}
			if err != nil {
				break
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range rows {
		if err := table.fill(cells, sample(i)); err != nil {
			t.Fatal(err)
		}
		var want parquet.Row
		for j, c := range table.columns {
			want = appendValues(want, j, c, cells[j])
		}
		if !row.Equal(want) {
			t.Fatalf("row %d is %v, want %v", i, row, want)
		}
	}
	if len(rows) != n {
		t.Errorf("%d rows were read", len(rows))
	}
}
