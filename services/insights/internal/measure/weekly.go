package measure

import (
	"math/bits"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
)

// tallied is what the weeks of a group say.
type tallied struct {
	// weeks that count.
	weeks uint64
	// alike are those in which all people say the same, unfit those and the ones of
	// too few people.
	alike, unfit uint64
	// people are the means of each person's weeks, of those who have any.
	people []float64
	// n people of each week and the sum of what they say.
	n   [MaxWeeks]int32
	sum [MaxWeeks]float64
}

// tally adds up what the weeks that count say.
func tally[T float64 | uint8](g Group, says *column[T]) *tallied {
	t := &tallied{weeks: g.Weeks, people: make([]float64, 0, len(g.Rows))}
	var low, high [MaxWeeks]float64
	for i, row := range g.Rows {
		counts, sum, n := g.counts(i), 0.0, 0
		weeks, values := says.of(row)
		for _, value := range values {
			x := float64(value)
			var at int
			if at, weeks = next(weeks); counts&(1<<at) == 0 {
				continue
			}
			if t.n[at] == 0 {
				low[at], high[at] = x, x
			}
			t.n[at]++
			t.sum[at] += x
			low[at], high[at] = min(low[at], x), max(high[at], x)
			sum += x
			n++
		}
		if n > 0 {
			t.people = append(t.people, sum/float64(n))
		}
	}
	for at := range t.n {
		bit := uint64(1) << at & g.Weeks
		if low[at] == high[at] {
			t.alike |= bit
		}
		if t.n[at] < g.Minimum {
			t.unfit |= bit
		}
	}
	t.unfit |= t.alike
	return t
}

// fit is the tally of the weeks that may be shown; nil: of none, or of too few people.
func fit[T float64 | uint8](g Group, says *column[T]) *tallied {
	t := tally(g, says)
	if t.unfit != 0 {
		g.Weeks &^= t.unfit
		t = tally(g, says)
	}
	if t.weeks == 0 || int32(len(t.people)) < g.Minimum {
		return nil
	}
	return t
}

// byWeek are the means of the weeks.
func (t *tallied) byWeek(w Window, decimals int) []*insightsv1.CohortWeekValue {
	out := make([]*insightsv1.CohortWeekValue, 0, bits.OnesCount64(t.weeks))
	for at, left := next(t.weeks); at < MaxWeeks; at, left = next(left) {
		out = append(out, &insightsv1.CohortWeekValue{Week: w.monday(at), N: t.n[at], Value: round(t.sum[at]/float64(t.n[at]), decimals)})
	}
	return out
}

// mean of the people with its interval; not ok: as far as is shown, they are alike.
func (t *tallied) mean(decimals int) (mean, deviation float64, in stats.Interval, ok bool) {
	mean, deviation, in, ok = stats.Mean(t.people, stats.Level)
	return mean, round(deviation, decimals), in, ok && round(deviation, decimals) > 0
}

func moodLevel(g Group) (func(*insightsv1.CohortCell), bool) {
	t := fit(g, &g.Look.mood)
	if t == nil {
		return nil, true
	}
	mean, deviation, in, ok := t.mean(moodDecimals)
	if !ok {
		return nil, true
	}
	return func(cell *insightsv1.CohortCell) {
		about(cell, int32(len(t.people)), t.weeks)
		cell.Values = &insightsv1.CohortCell_MoodLevel{MoodLevel: &insightsv1.CohortMoodLevel{
			Mean: round(mean, moodDecimals), Interval: within(in, -5, 5, moodDecimals), Deviation: deviation,
			ByWeek: t.byWeek(g.Look.window, moodDecimals),
		}}
	}, false
}

func stepMomentum(g Group) (func(*insightsv1.CohortCell), bool) {
	t := fit(g, &g.Look.steps)
	if t == nil {
		return nil, true
	}
	mean, _, in, ok := t.mean(dayDecimals)
	if !ok {
		return nil, true
	}
	return func(cell *insightsv1.CohortCell) {
		about(cell, int32(len(t.people)), t.weeks)
		cell.Values = &insightsv1.CohortCell_StepMomentum{StepMomentum: &insightsv1.CohortStepMomentum{
			ActiveDays: round(mean, dayDecimals), Interval: within(in, 1, 7, dayDecimals),
			ByWeek: t.byWeek(g.Look.window, dayDecimals),
		}}
	}, false
}

// takingPart counts, of each week, the people who count and those who did anything.
func takingPart(g Group) (n, active [MaxWeeks]int32) {
	for i, row := range g.Rows {
		did := g.Look.active[row]
		for at, left := next(g.counts(i)); at < MaxWeeks; at, left = next(left) {
			n[at]++
			active[at] += int32(did >> at & 1)
		}
	}
	return n, active
}

// alikeTakingPart are the weeks in which all took part, or nobody did.
func alikeTakingPart(g Group) uint64 {
	n, active := takingPart(g)
	var alike uint64
	for at := range n {
		if active[at] == 0 || active[at] == n[at] {
			alike |= uint64(1) << at
		}
	}
	return alike & g.Weeks
}

func participation(g Group) (func(*insightsv1.CohortCell), bool) {
	n, active := takingPart(g)
	var values []*insightsv1.CohortWeekValue
	var weeks uint64
	var sum float64
	for at, left := next(g.Weeks); at < MaxWeeks; at, left = next(left) {
		if n[at] < max(1, g.Minimum) || active[at] == 0 || active[at] == n[at] {
			continue
		}
		weeks |= 1 << at
		sum += float64(active[at]) / float64(n[at])
		values = append(values, &insightsv1.CohortWeekValue{Week: g.Look.window.monday(at), N: n[at], Value: share(active[at], n[at])})
	}
	if weeks == 0 {
		return nil, true
	}
	var people int32
	for _, counts := range g.Counts {
		if counts&weeks != 0 {
			people++
		}
	}
	return func(cell *insightsv1.CohortCell) {
		about(cell, people, weeks)
		cell.Values = &insightsv1.CohortCell_Participation{Participation: &insightsv1.CohortParticipation{
			WeeklyShare: round(sum/float64(len(values)), shareDecimals), ByWeek: values,
		}}
	}, false
}
