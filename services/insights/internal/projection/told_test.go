package projection

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// brief says of insights what they do and to which of those that came before, such as
// "told", "restated 1" or "retracted 2", counted from 1.
func brief(before *[]string, insights []*insightsv1.Insight) string {
	var out []string
	for _, in := range insights {
		at := slices.Index(*before, in.GetCorrects()) + 1
		*before = append(*before, in.GetName())
		switch in.GetCorrection() {
		case insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED:
			out = append(out, fmt.Sprint("retracted ", at))
		case insightsv1.InsightCorrection_INSIGHT_CORRECTION_RESTATED:
			out = append(out, fmt.Sprint("restated ", at))
		default:
			out = append(out, "told")
		}
		if in.GetMethod() == "" || in.GetN() < 1 || len(in.GetSubjects()) == 0 || in.GetTime() == nil ||
			(in.GetData() == nil) != (in.GetCorrection() == insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED) {
			out = append(out, "not whole")
		}
	}
	return strings.Join(out, ", ")
}

// happening is an event and what is to come of it.
type happening struct {
	subject, kind string
	e             *eventsv1.Event
	want          string
}

func deleted() *eventsv1.Event { return &eventsv1.Event{} }

func lessonApplied(at time.Time) *eventsv1.Event {
	f := &eventsv1.LessonFacts{State: typev1.LessonState_LESSON_STATE_CAPTURED}
	if !at.IsZero() {
		f.State, f.ApplyTime = typev1.LessonState_LESSON_STATE_APPLIED, timestamppb.New(at)
	}
	return &eventsv1.Event{Data: &eventsv1.Event_Lesson{Lesson: f}}
}

func goalIn(s typev1.GoalState) *eventsv1.Event {
	return &eventsv1.Event{Data: &eventsv1.Event_Goal{Goal: &eventsv1.GoalFacts{State: s}}}
}

func milestoneIn(s typev1.MilestoneState, due int) *eventsv1.Event {
	return &eventsv1.Event{Data: &eventsv1.Event_Milestone{Milestone: &eventsv1.MilestoneFacts{
		Goal: owner + "/goals/g", State: s, DueDate: localdate.Of(day(due), time.UTC),
	}}}
}

func thanks(on int) *eventsv1.Event {
	return &eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{LocalDate: localdate.Of(day(on), time.UTC), Count: 1}}}
}

func thanked(on int) string { return "/gratitudes/" + day(on).Format(time.DateOnly) }

func revisits(intensities ...int32) *eventsv1.Event {
	e := debriefWith(completed, intensities...)
	e.GetDebrief().Setback = owner + "/setbacks/s"
	return e
}

// TestCorrections: what was told is corrected when what it rests on is taken back or
// changed, and only then; each correction points at what stood.
func TestCorrections(t *testing.T) {
	achieved, dropped := typev1.GoalState_GOAL_STATE_ACHIEVED, typev1.GoalState_GOAL_STATE_DROPPED
	ahead, reached := typev1.MilestoneState_MILESTONE_STATE_AHEAD, typev1.MilestoneState_MILESTONE_STATE_REACHED
	for name, c := range map[string][]happening{
		"setback": {
			{"/setbacks/s", "setback.recorded", setbackAt(0, -1, 0, 0), ""},
			{"/setbacks/s", "setback.recovered", setbackAt(0, 5, 0, 0), "told"},
			{"/setbacks/s", "setback.updated", setbackAt(0, 5, 0, 7), ""},
			{"/setbacks/s", "setback.updated", setbackAt(1, 5, 0, 7), "restated 1"},
			{"/setbacks/s", "setback.updated", setbackAt(2, 5, 0, 7), "restated 2"},
			{"/setbacks/s", "setback.reopened", setbackAt(2, -1, 0, 7), "retracted 3"},
			{"/setbacks/s", "setback.recovered", setbackAt(2, 6, 0, 7), "told"},
			{"/setbacks/other", "setback.deleted", deleted(), ""},
			{"/setbacks/s", "setback.deleted", deleted(), "retracted 5"},
			{"/setbacks/s", "setback.deleted", deleted(), ""},
		},
		"lesson": {
			{"/lessons/l", "lesson.captured", lessonApplied(time.Time{}), ""},
			{"/lessons/l", "lesson.applied", lessonApplied(day(12)), "told"},
			{"/lessons/l", "lesson.applied", lessonApplied(day(12)), ""},
			{"/lessons/l", "lesson.updated", lessonApplied(day(14)), "restated 1"},
			{"/lessons/l", "lesson.updated", lessonApplied(time.Time{}), "retracted 2"},
			{"/lessons/l", "lesson.applied", lessonApplied(day(19)), "told"},
			{"/lessons/l", "lesson.deleted", deleted(), "retracted 4"},
		},
		"goal": {
			{"/goals/g", "goal.achieved", goalIn(achieved), "told"},
			{"/goals/g", "goal.updated", goalIn(achieved), ""},
			{"/goals/g", "goal.dropped", goalIn(dropped), "retracted 1"},
			{"/goals/g", "goal.achieved", goalIn(achieved), "told"},
			{"/goals/g", "goal.deleted", deleted(), "retracted 3"},
		},
		"milestone": {
			{"/goals/g/milestones/m", "milestone.reached", milestoneIn(reached, 10), "told"},
			{"/goals/g/milestones/m", "milestone.celebrated", milestoneIn(typev1.MilestoneState_MILESTONE_STATE_CELEBRATED, 10), ""},
			{"/goals/g/milestones/m", "milestone.updated", milestoneIn(reached, 12), "restated 1"},
			{"/goals/g/milestones/m", "milestone.updated", milestoneIn(ahead, 12), "retracted 2"},
			{"/goals/g/milestones/m", "milestone.reached", milestoneIn(reached, 12), "told"},
			{"/goals/g", "goal.deleted", deleted(), "retracted 4"},
		},
		"revisit": {
			{"/setbacks/s", "setback.recorded", setbackAt(0, -1, 0, 8), ""},
			{"/setbacks/s/debriefs/d", "debrief.revisited", revisits(5), "told"},
			{"/setbacks/s/debriefs/d", "debrief.revisited", revisits(4), "restated 1"},
			{"/setbacks/s", "setback.updated", setbackAt(0, -1, 0, 9), "restated 2"},
			{"/setbacks/s/debriefs/d", "debrief.revisited", revisits(4, 3), "told"},
			{"/setbacks/s", "setback.updated", setbackAt(0, -1, 0, 0), "retracted 3, retracted 4"},
		},
		"revisit of what is gone": {
			{"/setbacks/s", "setback.recorded", setbackAt(0, -1, 0, 8), ""},
			{"/setbacks/s/debriefs/d", "debrief.revisited", revisits(5), "told"},
			{"/setbacks/s", "setback.deleted", deleted(), "retracted 1"},
		},
		"gratitudes": {
			{thanked(1), "gratitude.recorded", thanks(1), ""},
			{thanked(2), "gratitude.recorded", thanks(2), ""},
			{thanked(3), "gratitude.recorded", thanks(3), "told"},
			{thanked(3), "gratitude.deleted", deleted(), "retracted 1"},
			{thanked(3), "gratitude.recorded", thanks(3), "told"}, // under another name
			{thanked(5), "gratitude.recorded", thanks(5), ""},
			{thanked(6), "gratitude.recorded", thanks(6), ""},
			{thanked(7), "gratitude.recorded", thanks(7), "told"},
			{thanked(8), "gratitude.recorded", thanks(8), ""},
			{thanked(4), "gratitude.recorded", thanks(4), "told"}, // eight in a row: seven are told
			{thanked(8), "gratitude.deleted", deleted(), "restated 5"},
			{thanked(4), "gratitude.deleted", deleted(), "retracted 6"}, // what was told of three stays
		},
		"momentum": {
			{"/goals/g/steps/s", "step.completed", step("a", day(1)), "told"},
			{"/goals/g/steps/s", "step.completed", step("b", day(1)), ""},
			{"/goals/g/steps/s", "step.undone", step("a", day(1)), ""}, // the day is still one
			{"/goals/g/steps/s", "step.undone", step("b", day(1)), "retracted 1"},
			{"/goals/g/steps/s", "step.completed", step("c", day(1)), "told"},
			{"/goals/g/steps/s", "step.deleted", deleted(), ""}, // what was completed was completed
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newTeller()
			var names []string
			for i, h := range c {
				if got := brief(&names, a.tell(day(10).Add(time.Duration(i)*time.Minute), h.subject, h.kind, h.e)); got != h.want {
					t.Fatalf("%d, %s %s: %q, want %q", i, h.kind, h.subject, got, h.want)
				}
			}
			slices.Sort(names)
			if len(slices.Compact(slices.Clone(names))) != len(names) {
				t.Errorf("two insights have one name: %v", names)
			}
		})
	}
}

// TestMoodShiftTakenBack: a shift is retracted with the check-in that brought it, when
// there was none without it; others that go leave it as it was told.
func TestMoodShiftTakenBack(t *testing.T) {
	for _, c := range []struct {
		gone string
		want string
	}{{"shift", "retracted 1"}, {"c3", ""}} {
		a := newTeller()
		var names []string
		at := start
		for i := range 12 {
			at = at.Add(time.Hour)
			if got := brief(&names, a.tell(at, fmt.Sprint("/checkIns/c", i), "checkIn.recorded", checkIn(2, at))); got != "" {
				t.Fatal(got)
			}
		}
		at = at.Add(time.Hour)
		if got := brief(&names, a.tell(at, "/checkIns/shift", "checkIn.recorded", checkIn(-5, at))); got != "told" {
			t.Fatal(got)
		}
		if got := brief(&names, a.tell(at, "/checkIns/"+c.gone, "checkIn.deleted", deleted())); got != c.want {
			t.Errorf("%s goes: %q, want %q", c.gone, got, c.want)
		}
		if told := a.p.GetToldMood() == 2; told != (c.want != "") {
			t.Errorf("%s goes: the next shift is measured from %v", c.gone, a.p.GetToldMood())
		}
	}
}

// TestToldIsBounded: what was told long ago is forgotten, and not corrected any more.
func TestToldIsBounded(t *testing.T) {
	a := newTeller()
	for i := range keptTold + 1 {
		a.tell(day(i), fmt.Sprint("/goals/g", i), "goal.achieved", goalIn(typev1.GoalState_GOAL_STATE_ACHIEVED))
	}
	if n := len((&application{p: a.p}).toldBefore().GetEntries()); n != keptTold {
		t.Errorf("%d are kept", n)
	}
	for id, want := range map[string]int{"/goals/g0": 0, "/goals/g1": 1} {
		if got := a.tell(day(999), id, "goal.deleted", deleted()); len(got) != want {
			t.Errorf("%s goes: %v", id, got)
		}
	}
}
