package measure

import (
	"fmt"
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// told is a cell's n, weeks and week values, to compare.
func told(cell *insightsv1.CohortCell, byWeek []*insightsv1.CohortWeekValue) string {
	if cell == nil {
		return "alike"
	}
	text := fmt.Sprintf("n %d, weeks %d:", cell.GetN(), cell.GetWeeks())
	for _, v := range byWeek {
		text += fmt.Sprintf(" %s %v of %d", localdate.Text(v.GetWeek()), v.GetValue(), v.GetN())
	}
	return text
}

// moods are the means of the weeks of a person, as check-ins of some number; -9: none.
func moods(checkIns int32, means ...int32) *facts.Person {
	weeks := make([]facts.Week, len(means))
	for i, m := range means {
		if m > -9 {
			weeks[i] = facts.Week{MoodSum: m * checkIns, CheckIns: checkIns}
		}
	}
	return person(weeks...)
}

// steps are the days with completed steps of the weeks of a person.
func steps(days ...int32) *facts.Person {
	weeks := make([]facts.Week, len(days))
	for i, d := range days {
		weeks[i] = facts.Week{StepDays: d}
	}
	return person(weeks...)
}

func TestParticipation(t *testing.T) {
	const kind = insightsv1.CohortMetric_COHORT_METRIC_PARTICIPATION
	// All take part in the second week and nobody in the third.
	people := []*facts.Person{
		steps(1, 1), steps(2, 1, 0, 1), moods(1, 0, 0), person(facts.Week{}, facts.Week{Captured: 1}),
		person(facts.Week{}, facts.Week{Practices: 2}), person(facts.Week{}, facts.Week{StepDays: 7}),
	}
	for minimum, want := range map[int32]string{
		6: "n 6, weeks 2: 2026-01-05 0.5 of 6 2026-01-26 0.167 of 6",
		7: "alike",
	} {
		cell := measured(t, kind, group(metric(t, kind), four, day(3, 6), minimum, people...))
		if got := told(cell, cell.GetParticipation().GetByWeek()); got != want {
			t.Errorf("minimum %d: %s", minimum, got)
		}
		if share := cell.GetParticipation().GetWeeklyShare(); cell != nil && share != 0.333 {
			t.Errorf("weekly share %v", share)
		}
	}
	g := group(metric(t, kind), four, day(3, 6), 5, people...)
	if alike := metric(t, kind).Alike(g); alike != 0b0110 {
		t.Errorf("alike in %b", alike)
	}
	g.Counts[5] &^= 0b1000 // one of the last week does not count: five are left
	cell := measured(t, kind, g)
	if got := told(cell, cell.GetParticipation().GetByWeek()); got != "n 6, weeks 2: 2026-01-05 0.5 of 6 2026-01-26 0.2 of 5" {
		t.Error(got)
	}
	g.Counts[4] &^= 0b1000
	cell = measured(t, kind, g)
	if got := told(cell, cell.GetParticipation().GetByWeek()); got != "n 6, weeks 1: 2026-01-05 0.5 of 6" {
		t.Error(got)
	}
	g.Weeks = 0b0110
	wantAlike(t, "only weeks in which all are alike", measured(t, kind, g))
}

func TestMoodLevel(t *testing.T) {
	const kind = insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL
	people := []*facts.Person{moods(1, 3, -1), moods(9, 0), moods(2, 2, 4), moods(3, 1, 1), moods(1, -5, 5)}
	for _, c := range []struct {
		minimum                    int32
		people                     []*facts.Person
		want                       string
		mean, low, high, deviation float64
	}{
		// The means of the people are 1, 0, 3, 1 and 0, however often they checked in.
		{4, people, "n 5, weeks 2: 2026-01-05 0.2 of 5 2026-01-12 2.25 of 4", 1, -0.52, 2.52, 1.22},
		// Of the first week alone 3, 0, 2, 1 and -5.
		{5, people, "n 5, weeks 1: 2026-01-05 0.2 of 5", 0.2, -3.67, 4.07, 3.11},
		{6, people, "alike", 0, 0, 0, 0},
		// Nobody can be below -5: the interval ends there.
		{2, []*facts.Person{moods(1, -5), moods(1, -4)}, "n 2, weeks 1: 2026-01-05 -4.5 of 2", -4.5, -5, 1.85, 0.71},
		{2, []*facts.Person{moods(1, 2, 5), moods(5, 2, 5)}, "alike", 0, 0, 0, 0},
		// The first week is the same for all, and left out.
		{2, []*facts.Person{moods(1, 2, 5), moods(5, 2, 4)}, "n 2, weeks 1: 2026-01-12 4.5 of 2", 4.5, -1.85, 5, 0.71},
		// The means of the people are alike, though not those of any week.
		{2, []*facts.Person{moods(1, 2, 4), moods(5, 4, 2)}, "alike", 0, 0, 0, 0},
		{1, []*facts.Person{moods(1, 2)}, "alike", 0, 0, 0, 0},
	} {
		cell := measured(t, kind, group(metric(t, kind), four, day(3, 6), c.minimum, c.people...))
		got := cell.GetMoodLevel()
		if text := told(cell, got.GetByWeek()); text != c.want {
			t.Errorf("%s, want %s", text, c.want)
		}
		if got.GetMean() != c.mean || got.GetInterval().GetLow() != c.low || got.GetInterval().GetHigh() != c.high || got.GetDeviation() != c.deviation {
			t.Errorf("%s: %v", c.want, got)
		}
	}
}

func TestStepMomentum(t *testing.T) {
	const kind = insightsv1.CohortMetric_COHORT_METRIC_STEP_MOMENTUM
	people := []*facts.Person{steps(1, 7, 2), steps(7, 0, 2), steps(4, 1, 2), steps(0, 4, 2)}
	for _, c := range []struct {
		minimum         int32
		want            string
		mean, low, high float64
	}{
		// The means of the people are 4, 7, 2.5 and 4; the third week is left out.
		{3, "n 4, weeks 2: 2026-01-05 4 of 3 2026-01-12 4 of 3", 4.38, 1.37, 7},
		{4, "alike", 0, 0, 0},
	} {
		cell := measured(t, kind, group(metric(t, kind), four, day(3, 6), c.minimum, people...))
		got := cell.GetStepMomentum()
		if text := told(cell, got.GetByWeek()); text != c.want {
			t.Errorf("%s, want %s", text, c.want)
		}
		if got.GetActiveDays() != c.mean || got.GetInterval().GetLow() != c.low || got.GetInterval().GetHigh() != c.high {
			t.Errorf("%s: %v", c.want, got)
		}
	}
}

func TestMergedBands(t *testing.T) {
	for _, c := range []struct {
		people [5]int32
		want   string
	}{
		{[5]int32{5, 5, 5, 5, 5}, "-5:5 -3:5 -1:5 1:5 3:5 "},
		{[5]int32{4, 5, 5, 5, 5}, "-5:9 -1:5 1:5 3:5 "},
		{[5]int32{5, 4, 5, 5, 5}, "-5:9 -1:5 1:5 3:5 "},
		{[5]int32{6, 4, 5, 5, 5}, "-5:6 -3:9 1:5 3:5 "},
		{[5]int32{6, 7, 8, 9, 4}, "-5:6 -3:7 -1:8 1:13 "},
		{[5]int32{5, 0, 0, 0, 5}, "-5:5 3:5 "},
		{[5]int32{4, 0, 0, 0, 5}, "-5:9 "},
		{[5]int32{0, 0, 10, 0, 0}, "-5:10 "},
		{[5]int32{}, "-5:0 "},
	} {
		bands := bandsOf(nil)
		for i := range bands {
			bands[i].people = c.people[i]
		}
		got, end := "", -5.0
		for _, b := range merged(bands, 5) {
			if b.from != end {
				t.Errorf("%v: a band begins at %v after one that ends at %v", c.people, b.from, end)
			}
			got, end = got+fmt.Sprintf("%v:%d ", b.from, b.people), b.to
		}
		if got != c.want || end != 5 {
			t.Errorf("%v: %s, up to %v", c.people, got, end)
		}
	}
	for x, want := range map[float64]int{-5: 0, -3.01: 0, -3: 1, -1: 2, 0.99: 2, 1: 3, 3: 4, 5: 4} {
		if bandsOf([]float64{x})[want].people != 1 {
			t.Errorf("%v is not in band %d", x, want)
		}
	}
}

func TestMoodDistribution(t *testing.T) {
	const kind = insightsv1.CohortMetric_COHORT_METRIC_MOOD_DISTRIBUTION
	var people []*facts.Person
	for range 5 {
		people = append(people, moods(2, -4, -4), moods(2, 5), moods(1, 2, -9, 4))
	}
	cell := measured(t, kind, group(metric(t, kind), four, day(3, 6), 5, people...))
	bands := cell.GetMoodDistribution().GetBands()
	if cell.GetN() != 15 || len(bands) != 2 || bands[0].GetPeople() != 5 || bands[0].GetShare() != 0.333 || bands[0].GetTo() != 3 || bands[1].GetPeople() != 10 {
		t.Errorf("%v", cell)
	}
	wantAlike(t, "bands of too few", measured(t, kind, group(metric(t, kind), four, day(3, 6), 6, people...)))
}
