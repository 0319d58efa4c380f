package export

import (
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"google.golang.org/protobuf/proto"
)

// Bounds of what a Parquet file holds in memory while it is written: rows go out in
// groups, and of the values of a column those that are not repeated too often are
// written as they are.
const (
	groupRows       = 10_000
	pageBytes       = 64 << 10
	dictionaryBytes = 64 << 10
	batchRows       = 128
)

// parquetRows are rows as Parquet.
type parquetRows struct {
	w     *parquet.GenericWriter[any]
	table *Table
	cells []cell
	batch []parquet.Row
}

func newParquet(w io.Writer, t *Table) *parquetRows {
	return &parquetRows{
		table: t, cells: make([]cell, len(t.columns)),
		w: parquet.NewGenericWriter[any](w, schemaOf(t),
			parquet.MaxRowsPerRowGroup(groupRows), parquet.PageBufferSize(pageBytes), parquet.DictionaryMaxBytes(dictionaryBytes),
			parquet.DataPageVersion(1), // what all readers read
			parquet.Compression(&snappy.Codec{}), parquet.CreatedBy("rebound", strconv.Itoa(version), "")),
	}
}

func (p *parquetRows) add(m proto.Message) error {
	if err := p.table.fill(p.cells, m); err != nil {
		return err
	}
	row := make(parquet.Row, 0, len(p.cells)+4)
	for i, col := range p.table.columns {
		row = appendValues(row, i, col, p.cells[i])
	}
	if p.batch = append(p.batch, row); len(p.batch) < batchRows {
		return nil
	}
	return p.flush()
}

func (p *parquetRows) flush() error {
	_, err := p.w.WriteRows(p.batch)
	p.batch = p.batch[:0]
	return err
}

func (p *parquetRows) close() error {
	if err := p.flush(); err != nil {
		return err
	}
	return p.w.Close()
}

// appendValues adds a column's values to a row, with their levels: what is there has
// the definition level 1, in a list 2; what follows in a list has the repetition
// level 1.
func appendValues(row parquet.Row, i int, col column, v cell) parquet.Row {
	switch {
	case !v.set:
		return append(row, parquet.NullValue().Level(0, 0, i))
	case !col.list:
		return append(row, valueOf(col.is, v).Level(0, 1, i))
	case len(v.list) == 0:
		return append(row, parquet.NullValue().Level(0, 1, i))
	}
	for n, item := range v.list {
		row = append(row, valueOf(col.is, item).Level(min(n, 1), 2, i))
	}
	return row
}

func valueOf(k valueType, v cell) parquet.Value {
	switch k {
	case boolean:
		return parquet.BooleanValue(v.n == 1)
	case integer, date:
		return parquet.Int32Value(int32(v.n))
	case long, timestamp:
		return parquet.Int64Value(v.n)
	case double:
		return parquet.DoubleValue(v.f)
	}
	return parquet.ByteArrayValue([]byte(v.s))
}

// schemaOf is a table's columns, in order.
func schemaOf(t *Table) *parquet.Schema {
	root := ordered{Group: parquet.Group{}}
	for _, c := range t.columns {
		node := leaf(c.is)
		if c.list {
			node = parquet.List(node)
		}
		node = parquet.Optional(node)
		root.Group[c.name] = node
		// A group of one gives its only field.
		root.fields = append(root.fields, parquet.Group{c.name: node}.Fields()[0])
	}
	return parquet.NewSchema(t.file, root)
}

// ordered is a group whose fields keep their order; those of a parquet.Group are
// sorted by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (o ordered) Fields() []parquet.Field { return o.fields }

func leaf(k valueType) parquet.Node {
	switch k {
	case boolean:
		return parquet.Leaf(parquet.BooleanType)
	case integer:
		return parquet.Int(32)
	case long:
		return parquet.Int(64)
	case double:
		return parquet.Leaf(parquet.DoubleType)
	case timestamp:
		return parquet.Timestamp(parquet.Millisecond)
	case date:
		return parquet.Date()
	case document:
		return parquet.JSON()
	}
	return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
}
