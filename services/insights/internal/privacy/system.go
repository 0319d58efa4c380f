package privacy

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// System is what is known of sums over people, as a system of linear equations: one
// for each set that was released.
//
// People who are in the same sets are one atom: each equation has the same coefficient
// for all of them. The equations are kept as a reduced row echelon form over atoms. A
// sum over people can be found out from those that were released if, and only if, it
// is a combination of rows; so what a reader can find out about a few people is a
// vector of the rows' span that is 0 for all others. In particular an atom's own sum
// can be found out if, and only if, its unit vector is a row: were it a combination
// of several rows, it would not be 0 at the pivot of each of these, and rows are 0 at
// each other's pivots; so it is a multiple of one row, whose pivot is the atom.
//
// A System is never changed: With gives another one.
type System struct {
	minimum int
	atoms   []*atom // which are never changed
	rows    []row
	// touched are the rows that came, or became others, with the latest set; nil when
	// its pivot is large.
	touched []int
}

// atom is the people who are in the same sets.
type atom struct {
	set Set
	// large tells that they are the minimum or more; people are they, if not.
	large  bool
	people []uint32
	size   int
}

// row is an equation, whose coefficient at the pivot is 1 and that of others 0. The
// pivot is a large atom, unless the row is 0 for all of these. Digest is what the
// equation makes of digests: that of a set is the sum of those of the facts behind it.
type row struct {
	pivot int
	vector
	digest uint64
}

// NewSystem knows of nothing.
func NewSystem(minimum int) *System { return &System{minimum: minimum} }

// split tells how a set divides the atoms.
type split struct {
	// inside are the parts of atoms that lie in the set; empty where none does.
	inside []Set
	// cut tells which atoms lie in it only in part.
	cut []bool
	// rest is what is in no atom.
	rest  Set
	clean bool // no atom is cut, and there is no rest
}

func (y *System) split(s Set) split {
	p := split{inside: make([]Set, len(y.atoms)), cut: make([]bool, len(y.atoms)), clean: true}
	rest := s.bitmap().Clone()
	for i, a := range y.atoms {
		if rest.IsEmpty() {
			break
		}
		switch n := int(rest.AndCardinality(a.set.bitmap())); n {
		case 0:
			continue
		case a.size:
			p.inside[i] = a.set
		default:
			p.inside[i] = a.set.like(s, roaring.And(a.set.bitmap(), rest))
			p.cut[i], p.clean = true, false
		}
		rest.AndNot(a.set.bitmap())
	}
	p.rest = s.like(s, rest)
	p.clean = p.clean && rest.IsEmpty()
	return p
}

// vector of a set that cuts no atom.
func (p split) vector() vector {
	var v vector
	for i, in := range p.inside {
		if !in.empty() {
			v = append(v, term{i, 1})
		}
	}
	return v
}

// Spans tells whether a sum over a set can be found out.
func (y *System) Spans(s Set) bool {
	p := y.split(s)
	if !p.clean {
		return false // rows do not tell the two sides of a cut apart
	}
	v, _ := y.reduce(p.vector(), 0)
	return len(v) == 0
}

// With is the system that knows of one more set. Fresh is false when that follows from
// what it knew already, and consistent when the digest does, too: then the facts behind
// the set are those behind what was known.
func (y *System) With(s Set, digest uint64) (next *System, fresh, consistent bool) {
	p := y.split(s)
	if p.clean {
		if v, left := y.reduce(p.vector(), digest%prime); len(v) == 0 {
			as := *y
			as.touched = nil
			return &as, false, left == 0
		}
	}
	next = y.refined(p)
	var v vector
	for i, in := range p.inside {
		if !in.empty() && !p.cut[i] {
			v = append(v, term{i, 1})
		}
	}
	for i := len(y.atoms); i < len(next.atoms); i++ { // what was cut off, and the rest
		v = append(v, term{i, 1})
	}
	next.insert(next.reduce(v, digest%prime))
	return next, true, true
}

// refined is the system with atoms cut, the same in what it knows.
func (y *System) refined(p split) *System {
	next := &System{minimum: y.minimum, atoms: slices.Clone(y.atoms), rows: slices.Clone(y.rows)}
	parts := map[int]int{}
	for i, cut := range p.cut {
		if cut {
			next.atoms[i] = y.atom(y.atoms[i].set.without(p.inside[i]))
			parts[i] = len(next.atoms)
			next.atoms = append(next.atoms, y.atom(p.inside[i]))
		}
	}
	if !p.rest.empty() {
		next.atoms = append(next.atoms, y.atom(p.rest))
	}
	if len(parts) == 0 {
		return next
	}
	for k, r := range next.rows {
		next.rows[k].vector = r.refined(parts)
	}
	for k, r := range next.rows { // an atom that was cut may be large no more
		if !next.atoms[r.pivot].large {
			if at := next.best(next.rows[k].vector); at != r.pivot && next.atoms[at].large {
				next.pivot(k, at)
			}
		}
	}
	return next
}

func (y *System) atom(s Set) *atom {
	a := &atom{set: s, size: s.Size(), large: s.headcount(y.minimum) >= y.minimum}
	if !a.large {
		a.people = s.Ordinals().ToArray()
	}
	return a
}

// best is where to pivot a vector that is not 0: at the largest atom.
func (y *System) best(v vector) int {
	at := v[0].atom
	for _, t := range v[1:] {
		if a, b := y.atoms[t.atom], y.atoms[at]; a.large && !b.large || a.large == b.large && a.size > b.size {
			at = t.atom
		}
	}
	return at
}

// reduce makes a vector 0 at all pivots, and gives what that leaves of its digest.
func (y *System) reduce(v vector, digest uint64) (vector, uint64) {
	for _, r := range y.rows {
		if c := v.of(r.pivot); c != 0 {
			v, digest = v.less(c, r.vector), sub(digest, mul(c, r.digest))
		}
	}
	return v, digest
}

// insert adds a reduced vector that is not 0.
func (y *System) insert(v vector, digest uint64) {
	at := y.best(v)
	y.touched = nil
	if !y.atoms[at].large {
		y.touched = []int{len(y.rows)}
		for k, r := range y.rows {
			if r.of(at) != 0 {
				y.touched = append(y.touched, k)
			}
		}
	}
	y.rows = append(y.rows, row{-1, v, digest})
	y.pivot(len(y.rows)-1, at)
}

// pivot makes a row's coefficient at an atom 1, and that of the other rows 0.
func (y *System) pivot(k, at int) {
	scale := inverse(y.rows[k].of(at))
	by := row{at, y.rows[k].times(scale), mul(y.rows[k].digest, scale)}
	y.rows[k] = by
	for j, r := range y.rows {
		if c := r.of(at); j != k && c != 0 {
			y.rows[j].vector, y.rows[j].digest = r.less(c, by.vector), sub(r.digest, mul(c, by.digest))
		}
	}
}

// Tells tells whether the latest set made it possible to find something out about
// fewer people than the minimum: whether some combination of what is known, that was
// not known before, is about so few.
//
// Such a combination is 0 for all large atoms. It has no part in a row whose pivot is
// large, since it would not be 0 there; so only rows of small atoms take part, and if
// the latest set's pivot is large, there is none. It has a part in a row that was
// touched: the others are what they were. And it is not 0 at the pivot of each row that
// takes part, nor at an atom where only one of these is not 0.
func (y *System) Tells() bool {
	s := search{System: y, excluded: make([]bool, len(y.rows))}
	for _, k := range y.touched {
		if y.atoms[y.rows[k].pivot].large {
			continue
		}
		if s.few([]int{k}, nil) {
			return true
		}
		s.excluded[k] = true // what it takes part in was looked at
	}
	return false
}
