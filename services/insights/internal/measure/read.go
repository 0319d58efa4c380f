package measure

import (
	"maps"
	"slices"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

// What a week says.
func hasMood(w *facts.Week) bool    { return w.CheckIns > 0 }
func hasSteps(w *facts.Week) bool   { return w.StepDays > 0 }
func hasLessons(w *facts.Week) bool { return w.Captured > 0 }

// takesPart tells whether a person did anything in a week.
func takesPart(w *facts.Week) bool {
	return hasMood(w) || hasSteps(w) || hasLessons(w) || w.Practices != 0
}

// lasted is how many days a setback lasted up to its recovery, if there was one by
// asOf, and otherwise up to that day.
func lasted(s facts.Setback, asOf int32) (days int32, recovered bool) {
	if recovered = s.Recovered >= 0 && s.Recovered <= asOf; recovered {
		asOf = s.Recovered
	}
	return max(0, asOf-s.Occurred), recovered
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

// kindOf is the set of the one kind that a setback states, if any.
func kindOf(s facts.Setback) uint32 {
	if !slices.Contains(kinds, int32(s.Kind)) {
		return 0
	}
	return 1 << s.Kind
}

// weeksOf are the weeks of a person within a window.
func weeksOf(p *facts.Person, w Window) []facts.Week {
	weeks := p.Weeks
	for len(weeks) > 0 && weeks[len(weeks)-1].Week > w.Last {
		weeks = weeks[:len(weeks)-1]
	}
	// Each week is there once: what is within begins no earlier than this.
	weeks = weeks[max(0, len(weeks)-int(w.Last-w.First+1)):]
	for len(weeks) > 0 && weeks[0].Week < w.First {
		weeks = weeks[1:]
	}
	return weeks
}

// setbacksOf are the setbacks of a person within a window.
func setbacksOf(p *facts.Person, w Window) []facts.Setback {
	all, from, to := p.Setbacks, facts.Monday(w.First), facts.Monday(w.Last+1)
	for len(all) > 0 && all[len(all)-1].Occurred >= to {
		all = all[:len(all)-1]
	}
	first := len(all)
	for first > 0 && all[first-1].Occurred >= from {
		first--
	}
	return all[first:]
}

// weekOfDay is the place of the week of a day within a window.
func (w Window) weekOfDay(day int32) int { return int(day-facts.Monday(w.First)) / 7 }
