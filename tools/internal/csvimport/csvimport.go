// Package csvimport turns rows of a CSV file into setbacks.
package csvimport

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// Fields are the fields that columns can be read into.
var Fields = []string{"person", "title", "account", "occurred_on", "days_ago", "feeling", "intensity"}

// Options say how to read a file.
type Options struct {
	// Columns maps fields to headers; a field that is missing is read from the
	// column of its own name, if there is one.
	Columns map[string]string
	// Low and High are the ends of the file's scale of intensity, which is
	// brought to 1..10; both 0: it is 1..10 already.
	Low, High float64
	Tenant    string
	// Today is what days_ago counts back from.
	Today time.Time
}

// Row is one row: a setback, or why there is none.
type Row struct {
	// Line is the line in the file, from 1, the header being one.
	Line   int
	Person string
	// ID follows from the content: the same row always has the same.
	ID      string
	Setback map[string]any
	Err     error
}

// Reader reads rows.
type Reader struct {
	csv     *csv.Reader
	options Options
	index   map[string]int
}

// Open reads the header. An unknown field, or a header that the file lacks, is
// an error.
func Open(r io.Reader, o Options) (*Reader, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	c.LazyQuotes = true
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("the header cannot be read: %w", err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))] = i
	}
	index := map[string]int{}
	for _, field := range Fields {
		if i, ok := at[field]; ok {
			index[field] = i
		}
	}
	for field, h := range o.Columns {
		if !strings.Contains(" "+strings.Join(Fields, " ")+" ", " "+field+" ") {
			return nil, fmt.Errorf("there is no field %q; there are %s", field, strings.Join(Fields, ", "))
		}
		i, ok := at[h]
		if !ok {
			return nil, fmt.Errorf("the file has no column %q; it has %s", h, strings.Join(header, ", "))
		}
		index[field] = i
	}
	if _, ok := index["person"]; !ok {
		return nil, errors.New("no column names the person: say --column person=HEADER")
	}
	return &Reader{csv: c, options: o, index: index}, nil
}

// Next gives the next row; io.EOF after the last.
func (r *Reader) Next() (Row, error) {
	record, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	}
	line, _ := r.csv.FieldPos(0)
	row := Row{Line: line}
	var broken *csv.ParseError
	if errors.As(err, &broken) {
		row.Line, row.Err = broken.Line, errors.New("is no row of CSV")
		return row, nil
	}
	if err != nil {
		return Row{}, err
	}
	row.Err = r.fill(&row, record)
	return row, nil
}

var personRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (r *Reader) fill(row *Row, record []string) error {
	get := func(field string) string {
		if i, ok := r.index[field]; ok && i < len(record) {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	row.Person = strings.ToLower(get("person"))
	if !personRule.MatchString(row.Person) {
		return errors.New("person: must be an id of 1 to 63 letters, digits and inner hyphens")
	}
	s := map[string]any{"title": get("title")}
	if account := get("account"); account != "" {
		s["account"] = account
		if s["title"] == "" {
			s["title"] = firstWords(account)
		}
	}
	if s["title"] == "" {
		return errors.New("title: a row needs a title or an account")
	}
	date, err := r.date(get("occurred_on"), get("days_ago"))
	if err != nil {
		return err
	}
	if date != nil {
		s["occurredOn"] = map[string]any{"year": date.Year(), "month": int(date.Month()), "day": date.Day()}
	}
	if f := get("feeling"); f != "" {
		name := "FEELING_" + strings.ToUpper(strings.ReplaceAll(f, " ", "_"))
		if typev1.Feeling_value[name] == 0 {
			return errors.New("feeling: is not in the vocabulary")
		}
		s["feelings"] = []string{name}
	}
	if text := get("intensity"); text != "" {
		if s["intensity"], err = r.intensity(text); err != nil {
			return err
		}
	}
	row.Setback = s
	row.ID = ids.Derived(r.options.Tenant, row.Person, get("title"), get("account"), get("occurred_on"), get("feeling"), get("intensity"))
	return nil
}

func (r *Reader) date(on, ago string) (*time.Time, error) {
	if on != "" {
		t, err := time.Parse(time.DateOnly, on)
		if err != nil {
			return nil, errors.New("occurred_on: must have the form YYYY-MM-DD")
		}
		return &t, nil
	}
	if ago == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(ago)
	if err != nil || n < 0 {
		return nil, errors.New("days_ago: must be a number of days, 0 or more")
	}
	t := r.options.Today.AddDate(0, 0, -n)
	return &t, nil
}

// intensity brings a value from the file's scale to 1..10, in a straight line.
func (r *Reader) intensity(text string) (int, error) {
	x, err := strconv.ParseFloat(text, 64)
	low, high := r.options.Low, r.options.High
	if low == high {
		low, high = 1, 10
	}
	if err != nil || x < low || x > high {
		return 0, fmt.Errorf("intensity: must be a number from %g to %g", low, high)
	}
	return int(math.Round(1 + 9*(x-low)/(high-low))), nil
}

// titleLength is how much of an account stands in for a missing title.
const titleLength = 80

// firstWords is the beginning of a text, cut between words.
func firstWords(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	runes := []rune(text)
	if len(runes) <= titleLength {
		return text
	}
	cut := string(runes[:titleLength])
	if i := strings.LastIndexByte(cut, ' '); i > titleLength/2 {
		cut = cut[:i]
	}
	return cut + "…"
}

var scaleRule = regexp.MustCompile(`_(\d+)_to_(\d+)$`)

// ScaleOf reads the ends of a scale off a header such as intensity_1_to_4.
func ScaleOf(header string) (low, high float64, ok bool) {
	m := scaleRule.FindStringSubmatch(header)
	if m == nil {
		return 0, 0, false
	}
	low, _ = strconv.ParseFloat(m[1], 64) // digits
	high, _ = strconv.ParseFloat(m[2], 64)
	if low >= high {
		return 0, 0, false
	}
	return low, high, true
}
