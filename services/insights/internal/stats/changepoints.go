package stats

import "math"

// ChangePoints are the places at which the mean of x changes: the indices of the
// first values after each change, in order; none when there is none. They are the
// exact minimum, over all ways to cut x into pieces of at least shortest values,
// of the squared deviations from each piece's mean plus Penalty for each cut
// (optimal partitioning: Jackson et al. 2005, IEEE Signal Processing Letters 12,
// 105-108). Time grows with the square of the length; shortest is at least 1.
func ChangePoints(x []float64, shortest int) []int {
	n := len(x)
	if n < 2*shortest {
		return nil
	}
	penalty := Penalty(x)
	if penalty == 0 {
		return nil // nothing ever moved
	}
	sum, squares := make([]float64, n+1), make([]float64, n+1)
	for i, v := range x {
		v -= x[0] // squares of small numbers lose less
		sum[i+1], squares[i+1] = sum[i]+v, squares[i]+v*v
	}
	cost := func(from, to int) float64 {
		s := sum[to] - sum[from]
		return max(0, squares[to]-squares[from]-s*s/float64(to-from))
	}
	best, last := make([]float64, n+1), make([]int, n+1)
	best[0] = -penalty
	for to := 1; to <= n; to++ {
		best[to] = math.Inf(1)
		for from := 0; from <= to-shortest; from++ {
			if c := best[from] + cost(from, to) + penalty; c < best[to] {
				best[to], last[to] = c, from
			}
		}
	}
	var at []int
	for to := last[n]; to > 0; to = last[to] {
		at = append([]int{to}, at...)
	}
	return at
}

// Penalty is what a change of the mean has to save in squared deviations to be
// one: 2*v*ln(n), as of Schwarz's criterion (Schwarz 1978; Yao 1988) for the two
// numbers that each change adds, a place and a mean. v is the variance of single
// values, estimated from differences of neighbors, which changes of the mean
// hardly touch: v = sum (x[i+1]-x[i])² / (2(n-1)) (von Neumann et al. 1941).
func Penalty(x []float64) float64 {
	n := len(x)
	if n < 2 {
		return 0
	}
	var v float64
	for i := range n - 1 {
		d := x[i+1] - x[i]
		v += d * d
	}
	return 2 * v / float64(2*(n-1)) * math.Log(float64(n))
}
