package domain

import (
	"maps"
	"slices"

	datepb "google.golang.org/genproto/googleapis/type/date"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/graph"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// turnOf is the date for which it is a repeating step's turn on a day: its latest
// occurrence, while something of that is left to do, or the day itself, while it
// was done less often than it is to be by then. Nil: it is not its turn, as on
// days of breaks, and never for a limit.
func turnOf(s *goalsv1.Step, day *datepb.Date) *datepb.Date {
	rests := func(on *datepb.Date) bool {
		return slices.ContainsFunc(s.GetBreaks(), func(b *goalsv1.Break) bool { return covers(b, on) })
	}
	if s.GetState() != toDo || s.GetDirection() == atMost || rests(day) {
		return nil
	}
	if s.GetRecurrence() == "" {
		if s.GetStartDate() != nil && localdate.After(s.GetStartDate(), day) || timesBy(s, day) >= float64(s.GetTimes())-1e-9 { // thirds make a whole
			return nil
		}
		return day
	}
	rule, err := parseRecurrence("step.recurrence", s.GetRecurrence(), s.GetStartDate())
	if err != nil {
		return nil // it was good when it was written
	}
	on := rule.atOrBefore(day)
	if on == nil || rests(on) || openOccurrence(s, on) != nil {
		return nil
	}
	return on
}

// timesBy is how many times a step was done in the days that end on a day.
func timesBy(s *goalsv1.Step, day *datepb.Date) float64 {
	sum, last := 0.0, localdate.Days(day)
	for _, c := range s.GetCompletions() {
		if on := dayOf(c); last-int(s.GetDays()) < on && on <= last {
			sum += share(s, c)
		}
	}
	return sum
}

// isTurn tells whether it still is a repeating step's turn for a date.
func isTurn(s *goalsv1.Step, date *datepb.Date) bool {
	if s.GetRecurrence() == "" {
		return turnOf(s, date) != nil
	}
	return s.GetState() == toDo && openOccurrence(s, date) == nil
}

// met tells whether what requires a step may begin: it is done, or, when it
// repeats without end, was done once. Of one that was split, the parts tell.
func met(s *goalsv1.Step) bool {
	return s.GetState() == done || len(s.GetCompletions()) > 0 && endless(s)
}

// endless tells whether a step repeats without end.
func endless(s *goalsv1.Step) bool {
	if s.GetRecurrence() == "" {
		return repeats(s)
	}
	rule, err := parseRecurrence("step.recurrence", s.GetRecurrence(), s.GetStartDate())
	return err == nil && !rule.finite
}

// partsOf are the names of the steps that took a step's place; none unless it was
// split.
func partsOf(s *goalsv1.Step) []string {
	var names []string
	for _, p := range s.GetParts() {
		names = append(names, p.GetStep())
	}
	return names
}

// withParts lets the parts of a step that was split take its place: they require
// what it required, and it requires them. splits gives parts by step.
func withParts(edges graph.Edges, splits map[string][]string) graph.Edges {
	order := graph.Edges(splits).Order(slices.Sorted(maps.Keys(splits)))
	slices.Reverse(order) // what was split before its parts were comes first
	for _, step := range order {
		required := slices.Clone(edges[step])
		for _, part := range splits[step] {
			for _, r := range required {
				if r != part && !edges.Reaches(r, part) {
					edges[part] = append(edges[part], r)
				}
			}
		}
		edges[step] = append(edges[step], splits[step]...)
	}
	return edges
}
