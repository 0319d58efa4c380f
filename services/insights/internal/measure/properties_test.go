package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

// some are people in a window, of whom some weeks count.
type some struct {
	people  []*facts.Person
	random  *rand.Rand
	window  Window
	asOf    int32
	minimum int32
	// of each person, and of all, the weeks that count.
	counts []uint64
	weeks  uint64
}

func drawn(rt *rapid.T) some {
	s := some{random: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 7)), weeks: math.MaxUint64}
	s.window = Window{First: first, Last: first + rapid.Int32Range(0, 52).Draw(rt, "weeks")}
	s.asOf = facts.Monday(s.window.Last+1) - 1 + rapid.Int32Range(0, 60).Draw(rt, "after")
	s.people = crowd(s.random, rapid.IntRange(0, 40).Draw(rt, "people"), s.window)
	s.minimum = rapid.Int32Range(2, 12).Draw(rt, "minimum")
	s.counts = slices.Repeat([]uint64{math.MaxUint64}, len(s.people))
	if rapid.Bool().Draw(rt, "some count") {
		s.weeks = s.random.Uint64() | s.random.Uint64()
		for i := range s.counts {
			s.counts[i] = s.random.Uint64() | s.random.Uint64()
		}
	}
	return s
}

// group of those people whom a look has in some rows.
func (s some) group(m Metric, l *Look, row func(i int) int32) Group {
	g := Group{Look: l, Weeks: s.weeks & s.window.All(), Minimum: s.minimum}
	for i := range s.people {
		if mask := m.Mask(l, row(i)) & s.counts[i]; mask != 0 {
			g.Rows, g.Counts = append(g.Rows, row(i)), append(g.Counts, mask)
		}
	}
	return g
}

func (s some) alone(m Metric) Group {
	return s.group(m, lookAt(s.people, s.window, s.asOf), func(i int) int32 { return int32(i) })
}

// TestNothingOfFew: whatever people do, no number rests on fewer than the minimum,
// and none is infinite or none at all (checked for every cell that a test measures).
func TestNothingOfFew(t *testing.T) {
	for _, m := range Metrics() {
		rapid.Check(t, func(rt *rapid.T) {
			g := drawn(rt).alone(m)
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

// TestSameWhicheverWay: a group measures the same among others, without the weeks in
// which all are alike, and without what came after as_of.
func TestSameWhicheverWay(t *testing.T) {
	for _, m := range Metrics() {
		rapid.Check(t, func(rt *rapid.T) {
			s := drawn(rt)
			g := s.alone(m)
			want := measured(t, m.Kind, g)
			same := func(how string, g Group) {
				if got := measured(t, m.Kind, g); !proto.Equal(got, want) {
					rt.Fatalf("%v, %s: %v, want %v", m.Kind, how, got, want)
				}
			}
			others := crowd(s.random, 2*len(s.people)+3, s.window)
			for i, p := range s.people {
				others[2*i+1] = p
			}
			same("among others", s.group(m, lookAt(others, s.window, s.asOf), func(i int) int32 { return int32(2*i + 1) }))
			if m.Alike != nil {
				g.Weeks &^= m.Alike(g)
				same("without the weeks in which all are alike", g)
			}
			for i, p := range s.people {
				s.people[i] = knownBy(p, s.asOf)
			}
			same("with what was known", s.alone(m))
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

// TestMasks: what masks say of people is what they did.
func TestMasks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawn(rt)
		look, all := lookAt(s.people, s.window, s.asOf), s.window.All()
		for i, p := range s.people {
			var mood, steps, learned, hurt, stated uint64
			for week := s.window.First; week <= s.window.Last; week++ {
				bit := uint64(1) << (week - s.window.First)
				for _, w := range p.Weeks {
					if w.Week == week && w.CheckIns > 0 {
						mood |= bit
					}
					if w.Week == week && w.StepDays > 0 {
						steps |= bit
					}
					if w.Week == week && w.Captured > 0 {
						learned |= bit
					}
				}
				for _, x := range p.Setbacks {
					if facts.WeekOf(x.Occurred) != week {
						continue
					}
					if hurt |= bit; x.Kind != 0 {
						stated |= bit
					}
				}
			}
			for j, want := range []uint64{all, mood, mood, hurt, learned, steps, stated, all} {
				if m := Metrics()[j]; m.Mask(look, int32(i)) != want {
					rt.Fatalf("%v: %b, did %b", m.Kind, m.Mask(look, int32(i)), want)
				}
			}
		}
	})
}
