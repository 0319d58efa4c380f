package measure

import (
	"cmp"
	"maps"
	"slices"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
)

func lessonWeeks(p *facts.Person, w Window, _ int32) uint64 {
	return maskOf(p, w, func(x *facts.Week) bool { return x.Captured > 0 })
}

// lessonsOf are the lessons of a person's weeks that count, and those of them that
// were applied by the group's AsOf.
func lessonsOf(g Group, i int) (captured, applied int32) {
	counts, weeks := g.counts(i), weeksOf(g.People[i], g.Window)
	for j := range weeks {
		w := &weeks[j]
		if counts&g.Window.bit(w.Week) == 0 {
			continue
		}
		captured += w.Captured
		for _, day := range w.Applied {
			if day <= g.AsOf {
				applied++
			}
		}
	}
	return captured, min(applied, captured)
}

func lessonsApplied(g Group) (func(*insightsv1.CohortCell), bool) {
	shares := make([]float64, 0, len(g.People))
	out, most := &insightsv1.CohortLessonsApplied{}, int32(0)
	for i := range g.People {
		captured, applied := lessonsOf(g, i)
		if captured == 0 {
			continue
		}
		shares = append(shares, float64(applied)/float64(captured))
		out.Captured += captured
		out.Applied += applied
		most = max(most, captured)
	}
	mean, deviation, in, ok := stats.Mean(shares, stats.Level)
	n := int32(len(shares))
	// Of sums in which one person outweighs all others, theirs could be told.
	if !ok || n < g.Minimum || round(deviation, shareDecimals) == 0 || most > out.GetCaptured()-most {
		return nil, true
	}
	out.Share, out.Interval = round(mean, shareDecimals), within(in, 0, 1, shareDecimals)
	return func(cell *insightsv1.CohortCell) {
		about(cell, n, g.Weeks)
		cell.Values = &insightsv1.CohortCell_LessonsApplied{LessonsApplied: out}
	}, false
}

// known are the numbers of an enum, without that of what is not stated. Sets of them
// are masks: bit k is number k.
func known(names map[int32]string) []int32 {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(k int32) bool { return k == 0 })
}

var (
	kinds     = known(typev1.FailureKind_name)
	practices = known(typev1.Practice_name)
)

// statesKind tells whether a setback says which kind of failure it is.
func statesKind(s facts.Setback) bool { return slices.Contains(kinds, int32(s.Kind)) }

func kindWeeks(p *facts.Person, w Window, _ int32) uint64 {
	var mask uint64
	for _, s := range setbacksOf(p, w) {
		if statesKind(s) {
			mask |= w.bitOfDay(s.Occurred)
		}
	}
	return mask
}

// tallySets counts the sets that hold each of some numbers, and says which numbers
// enough sets hold, and enough do not.
func tallySets(sets []uint32, of []int32, minimum int32) (people map[int32]int32, enough []int32) {
	people = make(map[int32]int32, len(of))
	for _, k := range of {
		var n int32
		for _, set := range sets {
			n += int32(set >> k & 1)
		}
		if people[k] = n; n >= minimum && int32(len(sets))-n >= minimum {
			enough = append(enough, k)
		}
	}
	return people, enough
}

// without counts the sets that hold none of some numbers.
func without(sets []uint32, numbers []int32) int32 {
	var mask uint32
	for _, k := range numbers {
		mask |= 1 << k
	}
	var n int32
	for _, set := range sets {
		if set&mask == 0 {
			n++
		}
	}
	return n
}

func failureKinds(g Group) (func(*insightsv1.CohortCell), bool) {
	sets := make([]uint32, 0, len(g.People))
	for i, p := range g.People {
		var set uint32
		counts := g.counts(i)
		for _, s := range setbacksOf(p, g.Window) {
			if statesKind(s) && counts&g.Window.bitOfDay(s.Occurred) != 0 {
				set |= 1 << s.Kind
			}
		}
		if set != 0 {
			sets = append(sets, set)
		}
	}
	minimum := max(1, g.Minimum)
	people, shown := tallySets(sets, kinds, minimum)
	slices.SortStableFunc(shown, func(a, b int32) int { return cmp.Compare(people[b], people[a]) })
	// Where most state one kind only, n less all that is shown tells of the others:
	// they have to be enough too, or nobody.
	for len(shown) > 0 {
		if others := without(sets, shown); others == 0 || others >= minimum {
			break
		}
		shown = shown[:len(shown)-1]
	}
	if len(shown) == 0 {
		return nil, true
	}
	return func(cell *insightsv1.CohortCell) {
		n := int32(len(sets))
		about(cell, n, g.Weeks)
		out := &insightsv1.CohortFailureKinds{}
		for _, k := range shown {
			out.Kinds = append(out.Kinds, &insightsv1.CohortFailureKind{Kind: typev1.FailureKind(k), People: people[k], Share: share(people[k], n)})
		}
		cell.Values = &insightsv1.CohortCell_FailureKinds{FailureKinds: out}
	}, false
}

func practiceUptake(g Group) (func(*insightsv1.CohortCell), bool) {
	sets := make([]uint32, 0, len(g.People))
	for i, p := range g.People {
		var set uint32
		counts, weeks := g.counts(i), weeksOf(p, g.Window)
		for j := range weeks {
			if counts&g.Window.bit(weeks[j].Week) != 0 {
				set |= weeks[j].Practices
			}
		}
		if counts != 0 {
			sets = append(sets, set)
		}
	}
	people, shown := tallySets(sets, practices, max(1, g.Minimum))
	if len(shown) == 0 {
		return nil, true
	}
	return func(cell *insightsv1.CohortCell) {
		n := int32(len(sets))
		about(cell, n, g.Weeks)
		out := &insightsv1.CohortPracticeUptake{}
		for _, k := range shown {
			out.Practices = append(out.Practices, &insightsv1.CohortPractice{Practice: typev1.Practice(k), People: people[k], Share: share(people[k], n)})
		}
		cell.Values = &insightsv1.CohortCell_PracticeUptake{PracticeUptake: out}
	}, false
}
