package measure

import (
	"fmt"
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

// learning is a person who captured lessons in the first two weeks, of which some
// were applied on a day.
func learning(captured [2]int32, applied int, on int32) *facts.Person {
	var days []int32
	for range applied {
		days = append(days, on)
	}
	return person(facts.Week{Captured: captured[0], Applied: days}, facts.Week{Captured: captured[1]})
}

func TestLessonsApplied(t *testing.T) {
	const kind = insightsv1.CohortMetric_COHORT_METRIC_LESSONS_APPLIED
	asOf := day(9, 0)
	all := func(n int, captured [2]int32, applied int) (people []*facts.Person) {
		for range n {
			people = append(people, learning(captured, applied, asOf))
		}
		return people
	}
	mixed := join(all(2, [2]int32{1, 1}, 1), all(1, [2]int32{2, 0}, 2), all(2, [2]int32{0, 1}, 0), []*facts.Person{{}})
	for what, c := range map[string]struct {
		people  []*facts.Person
		minimum int32
		asOf    int32
		want    string
	}{
		"mixed":              {mixed, 5, asOf, "n 5: 4 of 8, 0.4 in 0 to 0.919"},
		"too few":            {mixed, 6, asOf, "alike"},
		"before any was":     {mixed, 5, asOf - 1, "alike"},
		"all applied":        {all(9, [2]int32{2, 1}, 2), 5, asOf, "alike"},
		"one outweighs all":  {join(all(5, [2]int32{0, 1}, 0), all(1, [2]int32{6, 0}, 3)), 5, asOf, "alike"},
		"one does not quite": {join(all(5, [2]int32{0, 1}, 0), all(1, [2]int32{5, 0}, 3)), 5, asOf, "n 6: 3 of 10, 0.1 in 0 to 0.357"},
	} {
		cell := measured(t, kind, group(metric(t, kind), four, c.asOf, c.minimum, c.people...))
		l, got := cell.GetLessonsApplied(), "alike"
		if cell != nil {
			got = fmt.Sprintf("n %d: %d of %d, %v in %v to %v", cell.GetN(), l.GetApplied(), l.GetCaptured(), l.GetShare(), l.GetInterval().GetLow(), l.GetInterval().GetHigh())
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

// failing is so many people with a setback of each of some kinds.
func failing(n int, kinds ...typev1.FailureKind) []*facts.Person {
	people := make([]*facts.Person, n)
	for i := range people {
		people[i] = &facts.Person{}
		for _, k := range kinds {
			people[i].Setbacks = append(people[i].Setbacks, facts.Setback{Occurred: day(1, 2), Recovered: -1, Kind: k})
		}
	}
	return people
}

func TestFailureKinds(t *testing.T) {
	const kind = insightsv1.CohortMetric_COHORT_METRIC_FAILURE_KINDS
	const (
		none  = typev1.FailureKind_FAILURE_KIND_UNSPECIFIED
		slip  = typev1.FailureKind_FAILURE_KIND_INATTENTION
		skill = typev1.FailureKind_FAILURE_KIND_LACK_OF_ABILITY
		luck  = typev1.FailureKind_FAILURE_KIND_BAD_LUCK
	)
	for what, c := range map[string]struct {
		people []*facts.Person
		want   string
	}{
		"two kinds":                 {join(failing(5, slip, slip), failing(6, luck), failing(9, none)), "n 11: luck 6 0.545, slip 5 0.455, "},
		"equally many":              {join(failing(5, luck), failing(5, slip)), "n 10: slip 5 0.5, luck 5 0.5, "},
		"one kind alone":            {failing(9, slip), "alike"},
		"too few of the other":      {join(failing(9, slip), failing(4, luck)), "alike"},
		"what is left is too few":   {join(failing(7, slip), failing(6, luck), failing(4, skill)), "n 17: slip 7 0.412, "},
		"what is left is enough":    {join(failing(7, slip), failing(6, luck), failing(3, skill), failing(2, typev1.FailureKind_FAILURE_KIND_DEVIANCE)), "n 18: slip 7 0.389, luck 6 0.333, "},
		"a kind that is not known":  {join(failing(5, slip), failing(5, luck), failing(5, 31)), "n 10: slip 5 0.5, luck 5 0.5, "},
		"some with more than one":   {join(failing(5, slip, luck), failing(5, luck), failing(5, slip)), "n 15: slip 10 0.667, luck 10 0.667, "},
		"all had one, some another": {join(failing(5, slip, luck), failing(5, slip)), "n 10: luck 5 0.5, "},
	} {
		cell := measured(t, kind, group(metric(t, kind), four, day(3, 6), 5, c.people...))
		got := "alike"
		if cell != nil {
			got = fmt.Sprintf("n %d: ", cell.GetN())
			for _, k := range cell.GetFailureKinds().GetKinds() {
				name := map[typev1.FailureKind]string{slip: "slip", luck: "luck", skill: "skill"}[k.GetKind()]
				got += fmt.Sprintf("%s %d %v, ", name, k.GetPeople(), k.GetShare())
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

func TestPracticeUptake(t *testing.T) {
	const kind = insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE
	const gratitude, reflection = 1 << typev1.Practice_PRACTICE_GRATITUDE, 1 << typev1.Practice_PRACTICE_REFLECTION
	practicing := func(n int, weeks ...uint32) (people []*facts.Person) {
		for range n {
			var of []facts.Week
			for _, p := range weeks {
				of = append(of, facts.Week{Practices: p})
			}
			people = append(people, person(of...))
		}
		return people
	}
	for what, c := range map[string]struct {
		people []*facts.Person
		want   string
	}{
		"once or often":         {join(practicing(5, gratitude), practicing(2, gratitude, gratitude), practicing(5)), "n 12: GRATITUDE 7 0.583, "},
		"two, in order":         {join(practicing(5, reflection, gratitude), practicing(5, reflection), practicing(5)), "n 15: GRATITUDE 5 0.333, REFLECTION 10 0.667, "},
		"too few did":           {join(practicing(4, gratitude), practicing(9)), "alike"},
		"too few did not":       {join(practicing(9, gratitude), practicing(4)), "alike"},
		"one that is not known": {join(practicing(5, gratitude|1<<30), practicing(5)), "n 10: GRATITUDE 5 0.5, "},
	} {
		cell := measured(t, kind, group(metric(t, kind), four, day(3, 6), 5, c.people...))
		got := "alike"
		if cell != nil {
			got = fmt.Sprintf("n %d: ", cell.GetN())
			for _, p := range cell.GetPracticeUptake().GetPractices() {
				got += fmt.Sprintf("%s %d %v, ", p.GetPractice().String()[len("PRACTICE_"):], p.GetPeople(), p.GetShare())
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}
