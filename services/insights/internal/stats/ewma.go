package stats

import "math"

// EWMA is an exponentially weighted moving average and variance. Its zero value
// has seen nothing.
type EWMA struct {
	// Level is the average: level' = level + weight*(x - level), the first x being
	// the first level (Roberts 1959, Technometrics 1, 239-250).
	Level float64
	// Variance is that about the level, in squared units:
	// variance' = (1 - weight)*(variance + weight*(x - level)²), from 0 on
	// (Finch 2009, Incremental calculation of weighted mean and variance, section 9).
	Variance float64
	// N is how many values it has seen.
	N int32
}

// Add sees one value; weight is what it counts for, above 0 and at most 1.
func (e EWMA) Add(x, weight float64) EWMA {
	if e.N == 0 {
		return EWMA{Level: x, N: 1}
	}
	d := x - e.Level
	return EWMA{Level: e.Level + weight*d, Variance: (1 - weight) * (e.Variance + weight*d*d), N: e.N + 1}
}

// Deviation is the standard deviation about the level, in the values' unit.
func (e EWMA) Deviation() float64 { return math.Sqrt(e.Variance) }
