package privacy

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// Key names what numbers are compared with each other: those of one family of
// metrics, about one week; or, with Week 0, about windows.
type Key struct {
	Family string
	Week   int32
}

// maxReleases is how many sets are kept of one Key, and so how many different ones may
// be released: what would come after them is suppressed, since nothing may be forgotten.
const maxReleases = 400

// Release is a set that was released, or that was withheld and must not follow from
// those that were.
type Release struct {
	Set Set
	// Question stands for group and filter.
	Question int64
	// Changed is the latest change of any fact that could have been behind it, in
	// milliseconds since 1970.
	Changed int64
	// AsOf is the day as of which it is; 0 for a week.
	AsOf     int32
	Withheld bool
}

// Since tells whether what a person adds to a number, by facts of some weeks, may be
// another than it was in an earlier release.
type Since func(ordinal uint32, at Weeks, earlier Release) bool

// unit is all that was released of one Key. It is never changed.
type unit struct {
	released []Release
	withheld []Release
	// plain takes people's facts for unchanging, exact for others once they have
	// changed. Changed facts can be the same again, and mostly are nearly the same:
	// neither view is right, so a release has to pass both.
	plain, exact *System
	// top is the highest version of anybody.
	top uint32
}

func newUnit(minimum int) *unit {
	s := NewSystem(minimum)
	return &unit{plain: s, exact: s}
}

// with is the unit after a release.
func (u *unit) with(r Release) *unit {
	next := *u
	if r.Withheld {
		next.withheld = append(u.withheld[:len(u.withheld):len(u.withheld)], r)
		return &next
	}
	next.released = append(u.released[:len(u.released):len(u.released)], r)
	next.plain, _ = u.plain.With(r.Set.plain())
	if next.top = max(u.top, r.Set.top()); next.top == 0 {
		next.exact = next.plain
	} else {
		next.exact, _ = u.exact.With(r.Set)
	}
	return &next
}

// known tells whether the very same was released before.
func (u *unit) known(s Set) bool { return u.plain.Spans(s.plain()) && u.exact.Spans(s) }

// asked tells whether a question was answered before.
func (u *unit) asked(question int64) bool {
	for _, r := range u.released {
		if r.Question == question {
			return true
		}
	}
	return false
}

// marked gives a plain set in which people whose facts have changed since they were
// last in a release have the next version; ok is false when there is none left.
func (u *unit) marked(r Release, since Since) (marked Set, ok bool) {
	if !u.changedSince(r) {
		return u.lastVersions(r.Set), true
	}
	marked = Set{}
	for weeks, part := range r.Set {
		out := roaring.New()
		for it := part.Iterator(); it.HasNext(); {
			ordinal := it.Next()
			version, at := u.version(ordinal, weeks)
			if at >= 0 && since(ordinal, weeks, u.released[at]) {
				version++
			}
			if version > maxVersion {
				return nil, false
			}
			out.Add(ordinal | version<<ordinalBits)
		}
		marked[weeks] = out
	}
	return marked, true
}

// changedSince tells whether anything can have changed since the earliest release.
func (u *unit) changedSince(r Release) bool {
	for _, earlier := range u.released {
		if earlier.Changed < r.Changed || earlier.AsOf != r.AsOf {
			return true
		}
	}
	return false
}

// lastVersions gives each person the version they had in the last release.
func (u *unit) lastVersions(s Set) Set {
	if u.top == 0 {
		return s
	}
	out := Set{}
	for weeks, part := range s {
		marked := roaring.New()
		for it := part.Iterator(); it.HasNext(); {
			ordinal := it.Next()
			version, _ := u.version(ordinal, weeks)
			marked.Add(ordinal | version<<ordinalBits)
		}
		out[weeks] = marked
	}
	return out
}

// version is what a person had in the latest release that they were in; at is -1 when
// there is none.
func (u *unit) version(ordinal uint32, weeks Weeks) (version uint32, at int) {
	for at = len(u.released) - 1; at >= 0; at-- {
		part, ok := u.released[at].Set[weeks]
		if !ok {
			continue
		}
		for v := uint32(0); v <= u.top; v++ {
			if part.Contains(ordinal | v<<ordinalBits) {
				return v, at
			}
		}
	}
	return 0, -1
}

// Ledger is all that was released in a tenant. It is not safe for concurrent use.
type Ledger struct {
	minimum func(family string) int
	units   map[Key]*unit
}

// NewLedger makes an empty ledger. Minimum is the least number of people that what
// follows from a family's numbers may be about.
func NewLedger(minimum func(family string) int) *Ledger {
	return &Ledger{minimum: minimum, units: map[Key]*unit{}}
}

func (l *Ledger) unit(k Key) *unit {
	if u, ok := l.units[k]; ok {
		return u
	}
	return newUnit(l.minimum(k.Family))
}

// Record adds what was released.
func (l *Ledger) Record(k Key, r Release) { l.units[k] = l.unit(k).with(r) }

// Forget drops what is about weeks before one that nobody can ask about any more.
func (l *Ledger) Forget(week int32) {
	for k := range l.units {
		if k.Week != 0 && k.Week < week {
			delete(l.units, k)
		}
	}
}

// Recorded is a release under its key.
type Recorded struct {
	Key     Key
	Release Release
}

// Draft is what a report would add to a ledger.
type Draft struct {
	ledger *Ledger
	units  map[Key]*unit
	Added  []Recorded
}

// Draft begins a report.
func (l *Ledger) Draft() *Draft { return &Draft{ledger: l, units: map[Key]*unit{}} }

func (d *Draft) unit(k Key) *unit {
	if u, ok := d.units[k]; ok {
		return u
	}
	return d.ledger.unit(k)
}

// Keep makes what the draft adds part of its ledger.
func (d *Draft) Keep() {
	for k, u := range d.units {
		d.ledger.units[k] = u
	}
}
