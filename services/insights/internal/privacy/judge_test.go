package privacy

import (
	"math/rand/v2"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// said is what people say, which others know nothing of.
type said map[uint32]int64

// digest is one of the facts of a set.
func (s said) digest(set Set) uint64 {
	sum := uint64(0)
	for it := set.Ordinals().Iterator(); it.HasNext(); {
		o := it.Next()
		r := rand.New(rand.NewPCG(uint64(o), uint64(s[o])))
		sum = AddDigests(sum, r.Uint64())
	}
	return sum
}

func span(from, until uint32) Set {
	b := roaring.New()
	b.AddRange(uint64(from), uint64(until))
	return People(b)
}

var oneWeek = Key{Family: "mood", Week: 7}

// ask judges a total and its groups, and keeps what is shown.
func ask(l *Ledger, s said, everybody Set, sets ...Set) []insightsv1.SuppressionReason {
	all := make([]*Candidate, len(sets))
	for i, set := range sets {
		all[i] = &Candidate{Set: set, Question: questionOf(set), Digest: s.digest(set)}
	}
	d := l.Draft()
	d.Judge(Ask{Key: oneWeek, Minimum: 5, Universe: everybody, Total: all[0], Groups: all[1:]})
	d.Keep()
	out := make([]insightsv1.SuppressionReason, len(all))
	for i, c := range all {
		out[i] = c.Refused
	}
	return out
}

// questionOf stands for asking for such a set.
func questionOf(set Set) int64 { return int64(said{}.digest(set)) }

func five(string) int { return 5 }

func TestJudge(t *testing.T) {
	all := span(0, 40)
	for what, c := range map[string]struct {
		sets []Set
		want []insightsv1.SuppressionReason
	}{
		"everything is large":               {[]Set{all, span(0, 20), span(20, 40)}, []insightsv1.SuppressionReason{Shown, Shown, Shown}},
		"one is small, and so another goes": {[]Set{all, span(0, 30), span(30, 36), span(36, 40)}, []insightsv1.SuppressionReason{Shown, Shown, Complement, TooFew}},
		"several small ones hide each other": {
			[]Set{all, span(0, 32), span(32, 36), span(36, 40)}, []insightsv1.SuppressionReason{Shown, Shown, TooFew, TooFew},
		},
		"the filter leaves a few out":    {[]Set{span(0, 37)}, []insightsv1.SuppressionReason{Complement}},
		"the filter leaves enough out":   {[]Set{span(0, 35)}, []insightsv1.SuppressionReason{Shown}},
		"groups do not undo the filter":  {[]Set{span(0, 37), span(0, 20), span(20, 37)}, []insightsv1.SuppressionReason{Complement, Shown, Complement}},
		"nobody":                         {[]Set{{}}, []insightsv1.SuppressionReason{TooFew}},
		"some of the total is in no one": {[]Set{all, span(0, 20), span(20, 37)}, []insightsv1.SuppressionReason{Shown, Shown, Complement}},
	} {
		got := ask(NewLedger(five), said{}, all, c.sets...)
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, not %v", what, got, c.want)
				break
			}
		}
	}
}

// TestAlike: what all are alike in is not shown, nor does it follow from the rest.
func TestAlike(t *testing.T) {
	l, all, alike := NewLedger(five), span(0, 40), span(20, 30)
	d := l.Draft()
	groups := []*Candidate{{Set: span(0, 20), Question: 1}, {Set: alike, Question: 2, Alike: true}, {Set: span(30, 40), Question: 3}}
	d.Judge(Ask{Key: oneWeek, Minimum: 5, Universe: all, Total: &Candidate{Set: all, Question: 4}, Groups: groups})
	d.Keep()
	if groups[0].Refused != Shown || groups[1].Refused != Homogeneous || groups[2].Refused != Complement {
		t.Errorf("%v %v %v", groups[0].Refused, groups[1].Refused, groups[2].Refused)
	}
	if got := ask(l, said{}, all, span(30, 40))[0]; got != Overlap {
		t.Errorf("the other one, asked alone: %v", got)
	}
}

// TestChanges: the same people are shown again when nobody has changed, and what follows
// from them is, too; while somebody has, neither is, until enough have come or gone.
func TestChanges(t *testing.T) {
	l, s, all := NewLedger(five), said{}, span(0, 40)
	want := func(what string, want insightsv1.SuppressionReason, sets ...Set) {
		t.Helper()
		if got := ask(l, s, all, sets...)[0]; got != want {
			t.Errorf("%s: %v, not %v", what, got, want)
		}
	}
	want("first", Shown, all)
	want("again", Shown, all)
	want("half of them", Shown, span(0, 20))
	want("the other half, which follows", Shown, span(20, 40))
	s[0] = 2
	want("one has changed", OverTime, all)
	want("one half is as it was", Shown, span(20, 40))
	want("the other is not", OverTime, span(0, 20))
	for o := range uint32(12) {
		s[o] = 3
	}
	want("many have changed, and who knows that", OverTime, all)
	all = span(0, 45)
	want("five have come", Shown, all)
	want("and the rest follows from that, but for what has changed", OverTime, span(0, 40))
	s = said{}
	want("they are as they were", Shown, span(0, 40))
}

// TestAfterAnyQuestions: whatever is asked while people change, what was shown tells
// of no fewer than the minimum: neither of what they said nor, as if it were the same all
// the time, of them.
func TestAfterAnyQuestions(t *testing.T) {
	const people, minimum = 10, 3
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		l, s, all := NewLedger(func(string) int { return minimum }), said{}, span(0, people)
		var exact, plain [][]int64
		var owner []int
		columns := map[[2]int64]int{}
		for now := range int64(14) {
			if r.IntN(3) == 0 {
				for range r.IntN(4) {
					s[r.Uint32N(people)] = now
				}
			}
			b := roaring.New()
			for o := range uint32(people) {
				if r.IntN(3) > 0 {
					b.Add(o)
				}
			}
			set := People(b)
			c := &Candidate{Set: set, Question: now, Digest: s.digest(set)}
			d := l.Draft()
			d.Judge(Ask{Key: oneWeek, Minimum: minimum, Universe: all, Total: c})
			if d.Keep(); c.Refused != Shown {
				continue
			}
			var sum []int
			for it := b.Iterator(); it.HasNext(); {
				o := it.Next()
				key := [2]int64{int64(o), s[o]}
				if _, ok := columns[key]; !ok {
					columns[key] = len(owner)
					owner = append(owner, int(o))
				}
				sum = append(sum, columns[key])
			}
			row := make([]int64, people*15)
			for _, at := range sum {
				row[at] = 1
			}
			exact, plain = append(exact, row), append(plain, indicator(set, people))
		}
		for i := range exact {
			exact[i] = exact[i][:len(owner)]
		}
		if len(exact) > 0 && tellsOfFew(exact, owner, people, minimum) {
			t.Errorf("%d: what has changed is told of few", seed)
		}
		if len(plain) > 0 && tellsOfFew(plain, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, people, minimum) {
			t.Errorf("%d: few are told of", seed)
		}
	}
}

// TestOnlyWhatIsNearBetrays: what is withheld follows from a release only if that is near.
func TestOnlyWhatIsNearBetrays(t *testing.T) {
	near, betrayed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		u := newUnit(oneWeek, 2)
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			r := Release{Set: of(rapid.SliceOfNDistinct(rapid.Uint32Range(0, 6), 1, 7, rapid.ID).Draw(t, "set")...)}
			if r.Withheld = rapid.Bool().Draw(t, "withheld"); r.Withheld && u.exact.all.Spans(r.Set) {
				continue
			}
			next, n := u.with(r)
			if !r.Withheld && next.betrays() {
				if betrayed++; !n.near {
					t.Fatalf("%v betrays, and is not near", r.Set.Ordinals())
				}
				continue // it is refused
			}
			if n.near {
				near++
			}
			u = next
		}
	})
	if betrayed == 0 || near == 0 {
		t.Errorf("%d were betrayed, and %d near", betrayed, near)
	}
}
