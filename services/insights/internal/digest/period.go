// Package digest tells how a week or a month of a person was: numbers beside those
// of the period before, as data, as Markdown and as a page with charts. It is pure,
// and is given numbers and dates only.
package digest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/rebound-hq/rebound/services/insights/internal/projection"
)

// Period is a week as ISO 8601 counts them, or a month.
type Period struct {
	// Title is what it is called, such as "Week 47 of 2026".
	Title string
	// Unit is "week" or "month".
	Unit string
	// Span is its days, Before those of the one before it.
	Span, Before projection.Span
}

const secondsPerDay = 24 * 60 * 60

func dayOf(t time.Time) int32 { return int32(t.Unix() / secondsPerDay) }

// ParsePeriod reads an id, such as 2026-W47 or 2026-10; false: it names no period.
func ParsePeriod(id string) (Period, bool) {
	if len(id) < len("2026-10") || id[4] != '-' {
		return Period{}, false
	}
	year, ok := digits(id[:4])
	if !ok {
		return Period{}, false
	}
	if id[5] == 'W' {
		week, ok := digits(id[6:])
		if !ok || len(id) != len("2026-W47") {
			return Period{}, false
		}
		return isoWeek(year, week)
	}
	month, ok := digits(id[5:])
	if !ok || len(id) != len("2026-10") || month < 1 || month > 12 {
		return Period{}, false
	}
	first := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
	return Period{
		Title: first.Format("January 2006"), Unit: "month",
		Span:   projection.Span{From: dayOf(first), Until: dayOf(first.AddDate(0, 1, 0)) - 1},
		Before: projection.Span{From: dayOf(first.AddDate(0, -1, 0)), Until: dayOf(first) - 1},
	}, true
}

// digits reads a number of nothing but digits.
func digits(s string) (int, bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// isoWeek is a week by its number: the first is that which January 4 lies in.
func isoWeek(year, week int) (Period, bool) {
	fourth := time.Date(year, time.January, 4, 0, 0, 0, 0, time.UTC)
	monday := fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7+7*(week-1))
	if y, w := monday.ISOWeek(); y != year || w != week {
		return Period{}, false
	}
	from := dayOf(monday)
	return Period{
		Title: fmt.Sprintf("Week %d of %d", week, year), Unit: "week",
		Span:   projection.Span{From: from, Until: from + 6},
		Before: projection.Span{From: from - 7, Until: from - 1},
	}, true
}
