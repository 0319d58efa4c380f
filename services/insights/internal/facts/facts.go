// Package facts is what cohort reports may know about people: week by week, small,
// without a word and without a moment of a day.
package facts

import (
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
	// Changed is when it last became what it is, in milliseconds since 1970, by the
	// clock of the service.
	Changed int64
	// MoodSum is the sum of pleasantness of CheckIns check-ins.
	MoodSum  int32
	CheckIns int32
	// StepDays is the days with completed steps, 0 to 7.
	StepDays int32
	// Captured are the lessons of this week, Applied those of them that were applied
	// since, each with the day they were.
	Captured int32
	Applied  []int32
	// Practices has bit p set for each typev1.Practice p that was practiced.
	Practices uint32
}

// Setback is a setback. Its week is that of Occurred.
type Setback struct {
	// Occurred is the local day it happened.
	Occurred int32
	// Recovered is the local day of recovery; -1 until then.
	Recovered int32
	Kind      typev1.FailureKind
	// Changed is as in Week.
	Changed int64
}

// WeekOf is the number of the week of a day since 1970-01-01, a Thursday.
func WeekOf(day int32) int32 { return (day + 3) / 7 }

// Monday is the first day of a week.
func Monday(week int32) int32 { return week*7 - 3 }
