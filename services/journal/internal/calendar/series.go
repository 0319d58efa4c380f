package calendar

import (
	"time"

	"github.com/teambition/rrule-go"
	datepb "google.golang.org/genproto/googleapis/type/date"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
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
	option, err := rrule.StrToROption(s.GetRecurrence())
	if err != nil {
		return e, false // the goals service takes no such rule
	}
	option.Dtstart = midnight(s.GetStartDate(), time.UTC)
	if !option.Until.IsZero() {
		option.Until = option.Until.UTC().Truncate(24 * time.Hour)
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return e, false
	}
	done := map[string]bool{}
	for _, c := range s.GetCompletions() {
		if c.GetOccurrence() != nil {
			done[localdate.Text(c.GetOccurrence())] = true
		}
	}
	first, passed := firstOpen(rule, w, done)
	if first == nil {
		return e, false
	}
	e = e.on(first)
	e.series.rule = ruleFrom(*option, rule, passed)
	for _, c := range s.GetCompletions() {
		if c.GetOccurrence() != nil && localdate.After(c.GetOccurrence(), first) {
			e.series.except = append(e.series.except, c.GetOccurrence())
		}
	}
	return e, true
}

// firstOpen finds the first occurrence that is not done, and how many come before
// it. It looks from the first of the window's first month on, so that a series
// begins anew once a month at most and not every day.
func firstOpen(rule *rrule.RRule, w window, done map[string]bool) (first *datepb.Date, passed int) {
	begin := midnight(&datepb.Date{Year: w.from.GetYear(), Month: w.from.GetMonth(), Day: 1}, time.UTC)
	end := midnight(w.until, time.UTC)
	for next := rule.Iterator(); ; passed++ {
		at, ok := next()
		if !ok || !at.Before(end) {
			return nil, passed
		}
		if !at.Before(begin) && !done[at.Format(time.DateOnly)] {
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
