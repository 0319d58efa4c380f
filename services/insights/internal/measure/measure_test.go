package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

// first is the first week of the tests' windows: that of Monday, 2026-01-05.
const first = 2923

var four = Window{First: first, Last: first + 3}

// day is a day of a window's week, 0 being its Monday.
func day(week, of int32) int32 { return facts.Monday(first+week) + of }

func metric(t testing.TB, kind insightsv1.CohortMetric) Metric {
	t.Helper()
	for _, m := range Metrics() {
		if m.Kind == kind {
			return m
		}
	}
	t.Fatalf("no metric %v", kind)
	return Metric{}
}

// group is all who contribute to a metric, all weeks counting.
func group(m Metric, w Window, asOf, minimum int32, people ...*facts.Person) Group {
	return of(m, lookAt(people, w, asOf), minimum)
}

func of(m Metric, l *Look, minimum int32) Group {
	g := Group{Look: l, Weeks: l.window.All(), Minimum: minimum}
	for row := range int32(len(l.active)) {
		if mask := m.Mask(l, row); mask != 0 {
			g.Rows, g.Counts = append(g.Rows, row), append(g.Counts, mask)
		}
	}
	return g
}

// measured is the cell of a group; nil: they are alike.
func measured(t testing.TB, kind insightsv1.CohortMetric, g Group) *insightsv1.CohortCell {
	t.Helper()
	fill, homogeneous := metric(t, kind).Measure(g)
	if homogeneous != (fill == nil) {
		t.Fatalf("%v: homogeneous %v, and filled %v", kind, homogeneous, fill != nil)
	}
	if fill == nil {
		return nil
	}
	cell := &insightsv1.CohortCell{}
	fill(cell)
	checkNumbers(t, cell.ProtoReflect())
	if cell.GetN() < g.Minimum {
		t.Fatalf("%v: tells of %d people", kind, cell.GetN())
	}
	return cell
}

// checkNumbers fails when a number is none, or a share or bound is out of place.
func checkNumbers(t testing.TB, m protoreflect.Message) {
	t.Helper()
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		check := func(v protoreflect.Value) {
			switch x := v.Interface().(type) {
			case protoreflect.Message:
				checkNumbers(t, x)
			case float64:
				if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 && math.Signbit(x) {
					t.Fatalf("%s is %v", f.FullName(), x)
				}
				if name := f.Name(); (name == "share" || name == "open" || name == "weekly_share") && (x < 0 || x > 1) {
					t.Fatalf("%s is %v", f.FullName(), x)
				}
			}
		}
		if !f.IsList() {
			check(v)
			return true
		}
		for i := range v.List().Len() {
			check(v.List().Get(i))
		}
		return true
	})
	if in, ok := m.Interface().(*insightsv1.Interval); ok && in.GetLow() > in.GetHigh() {
		t.Fatalf("interval %v", in)
	}
}

// wantAlike fails when there is a cell.
func wantAlike(t *testing.T, what string, cell *insightsv1.CohortCell) {
	t.Helper()
	if cell != nil {
		t.Errorf("%s: shown", what)
	}
}

// weeks of check-ins, steps and so on of one person, from the window's first on.
func person(weeks ...facts.Week) *facts.Person {
	p := &facts.Person{}
	for i, w := range weeks {
		if w.Week = first + int32(i); takesPart(&w) {
			p.Weeks = append(p.Weeks, w)
		}
	}
	return p
}

func TestMetrics(t *testing.T) {
	all := Metrics()
	if len(all) != len(insightsv1.CohortMetric_name)-1 {
		t.Fatalf("%d metrics", len(all))
	}
	for i, m := range all {
		if m.Kind != insightsv1.CohortMetric(i+1) || m.Method == "" || m.Version == "" || m.Mask == nil || m.Measure == nil {
			t.Errorf("metric %d is %v", i, m.Kind)
		}
		if m.Alike != nil && !m.ByWeek || m.Strict != (m.Kind == insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE) {
			t.Errorf("%v: by week %v, strict %v", m.Kind, m.ByWeek, m.Strict)
		}
		if _, homogeneous := m.Measure(group(m, four, day(3, 6), 5)); !homogeneous {
			t.Errorf("%v of nobody", m.Kind)
		}
	}
}

func TestWindow(t *testing.T) {
	for weeks, want := range map[int32]uint64{1: 1, 4: 15, 53: 1<<53 - 1, 64: math.MaxUint64} {
		if got := (Window{First: -3, Last: weeks - 4}).All(); got != want {
			t.Errorf("%d weeks: %b", weeks, got)
		}
	}
	p := &facts.Person{}
	for week := int32(first - 3); week < first+8; week++ {
		p.Weeks = append(p.Weeks, facts.Week{Week: week, CheckIns: 1})
		p.Setbacks = append(p.Setbacks, facts.Setback{Occurred: facts.Monday(week)}, facts.Setback{Occurred: facts.Monday(week) + 6})
	}
	if got := weeksOf(p, four); len(got) != 4 || got[0].Week != four.First || got[3].Week != four.Last {
		t.Errorf("weeks %v", got)
	}
	if got := setbacksOf(p, four); len(got) != 8 || got[0].Occurred != day(0, 0) || got[7].Occurred != day(3, 6) {
		t.Errorf("setbacks %v", got)
	}
	if got := lookAt([]*facts.Person{p}, four, 0).setbacks.weeks[0]; got != 15 {
		t.Errorf("setbacks in weeks %b", got)
	}
	for _, w := range []Window{{First: first - 9, Last: first - 4}, {First: first + 8, Last: first + 9}} {
		if len(weeksOf(p, w)) != 0 || len(setbacksOf(p, w)) != 0 {
			t.Errorf("something in %v", w)
		}
	}
}

func TestRound(t *testing.T) {
	for _, c := range []struct {
		x        float64
		decimals int
		want     string
	}{{-0.001, 2, "0"}, {1.005001, 2, "1.01"}, {0.33349, 3, "0.333"}, {-2.345, 1, "-2.3"}, {4, 2, "4"}} {
		if got := fmt.Sprint(round(c.x, c.decimals)); got != c.want {
			t.Errorf("%v to %d: %v", c.x, c.decimals, got)
		}
	}
}

// crowd is many people as they may be, for benchmarks and properties.
func crowd(random *rand.Rand, n int, w Window) []*facts.Person {
	people := make([]*facts.Person, n)
	for i := range people {
		p := &facts.Person{}
		for week := w.First - 2; week <= w.Last+2; week++ {
			if random.IntN(10) == 0 {
				continue
			}
			x := facts.Week{
				Week: week, CheckIns: random.Int32N(8), StepDays: random.Int32N(8), Captured: max(0, random.Int32N(8)-4),
				Practices: random.Uint32N(128) & random.Uint32N(128),
			}
			for range x.CheckIns {
				x.MoodSum += random.Int32N(11) - 5
			}
			for range random.Int32N(x.Captured + 1) {
				x.Applied = append(x.Applied, facts.Monday(week)+random.Int32N(200))
			}
			p.Weeks = append(p.Weeks, x)
			if random.IntN(8) == 0 {
				s := facts.Setback{Occurred: facts.Monday(week) + random.Int32N(7), Recovered: -1, Kind: typev1.FailureKind(random.Int32N(11))}
				if random.IntN(3) > 0 {
					s.Recovered = s.Occurred + int32(random.ExpFloat64()*40)
				}
				p.Setbacks = append(p.Setbacks, s)
			}
		}
		people[i] = p
	}
	return people
}

// BenchmarkReport is all metrics of 100,000 people and 12 weeks, on one core: a look
// at them, each metric by itself, and all together.
func BenchmarkReport(b *testing.B) {
	w := Window{First: first, Last: first + 11}
	asOf := facts.Monday(w.Last + 1)
	people := crowd(rand.New(rand.NewPCG(1, 2)), 100_000, w)
	look := func() *Look { return lookAt(people, w, asOf) }
	measure := func(l *Look, m Metric) {
		fill, homogeneous := m.Measure(of(m, l, 5))
		if homogeneous {
			b.Fatal("nothing to show")
		}
		fill(&insightsv1.CohortCell{})
	}
	b.Run("look", func(b *testing.B) {
		for b.Loop() {
			look()
		}
	})
	shared := look()
	for _, m := range Metrics() {
		b.Run(m.Kind.String(), func(b *testing.B) {
			for b.Loop() {
				measure(shared, m)
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			l := look()
			for _, m := range Metrics() {
				measure(l, m)
			}
		}
	})
}

// lookAt reads everything.
func lookAt(people []*facts.Person, w Window, asOf int32) *Look {
	l := &Look{}
	l.Begin(people, w, asOf)
	for _, rows := range l.Stretches() {
		l.Read(rows)
	}
	return l
}
