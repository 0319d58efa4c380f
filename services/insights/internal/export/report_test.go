package export

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/httpbody"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// report has a cell of every form that there is.
func report() *insightsv1.CohortReport {
	window := &insightsv1.CohortWindow{StartDate: &datepb.Date{Year: 2026, Month: 9, Day: 7}, EndDate: &datepb.Date{Year: 2026, Month: 9, Day: 20}}
	cell := func(metric insightsv1.CohortMetric, group map[string]string) *insightsv1.CohortCell {
		return &insightsv1.CohortCell{Metric: metric, Group: group, N: proto.Int32(30), Weeks: proto.Int32(2), Window: window, Method: "m", MethodVersion: "1"}
	}
	mood := cell(insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL, nil)
	mood.Values = &insightsv1.CohortCell_MoodLevel{MoodLevel: &insightsv1.CohortMoodLevel{
		Mean: 0.5, Interval: &insightsv1.Interval{Low: 0, High: 1}, Deviation: 2,
		ByWeek: []*insightsv1.CohortWeekValue{{Week: window.GetStartDate(), N: 29, Value: 0.25}, {Week: &datepb.Date{Year: 2026, Month: 9, Day: 14}, N: 30, Value: 0.75}},
	}}
	curve := cell(insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE, map[string]string{"site": "=1+1", "department": "sales"})
	curve.Values = &insightsv1.CohortCell_RecoveryCurve{RecoveryCurve: &insightsv1.CohortRecoveryCurve{
		Points: []*insightsv1.CurvePoint{{Days: 7, Open: 0.5, StandardError: 0.1, AtRisk: 20}}, MedianDays: proto.Float64(7), Setbacks: 20, Recovered: 10,
	}}
	kinds := cell(insightsv1.CohortMetric_COHORT_METRIC_FAILURE_KINDS, nil)
	kinds.Values = &insightsv1.CohortCell_FailureKinds{FailureKinds: &insightsv1.CohortFailureKinds{Kinds: []*insightsv1.CohortFailureKind{{Kind: typev1.FailureKind(1), People: 12, Share: 0.4}}}}
	hidden := cell(insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL, map[string]string{"department": "legal"})
	hidden.N, hidden.Weeks, hidden.Suppressed = nil, nil, insightsv1.SuppressionReason_SUPPRESSION_REASON_TOO_FEW
	return &insightsv1.CohortReport{
		Name: "tenants/acme/cohortReports/r", Window: window, Cells: []*insightsv1.CohortCell{mood, curve, kinds, hidden},
		Comparisons: []*insightsv1.CurveComparison{{Group: map[string]string{"department": "sales"}, Other: map[string]string{"department": "it"}, N: 60, ChiSquared: 3.5, PValue: 0.06, Method: "log-rank", MethodVersion: "1"}},
	}
}

// TestReportRows: every number of a report is a row, and a cell that has none is one.
func TestReportRows(t *testing.T) {
	rows, err := reportRows(report())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		item := ""
		if r.Item != nil {
			item = fmt.Sprint(r.GetItem())
		}
		value := "-"
		if r.Value != nil {
			value = fmt.Sprint(r.GetValue())
		}
		short := strings.TrimPrefix(r.GetMetric().String(), "COHORT_METRIC_")
		got = append(got, strings.Join([]string{short, r.GetGroup(), r.GetMeasure(), item, r.GetLabel(), value}, "|"))
	}
	const sales = `{"department":"sales","site":"=1+1"}`
	failure := typev1.FailureKind(1).String()
	want := []string{
		"MOOD_LEVEL|{}|mean|||0.5", "MOOD_LEVEL|{}|interval.low|||0", "MOOD_LEVEL|{}|interval.high|||1", "MOOD_LEVEL|{}|deviation|||2",
		"MOOD_LEVEL|{}|by_week.n|0|2026-09-07|29", "MOOD_LEVEL|{}|by_week.value|0|2026-09-07|0.25", "MOOD_LEVEL|{}|by_week.n|1|2026-09-14|30", "MOOD_LEVEL|{}|by_week.value|1|2026-09-14|0.75",
		"RECOVERY_CURVE|" + sales + "|points.days|0||7", "RECOVERY_CURVE|" + sales + "|points.open|0||0.5", "RECOVERY_CURVE|" + sales + "|points.standard_error|0||0.1", "RECOVERY_CURVE|" + sales + "|points.at_risk|0||20",
		"RECOVERY_CURVE|" + sales + "|median_days|||7", "RECOVERY_CURVE|" + sales + "|setbacks|||20", "RECOVERY_CURVE|" + sales + "|recovered|||10",
		"FAILURE_KINDS|{}|kinds.people|0|" + failure + "|12", "FAILURE_KINDS|{}|kinds.share|0|" + failure + "|0.4",
		`MOOD_LEVEL|{"department":"legal"}||||-`,
		`RECOVERY_CURVE|{"department":"sales"}|chi_squared|||3.5`, `RECOVERY_CURVE|{"department":"sales"}|p_value|||0.06`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if last := rows[len(rows)-1]; last.GetOther() != `{"department":"it"}` || last.GetN() != 60 || last.GetMethod() != "log-rank" {
		t.Errorf("%v", last)
	}
}

// TestSuppressed: a cell that is suppressed shows no number, whatever it holds.
func TestSuppressed(t *testing.T) {
	r := report()
	for _, c := range r.GetCells() {
		c.Suppressed = insightsv1.SuppressionReason_SUPPRESSION_REASON_OVERLAP
	}
	r.Comparisons = nil
	rows, err := reportRows(r)
	if err != nil || len(rows) != len(r.GetCells()) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		if row.Value != nil || row.GetMeasure() != "" || row.GetSuppressed() != insightsv1.SuppressionReason_SUPPRESSION_REASON_OVERLAP {
			t.Errorf("%v", row)
		}
	}
}

// TestExportCohortReport: the archive comes in parts; a report that is not there is not
// found.
func TestExportCohortReport(t *testing.T) {
	r := newRig(t, nil)
	var out bytes.Buffer
	to := sink[httpbody.HttpBody]{ctx: t.Context(), take: func(b *httpbody.HttpBody) error {
		out.Write(b.GetData())
		return nil
	}}
	if err := r.server.ExportCohortReport(&insightsv1.ExportCohortReportRequest{Name: report().GetName()}, to); err != nil {
		t.Fatal(err)
	}
	if got := unpack(t, out.Bytes()); got.order[0] != "cohort-report-00001.ndjson" || got.manifest.GetRows() != 20 || !got.manifest.GetCreateTime().AsTime().Equal(begin) {
		t.Errorf("%v", got.manifest)
	}
	err := r.server.ExportCohortReport(&insightsv1.ExportCohortReportRequest{Name: "tenants/acme/cohortReports/absent"}, to)
	if f, ok := fault.As(err); !ok || f.Code != codes.NotFound {
		t.Error(err)
	}
}

// TestWriteReport: in every format a report is an archive that is as its manifest
// says; what is not there is empty and not 0.
func TestWriteReport(t *testing.T) {
	for _, format := range formats {
		var out bytes.Buffer
		if err := WriteReport(&out, Reports(), report(), &insightsv1.ExportManifest{Format: format, CreateTime: timestamppb.New(begin)}); err != nil {
			t.Fatal(err)
		}
		got := unpack(t, out.Bytes())
		if m := got.manifest; m.GetRows() != 20 || m.GetContent() != "cohortReport" || m.GetResource() != "tenants/acme/cohortReports/r" || m.GetLastToken() != "" {
			t.Errorf("%v", m)
		}
		if format != insightsv1.ExportFormat_EXPORT_FORMAT_CSV {
			continue
		}
		records, err := csv.NewReader(bytes.NewReader(got.files["cohort-report-00001.csv"])).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if head := strings.Join(records[0], ","); head != "report,metric,group,other,n,weeks,start_date,end_date,method,method_version,suppressed,measure,item,label,value" {
			t.Error(head)
		}
		if hidden := strings.Join(records[18], "|"); hidden != `tenants/acme/cohortReports/r|COHORT_METRIC_MOOD_LEVEL|{"department":"legal"}||||2026-09-07|2026-09-20|m|1|SUPPRESSION_REASON_TOO_FEW||||` {
			t.Error(hidden)
		}
	}
}
