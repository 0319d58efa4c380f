package calendar

import (
	"maps"
	"slices"
	"time"

	"github.com/teambition/rrule-go"
	datepb "google.golang.org/genproto/googleapis/type/date"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/recurrence"
)

// series is how an entry repeats, as RFC 5545 says it: by a rule that counts from
// the entry's own day, less the days in except.
type series struct {
	rule   string
	except []*datepb.Date
}

// repeating makes an entry of a repeating step: from its first occurrence within
// the window that is not done. False: there is none.
func (e entry) repeating(s *goalsv1.Step, w window) (entry, bool) {
	option, err := recurrence.Option(s.GetRecurrence(), s.GetStartDate())
	if err != nil {
		return e, false // the goals service takes no such rule
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return e, false
	}
	closed := closedDays(s, rule, w)
	first, passed := firstOpen(rule, w, closed)
	if first == nil {
		return e, false
	}
	e = e.on(first)
	e.series.rule = ruleFrom(*option, rule, passed)
	for _, day := range slices.Sorted(maps.Keys(closed)) {
		if localdate.After(closed[day], first) {
			e.series.except = append(e.series.except, closed[day])
		}
	}
	return e, true
}

// closedDays are the occurrences of a step that nobody waits for, by their text:
// those that are done, and those within the window that lie in a break.
func closedDays(s *goalsv1.Step, rule *rrule.RRule, w window) map[string]*datepb.Date {
	closed := map[string]*datepb.Date{}
	for _, c := range s.GetCompletions() {
		if c.GetOccurrence() != nil {
			closed[localdate.Text(c.GetOccurrence())] = c.GetOccurrence()
		}
	}
	if len(s.GetBreaks()) == 0 {
		return closed
	}
	for _, at := range rule.Between(midnight(monthOf(w.from), time.UTC), midnight(w.until, time.UTC).Add(-time.Second), true) {
		if day := localdate.Of(at, time.UTC); rests(s, day) {
			closed[localdate.Text(day)] = day
		}
	}
	return closed
}

// rests tells whether a day lies in a break of a step.
func rests(s *goalsv1.Step, day *datepb.Date) bool {
	return slices.ContainsFunc(s.GetBreaks(), func(b *goalsv1.Break) bool {
		return !localdate.After(b.GetFromDate(), day) && (b.GetUntilDate() == nil || !localdate.After(day, b.GetUntilDate()))
	})
}

// monthOf is the first day of a month.
func monthOf(day *datepb.Date) *datepb.Date {
	return &datepb.Date{Year: day.GetYear(), Month: day.GetMonth(), Day: 1}
}

// firstOpen finds the first occurrence that is not closed, and how many come before
// it. It looks from the first of the window's first month on, so that a series
// begins anew once a month at most and not every day.
func firstOpen(rule *rrule.RRule, w window, closed map[string]*datepb.Date) (first *datepb.Date, passed int) {
	begin := midnight(monthOf(w.from), time.UTC)
	end := midnight(w.until, time.UTC)
	for next := rule.Iterator(); ; passed++ {
		at, ok := next()
		if !ok || !at.Before(end) {
			return nil, passed
		}
		if !at.Before(begin) && closed[at.Format(time.DateOnly)] == nil {
			return localdate.Of(at, time.UTC), passed
		}
	}
}

// ruleFrom writes a rule that goes on after so many occurrences have passed. From
// any of its occurrences a rule goes on as it did from its start, but for its
// count. RFC 5545 has either a count or an end, which is a date for whole days;
// and it knows no Easter: of such a rule the first occurrence alone is shown.
func ruleFrom(option rrule.ROption, rule *rrule.RRule, passed int) string {
	if len(option.Byeaster) > 0 {
		return ""
	}
	until := option.Until
	switch {
	case option.Count > 0 && !until.IsZero():
		all := rule.All() // the count bounds them
		option.Count, until = 0, all[len(all)-1]
	case option.Count > 0:
		option.Count -= passed
	}
	option.Until = time.Time{}
	text := option.RRuleString()
	if !until.IsZero() {
		text += ";UNTIL=" + until.Format(rrule.DateFormat)
	}
	return text
}
