package measure

import (
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

// anyGroup is some people, of whom some weeks count.
func anyGroup(rt *rapid.T, m Metric) (g Group, random *rand.Rand) {
	random = rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 7))
	w := Window{First: first, Last: first + rapid.Int32Range(0, 52).Draw(rt, "weeks")}
	asOf := facts.Monday(w.Last+1) - 1 + rapid.Int32Range(0, 60).Draw(rt, "after")
	people := crowd(random, rapid.IntRange(0, 40).Draw(rt, "people"), w)
	g = group(m, w, asOf, rapid.Int32Range(2, 12).Draw(rt, "minimum"), people...)
	if rapid.Bool().Draw(rt, "some count") {
		g.Weeks &= random.Uint64() | random.Uint64()
		for i := range g.Counts {
			g.Counts[i] &= random.Uint64() | random.Uint64()
		}
	}
	return g, random
}

// TestNothingOfFew: whatever people do, no number rests on fewer than the minimum,
// and none is infinite or none at all (checked for every cell that a test measures).
func TestNothingOfFew(t *testing.T) {
	for _, m := range Metrics() {
		rapid.Check(t, func(rt *rapid.T) {
			g, _ := anyGroup(rt, m)
			cell := measured(t, m.Kind, g)
			enough := func(people int32) {
				if people < g.Minimum {
					rt.Fatalf("%v: of %d people: %v", m.Kind, people, cell)
				}
			}
			for _, v := range slices.Concat(cell.GetParticipation().GetByWeek(), cell.GetMoodLevel().GetByWeek(), cell.GetStepMomentum().GetByWeek()) {
				enough(v.GetN())
			}
			for _, b := range cell.GetMoodDistribution().GetBands() {
				enough(b.GetPeople())
			}
			for _, p := range cell.GetRecoveryCurve().GetPoints() {
				enough(p.GetAtRisk())
			}
			for _, k := range cell.GetFailureKinds().GetKinds() {
				enough(k.GetPeople())
				enough(cell.GetN() - k.GetPeople())
			}
			for _, p := range cell.GetPracticeUptake().GetPractices() {
				enough(p.GetPeople())
				enough(cell.GetN() - p.GetPeople())
			}
		})
	}
}

// TestSameWhicheverWay: a group measures the same with a look that many groups
// share, without the weeks in which all are alike, and without what came after as_of.
func TestSameWhicheverWay(t *testing.T) {
	for _, m := range Metrics() {
		rapid.Check(t, func(rt *rapid.T) {
			g, random := anyGroup(rt, m)
			want := measured(t, m.Kind, g)
			same := func(how string, g Group) {
				if got := measured(t, m.Kind, g); !proto.Equal(got, want) {
					rt.Fatalf("%v, %s: %v, want %v", m.Kind, how, got, want)
				}
			}
			shared := g
			others := crowd(random, 2*len(g.People)+3, g.Window)
			shared.Rows = nil
			for i, p := range g.People {
				others[2*i+1] = p
				shared.Rows = append(shared.Rows, int32(2*i+1))
			}
			shared.Look = NewLook(others, g.Window, g.AsOf)
			same("with a shared look", shared)
			if m.Alike != nil {
				unlike := shared
				unlike.Weeks &^= m.Alike(g)
				same("without the weeks in which all are alike", unlike)
			}
			known := g
			known.People = slices.Clone(g.People)
			for i, p := range known.People {
				known.People[i] = knownBy(p, g.AsOf)
			}
			same("with what was known", known)
		})
	}
}

// knownBy is a person without what came after a day.
func knownBy(p *facts.Person, asOf int32) *facts.Person {
	known := *p
	known.Weeks, known.Setbacks = slices.Clone(p.Weeks), slices.Clone(p.Setbacks)
	for i := range known.Weeks {
		w := &known.Weeks[i]
		w.Applied = slices.DeleteFunc(slices.Clone(w.Applied), func(day int32) bool { return day > asOf })
	}
	for i := range known.Setbacks {
		if known.Setbacks[i].Recovered > asOf {
			known.Setbacks[i].Recovered = -1
		}
	}
	return &known
}

// TestMasks: what masks say of people is what a look finds in them.
func TestMasks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g, _ := anyGroup(rt, Metrics()[0])
		look := NewLook(g.People, g.Window, g.AsOf)
		for i, p := range g.People {
			var stated uint64
			weeks, values := look.setbacks.of(int32(i))
			for _, x := range values {
				at, left := next(weeks)
				if weeks = left; x.kinds != 0 {
					stated |= 1 << at
				}
			}
			all := g.Window.All()
			for j, found := range []uint64{all, look.mood.weeks[i], look.mood.weeks[i], look.setbacks.weeks[i], look.lessons.weeks[i], look.steps.weeks[i], stated, all} {
				if m := Metrics()[j]; m.Mask(p, g.Window, g.AsOf) != found {
					rt.Fatalf("%v: %b, found %b", m.Kind, m.Mask(p, g.Window, g.AsOf), found)
				}
			}
		}
	})
}
