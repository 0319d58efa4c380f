package domain

import (
	"strings"
	"time"

	"github.com/teambition/rrule-go"
	datepb "google.golang.org/genproto/googleapis/type/date"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// recurrence is an RFC 5545 rule on local dates: it has no zone, since a step
// occurs on a day wherever the person is.
type recurrence struct {
	rule   *rrule.RRule
	finite bool
}

// parseRecurrence reads a rule that counts from a date. Errors are faults on
// the field.
func parseRecurrence(field, text string, start *datepb.Date) (*recurrence, error) {
	bad := func(why string) error { return fault.Invalid(field, "RECURRENCE_INVALID", "%s", why) }
	if strings.ContainsAny(text, "\r\n:") || strings.Contains(strings.ToUpper(text), "DTSTART") {
		return nil, bad("must be one RFC 5545 recurrence rule, without property name and DTSTART, such as FREQ=WEEKLY;BYDAY=MO,TH")
	}
	option, err := rrule.StrToROption(text)
	if err != nil {
		return nil, bad("must be an RFC 5545 recurrence rule, such as FREQ=WEEKLY;BYDAY=MO,TH")
	}
	if option.Freq > rrule.DAILY || len(option.Byhour)+len(option.Byminute)+len(option.Bysecond) > 0 {
		return nil, bad("must repeat DAILY, WEEKLY, MONTHLY or YEARLY, without hours, minutes and seconds")
	}
	if option.Count < 0 || option.Count > maxCompletions {
		return nil, bad("must occur 1 to 10,000 times")
	}
	if option.Interval < 1 && strings.Contains(strings.ToUpper(text), "INTERVAL") {
		return nil, bad("must have an interval of at least 1")
	}
	option.Dtstart = instant(start)
	if !option.Until.IsZero() {
		u := option.Until.UTC()
		option.Until = time.Date(u.Year(), u.Month(), u.Day(), 0, 0, 0, 0, time.UTC)
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, bad("must be an RFC 5545 recurrence rule, such as FREQ=WEEKLY;BYDAY=MO,TH")
	}
	if !occurs(*option) {
		return nil, bad("must occur at least once in the first hundred years")
	}
	return &recurrence{rule: rule, finite: option.Count > 0 || !option.Until.IsZero()}, nil
}

// horizon is how many years after its start a rule has to occur: looking for
// what never does would take as long as the calendar.
const horizon = 100

func occurs(option rrule.ROption) bool {
	end := option.Dtstart.AddDate(horizon, 0, 0)
	if option.Until.IsZero() || option.Until.After(end) {
		option.Until = end
	}
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return false
	}
	_, ok := rule.Iterator()()
	return ok
}

// count is how often a rule with an end occurs, at most one more than a step
// keeps completions.
func (r *recurrence) count() (n int, finite bool) {
	if !r.finite {
		return 0, false
	}
	for next := r.rule.Iterator(); n <= maxCompletions; n++ {
		if _, ok := next(); !ok {
			break
		}
	}
	return n, true
}

// atOrBefore is the latest occurrence on or before a date; nil when there is none.
func (r *recurrence) atOrBefore(date *datepb.Date) *datepb.Date {
	t := r.rule.Before(instant(date), true)
	if t.IsZero() {
		return nil
	}
	return localdate.Of(t, time.UTC)
}

func instant(d *datepb.Date) time.Time {
	return time.Date(int(d.GetYear()), time.Month(d.GetMonth()), int(d.GetDay()), 0, 0, 0, 0, time.UTC)
}
