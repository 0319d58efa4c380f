package stats

import (
	"math"
	"slices"
)

// Durations are how long things lasted, in whole days. The zero value holds none.
type Durations struct {
	ended, open []int32 // how many, by day
}

// Add one that lasted so many days, 0 or more, when it ended; or at least so many
// when it had not ended yet as it was last looked at.
func (d *Durations) Add(days int32, ended bool) {
	if more := int(days) + 1 - len(d.ended); more > 0 {
		d.ended = append(d.ended, make([]int32, more)...)
		d.open = append(d.open, make([]int32, more)...)
	}
	if ended {
		d.ended[days]++
	} else {
		d.open[days]++
	}
}

// N is how many there are.
func (d *Durations) N() int32 {
	n := d.Ended()
	for _, k := range d.open {
		n += k
	}
	return n
}

// Until gives the same as if nobody had looked after so many days.
func (d *Durations) Until(days int32) Durations {
	n := min(len(d.ended), int(days)+1)
	out := Durations{ended: slices.Clone(d.ended[:n]), open: slices.Clone(d.open[:n])}
	for day := n; day < len(d.ended); day++ {
		out.open[n-1] += d.ended[day] + d.open[day]
	}
	return out
}

// Ended is how many of them ended.
func (d *Durations) Ended() int32 {
	var n int32
	for _, k := range d.ended {
		n += k
	}
	return n
}

// Step is a curve from one of its days up to the next.
type Step struct {
	// Day is the first of them.
	Day int32
	// AtRisk is how many lasted until Day at least, those that ended or were last
	// looked at on it included.
	AtRisk int32
	// Open is the share that lasts longer than Day, 0 to 1.
	Open float64
	// Error is its standard error: 0 while nothing has ended and once all has.
	Error float64
	// Interval of Open, within 0 and 1. While nothing has ended it is from 1 to 1; once
	// all has, the formula has no value, and the upper bound stays what it was.
	Interval Interval
}

// Curve is the share of things that last longer, by the days on which any ended or
// was last looked at, in order.
type Curve []Step

// KaplanMeier is the product-limit estimate of how long things last (Kaplan and
// Meier 1958, JASA 53, 457-481): S(t) = product of 1 - d/n over the days up to t,
// where d of n at risk ended. What was last looked at on a day is at risk on it:
// ends come first. The standard error is Greenwood's (1926),
// S·sqrt(v), v = sum d/(n(n-d)); the interval is S^exp(±z·sqrt(v)/ln S), of the
// log-log transformation (Kalbfleisch and Prentice 1980), which stays within 0 and 1.
// Whatever keeps things from being looked at must not depend on how long they last.
func KaplanMeier(d Durations, level float64) Curve {
	z, risk := normalQuantile(level), d.N()
	var curve Curve
	step, v := Step{Open: 1, Interval: Interval{Low: 1, High: 1}}, 0.0
	for day, ended := range d.ended {
		if ended+d.open[day] == 0 {
			continue
		}
		step.Day, step.AtRisk = int32(day), risk
		if n, k := float64(risk), float64(ended); k == n {
			step.Open, step.Error, step.Interval.Low = 0, 0, 0
		} else if k > 0 {
			step.Open *= (n - k) / n
			v += k / (n * (n - k))
			step.Error = step.Open * math.Sqrt(v)
			reach := math.Exp(-z * math.Sqrt(v) / math.Log(step.Open))
			step.Interval = Interval{Low: math.Pow(step.Open, reach), High: math.Pow(step.Open, 1/reach)}
		}
		curve = append(curve, step)
		risk -= ended + d.open[day]
	}
	return curve
}

// At is the curve on a day, with how many were at risk on that day. Beyond its last
// day it stays what it was, with nobody at risk.
func (c Curve) At(day int32) Step {
	at := Step{Open: 1, Interval: Interval{Low: 1, High: 1}}
	if len(c) > 0 {
		at.AtRisk = c[0].AtRisk
	}
	for _, s := range c {
		if s.Day >= day {
			at.AtRisk = s.AtRisk
			if s.Day == day {
				at = s
			}
			break
		}
		at = s
		at.AtRisk = 0
	}
	at.Day = day
	return at
}

// Half is where a curve and the bounds of its interval come down to one half. What
// does not come down so far is nil.
type Half struct{ At, Low, High *Step }

// half is one half, and what products of fractions that come to it may be off by.
const half = 0.5 + 1e-9

// Median is the first step at which at most half last longer; its interval is of
// the steps at which the interval of the curve holds one half (Brookmeyer and
// Crowley 1982, Biometrics 38, 29-41), from the lower bound's step to the upper's.
func (c Curve) Median() Half {
	var m Half
	for i := range c {
		s := &c[i]
		if m.Low == nil && s.Interval.Low <= half {
			m.Low = s
		}
		if m.At == nil && s.Open <= half {
			m.At = s
		}
		if m.High == nil && s.Interval.High <= half {
			m.High = s
		}
	}
	return m
}
