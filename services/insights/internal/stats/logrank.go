package stats

import "gonum.org/v1/gonum/stat/distuv"

// LogRank tests whether things of two kinds last equally long: chi-squared with one
// degree of freedom, and the probability of such a difference or a greater one if
// they do (Mantel 1966, Cancer Chemotherapy Reports 50, 163-170; Peto and Peto
// 1972). It sums, over the days on which any ended, those of a less those to be
// expected, d·n1/n, and the hypergeometric variances,
// d·(n1/n)·(n2/n)·(n-d)/(n-1); chi-squared is the first, squared, by the second. It
// is not ok when there is no such variance: nothing ended while both were at risk.
func LogRank(a, b Durations) (chiSquared, p float64, ok bool) {
	n1, n2 := float64(a.N()), float64(b.N())
	var difference, variance float64
	for day := range min(len(a.ended), len(b.ended)) {
		n, d1 := n1+n2, float64(a.ended[day])
		if d := d1 + float64(b.ended[day]); d > 0 && n > 1 {
			difference += d1 - d*n1/n
			variance += d * (n1 / n) * (n2 / n) * (n - d) / (n - 1)
		}
		n1 -= float64(a.ended[day] + a.open[day])
		n2 -= float64(b.ended[day] + b.open[day])
	}
	if variance <= 0 {
		return 0, 0, false
	}
	chiSquared = difference * difference / variance
	return chiSquared, distuv.ChiSquared{K: 1}.Survival(chiSquared), true
}
