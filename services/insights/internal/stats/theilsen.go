package stats

import (
	"math"
	"slices"
)

// TheilSen is the slope of y over x: the median of the slopes of all pairs of
// points with different x (Theil 1950; Sen 1968, JASA 63, 1379-1389), with a
// distribution-free interval. Its bounds are the slopes of rank M from below and
// from above, M = floor((N - z*sqrt(v))/2) but at least 1, of N slopes; z is the
// normal quantile of the level, and
// v = (n(n-1)(2n+5) - sum t(t-1)(2t+5))/18 Kendall's variance, t being the sizes
// of groups of equal y. It is not ok when all x are equal. x and y are equally
// long; time and memory grow with the square of that.
func TheilSen(x, y []float64, level float64) (slope float64, interval Interval, ok bool) {
	n := len(x)
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range n {
		for j := range i {
			if dx := x[i] - x[j]; dx != 0 {
				slopes = append(slopes, (y[i]-y[j])/dx)
			}
		}
	}
	if len(slopes) == 0 {
		return 0, Interval{}, false
	}
	slices.Sort(slopes)
	reach := normalQuantile(level) * math.Sqrt(kendallVariance(y))
	rank := max(1, int(math.Floor((float64(len(slopes))-reach)/2)))
	return median(slopes), Interval{Low: slopes[rank-1], High: slopes[len(slopes)-rank]}, true
}

// kendallVariance is the variance of Kendall's S when nothing depends on anything.
func kendallVariance(y []float64) float64 {
	term := func(k int) float64 { return float64(k) * float64(k-1) * float64(2*k+5) }
	sorted := slices.Sorted(slices.Values(y))
	v := term(len(y))
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to] == sorted[from] {
			to++
		}
		v -= term(to - from)
		from = to
	}
	return v / 18
}

// Median of at least one number, in any order: the middle one, or the mean of the
// middle two.
func Median(x []float64) float64 { return median(slices.Sorted(slices.Values(x))) }

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
