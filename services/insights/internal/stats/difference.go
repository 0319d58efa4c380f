package stats

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// Difference is mean(x) - mean(y) of two independent samples, with Welch's
// interval for unequal variances (Welch 1947, Biometrika 34, 28-35). It is not ok
// when a sample has fewer than two values or neither varies.
func Difference(x, y []float64, level float64) (difference float64, interval Interval, ok bool) {
	if len(x) < 2 || len(y) < 2 {
		return 0, Interval{}, false
	}
	mx, vx := stat.MeanVariance(x, nil)
	my, vy := stat.MeanVariance(y, nil)
	ax, ay := vx/float64(len(x)), vy/float64(len(y))
	df := (ax + ay) * (ax + ay) / (ax*ax/float64(len(x)-1) + ay*ay/float64(len(y)-1))
	if !finite(df) {
		return 0, Interval{}, false
	}
	reach := studentQuantile(level, df) * math.Sqrt(ax+ay)
	return mx - my, Interval{Low: mx - my - reach, High: mx - my + reach}, true
}

// Mean is the mean of values, their standard deviation, and Student's interval of
// the mean (Student 1908, Biometrika 6, 1-25); of differences within pairs, it tells
// whether the pairs changed. It is not ok below two values or when they do not vary.
func Mean(x []float64, level float64) (mean, deviation float64, interval Interval, ok bool) {
	n := float64(len(x))
	if n < 2 {
		return 0, 0, Interval{}, false
	}
	m, v := stat.MeanVariance(x, nil)
	if v == 0 {
		return 0, 0, Interval{}, false
	}
	reach := studentQuantile(level, n-1) * math.Sqrt(v/n)
	return m, math.Sqrt(v), Interval{Low: m - reach, High: m + reach}, true
}
