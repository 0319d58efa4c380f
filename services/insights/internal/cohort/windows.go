package cohort

import (
	"math/bits"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/measure"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

// windows finds who is behind the windows of a family's cells. Most people are behind the
// same number of all groups together as of their own, with facts in the same weeks, so
// that what was found for the one is at hand for the other.
type windows struct {
	*population
	of *privacy.Windows
	// By row: the weeks that were looked at last, the element of the person with these, and
	// a digest of their facts.
	masks    []uint64
	elements []uint32
	sums     []uint64
	said     [measure.MaxWeeks]uint64
}

func (p *population) windows(d *privacy.Draft, key privacy.Key) *windows {
	w, ok := p.spare.Get().(*windows)
	if !ok {
		w = &windows{}
	}
	n := len(p.people)
	w.population, w.of = p, d.Windows(key)
	w.masks, w.elements, w.sums = measure.Zeros(w.masks, n), measure.Zeros(w.elements, n), measure.Zeros(w.sums, n)
	return w
}

// behind gives the people behind some weeks of a cell, with the weeks in which their
// facts lie, and a digest of these. One at a time, since it numbers what is new.
func (w *windows) behind(c *cell, weeks uint64) (set privacy.Set, digest uint64) {
	practices := c.metric.Kind == insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE
	people := w.of.Gather(w.window.First)
	for i, row := range c.rows {
		says := c.counts[i] & weeks
		if says == 0 {
			continue
		}
		if practices { // everybody counts; their facts are those they practiced in
			says &= w.look.Practiced(row)
		}
		if w.sums[row] == 0 || w.masks[row] != says {
			w.masks[row] = says
			w.elements[row], w.sums[row] = people.Number(w.ordinals[row], says, w.outcome(c.metric, row, says)), w.sum(c.metric, row, says)
		}
		people.Add(w.elements[row])
		digest = privacy.AddDigests(digest, w.sums[row])
	}
	return people.Set(), digest
}

// outcome is what came of what somebody says in some weeks.
func (w *windows) outcome(m measure.Metric, row int32, says uint64) uint32 {
	if m.Outcome == nil {
		return 0
	}
	return m.Outcome(&w.look, row, says)
}

// sum is a digest of what somebody says in some weeks; never 0.
func (w *windows) sum(m measure.Metric, row int32, says uint64) uint64 {
	w.digests(m, row, says, &w.said)
	sum := mix(w.seed^uint64(w.ordinals[row]), 0)
	for left := says; left != 0; left &= left - 1 {
		sum = privacy.AddDigests(sum, w.said[bits.TrailingZeros64(left)])
	}
	return max(1, sum)
}
