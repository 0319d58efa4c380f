package projection

import (
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

const owner = "tenants/acme/people/ada"

var start = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// teller applies events one after the other.
type teller struct {
	p   *storagev1.Projection
	pos int64
}

func newTeller() *teller { return &teller{p: New(owner)} }

func (a *teller) tell(at time.Time, subject, kind string, e *eventsv1.Event) []*insightsv1.Insight {
	a.pos++
	e.Id, e.Owner, e.Source, e.Position = subject+kind+at.String(), owner, "rebound/test", a.pos
	e.Subject, e.Type, e.Time = owner+subject, kind, timestamppb.New(at)
	return Apply(a.p, e)
}

func kindsOf(in []*insightsv1.Insight) []insightsv1.InsightKind {
	var out []insightsv1.InsightKind
	for _, i := range in {
		out = append(out, i.GetKind())
	}
	return out
}

func TestPositionGuard(t *testing.T) {
	a := newTeller()
	e := &eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{LocalDate: localdate.Of(start, time.UTC)}}}
	a.tell(start, "/gratitudes/2026-03-01", "gratitude.recorded", e)
	before := len(a.p.GetGratitudes())
	if Apply(a.p, e) != nil || len(a.p.GetGratitudes()) != before {
		t.Fatal("an event was applied twice")
	}
}

func TestGratitudeRuns(t *testing.T) {
	a := newTeller()
	var told []int32
	for _, day := range []int{0, 1, 5, 6, 2, 4, 3} { // 2 makes three in a row, 3 joins three and three
		at := start.AddDate(0, 0, day)
		for _, in := range a.tell(at, "/gratitudes/"+at.Format(time.DateOnly), "gratitude.recorded",
			&eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{LocalDate: localdate.Of(at, time.UTC)}}}) {
			told = append(told, in.GetGratitudeRun().GetDays())
		}
	}
	if !slices.Equal(told, []int32{3, 3, 7}) {
		t.Fatalf("told %v", told)
	}
	s := Summary(a.p, "s", start.AddDate(0, 0, 6))
	if s.GetLongestGratitudeRun() != 7 || s.GetGratitudeDaysLast_7() != 7 {
		t.Fatalf("%v", s)
	}
	if then := Summary(a.p, "s", start.AddDate(0, 0, 1)); then.GetLongestGratitudeRun() != 2 {
		t.Fatalf("as of the second day: %v", then)
	}
	a.tell(start, "/gratitudes/2026-03-04", "gratitude.deleted", &eventsv1.Event{})
	if s := Summary(a.p, "s", start.AddDate(0, 0, 6)); s.GetLongestGratitudeRun() != 3 || s.GetGratitudeDaysLast_7() != 6 {
		t.Fatalf("after a day was deleted: %v", s)
	}
}

// TestDayRuns: runs of days behave like a set of days.
func TestDayRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		set := map[int32]bool{}
		var runs []*storagev1.DayRun
		for range rapid.IntRange(0, 60).Draw(rt, "n") {
			day := rapid.Int32Range(0, 30).Draw(rt, "day")
			if rapid.Bool().Draw(rt, "add") {
				runs, _, _ = addDay(runs, day)
				set[day] = true
			} else {
				runs = removeDay(runs, day)
				delete(set, day)
			}
		}
		var n int
		for i, r := range runs {
			if i > 0 && runs[i-1].GetLast() >= r.GetFirst()-1 {
				rt.Fatalf("runs touch: %v", runs)
			}
			for d := r.GetFirst(); d <= r.GetLast(); d++ {
				n++
				if !set[d] {
					rt.Fatalf("day %d is not in the set", d)
				}
			}
		}
		if n != len(set) {
			rt.Fatalf("%d days in runs, %d in the set", n, len(set))
		}
	})
}

func checkIn(pleasantness int32, at time.Time) *eventsv1.Event {
	return &eventsv1.Event{Data: &eventsv1.Event_CheckIn{CheckIn: &eventsv1.CheckInFacts{Pleasantness: pleasantness, Time: timestamppb.New(at)}}}
}

func TestMood(t *testing.T) {
	a := newTeller()
	var told []*insightsv1.Insight
	at := start
	for i := range 25 {
		x := int32(2)
		if i >= 15 {
			x = -3
		}
		at = at.Add(time.Hour)
		told = append(told, a.tell(at, "/checkIns/c"+at.Format("150405.000")+at.Format("02"), "checkIn.recorded", checkIn(x, at))...)
	}
	// Level 2 for 15 check-ins; then level = -3 + 5*0.8^k.
	s := Summary(a.p, "s", at)
	if want := -3 + 5*math.Pow(0.8, 10); math.Abs(s.GetMood().GetLevel()-want) > 1e-9 || s.GetMood().GetN() != 25 {
		t.Fatalf("mood %v, want %v of 25", s.GetMood(), want)
	}
	if then := Summary(a.p, "s", start.Add(15*time.Hour)); then.GetMood().GetLevel() != 2 || then.GetMood().GetN() != 15 {
		t.Fatalf("as of then: %v", then.GetMood())
	}
	if len(told) == 0 || told[0].GetKind() != insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT || told[0].GetMoodShift().GetBefore() != 2 {
		t.Fatalf("told %v", told)
	}
	if d := told[0].GetMoodShift().GetBefore() - told[0].GetMoodShift().GetAfter(); d < moodShift {
		t.Fatalf("a shift of %v was told", d)
	}
}

// TestMoodIsOrderFree: the level does not depend on the order of arrival, and
// folding old check-ins away does not change it.
func TestMoodIsOrderFree(t *testing.T) {
	in, out := newTeller(), newTeller()
	n := keptCheckIns / 2
	for i := range n {
		at := start.Add(time.Duration(i) * time.Hour)
		in.tell(at, "/checkIns/"+at.Format(time.RFC3339), "checkIn.recorded", checkIn(int32(i%11-5), at))
		back := start.Add(time.Duration(n-1-i) * time.Hour)
		out.tell(back, "/checkIns/"+back.Format(time.RFC3339), "checkIn.recorded", checkIn(int32((n-1-i)%11-5), back))
	}
	a, b := ewma(in.p.GetMoodBase(), in.p.GetCheckIns()), ewma(out.p.GetMoodBase(), out.p.GetCheckIns())
	if a != b {
		t.Fatalf("%v and %v", a, b)
	}
	full := newTeller()
	var all []*storagev1.CheckInEntry
	for i := range keptCheckIns + 100 {
		at := start.Add(time.Duration(i) * time.Hour)
		full.tell(at, "/checkIns/"+at.Format(time.RFC3339), "checkIn.recorded", checkIn(int32(i%7-3), at))
		all = append(all, &storagev1.CheckInEntry{Pleasantness: int32(i%7 - 3)})
	}
	want, got := ewma(nil, all), ewma(full.p.GetMoodBase(), full.p.GetCheckIns())
	if math.Abs(want.Level-got.Level) > 1e-12 || math.Abs(want.Variance-got.Variance) > 1e-12 || got.N != keptCheckIns+100 || len(full.p.GetCheckIns()) != keptCheckIns {
		t.Fatalf("%+v, want %+v; %d kept", got, want, len(full.p.GetCheckIns()))
	}
}

func step(id string, at time.Time) *eventsv1.Event {
	return &eventsv1.Event{Data: &eventsv1.Event_Step{Step: &eventsv1.StepFacts{
		Goal:       owner + "/goals/g",
		Completion: &eventsv1.StepCompletionFacts{Id: id, CompleteTime: timestamppb.New(at), LocalDate: localdate.Of(at, time.UTC)},
	}}}
}

func TestStepMomentum(t *testing.T) {
	a := newTeller()
	var told []int32
	for day := range 8 {
		at := start.AddDate(0, 0, day)
		for _, in := range a.tell(at, "/goals/g/steps/s", "step.completed", step(at.Format(time.DateOnly), at)) {
			told = append(told, in.GetStepMomentum().GetActiveDays())
		}
	}
	if !slices.Equal(told, []int32{1, 3, 5, 7}) {
		t.Fatalf("told %v", told)
	}
	end := start.AddDate(0, 0, 7)
	if s := Summary(a.p, "s", end); s.GetStepsCompletedLast_7() != 7 || s.GetStepsCompletedLast_28() != 8 {
		t.Fatalf("%v", s)
	}
	a.tell(end, "/goals/g/steps/s", "step.undone", step(end.Format(time.DateOnly), end))
	if s := Summary(a.p, "s", end); s.GetStepsCompletedLast_7() != 6 {
		t.Fatalf("after undoing: %v", s)
	}
}

func TestSetbacksLessonsGoals(t *testing.T) {
	a := newTeller()
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	setback := func(occurred int, recovered *int) *eventsv1.Event {
		f := &eventsv1.SetbackFacts{OccurredOn: localdate.Of(day(occurred), time.UTC), State: typev1.SetbackState_SETBACK_STATE_OPEN}
		if recovered != nil {
			f.RecoveredOn, f.State = localdate.Of(day(*recovered), time.UTC), typev1.SetbackState_SETBACK_STATE_RECOVERED
		}
		return &eventsv1.Event{Data: &eventsv1.Event_Setback{Setback: f}}
	}
	for i, id := range []string{"a", "b", "c"} {
		a.tell(day(i), "/setbacks/"+id, "setback.recorded", setback(i, nil))
	}
	four, eleven := 4, 11
	got := a.tell(day(4), "/setbacks/a", "setback.recovered", setback(0, &four))
	if len(got) != 1 || got[0].GetSetbackRecovered().GetDays() != 4 || got[0].GetN() != 1 || got[0].GetMethod() == "" || got[0].GetMethodVersion() == "" {
		t.Fatalf("%v", got)
	}
	a.tell(day(11), "/setbacks/b", "setback.recovered", setback(1, &eleven))
	s := Summary(a.p, "s", day(12))
	if s.GetOpenSetbacks() != 1 || s.GetRecoveredSetbacks() != 2 || s.GetMedianDaysToRecovery() != 7 || s.GetDaysSinceLastSetback() != 10 {
		t.Fatalf("%v", s)
	}
	if then := Summary(a.p, "s", day(5)); then.GetOpenSetbacks() != 2 || then.GetRecoveredSetbacks() != 1 || then.GetMedianDaysToRecovery() != 4 {
		t.Fatalf("as of day 5: %v", then)
	}
	lesson := func(applied bool, at time.Time) *eventsv1.Event {
		f := &eventsv1.LessonFacts{Setback: owner + "/setbacks/a"}
		if applied {
			f.ApplyTime = timestamppb.New(at)
		}
		return &eventsv1.Event{Data: &eventsv1.Event_Lesson{Lesson: f}}
	}
	a.tell(day(5), "/lessons/l", "lesson.captured", lesson(false, day(5)))
	if got := a.tell(day(8), "/lessons/l", "lesson.applied", lesson(true, day(8))); len(got) != 1 || got[0].GetLessonApplied().GetDays() != 3 || len(got[0].GetSubjects()) != 2 {
		t.Fatalf("%v", got)
	}
	if again := a.tell(day(9), "/lessons/l", "lesson.applied", lesson(true, day(8))); again != nil {
		t.Fatalf("a lesson was applied for the first time twice: %v", again)
	}
	goal := func(state typev1.GoalState) *eventsv1.Event {
		return &eventsv1.Event{Data: &eventsv1.Event_Goal{Goal: &eventsv1.GoalFacts{State: state}}}
	}
	a.tell(day(6), "/goals/g", "goal.created", goal(typev1.GoalState_GOAL_STATE_ACTIVE))
	if got := kindsOf(a.tell(day(10), "/goals/g", "goal.achieved", goal(typev1.GoalState_GOAL_STATE_ACHIEVED))); !slices.Equal(got, []insightsv1.InsightKind{insightsv1.InsightKind_INSIGHT_KIND_GOAL_ACHIEVED}) {
		t.Fatalf("%v", got)
	}
	if s, then := Summary(a.p, "s", day(12)), Summary(a.p, "s", day(7)); s.GetGoalsAchieved() != 1 || s.GetGoalsActive() != 0 || then.GetGoalsActive() != 1 || then.GetLessonsApplied() != 0 {
		t.Fatalf("%v\n%v", s, then)
	}
	milestone := &eventsv1.Event{Data: &eventsv1.Event_Milestone{Milestone: &eventsv1.MilestoneFacts{Goal: owner + "/goals/g", DueDate: localdate.Of(day(12), time.UTC)}}}
	if got := a.tell(day(10), "/goals/g/milestones/m", "milestone.reached", milestone); len(got) != 1 || got[0].GetMilestoneReached().GetDaysEarly() != 2 {
		t.Fatalf("%v", got)
	}
}

// TestDayStart: what is today to a person depends on where they are and on when
// their day begins.
func TestDayStart(t *testing.T) {
	a := newTeller()
	night := time.Date(2026, 3, 2, 1, 30, 0, 0, time.UTC) // 02:30 in Berlin
	a.tell(start, "/setbacks/s", "setback.recorded", &eventsv1.Event{Data: &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{
		OccurredOn: localdate.Of(start, time.UTC),
	}}})
	for _, c := range []struct {
		zone  string
		start *timeofday.TimeOfDay
		days  int32
	}{{"", nil, 1}, {"Europe/Berlin", nil, 1}, {"Europe/Berlin", &timeofday.TimeOfDay{Hours: 4}, 0}, {"America/New_York", nil, 0}} {
		a.tell(start, "/profile", "profile.updated", &eventsv1.Event{Data: &eventsv1.Event_Profile{Profile: &eventsv1.ProfileFacts{TimeZone: c.zone, DayStart: c.start}}})
		if got := Summary(a.p, "s", night).GetDaysSinceLastSetback(); got != c.days {
			t.Errorf("in %q, from %v: %d days since the last setback, want %d", c.zone, c.start, got, c.days)
		}
	}
}
