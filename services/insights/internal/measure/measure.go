// Package measure is what cohort reports measure: numbers about many people, pure
// functions of what is known about each. Who may be counted, and whether a cell may
// be shown at all, is judged before; what is shown is judged here too, so that
// nothing in it rests on fewer people than the minimum. docs/methods.md tells what
// the numbers are and what they do not mean.
package measure

import (
	"math"
	"math/bits"

	datepb "google.golang.org/genproto/googleapis/type/date"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// MaxWeeks is the longest window there can be: a mask has one bit for each week.
const MaxWeeks = 64

// Window is whole weeks by their numbers (facts.Week), Last included: 1 to MaxWeeks.
type Window struct{ First, Last int32 }

// All is the mask of all weeks of the window: bit i is week First+i.
func (w Window) All() uint64 { return math.MaxUint64 >> (MaxWeeks - 1 - (w.Last - w.First)) }

// Metric is one way to measure a group.
type Metric struct {
	Kind            insightsv1.CohortMetric
	Method, Version string
	// ByWeek: each week is judged by itself, and those of too few people are left out.
	// Otherwise the window is judged as one.
	ByWeek bool
	// Strict: needs the stricter minimum.
	Strict bool
	// Mask has a bit for each week of the window in which a person has something to
	// say; 0: they do not contribute. asOf is the day (since 1970, UTC) after which
	// nothing is known.
	Mask func(p *facts.Person, w Window, asOf int32) uint64
	// Alike is the weeks of a group in which all people are alike, and the mean of a
	// week would be known of each: they are not to be counted either. Measure leaves
	// them out in any case. Nil where no week is shown by itself.
	Alike func(g Group) uint64
	// Measure gives what sets n, weeks and values of a cell; homogeneous: all people
	// are alike, or what could be shown would rest on too few.
	Measure func(g Group) (fill func(*insightsv1.CohortCell), homogeneous bool)
}

// Group is who is measured.
type Group struct {
	// People who contribute anything that counts, in a stable order.
	People []*facts.Person
	// Counts are the weeks of each that count, as of Metric.Mask and within it.
	Counts []uint64
	// Weeks are the weeks that count at all.
	Weeks  uint64
	Window Window
	// AsOf is the day after which nothing is known: since 1970, UTC, not before the
	// window's end.
	AsOf int32
	// Minimum is the least number of people behind any number shown.
	Minimum int32
	// Look has gathered the People, and Rows are the places they have in it. Without,
	// each measure gathers them anew: make one Look for all groups of a report.
	Look *Look
	Rows []int32
}

// looked is the group with a look at it.
func (g Group) looked() Group {
	if g.Look != nil {
		return g
	}
	g.Look, g.Rows = NewLook(g.People, g.Window, g.AsOf), make([]int32, len(g.People))
	for i := range g.Rows {
		g.Rows[i] = int32(i)
	}
	return g
}

// Metrics are all there are, in the order of the enum.
func Metrics() []Metric {
	return []Metric{
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_PARTICIPATION,
			Method: "weekly-share", Version: "1", ByWeek: true,
			Mask: everyWeek, Alike: alikeTakingPart, Measure: participation,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL,
			Method: "mean-of-people", Version: "1", ByWeek: true,
			Mask: maskOf(hasMood), Alike: func(g Group) uint64 { return tallyMood(g).alike }, Measure: moodLevel,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_MOOD_DISTRIBUTION,
			Method: "merged-bands", Version: "1", ByWeek: true,
			Mask: maskOf(hasMood), Measure: moodDistribution,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE,
			Method: "kaplan-meier", Version: "1", Strict: true,
			Mask: maskOfSetbacks(func(facts.Setback) bool { return true }), Measure: recoveryCurve,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_LESSONS_APPLIED,
			Method: "mean-share", Version: "1",
			Mask: maskOf(hasLessons), Measure: lessonsApplied,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_STEP_MOMENTUM,
			Method: "mean-of-people", Version: "1", ByWeek: true,
			Mask: maskOf(hasSteps), Alike: func(g Group) uint64 { return tallySteps(g).alike }, Measure: stepMomentum,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_FAILURE_KINDS,
			Method: "people-counted", Version: "1",
			Mask: maskOfSetbacks(func(s facts.Setback) bool { return kindOf(s) != 0 }), Measure: failureKinds,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE,
			Method: "people-counted", Version: "1",
			Mask: everyWeek, Measure: practiceUptake,
		},
	}
}

// counts are the weeks of person i that count.
func (g Group) counts(i int) uint64 { return g.Counts[i] & g.Weeks }

// about sets what every cell says beside its values.
func about(cell *insightsv1.CohortCell, people int32, weeks uint64) {
	cell.N = &people
	count := int32(bits.OnesCount64(weeks))
	cell.Weeks = &count
}

// Decimals of what is shown. Rounded numbers of two groups tell less about the one
// person who makes them differ.
const (
	moodDecimals  = 2
	dayDecimals   = 2
	shareDecimals = 3
	chiDecimals   = 3
	pDecimals     = 4
)

// round to so many decimals; never minus zero.
func round(x float64, decimals int) float64 {
	unit := math.Pow10(decimals)
	return math.Round(x*unit)/unit + 0
}

// within is an interval, rounded, and cut to what is possible.
func within(in stats.Interval, low, high float64, decimals int) *insightsv1.Interval {
	return &insightsv1.Interval{Low: round(max(low, in.Low), decimals), High: round(min(high, in.High), decimals)}
}

// share of some in all, rounded.
func share(count, n int32) float64 { return round(float64(count)/float64(n), shareDecimals) }

// monday is the date of a window's week, by its bit.
func (w Window) monday(i int) *datepb.Date {
	return localdate.FromDays(int(facts.Monday(w.First + int32(i))))
}
