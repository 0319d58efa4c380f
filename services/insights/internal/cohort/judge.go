package cohort

import (
	"context"
	"runtime"
	"sync"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

// judgeWeeks decides week by week what a metric shows; then whether the window that is
// made of those weeks may be.
func (p *population) judgeWeeks(ctx context.Context, d *privacy.Draft, s *spread, standing *standing) {
	cells, sets := s.cells, s.sets
	m, family := cells[0].metric, families[cells[0].metric.Kind]
	alike := p.alike(cells, sets)
	reasons := make([]insightsv1.SuppressionReason, len(cells))
	for week := range p.weeks {
		if ctx.Err() != nil {
			return
		}
		a := privacy.Ask{
			Key: privacy.Key{Family: family, Week: p.window.First + int32(week)}, Minimum: p.least(m), Universe: s.everybody[week],
		}
		if m.Alike != nil {
			a.Alike = func(some privacy.Set) bool { return p.alikeIn(cells[0], some, week) }
		}
		candidates := make([]*privacy.Candidate, len(cells))
		for i, c := range cells {
			candidates[i] = &privacy.Candidate{
				Set: sets[i][week], Question: p.asks(c, false), Digest: s.digests[i][week],
				Alike: alike[i]&(1<<week) != 0, Refused: standing.refused(c.group, week),
			}
		}
		a.Total, a.Groups = candidates[0], candidates[1:]
		d.Judge(a)
		for i, candidate := range candidates {
			if candidate.Refused == privacy.Shown {
				cells[i].weeks |= 1 << week
				standing.use(cells[i].group, week)
			} else {
				reasons[i] = worse(reasons[i], candidate.Refused)
			}
		}
	}
	for i, c := range cells {
		if c.refused = reasons[i]; c.weeks != 0 {
			c.refused = privacy.Shown
		}
	}
	p.judgeSums(d, cells, family)
	each(cells, func(_ int, c *cell) { p.fill(c, c.weeks) })
}

// judgeSums decides on windows that are made of weeks which may be shown.
func (p *population) judgeSums(d *privacy.Draft, cells []*cell, family string) {
	key := privacy.Key{Family: family, Sums: true}
	candidates, w := make([]*privacy.Candidate, len(cells)), p.windows(d, key)
	defer p.spare.Put(w)
	for i, c := range cells {
		set, digest := w.behind(c, c.weeks)
		candidates[i] = &privacy.Candidate{Set: set, Question: p.asks(c, true), Digest: digest, Refused: c.refused}
	}
	// What is left over was judged by weeks: no total is given.
	d.Judge(privacy.Ask{
		Key: key, Minimum: p.least(cells[0].metric),
		Total: &privacy.Candidate{Refused: privacy.TooFew}, Groups: candidates,
	})
	for i, c := range cells {
		c.refused = candidates[i].Refused
	}
}

// judgeWindow decides on a metric whose window is one.
func (p *population) judgeWindow(d *privacy.Draft, s *spread, standing *standing) {
	cells := s.cells
	m, last := cells[0].metric, p.weeks-1
	tells := p.tellsByHeads(cells)
	key := privacy.Key{Family: families[m.Kind]}
	candidates, w := make([]*privacy.Candidate, len(cells)), p.windows(d, key)
	defer p.spare.Put(w)
	for i, c := range cells {
		set, digest := w.behind(c, p.window.All())
		candidates[i] = &privacy.Candidate{Set: set, Question: p.asks(c, true), Digest: digest, Refused: standing.refused(c.group, last)}
		if candidates[i].Refused == privacy.Shown && tells[i] {
			candidates[i].Refused = privacy.Complement
		}
	}
	each(cells, func(i int, c *cell) {
		if candidates[i].Refused == privacy.Shown && len(c.rows) >= p.least(m) {
			p.fill(c, p.window.All())
			candidates[i].Alike = c.fill == nil
		}
	})
	outside, _ := w.behind(s.outside, p.window.All())
	d.Judge(privacy.Ask{
		Key: key, Minimum: p.least(m), Universe: privacy.Union(candidates[0].Set, outside), Total: candidates[0], Groups: candidates[1:],
		Alike: func(some privacy.Set) bool { return p.alikeIn(cells[0], some, -1) },
	})
	for i, c := range cells {
		if c.refused = candidates[i].Refused; c.refused == privacy.Shown {
			standing.use(c.group, last)
		}
	}
}

// tellsByHeads tells, by cell of a window, whether how many have something to say gives
// away who has not: where everybody does who may be counted, or all but fewer than the
// minimum. To have had a setback, or to have learned from one, is not to be known of
// anybody; other metrics tell how many may be counted.
func (p *population) tellsByHeads(cells []*cell) []bool {
	out := make([]bool, len(cells))
	if cells[0].metric.Kind == insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE {
		return out // everybody has
	}
	counted := make([]int, len(cells))
	for row := range p.people {
		if at := p.stands[(row+1)*p.weeks-1]; p.consented[row] != 0 && at != outside {
			counted[0]++
			if at >= 0 {
				counted[at+1]++
			}
		}
	}
	for i, c := range cells {
		out[i] = len(c.rows) > 0 && counted[i]-len(c.rows) < p.minimum
	}
	return out
}

// fill measures a cell that is not refused; what cannot be shown is homogeneous.
func (p *population) fill(c *cell, weeks uint64) {
	if c.metric.ByWeek && c.refused != privacy.Shown {
		return
	}
	fill, homogeneous := c.metric.Measure(p.measured(c, weeks))
	if c.fill = fill; homogeneous {
		c.fill, c.refused = nil, privacy.Homogeneous
	}
}

// each does something for all, several at a time.
func each[T any](of []T, do func(i int, one T)) {
	var all sync.WaitGroup
	places := make(chan int, len(of))
	for i := range of {
		places <- i
	}
	close(places)
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := range places {
				do(i, of[i])
			}
		})
	}
	all.Wait()
}

// worse is the reason that tells more about why nothing of a cell is shown.
func worse(a, b insightsv1.SuppressionReason) insightsv1.SuppressionReason { return max(a, b) }

// alike gives, by cell, the weeks that would be known of each.
func (p *population) alike(cells []*cell, sets [][]privacy.Set) []uint64 {
	out := make([]uint64, len(cells))
	if cells[0].metric.Alike == nil {
		return out
	}
	each(cells, func(i int, c *cell) {
		var enough uint64
		for week, s := range sets[i] {
			if s.Size() >= p.least(c.metric) {
				enough |= 1 << week
			}
		}
		if enough != 0 {
			out[i] = c.metric.Alike(p.measured(c, enough))
		}
	})
	return out
}

// alikeIn tells whether some people of a cell are alike: in a week, or, with -1, in
// the window.
func (p *population) alikeIn(c *cell, s privacy.Set, week int) bool {
	some := &cell{metric: c.metric, group: c.group}
	among := s.Ordinals()
	for i, row := range c.rows {
		if among.Contains(p.ordinals[row]) {
			some.add(int(row), c.counts[i])
		}
	}
	if week >= 0 {
		return c.metric.Alike(p.measured(some, 1<<week)) != 0
	}
	_, homogeneous := c.metric.Measure(p.measured(some, p.window.All()))
	return homogeneous
}
