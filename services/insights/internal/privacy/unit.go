package privacy

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Key names what numbers are compared with each other: those of one family of
// metrics, about one week; or, with Week 0, about windows.
type Key struct {
	Family string
	Week   int32
	// Sums: windows of a family whose weeks are shown, and judged, by themselves. What
	// a person with facts in one week adds to a window is what they add to that week,
	// so windows are held against each other by the others only, and a window that
	// differs from earlier ones in nothing else is not shown: it would tell about
	// weeks what was not judged as a week.
	Sums bool
}

// How many sets are kept of one Key, and so how many different ones may be released: what
// would come after them is suppressed, since nothing may be forgotten that can be asked
// about again. Windows have room for a report every week in 15 groups, all the time that
// they can be asked for.
const (
	maxOfWeek    = 400
	maxOfWindows = 4000
)

// most is how many sets are kept of a Key.
func (k Key) most() int {
	if k.Week != 0 {
		return maxOfWeek
	}
	return maxOfWindows
}

// Release is a set that was released, or that was withheld and must not follow from
// those that were.
type Release struct {
	Set Set
	// Question stands for group and filter.
	Question int64
	// Digest is a sum of digests of the facts behind it: nothing has changed where set
	// and digest are the same.
	Digest uint64
	// Changed is up to when changes of facts are in it for sure, in milliseconds since
	// 1970: what changed later may have changed after it.
	Changed  int64
	Withheld bool
	// plain is the set without versions.
	plain Set
	// AsOf is the day as of which it is; 0 for a week.
	AsOf int32
}

// Changes tells what became of the facts behind a number since earlier releases.
type Changes interface {
	// Recent are the ordinals of people whose facts may be others than they were in any
	// of the releases. The caller may change the bitmap.
	Recent(earlier []Release) *roaring.Bitmap
	// Still tells whether nobody's facts are others than in an earlier release, as far as
	// that is known without looking at each.
	Still(earlier Release) bool
	// Since tells whether what a person adds to the number, by facts of some weeks, may
	// be another than it was in an earlier release.
	Since(ordinal uint32, at Weeks, earlier Release) bool
}

// unit is all that was released of one Key. It is never changed.
type unit struct {
	key      Key
	released []Release
	withheld []Release
	// windows are those of all its sets, which are of elements below used.
	windows *Windows
	used    uint32
	// plain takes people's facts for unchanging, exact for others once they have
	// changed. Changed facts can be the same again, and mostly are nearly the same:
	// neither view is right, so a release has to pass both.
	plain, exact view
	// top is the highest version of anybody, moved are those who have one above 0.
	top   uint32
	moved *roaring.Bitmap
}

func newUnit(k Key, minimum int) *unit {
	s := NewSystem(minimum)
	u := &unit{key: k, plain: view{s, s}, exact: view{s, s}, moved: roaring.New()}
	if k.Week == 0 {
		u.windows = newWindows()
	}
	return u
}

// view is what is known of whole sets, and of the part of them that is held against
// others.
type view struct{ all, seen *System }

// with is the view after a set. Fresh tells that the set tells something new; sneaks
// that it does not by the part that is held against others.
func (v view) with(k Key, s Set) (next view, fresh, sneaks bool) {
	all, fresh := v.all.With(s)
	if !k.Sums {
		return view{all, all}, fresh, false
	}
	part := s.several()
	seen, seenFresh := v.seen.With(part)
	return view{all, seen}, fresh, fresh && !seenFresh && !part.empty()
}

// with is the unit after a release; fresh and sneaks are as in a view.
func (u *unit) with(r Release) (_ *unit, fresh, sneaks bool) {
	next := *u
	r.plain = r.Set.plain()
	for _, s := range []Set{r.Set, r.plain} {
		if u.windows != nil && !s.empty() {
			next.used = max(next.used, s.elements.Maximum()+1)
		}
	}
	if r.Withheld {
		next.withheld = append(slices.Clip(u.withheld), r)
		return &next, true, false
	}
	next.released = append(slices.Clip(u.released), r)
	next.plain, fresh, sneaks = u.plain.with(u.key, r.plain)
	if next.top = max(u.top, r.Set.top()); next.top == 0 {
		next.exact = next.plain
		return &next, fresh, sneaks
	}
	exact, exactFresh, exactSneaks := u.exact.with(u.key, r.Set)
	next.exact, next.moved = exact, u.moved.Clone()
	for it := r.Set.later().Iterator(); it.HasNext(); {
		next.moved.Add(u.windows.ordinal(it.Next()))
	}
	return &next, fresh || exactFresh, sneaks || exactSneaks
}

// tells tells whether something about few people can be found out by the latest of
// the releases.
func (u *unit) tells() bool {
	return u.plain.seen.Tells() || u.exact.seen != u.plain.seen && u.exact.seen.Tells()
}

// asked tells whether a question was answered before.
func (u *unit) asked(question int64) bool {
	return slices.ContainsFunc(u.released, func(r Release) bool { return r.Question == question })
}

// betrays tells whether something withheld can be found out.
func (u *unit) betrays() bool {
	return slices.ContainsFunc(u.withheld, func(w Release) bool { return u.exact.all.Spans(w.Set) })
}

// again tells whether the same people were released with the same facts, and whether
// the same people were at all.
func (u *unit) again(r Release) (unchanged, same bool) {
	for _, earlier := range slices.Backward(u.released) {
		if earlier.plain.equal(r.Set) {
			if same = true; earlier.Digest == r.Digest {
				return true, true
			}
		}
	}
	return false, same
}

// marked gives a plain set in which people whose facts have changed since they were
// last in a release have the next version; ok is false when that cannot be told. Same
// tells that the same people were released before, with other facts.
func (u *unit) marked(r Release, c Changes, same bool) (marked Set, ok bool) {
	if len(u.released) == 0 {
		return r.Set, true
	}
	recent := c.Recent(u.released)
	if same && r.Set.of(recent).IsEmpty() {
		return Set{}, false // something has changed, and nothing tells what
	}
	recent.Or(u.moved)
	changed := r.Set.of(recent)
	if changed.IsEmpty() {
		return r.Set, true
	}
	now, ok := u.changed(changed, c)
	if !ok {
		return Set{}, false
	}
	now.Or(roaring.AndNot(r.Set.bitmap(), changed))
	return r.Set.like(r.Set, now), true
}

// changed gives what plain elements have become: each is looked for in the latest
// release that its person was in, with the same weeks. Releases are gone through once
// for all of them.
func (u *unit) changed(plain *roaring.Bitmap, c Changes) (now *roaring.Bitmap, ok bool) {
	var later Gatherer
	left, now := u.versions(plain), roaring.New()
	left.Or(plain)
	for at := len(u.released) - 1; at >= 0 && !left.IsEmpty(); at-- {
		found := roaring.And(left, u.released[at].Set.bitmap())
		if found.IsEmpty() {
			continue
		}
		left.AndNot(found)
		left.AndNot(u.versions(found))
		if now.Or(found); c.Still(u.released[at]) {
			continue
		}
		for it := found.Iterator(); it.HasNext(); {
			element := it.Next()
			p := u.windows.at(element)
			if !c.Since(p.ordinal, p.Weeks, u.released[at]) {
				continue
			}
			if p.Version == maxVersion {
				return nil, false
			}
			now.Remove(element)
			later.Add(u.windows.following(element))
		}
	}
	left.And(plain) // who was in none
	now.Or(left)
	now.Or(later.Bitmap())
	return now, true
}

// versions gives all elements that there are of the same people and weeks, of those who
// have ever changed.
func (u *unit) versions(of *roaring.Bitmap) *roaring.Bitmap {
	if u.top == 0 {
		return roaring.New()
	}
	var out Gatherer
	moved := u.moved.ToDense()
	for it := of.Iterator(); it.HasNext(); {
		element := it.Next()
		ordinal := u.windows.ordinal(element)
		if at := int(ordinal / 64); at < len(moved) && moved[at]&(1<<(ordinal%64)) != 0 {
			u.windows.versions(element, u.top, out.Add)
		}
	}
	return out.Bitmap()
}
