// Package localdate handles the dates on a person's calendar: days without a
// time or a zone, as google.type.Date.
package localdate

import (
	"fmt"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
)

const secondsPerDay = 24 * 60 * 60

// Of is the date of an instant in a zone, by the calendar on the wall. What day it
// is to a person is for their Calendar to tell.
func Of(t time.Time, zone *time.Location) *datepb.Date {
	y, m, d := t.In(zone).Date()
	return &datepb.Date{Year: int32(y), Month: int32(m), Day: int32(d)}
}

// Valid tells whether d is a whole date that exists; years 1 to 9999.
func Valid(d *datepb.Date) bool {
	if d.GetYear() < 1 || d.GetYear() > 9999 || d.GetMonth() < 1 || d.GetDay() < 1 {
		return false
	}
	t := midnight(d)
	y, m, day := t.Date()
	return int32(y) == d.GetYear() && int32(m) == d.GetMonth() && int32(day) == d.GetDay()
}

// Days is the number of days from 1970-01-01 to d.
func Days(d *datepb.Date) int { return int(midnight(d).Unix() / secondsPerDay) }

// FromDays is the date that many days after 1970-01-01.
func FromDays(n int) *datepb.Date {
	return Of(time.Unix(int64(n)*secondsPerDay, 0), time.UTC)
}

// AddMonths gives the same day n months later, or earlier; a month that has no
// such day gives its last one.
func AddMonths(d *datepb.Date, n int) *datepb.Date {
	first := time.Date(int(d.GetYear()), time.Month(int(d.GetMonth())+n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return &datepb.Date{Year: int32(first.Year()), Month: int32(first.Month()), Day: min(d.GetDay(), int32(last))}
}

// Between is the number of days from a to b; negative when b is earlier.
func Between(a, b *datepb.Date) int { return Days(b) - Days(a) }

// After tells whether a is later than b.
func After(a, b *datepb.Date) bool { return Days(a) > Days(b) }

// Text is d as YYYY-MM-DD, which sorts as the dates do.
func Text(d *datepb.Date) string {
	return fmt.Sprintf("%04d-%02d-%02d", d.GetYear(), d.GetMonth(), d.GetDay())
}

// Parse reads YYYY-MM-DD.
func Parse(s string) (*datepb.Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return nil, fmt.Errorf("not a date in the form YYYY-MM-DD")
	}
	return Of(t, time.UTC), nil
}

func midnight(d *datepb.Date) time.Time {
	return time.Date(int(d.GetYear()), time.Month(d.GetMonth()), int(d.GetDay()), 0, 0, 0, 0, time.UTC)
}
