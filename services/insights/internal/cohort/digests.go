package cohort

import (
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/measure"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

// digests tell whether people's facts are what they were, and when they last changed.
type digests struct {
	p *population
	// acts is a digest of what each person did in each week, by row and week; all is
	// one of that and of what came of it by the report's day.
	acts, all []uint64
	// news of each person in each week, by row and week, and of all their weeks, by row.
	news   []news
	person []news
	// latest is the latest change of each week, of anybody.
	latest []int64
	mu     sync.Mutex // of latest while people are read, and of recent
	recent map[asked]*roaring.Bitmap
}

// news is when facts last changed. Came is the latest day by the report's day on which
// anything came of them, a recovery or an applied lesson; comes is the earliest day after
// it; 0: there is none.
type news struct {
	changed     int64
	came, comes int32
}

func (n *news) add(o news) {
	n.changed, n.came = max(n.changed, o.changed), max(n.came, o.came)
	if n.comes == 0 || o.comes != 0 && o.comes < n.comes {
		n.comes = o.comes
	}
}

// any tells whether there is any after an instant, or after one day and by another; the
// report's day is not outside of these.
func (n news) any(after int64, from, until int32) bool {
	return n.changed > after || n.came > from || n.comes != 0 && n.comes <= until
}

func (d *digests) begin(p *population) {
	n := len(p.people) * p.weeks
	d.p, d.acts, d.all, d.news = p, measure.Zeros(d.acts, n), measure.Zeros(d.all, n), measure.Zeros(d.news, n)
	d.person, d.latest, d.recent = measure.Zeros(d.person, len(p.people)), measure.Zeros(d.latest, p.weeks), map[asked]*roaring.Bitmap{}
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
	take := func(week int, digest uint64, n news) {
		d.all[at+week] = mix(d.all[at+week], digest)
		d.news[at+week].add(n)
		d.person[row].add(n)
		latest[week] = max(latest[week], n.changed)
	}
	for k := len(person.Weeks) - 1; k >= 0 && person.Weeks[k].Week >= p.window.First; k-- {
		if w := &person.Weeks[k]; w.Week <= p.window.Last {
			i := int(w.Week - p.window.First)
			digest := digestOfWeek(w)
			d.acts[at+i] = mix(d.acts[at+i], digest)
			n := news{changed: w.Changed}
			for _, day := range w.Applied {
				n.add(p.cameOn(day))
			}
			take(i, mix(digest, uint64(w.AppliedBy(p.asOf))), n)
		}
	}
	for k := len(person.Setbacks) - 1; k >= 0; k-- {
		s := &person.Setbacks[k]
		week := facts.WeekOf(s.Occurred)
		if week < p.window.First {
			break
		}
		if week <= p.window.Last {
			n := p.cameOn(s.Recovered)
			n.changed = s.Changed
			take(int(week-p.window.First), digestOfSetback(s, p.asOf), n)
		}
	}
}

// cameOn is the news that something came of facts on a day.
func (q *question) cameOn(day int32) news {
	if day <= q.asOf {
		return news{came: max(0, day)}
	}
	return news{comes: day}
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
		if c.since(row, allWeeks, a.after, a.from, a.until) {
			out.Add(ordinal)
		}
	}
	return out.Bitmap()
}

const allWeeks = ^uint64(0)

// Still implements privacy.Changes.
func (c changes) Still(earlier privacy.Release) bool {
	return (c.week >= 0 || earlier.AsOf == c.p.asOf) && c.latestOf(c.week) <= earlier.Changed
}

// Since implements privacy.Changes.
func (c changes) Since(ordinal uint32, at privacy.Weeks, earlier privacy.Release) bool {
	weeks, from, until := allWeeks, c.p.asOf, c.p.asOf
	if c.week < 0 {
		weeks = at.Mask << max(0, at.First-c.p.window.First) // those of a window lie within it
		from, until = min(from, earlier.AsOf), max(until, earlier.AsOf)
	}
	return c.since(int(c.p.rows[ordinal]), weeks, earlier.Changed, from, until)
}

// since tells whether there are news of some weeks of a person, as in news.any.
func (c changes) since(row int, weeks uint64, after int64, from, until int32) bool {
	first := row * c.p.weeks
	if c.week >= 0 {
		return c.news[first+c.week].any(after, from, until)
	}
	if !c.person[row].any(after, from, until) {
		return false // as mostly there is none
	}
	for i, n := range c.news[first : first+c.p.weeks] {
		if weeks&(1<<i) != 0 && n.any(after, from, until) {
			return true
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
