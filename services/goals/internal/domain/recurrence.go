package domain

import (
	"math"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
	datepb "google.golang.org/genproto/googleapis/type/date"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	recur "github.com/rebound-hq/rebound/services/kit/recurrence"
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
	option, err := recur.Option(text, start)
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
// keeps completions, and the last date of these.
func (r *recurrence) count() (n int, last *datepb.Date, finite bool) {
	if !r.finite {
		return 0, nil, false
	}
	for next := r.rule.Iterator(); n <= maxCompletions; n++ {
		t, ok := next()
		if !ok {
			break
		}
		last = localdate.Of(t, time.UTC)
	}
	return n, last, true
}

// atOrBefore is the latest occurrence on or before a date; nil when there is none.
func (r *recurrence) atOrBefore(date *datepb.Date) *datepb.Date {
	return dateOf(r.rule.Before(recur.Instant(date), true))
}

// after is the first occurrence after a date; nil when there is none.
func (r *recurrence) after(date *datepb.Date) *datepb.Date {
	return dateOf(r.rule.After(recur.Instant(date), false))
}

func dateOf(t time.Time) *datepb.Date {
	if t.IsZero() {
		return nil
	}
	return localdate.Of(t, time.UTC)
}

const (
	// paceDays is how many days of a rule are looked at to tell its pace: four years
	// have all lengths of months.
	paceDays = 1461
	// longestPace bounds the days of a pace: the horizon.
	longestPace = horizon * 366
)

// periodDays are the days that a rule of one frequency repeats within.
var periodDays = map[rrule.Frequency]int{rrule.DAILY: 7, rrule.WEEKLY: 7, rrule.MONTHLY: 31, rrule.YEARLY: 366}

// pace is what a rule comes to as times in days: times is how often it occurs in one
// of its periods (the week, the month, ...), days how long it takes at most to occur
// so often. Whoever does every occurrence on its date does it times in any days.
func (r *recurrence) pace() (times, days int) {
	option := r.rule.OrigOptions
	interval := max(1, option.Interval)
	if option.Freq == rrule.DAILY && len(option.Byweekday)+len(option.Bymonth)+len(option.Bymonthday)+len(option.Byyearday)+len(option.Byweekno)+len(option.Bysetpos)+len(option.Byeaster) == 0 {
		return 1, min(interval, longestPace)
	}
	dates := r.first(paceDays)
	n := len(dates) - 1 // steps from one to the next
	if n < 1 {
		return 1, longestPace
	}
	period := min(interval, longestPace)
	if option.Freq == rrule.DAILY {
		period = 1
	}
	period *= periodDays[option.Freq]
	times = int(math.Round(float64(n) * float64(period) / float64(dates[n]-dates[0])))
	times = min(max(1, times), n)
	for i := times; i <= n; i++ {
		days = max(days, dates[i]-dates[i-times])
	}
	return times, min(days, longestPace)
}

// first gives the days of the first occurrences, as if the rule had no end: those
// within a number of days, and at least two within the horizon.
func (r *recurrence) first(days int) []int {
	option := r.rule.OrigOptions
	option.Count, option.Until = 0, option.Dtstart.AddDate(horizon, 0, 0)
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return nil
	}
	var out []int
	for next := rule.Iterator(); ; {
		t, ok := next()
		if !ok {
			return out
		}
		day := localdate.Days(localdate.Of(t, time.UTC))
		if len(out) > 1 && day-out[0] > days {
			return out
		}
		out = append(out, day)
	}
}
