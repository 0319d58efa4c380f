package export

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/kind"
)

// Table is how messages of one type are the rows of files.
type Table struct {
	// file begins the names of files.
	file    string
	columns []column
}

// Insights are insights as rows: the fields that all have, whose they are, the name
// of the schema, and what they say, kind by kind. Only the columns of a row's own
// kind are not null.
func Insights() *Table {
	columns := flatten((&insightsv1.Insight{}).ProtoReflect().Descriptor())
	columns = insertAfter(columns, "name",
		column{name: "tenant", is: text, value: segment(1)},
		column{name: "person", is: text, value: segment(3)})
	columns = insertAfter(columns, "method_version", column{name: "schema", is: text, value: schemaCell})
	return &Table{file: "insights", columns: columns}
}

func insertAfter(columns []column, name string, more ...column) []column {
	i := slices.IndexFunc(columns, func(c column) bool { return c.name == name })
	return slices.Insert(columns, i+1, more...)
}

// segment gives one segment of an insight's name.
func segment(i int) func(protoreflect.Message) (cell, error) {
	return func(m protoreflect.Message) (cell, error) {
		if s := strings.Split(m.Interface().(*insightsv1.Insight).GetName(), "/"); len(s) > i {
			return textCell(s[i]), nil
		}
		return cell{}, nil
	}
}

func schemaCell(m protoreflect.Message) (cell, error) {
	if traits := kind.Traits(m.Interface().(*insightsv1.Insight).GetKind()); traits != nil {
		return textCell(traits.GetSchema()), nil
	}
	return cell{}, nil
}

// describe is the columns as manifests tell them.
func (t *Table) describe() []*insightsv1.ExportColumn {
	out := make([]*insightsv1.ExportColumn, len(t.columns))
	for i, c := range t.columns {
		out[i] = &insightsv1.ExportColumn{Name: c.name, Type: c.typeName()}
	}
	return out
}

// fill writes a message's cells into row, which has one for each column.
func (t *Table) fill(row []cell, m proto.Message) error {
	of := m.ProtoReflect()
	for i, c := range t.columns {
		var err error
		if row[i], err = c.value(of); err != nil {
			return err
		}
	}
	return nil
}
