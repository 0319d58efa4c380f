// Package stats is the statistics that insights rest on, one method a file. Each
// names its source; docs/methods.md tells what it does not mean. It is pure.
package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is where a number lies with a confidence of Level, if its method's
// assumptions hold.
type Interval struct{ Low, High float64 }

// Level is the confidence of every interval.
const Level = 0.95

// normalQuantile is the z that a standard normal variable exceeds in either
// direction with probability 1-level.
func normalQuantile(level float64) float64 {
	return distuv.UnitNormal.Quantile(1 - (1-level)/2)
}

// studentQuantile is the same of Student's t with df degrees of freedom.
func studentQuantile(level, df float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(1 - (1-level)/2)
}

// finite tells whether a number can be told.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
