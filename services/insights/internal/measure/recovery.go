package measure

import (
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
)

// curveDays are the days after a setback at which a recovery curve is shown.
var curveDays = []int32{7, 14, 28, 42, 56, 84, 112, 140, 168, 252, 364}

// lasting is how long the latest setback lasts that each person has in the weeks
// that count.
func lasting(g Group) stats.Durations {
	var d stats.Durations
	for i, row := range g.Rows {
		if _, x := latest(g.Look, row, g.counts(i)); x != nil {
			d.Add(x.days, x.recovered)
		}
	}
	return d
}

// shown tells whether a curve of these may be: enough people, some of whom
// recovered and some did not.
func shown(d stats.Durations, minimum int32) bool {
	n, recovered := d.N(), d.Ended()
	return n >= minimum && recovered > 0 && recovered < n
}

func recoveryCurve(g Group) (func(*insightsv1.CohortCell), bool) {
	d := lasting(g)
	if !shown(d, g.Minimum) {
		return nil, true
	}
	curve := stats.KaplanMeier(d, stats.Level)
	return func(cell *insightsv1.CohortCell) {
		about(cell, d.N(), g.Weeks)
		out := &insightsv1.CohortRecoveryCurve{Points: points(curve, g.Minimum), Setbacks: d.N(), Recovered: d.Ended()}
		if m := curve.Median(); m.At != nil && m.At.Open > 0 && m.At.AtRisk >= g.Minimum {
			out.MedianDays = daysOf(m.At, g.Minimum)
			out.MedianDaysLow, out.MedianDaysHigh = daysOf(m.Low, g.Minimum), daysOf(m.High, g.Minimum)
		}
		cell.Values = &insightsv1.CohortCell_RecoveryCurve{RecoveryCurve: out}
	}, false
}

// points of a curve as long as enough people are at risk, and not where all of them
// are alike: nobody recovered by then, or everybody who was looked at so long.
func points(curve stats.Curve, minimum int32) []*insightsv1.CurvePoint {
	var out []*insightsv1.CurvePoint
	for _, day := range curveDays {
		s := curve.At(day)
		if s.AtRisk < minimum || s.Open == 0 {
			break
		}
		if s.Open == 1 {
			continue
		}
		out = append(out, &insightsv1.CurvePoint{
			Days: day, Open: round(s.Open, shareDecimals), StandardError: round(s.Error, shareDecimals),
			Interval: within(s.Interval, 0, 1, shareDecimals), AtRisk: s.AtRisk,
		})
	}
	return out
}

// daysOf a step that enough people were at risk at; nil: there is none.
func daysOf(s *stats.Step, minimum int32) *float64 {
	if s == nil || s.AtRisk < minimum {
		return nil
	}
	days := float64(s.Day)
	return &days
}

// CompareCurves compares the recovery curves of two groups that share nobody, by the
// log-rank test. Nil: one of the curves may not be shown, or there is nothing to
// compare. What comes after fewer than the minimum are left to look at, in one of them,
// does not count. Whose curves they are is for the caller to say.
func CompareCurves(a, b Group) *insightsv1.CurveComparison {
	x, y := lasting(a), lasting(b)
	if !shown(x, a.Minimum) || !shown(y, b.Minimum) {
		return nil
	}
	until := min(watched(x, a.Minimum), watched(y, b.Minimum))
	chiSquared, p, ok := stats.LogRank(x.Until(until), y.Until(until))
	if !ok {
		return nil
	}
	return &insightsv1.CurveComparison{
		N: x.N() + y.N(), ChiSquared: round(chiSquared, chiDecimals), PValue: round(p, pDecimals),
		Method: "log-rank", MethodVersion: "1",
	}
}

// watched is the last day on which any recovered, or was last looked at, while enough
// were at risk; 0: none.
func watched(d stats.Durations, minimum int32) int32 {
	var last int32
	for _, step := range stats.KaplanMeier(d, stats.Level) {
		if step.AtRisk >= minimum {
			last = step.Day
		}
	}
	return last
}
