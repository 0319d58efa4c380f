package measure

import (
	"math/bits"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
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

// said is what a week of a person says; not ok: nothing.
type said func(*facts.Week) (x float64, ok bool)

// mood is the mean of a week's check-ins.
func mood(w *facts.Week) (float64, bool) {
	return float64(w.MoodSum) / float64(w.CheckIns), w.CheckIns > 0
}

// stepDays are a week's days with completed steps.
func stepDays(w *facts.Week) (float64, bool) { return float64(w.StepDays), w.StepDays > 0 }

func moodWeeks(p *facts.Person, w Window, _ int32) uint64 {
	return maskOf(p, w, func(x *facts.Week) bool { return x.CheckIns > 0 })
}

func stepWeeks(p *facts.Person, w Window, _ int32) uint64 {
	return maskOf(p, w, func(x *facts.Week) bool { return x.StepDays > 0 })
}

// tally adds up what the weeks that count say.
func tally(g Group, says said) *tallied {
	t := &tallied{weeks: g.Weeks, people: make([]float64, 0, len(g.People))}
	var low, high [MaxWeeks]float64
	for i, p := range g.People {
		counts, sum, n := g.counts(i), 0.0, 0
		weeks := weeksOf(p, g.Window)
		for j := range weeks {
			at := weeks[j].Week - g.Window.First
			x, ok := says(&weeks[j])
			if !ok || counts&(1<<at) == 0 {
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
		if bit := uint64(1) << at & g.Weeks; low[at] == high[at] {
			t.alike |= bit
		}
		if t.n[at] < g.Minimum {
			t.unfit |= uint64(1) << at & g.Weeks
		}
	}
	t.unfit |= t.alike
	return t
}

// fit is the tally of the weeks that may be shown; nil: of none, or of too few people.
func fit(g Group, says said) *tallied {
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
	for left := t.weeks; left != 0; left &= left - 1 {
		at := bits.TrailingZeros64(left)
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
	t := fit(g, mood)
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
			ByWeek: t.byWeek(g.Window, moodDecimals),
		}}
	}, false
}

func stepMomentum(g Group) (func(*insightsv1.CohortCell), bool) {
	t := fit(g, stepDays)
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
			ByWeek: t.byWeek(g.Window, dayDecimals),
		}}
	}, false
}

// takesPart tells whether a person did anything in a week.
func takesPart(w *facts.Week) bool {
	return w.CheckIns > 0 || w.StepDays > 0 || w.Captured > 0 || w.Practices != 0
}

// takingPart counts, of each week, the people who count and those who did anything.
func takingPart(g Group) (n, active [MaxWeeks]int32) {
	for i, p := range g.People {
		counts := g.counts(i)
		for left := counts; left != 0; left &= left - 1 {
			n[bits.TrailingZeros64(left)]++
		}
		weeks := weeksOf(p, g.Window)
		for j := range weeks {
			if at := weeks[j].Week - g.Window.First; counts&(1<<at) != 0 && takesPart(&weeks[j]) {
				active[at]++
			}
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
	for left := g.Weeks; left != 0; left &= left - 1 {
		at := bits.TrailingZeros64(left)
		if n[at] < max(1, g.Minimum) || active[at] == 0 || active[at] == n[at] {
			continue
		}
		weeks |= 1 << at
		sum += float64(active[at]) / float64(n[at])
		values = append(values, &insightsv1.CohortWeekValue{Week: g.Window.monday(at), N: n[at], Value: share(active[at], n[at])})
	}
	if weeks == 0 {
		return nil, true
	}
	var people int32
	for i := range g.People {
		if g.Counts[i]&weeks != 0 {
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
