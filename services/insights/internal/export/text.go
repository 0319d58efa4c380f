package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
)

// rows writes the rows of one file.
type rows interface {
	add(m proto.Message) error
	// close writes what is held back; the file's writer stays open.
	close() error
}

// compact takes spaces out of JSON: protojson puts some where it likes, on purpose.
func compact(text []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(text))
	err := json.Compact(&out, text)
	return out.Bytes(), err
}

// lines are rows as NDJSON.
type lines struct{ w io.Writer }

func (l lines) add(m proto.Message) error {
	line, err := lineOf(m)
	if err != nil {
		return err
	}
	_, err = l.w.Write(append(line, '\n'))
	return err
}

func (lines) close() error { return nil }

// csvRows are rows as CSV. An empty field is null; lists are JSON arrays.
type csvRows struct {
	w      *csv.Writer
	table  *Table
	cells  []cell
	fields []string
}

func newCSV(w io.Writer, t *Table) (*csvRows, error) {
	c := &csvRows{w: csv.NewWriter(w), table: t, cells: make([]cell, len(t.columns)), fields: make([]string, len(t.columns))}
	c.w.UseCRLF = true // RFC 4180
	for i, col := range t.columns {
		c.fields[i] = col.name
	}
	return c, c.w.Write(c.fields)
}

func (c *csvRows) add(m proto.Message) error {
	if err := c.table.fill(c.cells, m); err != nil {
		return err
	}
	for i, col := range c.table.columns {
		var err error
		if c.fields[i], err = csvField(col, c.cells[i]); err != nil {
			return err
		}
	}
	return c.w.Write(c.fields)
}

func (c *csvRows) close() error {
	c.w.Flush()
	return c.w.Error()
}

func csvField(col column, v cell) (string, error) {
	switch {
	case !v.set:
		return "", nil
	case col.list:
		items := make([]any, len(v.list))
		for i, item := range v.list {
			items[i] = plain(col.is, item)
		}
		text, err := json.Marshal(items)
		return string(text), err
	}
	switch p := plain(col.is, v).(type) {
	case string:
		return harmless(p), nil
	case int64:
		return strconv.FormatInt(p, 10), nil
	case float64:
		return strconv.FormatFloat(p, 'g', -1, 64), nil
	case bool:
		return strconv.FormatBool(p), nil
	}
	return "", nil
}

// timeLayout is an instant in UTC, to the millisecond.
const timeLayout = "2006-01-02T15:04:05.000Z"

const secondsPerDay = 24 * 60 * 60

// plain is a value that is set as text, a number or a bool; nil for none.
func plain(k valueType, v cell) any {
	switch {
	case !v.set:
		return nil
	case k == boolean:
		return v.n == 1
	case k == integer || k == long:
		return v.n
	case k == double:
		return v.f
	case k == timestamp:
		return time.UnixMilli(v.n).UTC().Format(timeLayout)
	case k == date:
		return time.Unix(v.n*secondsPerDay, 0).UTC().Format(time.DateOnly)
	}
	return v.s
}

// harmless puts an apostrophe before text that a spreadsheet would take for a
// formula. Names, kinds and methods never begin so; columns to come might.
func harmless(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r\n", s[0]) >= 0 {
		return "'" + s
	}
	return s
}
