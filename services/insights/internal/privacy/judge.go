package privacy

import (
	"cmp"
	"slices"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// The reasons, by short names.
const (
	Shown       = insightsv1.SuppressionReason_SUPPRESSION_REASON_UNSPECIFIED
	TooFew      = insightsv1.SuppressionReason_SUPPRESSION_REASON_TOO_FEW
	Complement  = insightsv1.SuppressionReason_SUPPRESSION_REASON_COMPLEMENT
	Overlap     = insightsv1.SuppressionReason_SUPPRESSION_REASON_OVERLAP
	OverTime    = insightsv1.SuppressionReason_SUPPRESSION_REASON_OVER_TIME
	Homogeneous = insightsv1.SuppressionReason_SUPPRESSION_REASON_HOMOGENEOUS
)

// Candidate is a number that a report would like to show.
type Candidate struct {
	// Set is the people behind it.
	Set Set
	// Question stands for group and filter.
	Question int64
	// Digest is as in Release.
	Digest uint64
	// Alike tells that what is true of all is known of each.
	Alike bool
	// Refused is why it may not be shown; Shown: it may. What is refused already is
	// not asked for.
	Refused insightsv1.SuppressionReason
}

// Ask is the numbers of one metric about one week, or one window, that go together.
type Ask struct {
	Key Key
	// Minimum is the least number of people behind a number.
	Minimum int
	// Universe is everybody who has something to say, whatever the filter.
	Universe Set
	// Total is all groups together.
	Total *Candidate
	// Groups have nobody in common. Some of the total may be in none of them.
	Groups []*Candidate
	// Alike tells whether what is true of all in a set is known of each.
	Alike func(Set) bool
}

func (a *Ask) candidates() []*Candidate { return append([]*Candidate{a.Total}, a.Groups...) }

// Judge decides which of the numbers may be shown, and takes those that are shown for
// known from then on: first by what each is, then by what would be left over beside
// those that are shown, then by what follows together with everything before.
func (d *Draft) Judge(a Ask) {
	for _, c := range a.candidates() {
		switch {
		case c.Refused != Shown:
		case c.Set.headcount(a.Minimum) < a.Minimum:
			c.Refused = TooFew
		case c.Alike:
			c.Refused = Homogeneous
		}
	}
	a.complement()
	asked, full := map[int64]bool{}, false
	for _, c := range a.candidates() {
		asked[c.Question] = d.ledger.unit(a.Key).asked(c.Question)
		if c.Refused == Homogeneous {
			full = !d.withhold(a, c) || full
		}
	}
	var shadow *System
	if !a.Key.Sums && slices.ContainsFunc(a.candidates(), func(c *Candidate) bool { return c.Refused == Shown && !d.unchanged(a, c) }) {
		shadow = d.shadow(a)
	}
	a.Groups = slices.SortedStableFunc(slices.Values(a.Groups), func(x, y *Candidate) int { return cmp.Compare(y.Set.Size(), x.Set.Size()) })
	for _, c := range a.candidates() {
		switch {
		case c.Refused == Shown && full:
			c.Refused = Overlap
		case c.Refused == Shown:
			c.Refused = d.try(a, c, &shadow)
		}
		if c.Refused == Overlap && asked[c.Question] {
			c.Refused = OverTime
		}
	}
}

// complement refuses the smallest groups until what is left over is nobody, or at
// least the minimum and not all alike: seen from the total, and from everybody.
func (a *Ask) complement() {
	outside := a.Universe.without(a.Total.Set)
	if n := outside.headcount(a.Minimum); n > 0 && n < a.Minimum && a.Total.Refused == Shown {
		a.Total.Refused = Complement
	}
	var shown []*Candidate
	var alike []Set
	for _, g := range a.Groups {
		switch g.Refused {
		case Shown:
			shown = append(shown, g)
		case Homogeneous:
			alike = append(alike, g.Set)
		}
	}
	slices.SortStableFunc(shown, func(x, y *Candidate) int { return cmp.Compare(x.Set.Size(), y.Set.Size()) })
	for len(shown) > 0 {
		left := a.Total.Set
		for _, g := range shown {
			left = left.without(g.Set)
		}
		if a.harmless(left, alike) && a.harmless(Union(left, outside), alike) {
			return
		}
		shown[0].Refused = Complement
		shown = shown[1:]
	}
}

// harmless tells whether a left-over may be found out. Groups that are all alike have
// to be among others that are the minimum, or they would be known by what is left.
func (a *Ask) harmless(left Set, alike []Set) bool {
	if left.empty() {
		return true
	}
	others := left.without(Union(alike...))
	return others.headcount(a.Minimum) >= a.Minimum && (a.Alike == nil || !a.Alike(left))
}

// withhold keeps a number that all are alike in from being found out later; it tells
// whether there was room to remember it.
func (d *Draft) withhold(a Ask, c *Candidate) bool {
	u := d.unit(a.Key)
	if slices.ContainsFunc(u.withheld, func(w Release) bool { return w.Set.equal(c.Set) }) {
		return true
	}
	if len(u.withheld) >= a.Key.most() {
		return false
	}
	r := releaseOf(c)
	r.Withheld = true
	next, _ := u.with(r)
	d.add(next, r)
	return true
}

func releaseOf(c *Candidate) Release {
	return Release{Set: c.Set, Question: c.Question, Digest: c.Digest}
}

func (d *Draft) unchanged(a Ask, c *Candidate) bool { return d.unit(a.Key).again(releaseOf(c)) }

// shadow is the plain view as if the number about everybody were known, too, since
// mostly it is; nil where that alone would tell too much, so that it is never shown.
func (d *Draft) shadow(a Ask) *System {
	s, _, _ := d.unit(a.Key).plain.seen.With(a.Universe.plain(), 0)
	if s.Tells() {
		return nil
	}
	return s
}

// try releases a number unless that would tell about fewer people than the minimum. What
// follows from what was released tells nothing, as long as the facts are the same; where
// they are not, it would tell what has changed, of nobody knows how few.
func (d *Draft) try(a Ask, c *Candidate, shadow **System) insightsv1.SuppressionReason {
	u, r := d.unit(a.Key), releaseOf(c)
	if u.again(r) {
		return Shown
	}
	next, n := u.with(r)
	switch {
	case !n.fresh && n.consistent:
		return Shown
	case !n.fresh:
		return OverTime
	case len(u.released) >= a.Key.most() || u.windows.full() || n.sneaks || next.tells() || n.near && next.betrays():
		return Overlap
	}
	if *shadow != nil {
		with, _, _ := (*shadow).With(c.Set.plain(), 0)
		if with.Tells() {
			return Complement
		}
		*shadow = with
	}
	d.add(next, r)
	return Shown
}
