// Package recurrence reads RFC 5545 recurrence rules on local dates. A rule has no
// zone: what repeats does so on a day, wherever the person is. Dates are instants
// at midnight UTC, as the library that works rules out wants them.
package recurrence

import (
	"time"

	"github.com/teambition/rrule-go"
	datepb "google.golang.org/genproto/googleapis/type/date"
)

// Option reads a rule, such as FREQ=WEEKLY;BYDAY=MO,TH, that counts from a date. An
// UNTIL with a time of day counts as its date in UTC.
func Option(text string, start *datepb.Date) (*rrule.ROption, error) {
	option, err := rrule.StrToROption(text)
	if err != nil {
		return nil, err
	}
	option.Dtstart = Instant(start)
	if !option.Until.IsZero() {
		option.Until = option.Until.UTC().Truncate(24 * time.Hour)
	}
	return option, nil
}

// Instant is the instant that stands for a date.
func Instant(d *datepb.Date) time.Time {
	return time.Date(int(d.GetYear()), time.Month(d.GetMonth()), int(d.GetDay()), 0, 0, 0, 0, time.UTC)
}
