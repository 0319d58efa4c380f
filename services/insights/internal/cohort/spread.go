package cohort

import (
	"math/bits"

	"github.com/rebound-hq/rebound/services/insights/internal/measure"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

// spread is who has something to say about a metric, by where they stand.
type spread struct {
	// cells are all groups together, then each.
	cells []*cell
	// unlisted are those who stand in no group of the report, in the weeks in which they
	// do not, and outside those whom the filter leaves out. They are no cells of a report.
	unlisted, outside *cell
	// Of a metric that is judged by weeks: the people behind each cell and week, with a
	// digest of their facts, and who has anything to say in a week at all.
	sets      [][]privacy.Set
	digests   [][]uint64
	everybody []privacy.Set
}

// spread sorts people for a metric; before is that of another metric of its family, if
// there is one.
func (p *population) spread(m measure.Metric, before *spread) *spread {
	if before != nil {
		return before.again(m)
	}
	s := &spread{cells: make([]*cell, len(p.groups)+1), unlisted: &cell{metric: m}, outside: &cell{metric: m}}
	for i := range s.cells {
		room := len(p.people)
		if i > 0 { // as if groups were of one size
			room /= len(p.groups)
		}
		s.cells[i] = newCell(m, i-1)
		s.cells[i].rows, s.cells[i].counts = make([]int32, 0, room), make([]uint64, 0, room)
	}
	for row := range p.people {
		says := m.Mask(&p.look, int32(row)) & p.consented[row]
		switch {
		case says == 0:
		case m.ByWeek && p.moves[row]:
			s.addByWeek(row, says, p.stands[row*p.weeks:(row+1)*p.weeks])
		default: // where they stand on the last day is where they stand
			s.add(row, says, p.stands[(row+1)*p.weeks-1])
		}
	}
	if m.ByWeek {
		p.sortWeeks(s)
	}
	return s
}

// again is the same for another metric.
func (s *spread) again(m measure.Metric) *spread {
	as := *s
	as.cells = make([]*cell, len(s.cells))
	for i, c := range s.cells {
		as.cells[i] = newCell(m, c.group)
		as.cells[i].rows, as.cells[i].counts = c.rows, c.counts
	}
	return &as
}

// add adds a person who stands somewhere.
func (s *spread) add(row int, says uint64, at int16) {
	if s.place(row, says, at); at != outside {
		s.cells[0].add(row, says)
	}
}

// addByWeek adds each week of a person to the group that they stood in then.
func (s *spread) addByWeek(row int, says uint64, stands []int16) {
	inside := says
	for left := says; left != 0; {
		at := stands[bits.TrailingZeros64(left)]
		var same uint64
		for i, stood := range stands {
			if stood == at {
				same |= left & (1 << i)
			}
		}
		left &^= same
		if s.place(row, same, at); at == outside {
			inside &^= same
		}
	}
	if inside != 0 {
		s.cells[0].add(row, inside)
	}
}

func (s *spread) place(row int, says uint64, at int16) {
	switch at {
	case outside:
		s.outside.add(row, says)
	case unlisted:
		s.unlisted.add(row, says)
	default:
		s.cells[at+1].add(row, says)
	}
}

func newCell(m measure.Metric, group int) *cell {
	return &cell{metric: m, group: group, refused: privacy.TooFew}
}

func (c *cell) add(row int, says uint64) {
	c.rows = append(c.rows, int32(row))
	c.counts = append(c.counts, says)
}

// sortWeeks finds who is behind each week. In a week, everybody stands in one place.
func (p *population) sortWeeks(s *spread) {
	parts := append([]*cell{s.outside, s.unlisted}, s.cells[1:]...)
	sets, digests := make([][]privacy.Set, len(parts)), make([][]uint64, len(parts))
	each(parts, func(i int, c *cell) { sets[i], digests[i] = p.weekly(c) })
	s.everybody = make([]privacy.Set, p.weeks)
	total, totals := make([]privacy.Set, p.weeks), make([]uint64, p.weeks)
	for week := range p.weeks {
		var inside []privacy.Set
		for i := range parts[1:] {
			inside = append(inside, sets[i+1][week])
			totals[week] = privacy.AddDigests(totals[week], digests[i+1][week])
		}
		total[week] = privacy.Union(inside...)
		s.everybody[week] = privacy.Union(total[week], sets[0][week])
	}
	s.sets, s.digests = append([][]privacy.Set{total}, sets[2:]...), append([][]uint64{totals}, digests[2:]...)
}

// weekly gives the people behind each week of a cell, with a digest of their facts.
func (p *population) weekly(c *cell) (sets []privacy.Set, digests []uint64) {
	ordinals := make([]privacy.Gatherer, p.weeks)
	sets, digests = make([]privacy.Set, p.weeks), make([]uint64, p.weeks)
	var said [measure.MaxWeeks]uint64
	for i, row := range c.rows {
		p.digests(c.metric, row, c.counts[i], &said)
		for left := c.counts[i]; left != 0; left &= left - 1 {
			week := bits.TrailingZeros64(left)
			ordinals[week].Add(p.ordinals[row])
			digests[week] = privacy.AddDigests(digests[week], said[week])
		}
	}
	for week := range sets {
		sets[week] = privacy.People(ordinals[week].Bitmap())
	}
	return sets, digests
}
