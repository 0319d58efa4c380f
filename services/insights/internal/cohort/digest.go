package cohort

import (
	"math/bits"

	"github.com/rebound-hq/rebound/services/insights/internal/measure"
)

// digests of what a person says about a metric in some weeks, by week. Where two of the
// same people are the same, so is what they are of: that is how it is known whether
// anything has changed since a release, of which nothing else is kept.
func (p *population) digests(m measure.Metric, row int32, weeks uint64, to *[measure.MaxWeeks]uint64) {
	for left := weeks; left != 0; left &= left - 1 {
		to[bits.TrailingZeros64(left)] = 0
	}
	m.Facts(&p.look, row, weeks, to)
	for left := weeks; left != 0; left &= left - 1 {
		at := bits.TrailingZeros64(left)
		to[at] = mix(mix(p.seed^uint64(p.ordinals[row]), uint64(p.window.First)+uint64(at)), to[at])
	}
}

// mix two values so that each bit of both matters to all of the result.
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
