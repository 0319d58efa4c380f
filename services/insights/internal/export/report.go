package export

import (
	"encoding/json"
	"io"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// Reports are cohort reports as rows: one for each number, and one for each cell that
// has none.
func Reports() *Table {
	return &Table{file: "cohort-report", columns: flatten((&insightsv1.CohortReportRow{}).ProtoReflect().Descriptor())}
}

// WriteReport writes a report as an archive. The manifest says in which format and
// when it is made.
func WriteReport(w io.Writer, table *Table, report *insightsv1.CohortReport, manifest *insightsv1.ExportManifest) error {
	manifest.Content, manifest.Resource = "cohortReport", report.GetName()
	archive := NewArchive(w, table, manifest)
	rows, err := reportRows(report)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := archive.Add(row); err != nil {
			return err
		}
	}
	return archive.Close()
}

// reportRows are a report's cells, then its comparisons, in the order that they have
// there.
func reportRows(report *insightsv1.CohortReport) ([]*insightsv1.CohortReportRow, error) {
	var out []*insightsv1.CohortReportRow
	for _, cell := range report.GetCells() {
		group, err := groupText(cell.GetGroup())
		if err != nil {
			return nil, err
		}
		row := &insightsv1.CohortReportRow{
			Report: report.GetName(), Metric: cell.GetMetric(), Group: group, N: cell.N, Weeks: cell.Weeks,
			StartDate: cell.GetWindow().GetStartDate(), EndDate: cell.GetWindow().GetEndDate(),
			Method: cell.GetMethod(), MethodVersion: cell.GetMethodVersion(), Suppressed: cell.GetSuppressed(),
		}
		says := cell.ProtoReflect()
		if fd := says.WhichOneof(says.Descriptor().Oneofs().ByName("values")); fd != nil && row.GetSuppressed() == 0 {
			out = appendNumbers(out, row, "", says.Get(fd).Message())
			continue
		}
		out = append(out, row)
	}
	for _, c := range report.GetComparisons() {
		group, err := groupText(c.GetGroup())
		if err != nil {
			return nil, err
		}
		other, err := groupText(c.GetOther())
		if err != nil {
			return nil, err
		}
		row := &insightsv1.CohortReportRow{
			Report: report.GetName(), Metric: insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE, Group: group, Other: other, N: proto.Int32(c.GetN()),
			StartDate: report.GetWindow().GetStartDate(), EndDate: report.GetWindow().GetEndDate(), Method: c.GetMethod(), MethodVersion: c.GetMethodVersion(),
		}
		out = append(out, number(row, "chi_squared", c.GetChiSquared()), number(row, "p_value", c.GetPValue()))
	}
	return out, nil
}

// groupText is a group as a JSON object, by key.
func groupText(group map[string]string) (string, error) {
	if group == nil {
		return "{}", nil
	}
	text, err := json.Marshal(group)
	return string(text), err
}

// number is a row with a number of its own.
func number(row *insightsv1.CohortReportRow, measure string, value float64) *insightsv1.CohortReportRow {
	row = proto.CloneOf(row)
	row.Measure, row.Value = measure, &value
	return row
}

// appendNumbers adds a row for each number in a message, with the path to it, and
// for those in items of lists with the item's place and label.
func appendNumbers(rows []*insightsv1.CohortReportRow, row *insightsv1.CohortReportRow, prefix string, m protoreflect.Message) []*insightsv1.CohortReportRow {
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		path := prefix + string(fd.Name())
		switch {
		case fd.IsList() && fd.Message() != nil:
			for n, list := 0, m.Get(fd).List(); n < list.Len(); n++ {
				item := proto.CloneOf(row)
				item.Item, item.Label = proto.Int32(int32(n)), label(list.Get(n).Message())
				rows = appendNumbers(rows, item, path+".", list.Get(n).Message())
			}
		case fd.HasPresence() && !m.Has(fd):
		case fd.Kind() == protoreflect.Int32Kind:
			rows = append(rows, number(row, path, float64(m.Get(fd).Int())))
		case fd.Kind() == protoreflect.DoubleKind:
			rows = append(rows, number(row, path, m.Get(fd).Float()))
		case fd.Message() != nil && typeOf(fd) != date:
			rows = appendNumbers(rows, row, path+".", m.Get(fd).Message())
		}
	}
	return rows
}

// label is what an item of a list is about: its date, or its enum value.
func label(item protoreflect.Message) string {
	for i := range item.Descriptor().Fields().Len() {
		switch fd := item.Descriptor().Fields().Get(i); {
		case fd.Enum() != nil:
			return enumName(fd.Enum(), item.Get(fd).Enum())
		case typeOf(fd) == date && item.Has(fd):
			return localdate.Text(item.Get(fd).Message().Interface().(*datepb.Date))
		}
	}
	return ""
}
