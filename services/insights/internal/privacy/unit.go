package privacy

import "slices"

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
	// Digest is a sum of digests of the facts behind it: of each person, of what they add to
	// the number.
	Digest   uint64
	Withheld bool
}

// unit is all that was released of one Key. It is never changed.
type unit struct {
	key      Key
	released []Release
	withheld []Release
	// windows are those of all its sets, which are of elements below used.
	windows *Windows
	used    uint32
	// exact takes what people of other versions add for something else, plain for the
	// same, since mostly it is nearly so: a release has to pass both.
	plain, exact view
	// versions tells that there are any above 0.
	versions bool
	// guard is what would be known if what is withheld were, too.
	guard *System
}

func newUnit(k Key, minimum int) *unit {
	s := NewSystem(minimum)
	u := &unit{key: k, plain: view{s, s}, exact: view{s, s}, guard: s}
	if k.Week == 0 {
		u.windows = newWindows()
	}
	return u
}

// view is what is known of whole sets, and of the part of them that is held against
// others.
type view struct{ all, seen *System }

// news is what a set would tell.
type news struct {
	// fresh: it does not follow from what was released. Consistent: if it does, so do the
	// facts behind it.
	fresh, consistent bool
	// sneaks: it is fresh, but not by the part that is held against others.
	sneaks bool
	// near: it follows from what was released and withheld together. Only then can something
	// that is withheld follow from it and what was released.
	near bool
}

// with is the view after a set.
func (v view) with(k Key, s Set, digest uint64) (next view, n news) {
	all, fresh, consistent := v.all.With(s, digest)
	n = news{fresh: fresh, consistent: consistent}
	if !k.Sums {
		return view{all, all}, n
	}
	part := s.several()
	seen, seenFresh, _ := v.seen.With(part, 0)
	n.sneaks = fresh && !seenFresh && !part.empty()
	return view{all, seen}, n
}

// with is the unit after a release, and what that tells.
func (u *unit) with(r Release) (*unit, news) {
	next := *u
	plain := r.Set.plain()
	for _, s := range []Set{r.Set, plain} {
		if u.windows != nil && !s.empty() {
			next.used = max(next.used, s.elements.Maximum()+1)
		}
	}
	if r.Withheld {
		next.withheld = append(slices.Clip(u.withheld), r)
		next.guard, _, _ = u.guard.With(r.Set, 0)
		return &next, news{fresh: true}
	}
	next.released = append(slices.Clip(u.released), r)
	var n, m news
	next.exact, n = u.exact.with(u.key, r.Set, r.Digest)
	if next.guard = next.exact.all; len(u.withheld) > 0 {
		var fresh bool
		next.guard, fresh, _ = u.guard.With(r.Set, 0)
		n.near = !fresh
	}
	if next.versions = u.versions || !r.Set.later().IsEmpty(); !next.versions {
		next.plain = next.exact
		return &next, n
	}
	next.plain, m = u.plain.with(u.key, plain, 0)
	n.sneaks = n.sneaks || m.sneaks
	return &next, n
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

// again tells whether the same people were released with the same facts.
func (u *unit) again(r Release) bool {
	return slices.ContainsFunc(u.released, func(earlier Release) bool { return earlier.Digest == r.Digest && earlier.Set.equal(r.Set) })
}
