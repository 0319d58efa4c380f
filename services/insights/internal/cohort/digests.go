package cohort

import (
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

// digests tell whether people's facts are what they were, and when they last changed.
type digests struct {
	p *population
	// acts is a digest of what each person did in each week, by row and week; all is
	// one of that and of what came of it by the report's day. Changed is when it last
	// became so.
	acts, all []uint64
	changed   []int64
	// latest is the latest change of each week, of anybody.
	latest []int64
	mu     sync.Mutex // of latest while people are read, and of recent
	recent map[asked]*roaring.Bitmap
}

func newDigests(p *population) *digests {
	n := len(p.people) * p.weeks
	return &digests{
		p: p, acts: make([]uint64, n), all: make([]uint64, n), changed: make([]int64, n), latest: make([]int64, p.weeks),
		recent: map[asked]*roaring.Bitmap{},
	}
}

// readRows takes in what some people did.
func (d *digests) readRows(rows [2]int) {
	latest := make([]int64, d.p.weeks)
	for row := rows[0]; row < rows[1]; row++ {
		d.read(row, latest)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, t := range latest {
		d.latest[i] = max(d.latest[i], t)
	}
}

// read takes in what a person did, and the latest change of each week.
func (d *digests) read(row int, latest []int64) {
	p, person, at := d.p, d.p.people[row], row*d.p.weeks
	for i := range p.weeks {
		d.acts[at+i] = mix(uint64(p.ordinals[row]), uint64(p.window.First)+uint64(i))
		d.all[at+i] = d.acts[at+i]
	}
	take := func(week int, digest uint64, changed int64) {
		d.all[at+week] = mix(d.all[at+week], digest)
		d.changed[at+week] = max(d.changed[at+week], changed)
		latest[week] = max(latest[week], changed)
	}
	for k := len(person.Weeks) - 1; k >= 0 && person.Weeks[k].Week >= p.window.First; k-- {
		if w := &person.Weeks[k]; w.Week <= p.window.Last {
			i := int(w.Week - p.window.First)
			digest := digestOfWeek(w)
			d.acts[at+i] = mix(d.acts[at+i], digest)
			take(i, mix(digest, uint64(w.AppliedBy(p.asOf))), w.Changed)
		}
	}
	for k := len(person.Setbacks) - 1; k >= 0; k-- {
		s := &person.Setbacks[k]
		week := facts.WeekOf(s.Occurred)
		if week < p.window.First {
			break
		}
		if week <= p.window.Last {
			take(int(week-p.window.First), digestOfSetback(s, p.asOf), s.Changed)
		}
	}
}

func digestOfWeek(w *facts.Week) uint64 {
	h := mix(uint64(uint32(w.MoodSum))<<32|uint64(uint32(w.CheckIns)), uint64(uint32(w.StepDays))<<32|uint64(w.Practices))
	return mix(h, uint64(uint32(w.Captured)))
}

func digestOfSetback(s *facts.Setback, asOf int32) uint64 {
	recovered := s.Recovered
	if recovered > asOf {
		recovered = -1
	}
	return mix(uint64(uint32(s.Occurred))<<32|uint64(uint32(recovered)), uint64(s.Kind))
}

// mix two values so that each bit of both matters to all of the result.
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 + b
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// changes tells a unit of the ledger what became of people's facts. Week is the week
// it is about, from 0; -1: the window.
type changes struct {
	*digests
	week int
}

// asked is what Recent depends on: a week, or -1, and after which time and between
// which days.
type asked struct {
	week        int
	after       int64
	from, until int32
}

// Recent implements privacy.Changes. Groups, and metrics, mostly ask for the same.
func (c changes) Recent(earlier []privacy.Release) *roaring.Bitmap {
	a := asked{c.week, earlier[0].Changed, c.p.asOf, c.p.asOf}
	for _, r := range earlier {
		a.after = min(a.after, r.Changed)
		if c.week < 0 {
			a.from, a.until = min(a.from, r.AsOf), max(a.until, r.AsOf)
		}
	}
	if a.from == a.until && c.latestOf(c.week) <= a.after {
		return roaring.New()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out, ok := c.recent[a]
	if !ok {
		out = c.find(a)
		c.recent[a] = out
	}
	return out.Clone()
}

func (c changes) find(a asked) *roaring.Bitmap {
	var out privacy.Gatherer
	for row, ordinal := range c.p.ordinals {
		if c.changedAfter(row, a.after, allWeeks) || a.from < a.until && c.moved(row, a.from, a.until, allWeeks) {
			out.Add(ordinal)
		}
	}
	return out.Bitmap()
}

const allWeeks = ^uint64(0)

// Since implements privacy.Changes.
func (c changes) Since(ordinal uint32, at privacy.Weeks, earlier privacy.Release) bool {
	row, weeks := int(c.p.rows[ordinal]), allWeeks
	if c.week < 0 {
		weeks = at.Mask << max(0, at.First-c.p.window.First) // those of a window lie within it
	}
	if c.changedAfter(row, earlier.Changed, weeks) {
		return true
	}
	return c.week < 0 && earlier.AsOf != c.p.asOf && c.moved(row, min(earlier.AsOf, c.p.asOf), max(earlier.AsOf, c.p.asOf), weeks)
}

func (c changes) changedAfter(row int, after int64, weeks uint64) bool {
	all := c.changed[row*c.p.weeks : (row+1)*c.p.weeks]
	if c.week >= 0 {
		return all[c.week] > after
	}
	for i, changed := range all {
		if changed > after && weeks&(1<<i) != 0 {
			return true
		}
	}
	return false
}

// moved tells whether somebody recovered, or applied a lesson, after one day and by
// another.
func (c changes) moved(row int, from, until int32, weeks uint64) bool {
	within := func(day int32) bool { return day > from && day <= until }
	counts := func(week int32) bool {
		i := week - c.p.window.First
		return i >= 0 && int(i) < c.p.weeks && weeks&(1<<i) != 0
	}
	first, person := c.p.window.First, c.p.people[row]
	for k := len(person.Setbacks) - 1; k >= 0 && person.Setbacks[k].Occurred >= facts.Monday(first); k-- {
		if s := &person.Setbacks[k]; within(s.Recovered) && counts(facts.WeekOf(s.Occurred)) {
			return true
		}
	}
	for k := len(person.Weeks) - 1; k >= 0 && person.Weeks[k].Week >= first; k-- {
		w := &person.Weeks[k]
		if len(w.Applied) == 0 || !counts(w.Week) {
			continue
		}
		for _, day := range w.Applied {
			if within(day) {
				return true
			}
		}
	}
	return false
}

// latestOf is the latest change of a week, or of the window.
func (d *digests) latestOf(week int) int64 {
	if week >= 0 {
		return d.latest[week]
	}
	latest := int64(0)
	for _, t := range d.latest {
		latest = max(latest, t)
	}
	return latest
}
