package measure

import (
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

const curveKind = insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE

// recovering is so many people with a setback each, on the window's first day, that
// last so many days; -1: without recovery.
func recovering(n int, days int32) []*facts.Person {
	people := make([]*facts.Person, n)
	for i := range people {
		s := facts.Setback{Occurred: day(0, 0), Recovered: -1}
		if days >= 0 {
			s.Recovered = s.Occurred + days
		}
		people[i] = &facts.Person{Setbacks: []facts.Setback{s}}
	}
	return people
}

func join(groups ...[]*facts.Person) (all []*facts.Person) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func TestRecoveryCurve(t *testing.T) {
	asOf := day(0, 120)
	people := join(recovering(8, 5), recovering(4, 20), recovering(7, -1), recovering(1, 121))
	cell := measured(t, curveKind, group(metric(t, curveKind), four, asOf, 10, people...))
	c := cell.GetRecoveryCurve()
	if cell.GetN() != 20 || cell.GetWeeks() != 4 || c.GetSetbacks() != 20 || c.GetRecovered() != 12 || len(c.GetPoints()) != 2 {
		t.Fatalf("%v", cell)
	}
	for i, days := range []int32{7, 14} {
		p := c.GetPoints()[i]
		if p.GetDays() != days || p.GetAtRisk() != 12 || p.GetOpen() != 0.6 || p.GetStandardError() != 0.11 || p.GetInterval().GetLow() != 0.357 || p.GetInterval().GetHigh() != 0.776 {
			t.Errorf("point %v", p)
		}
	}
	if c.GetMedianDays() != 20 || c.GetMedianDaysLow() != 5 || c.MedianDaysHigh != nil {
		t.Errorf("median %v", c)
	}
	// Twelve are at risk from day 6 to day 20: with a minimum of 13 only counts are left.
	c = measured(t, curveKind, group(metric(t, curveKind), four, asOf, 13, people...)).GetRecoveryCurve()
	if c == nil || len(c.GetPoints()) > 0 || c.MedianDays != nil || c.MedianDaysLow != nil || c.MedianDaysHigh != nil {
		t.Errorf("%v", c)
	}
	// With 12 they are enough.
	c = measured(t, curveKind, group(metric(t, curveKind), four, asOf, 12, people...)).GetRecoveryCurve()
	if len(c.GetPoints()) != 2 || c.MedianDays == nil {
		t.Errorf("%v", c)
	}
}

func TestRecoveryCurveOfSome(t *testing.T) {
	asOf := day(0, 200)
	for what, c := range map[string]struct {
		people []*facts.Person
		points []int32
		alike  bool
	}{
		"nobody recovered":              {people: recovering(20, -1), alike: true},
		"nobody recovered by then":      {people: recovering(20, 201), alike: true},
		"everybody recovered":           {people: join(recovering(10, 3), recovering(10, 30)), alike: true},
		"too few":                       {people: join(recovering(5, 3), recovering(4, -1)), alike: true},
		"just enough":                   {people: join(recovering(1, 3), recovering(9, -1))},
		"all at once":                   {people: join(recovering(10, 20), recovering(10, -1)), points: []int32{28, 42, 56, 84, 112, 140, 168}},
		"nobody recovered by the first": {people: join(recovering(6, 14), recovering(10, -1)), points: []int32{14, 28, 42, 56, 84, 112, 140, 168}},
		"recovered on the last day":     {people: join(recovering(6, 200), recovering(10, -1))},
	} {
		cell := measured(t, curveKind, group(metric(t, curveKind), four, asOf, 10, c.people...))
		if (cell == nil) != c.alike {
			t.Errorf("%s: %v", what, cell)
		}
		points := cell.GetRecoveryCurve().GetPoints()
		if len(points) != len(c.points) {
			t.Errorf("%s: %v", what, points)
			continue
		}
		for i, p := range points {
			if p.GetDays() != c.points[i] {
				t.Errorf("%s: %v", what, points)
			}
		}
	}
}

// TestLatestSetback: of each person the latest setback of the window's weeks that
// count, whatever came before and after.
func TestLatestSetback(t *testing.T) {
	p := &facts.Person{Setbacks: []facts.Setback{
		{Occurred: day(-1, 6), Recovered: day(-1, 6)},
		{Occurred: day(0, 0), Recovered: day(0, 3)},
		{Occurred: day(1, 1), Recovered: day(0, 6)}, // a slip of who wrote it down
		{Occurred: day(1, 2), Recovered: day(2, 2)},
		{Occurred: day(3, 6), Recovered: -1},
		{Occurred: day(4, 0), Recovered: day(4, 0)},
	}}
	m, asOf := metric(t, curveKind), day(5, 0)
	if mask := m.Mask(lookAt([]*facts.Person{p}, four, asOf), 0); mask != 0b1011 {
		t.Fatalf("weeks %b", mask)
	}
	for counts, want := range map[uint64]struct {
		days      int32
		recovered bool
	}{0b1011: {8, false}, 0b0011: {7, true}, 0b0001: {3, true}} {
		g := group(m, four, asOf, 1, p)
		g.Counts[0] = counts
		d := lasting(g)
		if d.N() != 1 || (d.Ended() == 1) != want.recovered {
			t.Errorf("%b: %d of %d", counts, d.Ended(), d.N())
		}
		_, values := g.Look.setbacks.of(0)
		if last := values[map[uint64]int{0b1011: 2, 0b0011: 1, 0b0001: 0}[counts]]; last.days != want.days {
			t.Errorf("%b: %d days", counts, last.days)
		}
	}
	if days, recovered := lasted(p.Setbacks[2], asOf); days != 0 || !recovered {
		t.Errorf("recovered before it happened: %d, %v", days, recovered)
	}
}

func TestCompareCurves(t *testing.T) {
	asOf := day(0, 200)
	these := func(minimum int32, people ...[]*facts.Person) Group {
		return group(metric(t, curveKind), four, asOf, minimum, join(people...)...)
	}
	quick, slow := these(10, recovering(12, 5), recovering(3, -1)), these(10, recovering(6, 40), recovering(9, -1))
	x := CompareCurves(quick, slow)
	if x == nil || x.GetN() != 30 || x.GetChiSquared() < 8 || x.GetPValue() > 0.005 || x.GetMethod() != "log-rank" || x.GetMethodVersion() == "" {
		t.Fatalf("%v", x)
	}
	y := CompareCurves(slow, quick)
	if y.GetChiSquared() != x.GetChiSquared() || y.GetPValue() != x.GetPValue() {
		t.Errorf("%v, the other way %v", x, y)
	}
	if same := CompareCurves(quick, quick); same.GetChiSquared() != 0 || same.GetPValue() != 1 {
		t.Errorf("the same twice: %v", same)
	}
	for what, other := range map[string]Group{
		"too few":             these(16, recovering(12, 5), recovering(3, -1)),
		"nobody recovered":    these(10, recovering(20, -1)),
		"everybody recovered": these(10, recovering(20, 9)),
		"nobody":              these(10),
	} {
		if CompareCurves(quick, other) != nil || CompareCurves(other, quick) != nil {
			t.Errorf("%s: compared", what)
		}
	}
}
