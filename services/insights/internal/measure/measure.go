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
	// Mask has a bit for each week of the window in which the person of a row has
	// something to say; 0: they do not contribute.
	Mask func(l *Look, row int32) uint64
	// Facts puts what the person of a row says in some weeks, which are within the mask, to
	// the places of these weeks: who says the same there adds the same to each number.
	Facts func(l *Look, row int32, weeks uint64, to *[MaxWeeks]uint64)
	// Outcome is what came, by the look's day, of what the person of a row says in some weeks:
	// 0 to 255. Nil: nothing that counts does.
	Outcome func(l *Look, row int32, weeks uint64) uint32
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
	Look *Look
	// Rows are those of the people who contribute anything that counts, in order.
	Rows []int32
	// Counts are the weeks of each that count, as of Metric.Mask and within it.
	Counts []uint64
	// Weeks are the weeks that count at all.
	Weeks uint64
	// Minimum is the least number of people behind any number shown.
	Minimum int32
}

// Metrics are all there are, in the order of the enum.
func Metrics() []Metric {
	return []Metric{
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_PARTICIPATION,
			Method: "weekly-share", Version: "1", ByWeek: true,
			Mask: everyWeek, Facts: saidTakingPart, Alike: alikeTakingPart, Measure: participation,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL,
			Method: "mean-of-people", Version: "1", ByWeek: true,
			Mask: func(l *Look, row int32) uint64 { return l.mood.weeks[row] }, Facts: saidMood, Alike: func(g Group) uint64 { return tally(g, &g.Look.mood).alike }, Measure: moodLevel,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_MOOD_DISTRIBUTION,
			Method: "merged-bands", Version: "1", ByWeek: true,
			Mask: func(l *Look, row int32) uint64 { return l.mood.weeks[row] }, Facts: saidMood, Measure: moodDistribution,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE,
			Method: "kaplan-meier", Version: "1", Strict: true,
			Mask: func(l *Look, row int32) uint64 { return l.setbacks.weeks[row] }, Facts: saidRecovery, Outcome: recoveredBy, Measure: recoveryCurve,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_LESSONS_APPLIED,
			Method: "mean-share", Version: "1",
			Mask: func(l *Look, row int32) uint64 { return l.lessons.weeks[row] }, Facts: saidLessons, Outcome: appliedBy, Measure: lessonsApplied,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_STEP_MOMENTUM,
			Method: "mean-of-people", Version: "1", ByWeek: true,
			Mask: func(l *Look, row int32) uint64 { return l.steps.weeks[row] }, Facts: saidSteps, Alike: func(g Group) uint64 { return tally(g, &g.Look.steps).alike }, Measure: stepMomentum,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_FAILURE_KINDS,
			Method: "people-counted", Version: "1",
			Mask: kindWeeks, Facts: saidKinds, Measure: failureKinds,
		},
		{
			Kind:   insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE,
			Method: "people-counted", Version: "1",
			Mask: everyWeek, Facts: saidPractices, Measure: practiceUptake,
		},
	}
}

// everyWeek: whoever may be counted has something to say, if only that they did
// nothing.
func everyWeek(l *Look, _ int32) uint64 { return l.window.All() }

// counts are the weeks that count of the person of place i in Rows.
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
