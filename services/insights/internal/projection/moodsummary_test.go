package projection

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// feel tells of a check-in on a day.
func feel(a *teller, n int, pleasantness int32) {
	a.tell(day(n), fmt.Sprintf("/checkIns/c%d", n), "checkIn.recorded", &eventsv1.Event{Data: &eventsv1.Event_CheckIn{CheckIn: &eventsv1.CheckInFacts{
		Pleasantness: pleasantness, Time: timestamppb.New(day(n)), LocalDate: localdate.Of(day(n), time.UTC),
	}}})
}

func grateful(a *teller, n int) {
	a.tell(day(n), "/gratitudes/"+day(n).Format(time.DateOnly), "gratitude.recorded", &eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{
		LocalDate: localdate.Of(day(n), time.UTC),
	}}})
}

func TestMoodSummary(t *testing.T) {
	a := newTeller()
	for n := range 40 { // around -2 for 24 days, then around 2
		feel(a, n, int32(-2+n%2))
		if n >= 24 {
			feel(a, n, int32(2+n%2))
		}
	}
	m := Summary(a.p, "s", day(39)).GetMood()
	if len(m.GetChangePoints()) != 1 || m.GetChangePointsN() != 40 {
		t.Fatalf("%v", m)
	}
	c := m.GetChangePoints()[0]
	if localdate.Text(c.GetOn()) != day(24).Format(time.DateOnly) || c.GetBefore() != -1.5 || c.GetAfter() != 2.5 || c.GetNBefore() != 24 || c.GetNAfter() != 16 {
		t.Errorf("%v", c)
	}
	if s := m.GetSlope(); s.GetN() != 40 || s.GetPerWeek() <= 0 || s.GetInterval().GetLow() > s.GetPerWeek() || s.GetInterval().GetHigh() < s.GetPerWeek() {
		t.Errorf("%v", s)
	}
	if m.Volatility == nil || m.GetVolatility() <= 0 || m.GetVolatility() > 3 {
		t.Errorf("volatility %v", m.GetVolatility())
	}
	few := Summary(a.p, "s", day(8)).GetMood()
	if few.Volatility != nil || few.GetSlope().PerWeek != nil || few.GetSlope().Interval != nil || few.GetSlope().GetN() != 9 || few.GetN() != 9 {
		t.Errorf("of 9 check-ins: %v", few)
	}
	if ten := Summary(a.p, "s", day(9)).GetMood(); ten.Volatility == nil || ten.GetSlope().PerWeek == nil || len(ten.GetChangePoints()) != 0 {
		t.Errorf("of 10 check-ins: %v", ten)
	}
}

// TestSlope: half a point a day is 3.5 a week, whatever one bad day does.
func TestSlope(t *testing.T) {
	a := newTeller()
	for n := range 20 {
		if n%2 == 0 {
			feel(a, n, int32(-5+n/2))
		}
	}
	feel(a, 21, -5)
	if s := Summary(a.p, "s", day(21)).GetMood().GetSlope(); s.GetN() != 11 || s.GetPerWeek() != 3.5 {
		t.Errorf("%v", s)
	}
}

// TestStoredBefore: a document of an earlier release, without days on check-ins and
// without variance, is summed up.
func TestStoredBefore(t *testing.T) {
	p := &storagev1.Projection{TimeZone: "America/New_York", MoodBase: &storagev1.MoodBase{Level: 1, N: 700}}
	for n := range 30 {
		p.CheckIns = append(p.CheckIns, &storagev1.CheckInEntry{Id: fmt.Sprint(n), Time: day(n).UnixMilli(), Pleasantness: int32(n%3 + 4*(n/15))})
	}
	s := Summary(p, "s", day(30))
	if m := s.GetMood(); m.GetChangePointsN() != 30 || len(m.GetChangePoints()) != 1 || localdate.Text(m.GetChangePoints()[0].GetOn()) != day(15).Format(time.DateOnly) || m.Volatility == nil {
		t.Errorf("%v", m)
	}
	if s.GetPractice() == nil || s.GetRecovery().GetN() != 0 {
		t.Errorf("%v", s)
	}
}

func TestAssociations(t *testing.T) {
	a := newTeller()
	for n := range 40 {
		x := int32(n % 3)
		if n%4 != 0 {
			grateful(a, n)
			x += 2
		}
		feel(a, n, x)
		if n%5 < 2 { // in no way tied to the mood
			a.tell(day(n), "/goals/g/steps/s", "step.completed", step(fmt.Sprint(n), day(n)))
		}
		if n < 9 {
			a.tell(day(n), fmt.Sprintf("/reflections/r%d", n), "reflection.written", &eventsv1.Event{Data: &eventsv1.Event_Reflection{Reflection: &eventsv1.ReflectionFacts{LocalDate: localdate.Of(day(n), time.UTC)}}})
		}
	}
	got := Summary(a.p, "s", day(39)).GetAssociations()
	if len(got) != 2 { // reflections are too few
		t.Fatalf("%v", got)
	}
	g, s := got[0], got[1]
	if g.GetPractice() != typev1.Practice_PRACTICE_GRATITUDE || g.GetDaysWith() != 30 || g.GetDaysWithout() != 10 {
		t.Errorf("%v", g)
	}
	if zero := g.GetMoodWith()*30 + g.GetMoodWithout()*10; math.Abs(zero) > 1e-9 {
		t.Errorf("mood is not about the person's own mean: %v", zero)
	}
	if d := g.GetDifference(); math.Abs(d-(g.GetMoodWith()-g.GetMoodWithout())) > 1e-12 || d < 1.9 || d > 2.2 || g.GetInterval().GetLow() <= 1 || g.GetInterval().GetHigh() >= 3 {
		t.Errorf("%v", g)
	}
	if want := "On 30 days with gratitudes the mood was 2.1 points above that of 10 days without (95 % interval of the difference: +1.4 to +2.8). They go together; that does not say what brings about what."; g.GetStatement() != want {
		t.Errorf("%s", g.GetStatement())
	}
	if s.GetPractice() != typev1.Practice_PRACTICE_STEP || s.GetInterval().GetLow() >= 0 || s.GetInterval().GetHigh() <= 0 || !strings.HasSuffix(s.GetStatement(), "nothing is known to go together.") {
		t.Errorf("%v", s)
	}
	if few := Summary(a.p, "s", day(35)).GetAssociations(); len(few) != 1 || few[0].GetPractice() != typev1.Practice_PRACTICE_STEP {
		t.Errorf("9 days without gratitudes are enough: %v", few)
	}
}

// TestStatement: what is below is told as below, and what may be chance as that.
func TestStatement(t *testing.T) {
	a := newTeller()
	for n := range 40 {
		x := int32(n % 3)
		if n%2 != 0 {
			grateful(a, n)
			x -= 3
		}
		feel(a, n, x)
	}
	got := Summary(a.p, "s", day(39)).GetAssociations()
	if len(got) != 1 || !strings.Contains(got[0].GetStatement(), " points below that of 20 days without") || got[0].GetDifference() >= 0 {
		t.Fatalf("%v", got)
	}
}

// TestSourcesInterleave: journal and goals may be read in any order towards each
// other; what is known of the person in the end is the same.
func TestSourcesInterleave(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		journal, goals := newTeller(), newTeller()
		var events [2][]*eventsv1.Event
		record := func(of *teller, source int, at time.Time, subject, kind string, e *eventsv1.Event) {
			of.tell(at, subject, kind, e)
			e.Source = fmt.Sprint(source)
			events[source] = append(events[source], e)
		}
		for i := range 40 {
			n := rapid.IntRange(0, 900).Draw(rt, "day")
			record(journal, 0, day(i), fmt.Sprintf("/setbacks/s%d", i%5), "setback.recorded", setbackAt(n, -1, 1, 3))
			record(journal, 0, day(i), fmt.Sprintf("/setbacks/s%d/debriefs/d", i%5), "debrief.completed", debriefWith(completed, int32(i%4)))
			record(goals, 1, day(i), "/goals/g/steps/s", "step.completed", step(fmt.Sprint(i%9), day(n)))
		}
		var ends []*storagev1.Projection
		for range 2 {
			p, at := New(owner), [2]int{}
			for at[0] < len(events[0]) || at[1] < len(events[1]) {
				from := rapid.IntRange(0, 1).Draw(rt, "from")
				if at[from] == len(events[from]) {
					from = 1 - from
				}
				e := events[from][at[from]]
				at[from]++
				Apply(p, e)
				before := proto.Clone(p)
				if Apply(p, e); !proto.Equal(p, before) {
					rt.Fatal("an event counted twice")
				}
			}
			ends = append(ends, p)
		}
		if !proto.Equal(ends[0], ends[1]) {
			rt.Fatalf("%v\n%v", ends[0], ends[1])
		}
	})
}

// BenchmarkSummary sums up somebody who has practiced as much as is kept.
func BenchmarkSummary(b *testing.B) {
	a := newTeller()
	for n := range keptEntries {
		practiced(a, day(n*366/keptEntries), fmt.Sprintf("x%d", n), int32(n%10))
		feel(a, n*366/keptEntries, int32(n%11-5))
		a.tell(day(n/2), "/goals/g/steps/s", "step.completed", step(fmt.Sprint(n), day(n/2)))
		a.tell(day(n/2), fmt.Sprintf("/setbacks/x%d", n), "setback.recorded", setbackAt(n/2, 3, 1, 5))
	}
	for b.Loop() {
		Summary(a.p, "s", day(366))
	}
}
