package projection

import (
	"fmt"
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

func day(n int) time.Time { return start.AddDate(0, 0, n) }

// setbackAt is a setback that happened on a day, and was recovered from so many
// days later unless that is negative.
func setbackAt(on, took int, kind typev1.FailureKind, intensity int32) *eventsv1.Event {
	f := &eventsv1.SetbackFacts{
		OccurredOn: localdate.Of(day(on), time.UTC), Area: typev1.Area_AREA_PROJECT, FailureKind: kind, Intensity: intensity,
	}
	if took >= 0 {
		f.RecoveredOn = localdate.Of(day(on+took), time.UTC)
	}
	return &eventsv1.Event{Data: &eventsv1.Event_Setback{Setback: f}}
}

func debriefWith(state typev1.DebriefState, intensities ...int32) *eventsv1.Event {
	f := &eventsv1.DebriefFacts{State: state}
	for _, x := range intensities {
		f.Revisits = append(f.Revisits, &eventsv1.RevisitFacts{Intensity: x})
	}
	return &eventsv1.Event{Data: &eventsv1.Event_Debrief{Debrief: f}}
}

const completed = typev1.DebriefState_DEBRIEF_STATE_COMPLETED

func TestRecovery(t *testing.T) {
	a := newTeller()
	slip, luck := typev1.FailureKind_FAILURE_KIND_INATTENTION, typev1.FailureKind_FAILURE_KIND_BAD_LUCK
	for i, c := range []struct {
		on, took  int
		kind      typev1.FailureKind
		intensity int32
		revisits  []int32
	}{
		{0, 2, slip, 8, []int32{5, 4}}, {10, 4, luck, 6, []int32{6}}, {20, 6, slip, 9, []int32{5, 0}},
		{30, 20, slip, 7, []int32{3}}, {40, -1, luck, 10, []int32{6}}, {50, -1, 0, 0, []int32{1}},
	} {
		id := fmt.Sprintf("/setbacks/s%d", i)
		a.tell(day(c.on), id, "setback.recorded", setbackAt(c.on, c.took, c.kind, c.intensity))
		for n := range len(c.revisits) + 1 {
			a.tell(day(c.on+3+n), id+"/debriefs/d", "debrief.revisited", debriefWith(completed, c.revisits[:n]...))
		}
	}
	for _, n := range []int{1, 14, 31, 60} { // 1, 4, 11, 1, 20 and 10 days after
		a.tell(day(n), "/goals/g/steps/s", "step.completed", step(fmt.Sprint(n), day(n)))
	}
	r := Summary(a.p, "s", day(70)).GetRecovery()
	if r.GetN() != 4 || r.GetLowerQuartileDays() != 2 || r.GetUpperQuartileDays() != 6 || r.GetFirstStepN() != 6 || r.GetMedianDaysToFirstStep() != 7 {
		t.Errorf("%v", r)
	}
	if s := r.GetRepeats(); s.GetCount() != 3 || s.GetN() != 5 || s.GetShare() != 0.6 || s.GetInterval().GetLow() <= 0.2 || s.GetInterval().GetHigh() >= 0.9 {
		t.Errorf("repeats %v", s)
	}
	// 8 to 4, 6 to 6, 9 to 5, 7 to 3, 10 to 6; -3.2 on average, deviation 1.789, t(4) 2.776.
	c := r.GetIntensity()
	if c.GetN() != 5 || c.GetBefore() != 8 || c.GetAfter() != 4.8 || math.Abs(c.GetInterval().GetLow()+5.421) > 0.001 || math.Abs(c.GetInterval().GetHigh()+0.979) > 0.001 {
		t.Errorf("intensity %v", c)
	}
	then := Summary(a.p, "s", day(21)).GetRecovery()
	if then.GetN() != 2 || then.LowerQuartileDays != nil || then.GetRepeats().Share != nil || then.GetRepeats().GetCount() != 1 || then.GetRepeats().GetN() != 3 ||
		then.GetIntensity().GetN() != 2 || then.GetIntensity().Before != nil || then.GetIntensity().Interval != nil || then.GetFirstStepN() != 2 || then.GetMedianDaysToFirstStep() != 2.5 {
		t.Errorf("as of day 21: %v", then)
	}
	if none := Summary(New(owner), "s", day(1)).GetRecovery(); none.MedianDaysToFirstStep != nil || none.GetN() != 0 {
		t.Errorf("of nobody: %v", none)
	}
}

// TestIntensityRevisited: how intense a setback is now is told once for each
// revisit that says so, and only if it was said before.
func TestIntensityRevisited(t *testing.T) {
	a := newTeller()
	a.tell(day(0), "/setbacks/s", "setback.recorded", setbackAt(0, -1, 0, 8))
	a.tell(day(0), "/setbacks/unstated", "setback.recorded", setbackAt(0, -1, 0, 0))
	revisit := func(on int, setback, kind string, intensities ...int32) []*insightsv1.Insight {
		e := debriefWith(completed, intensities...)
		e.GetDebrief().Setback = owner + "/setbacks/" + setback
		return a.tell(day(on), "/setbacks/"+setback+"/debriefs/d", kind, e)
	}
	for i, c := range []struct {
		on            int
		setback, kind string
		intensities   []int32
		before, after int32 // 0: nothing is told
	}{
		{1, "s", "debrief.completed", nil, 0, 0},
		{7, "s", "debrief.revisited", []int32{5}, 8, 5},
		{8, "s", "debrief.updated", []int32{5}, 0, 0},
		{30, "s", "debrief.revisited", []int32{5, 5}, 8, 5},
		{40, "unstated", "debrief.revisited", []int32{5}, 0, 0},
		{50, "gone", "debrief.revisited", []int32{5}, 0, 0},
	} {
		got := revisit(c.on, c.setback, c.kind, c.intensities...)
		if c.after == 0 {
			if got != nil {
				t.Errorf("case %d tells %v", i, got)
			}
			continue
		}
		if len(got) != 1 || got[0].GetN() != 2 || len(got[0].GetSubjects()) != 2 || got[0].GetIntensityRevisited().GetBefore() != c.before ||
			got[0].GetIntensityRevisited().GetAfter() != c.after || int(got[0].GetIntensityRevisited().GetDays()) != c.on {
			t.Errorf("case %d tells %v", i, got)
		}
	}
}

// TestEarlierSteps: the first step after a setback is known when its completion is
// long gone, and however many runs of days there were.
func TestEarlierSteps(t *testing.T) {
	a := newTeller()
	a.tell(day(0), "/setbacks/s", "setback.recorded", setbackAt(0, -1, 0, 0))
	a.tell(day(9), "/goals/g/steps/s", "step.completed", step("first", day(9)))
	a.tell(day(900), "/goals/g/steps/s", "step.completed", step("last", day(900)))
	if len(a.p.GetCompletions()) != 1 || len(a.p.GetEarlierStepDays()) != 1 {
		t.Fatalf("%v", a.p)
	}
	if r := Summary(a.p, "s", day(901)).GetRecovery(); r.GetMedianDaysToFirstStep() != 9 {
		t.Errorf("%v", r)
	}
	for n := 1000; n < 4000; n += 2 {
		a.tell(day(n), "/goals/g/steps/s", "step.completed", step(fmt.Sprint(n), day(n)))
	}
	if n := len(a.p.GetEarlierStepDays()); n != keptRuns {
		t.Errorf("%d runs of days are kept", n)
	}
	if r := Summary(a.p, "s", day(4000)).GetRecovery(); r.GetMedianDaysToFirstStep() != 9 {
		t.Errorf("%v", r)
	}
}

// practiced tells of one of each practice, under one id.
func practiced(a *teller, at time.Time, id string, n int32) {
	on := localdate.Of(at, time.UTC)
	before, after, strength := 80+n, 50-n, float64(n)/10
	a.tell(at, "/setbacks/"+id+"/debriefs/d", "debrief.completed", debriefWith(completed, 3))
	a.tell(at, "/reframes/"+id, "reframe.made", &eventsv1.Event{Data: &eventsv1.Event_Reframe{Reframe: &eventsv1.ReframeFacts{
		Kind: typev1.ReframeKind(1 + n%2), BeliefBefore: &before, BeliefAfter: &after, Reframed: true,
	}}})
	a.tell(at, "/reflections/"+id, "reflection.written", &eventsv1.Event{Data: &eventsv1.Event_Reflection{Reflection: &eventsv1.ReflectionFacts{LocalDate: on}}})
	a.tell(at, "/visualizations/"+id, "visualization.practiced", &eventsv1.Event{Data: &eventsv1.Event_Visualization{Visualization: &eventsv1.VisualizationFacts{PracticedOn: on}}})
	a.tell(at, "/strengths/"+id, "strength.noted", &eventsv1.Event{Data: &eventsv1.Event_Strength{Strength: &eventsv1.StrengthFacts{Evidence: n}}})
	energy := n - 3
	a.tell(at, "/connections/"+id, "connection.made", &eventsv1.Event{Data: &eventsv1.Event_Connection{Connection: &eventsv1.ConnectionFacts{Energy: &energy}}})
	a.tell(at, "/connections/"+id+"/outreaches/o", "outreach.planned", &eventsv1.Event{Data: &eventsv1.Event_Outreach{Outreach: &eventsv1.OutreachFacts{
		State: typev1.OutreachState(1 + n%3), Opportunity: n%3 == 2,
	}}})
	a.tell(at, "/celebrations/"+id, "celebration.earned", &eventsv1.Event{Data: &eventsv1.Event_Celebration{Celebration: &eventsv1.CelebrationFacts{State: typev1.CelebrationState(1 + n%2)}}})
	a.tell(at, "/goals/g/steps/"+id, "step.updated", &eventsv1.Event{Data: &eventsv1.Event_Step{Step: &eventsv1.StepFacts{Strength: &strength}}})
}

// unpracticed deletes what practiced told of.
func unpracticed(a *teller, at time.Time, id string) {
	for subject, kind := range map[string]string{
		"/setbacks/" + id + "/debriefs/d": "debrief", "/reframes/" + id: "reframe", "/reflections/" + id: "reflection", "/visualizations/" + id: "visualization",
		"/strengths/" + id: "strength", "/connections/" + id: "connection", "/connections/" + id + "/outreaches/o": "outreach",
		"/celebrations/" + id: "celebration", "/goals/g/steps/" + id: "step",
	} {
		a.tell(at, subject, kind+".deleted", &eventsv1.Event{})
	}
}

func TestPractice(t *testing.T) {
	a := newTeller()
	for n := range 7 {
		practiced(a, day(n), fmt.Sprintf("x%d", n), int32(n))
		a.tell(day(n), "/lessons/"+fmt.Sprint(n), "lesson.captured", &eventsv1.Event{Data: &eventsv1.Event_Lesson{Lesson: &eventsv1.LessonFacts{}}})
		a.tell(day(3*n), "/gratitudes/"+day(3*n).Format(time.DateOnly), "gratitude.recorded", &eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{LocalDate: localdate.Of(day(3*n), time.UTC)}}})
	}
	for n := range 3 {
		a.tell(day(n+10), "/lessons/"+fmt.Sprint(n), "lesson.applied", &eventsv1.Event{Data: &eventsv1.Event_Lesson{Lesson: &eventsv1.LessonFacts{ApplyTime: timestamppb.New(day(n + 8 + n))}}})
	}
	s := Summary(a.p, "s", day(30))
	if want := (&insightsv1.PracticeCounts{
		GratitudeDays: 7, GratitudeDaysLast_28: 6, DebriefsCompleted: 7, Revisits: 7, Strengths: 7, Evidence: 21, CelebrationsDue: 4, CelebrationsCelebrated: 3,
	}); !proto.Equal(s.GetPractice(), want) {
		t.Errorf("%v", s.GetPractice())
	}
	if l := s.GetLessons(); l.GetApplied().GetCount() != 3 || l.GetApplied().GetN() != 7 || l.GetMedianDaysToApply() != 9 || math.Abs(l.GetApplied().GetShare()-3.0/7) > 1e-12 {
		t.Errorf("%v", l)
	}
	// Not yet for 0, 2, 4 and 6; from 83 to 47 on average.
	if r := s.GetReframes(); r.GetNotYet().GetCount() != 4 || r.GetNotYet().GetN() != 7 || r.GetBelief().GetN() != 7 || r.GetBelief().GetBefore() != 83 ||
		r.GetBelief().GetAfter() != 47 || r.GetBelief().GetInterval().GetLow() >= -36 || r.GetBelief().GetInterval().GetHigh() <= -36 || r.GetBelief().GetInterval().GetHigh() >= -30 {
		t.Errorf("%v", r)
	}
	// Energies -3 to 3; planned 0, 3, 6; sent 1, 4; answered 2, 5.
	if u := s.GetSupport(); u.GetConnections() != 7 || u.GetFilling() != 3 || u.GetDraining() != 3 || u.GetNeutral() != 1 ||
		u.GetAnswered().GetCount() != 2 || u.GetAnswered().GetN() != 4 || u.GetAnswered().Share != nil || u.GetOpportunities() != 2 {
		t.Errorf("%v", u)
	}
	if p := s.GetSteps(); p.GetN() != 7 || math.Abs(p.GetMeanStrength()-0.3) > 1e-12 {
		t.Errorf("%v", p)
	}
	if then := Summary(a.p, "s", day(1)); then.GetPractice().GetDebriefsCompleted() != 2 || then.GetReframes().GetBelief().Before != nil || then.GetSteps().GetN() != 2 || then.GetLessons().MedianDaysToApply != nil {
		t.Errorf("as of day 1: %v", then)
	}
	for n := range 7 {
		unpracticed(a, day(31), fmt.Sprintf("x%d", n))
	}
	s = Summary(a.p, "s", day(32))
	if len(a.p.GetPractices()) != 0 || s.GetPractice().GetStrengths() != 0 || s.GetPractice().GetDebriefsCompleted() != 0 || s.GetSupport().GetConnections() != 0 ||
		s.GetReframes().GetNotYet().GetN() != 0 || s.GetSteps().MeanStrength != nil || s.GetPractice().GetCelebrationsDue() != 0 {
		t.Errorf("what was deleted is still counted: %v", s)
	}
}

// TestBounded: however much there was, what is kept of a person is bounded, and
// it is the latest.
func TestBounded(t *testing.T) {
	a := newTeller()
	for n := range keptEntries + 40 {
		practiced(a, day(n/4), fmt.Sprintf("x%03d", n), int32(n%10))
	}
	if n := len(a.p.GetPractices()); n != keptPractices {
		t.Errorf("%d days of practices are kept", n)
	}
	for what, n := range map[string]int{
		"debriefs": len(a.p.GetDebriefs()), "reframes": len(a.p.GetReframes()), "strengths": len(a.p.GetStrengths()), "connections": len(a.p.GetConnections()),
		"outreaches": len(a.p.GetOutreaches()), "celebrations": len(a.p.GetCelebrations()), "steps": len(a.p.GetSteps()),
	} {
		if n != keptEntries {
			t.Errorf("%d %s are kept", n, what)
		}
	}
	if a.p.GetStrengths()["x039"] != nil || a.p.GetStrengths()["x040"] == nil {
		t.Error("what is kept is not the latest")
	}
	practiced(a, day(2000), "again", 1)
	if n := len(a.p.GetPractices()); n != 4 {
		t.Errorf("%d days of practices are kept after a long time", n)
	}
}
