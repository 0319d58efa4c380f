package stats

import "math"

// Wilson is the score interval of a share of count in n (Wilson 1927, JASA 22,
// 209-212): it stays within 0 and 1, and is fair for few. n is at least 1.
func Wilson(count, n int, level float64) Interval {
	z, size := normalQuantile(level), float64(n)
	p := float64(count) / size
	center := p + z*z/(2*size)
	reach := z * math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	scale := 1 + z*z/size
	return Interval{Low: max(0, (center-reach)/scale), High: min(1, (center+reach)/scale)}
}
