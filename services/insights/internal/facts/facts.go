// Package facts is what cohort reports may know about people: week by week, small,
// without a word and without a moment of a day.
package facts

import (
	"slices"
	"time"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

// Person is what is known about one person. It is shared by many readers: nobody
// may change it.
type Person struct {
	// Owner is tenants/{tenant}/people/{person}.
	Owner string
	// Consents are when the person let themselves be counted, earliest first. The last
	// one is open when they do so now.
	Consents []Span
	// Affiliations are where they stood, earliest first.
	Affiliations []Affiliation
	// Weeks are the weeks in which they did anything, in order.
	Weeks []Week
	// Setbacks by the day they happened.
	Setbacks []Setback
}

// The local days of one date lie in different hours. Counted from its first instant
// in UTC, the earliest begins 14 hours before it, and the latest ends a day after its
// end: where the clock is 12 hours behind and the day begins at noon.
const (
	earliestBegin = -14 * int64(time.Hour/time.Millisecond)
	latestEnd     = 24 * int64(time.Hour/time.Millisecond)
	msPerDay      = 24 * int64(time.Hour/time.Millisecond)
)

// Consented tells whether the person let themselves be counted through the whole of a
// week, wherever they were, and still does so now. Who takes consent back is counted
// nowhere, not even in weeks long past.
func (p *Person) Consented(week int32) bool {
	if len(p.Consents) == 0 || p.Consents[len(p.Consents)-1].Until != 0 {
		return false
	}
	from := int64(Monday(week))*msPerDay + earliestBegin
	until := int64(Monday(week+1))*msPerDay + latestEnd
	return slices.ContainsFunc(p.Consents, func(s Span) bool { return s.From <= from && (s.Until == 0 || s.Until >= until) })
}

// At gives the attributes that were in effect on a local day; none before the first.
// Nobody may change them.
func (p *Person) At(day int32) map[string]string {
	for i := len(p.Affiliations) - 1; i >= 0; i-- {
		if p.Affiliations[i].From <= day {
			return p.Affiliations[i].Attributes
		}
	}
	return nil
}

// Span is a time, in milliseconds since 1970, UTC. Until is exclusive, and 0 as long
// as it goes on.
type Span struct{ From, Until int64 }

// Affiliation is where a person stood from a local day on, in days since 1970.
type Affiliation struct {
	From int32
	// Attributes are shared between people: nobody may change them.
	Attributes map[string]string
}

// Week is what a person did in one week.
type Week struct {
	// Week is its number: weeks since that of Monday, 1969-12-29.
	Week int32
	// Practices has bit p set for each typev1.Practice p that was practiced.
	Practices uint32
	// MoodSum is the sum of pleasantness of CheckIns check-ins.
	MoodSum  int32
	CheckIns int32
	// StepDays is the days with completed steps, 0 to 7.
	StepDays int32
	// Captured are the lessons of this week, Applied those of them that were applied
	// since, each with the day they were.
	Captured int32
	Applied  []int32
}

// AppliedBy is how many lessons of the week were applied by a day, Captured at most.
func (w *Week) AppliedBy(day int32) int32 {
	var n int32
	for _, on := range w.Applied {
		if on <= day {
			n++
		}
	}
	return min(n, w.Captured)
}

// Setback is a setback. Its week is that of Occurred.
type Setback struct {
	// Occurred is the local day it happened.
	Occurred int32
	// Recovered is the local day of recovery; -1 until then.
	Recovered int32
	Kind      typev1.FailureKind
}

// WeekOf is the number of the week of a day since 1970-01-01, a Thursday.
func WeekOf(day int32) int32 {
	since := day + 3
	if since < 0 {
		since -= 6 // division cuts towards zero
	}
	return since / 7
}

// Monday is the first day of a week.
func Monday(week int32) int32 { return week*7 - 3 }
