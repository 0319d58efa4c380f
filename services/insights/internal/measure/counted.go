package measure

import (
	"cmp"
	"slices"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
)

// lessonsOf are the lessons of a person's weeks.
func lessonsOf(l *Look, row int32, weeks uint64) lessons {
	var sum lessons
	mask, values := l.lessons.of(row)
	for _, x := range values {
		var at int
		if at, mask = next(mask); weeks&(1<<at) != 0 {
			sum.captured += x.captured
			sum.applied += x.applied
		}
	}
	return sum
}

func lessonsApplied(g Group) (func(*insightsv1.CohortCell), bool) {
	shares := make([]float64, 0, len(g.Rows))
	out, most := &insightsv1.CohortLessonsApplied{}, int32(0)
	for i, row := range g.Rows {
		of := lessonsOf(g.Look, row, g.counts(i))
		if of.captured == 0 {
			continue
		}
		shares = append(shares, float64(of.applied)/float64(of.captured))
		out.Captured += of.captured
		out.Applied += of.applied
		most = max(most, of.captured)
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

func kindWeeks(l *Look, row int32) uint64 {
	var mask uint64
	weeks, values := l.setbacks.of(row)
	for _, x := range values {
		var at int
		if at, weeks = next(weeks); x.kinds != 0 {
			mask |= 1 << at
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
	sets := make([]uint32, 0, len(g.Rows))
	for i, row := range g.Rows {
		var set uint32
		weeks, values := g.Look.setbacks.of(row)
		for _, x := range values {
			var at int
			if at, weeks = next(weeks); g.counts(i)&(1<<at) != 0 {
				set |= x.kinds
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
	sets := make([]uint32, 0, len(g.Rows))
	for i, row := range g.Rows {
		var set uint32
		counts := g.counts(i)
		weeks, values := g.Look.practices.of(row)
		for _, x := range values {
			var at int
			if at, weeks = next(weeks); counts&(1<<at) != 0 {
				set |= x
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
