package projection

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// TestImported: a life that is imported years later is summed up as if it had been
// lived here, at any time; its insights are of when they were drawn.
func TestImported(t *testing.T) {
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	date := func(n int) *eventsv1.GratitudeFacts {
		return &eventsv1.GratitudeFacts{LocalDate: localdate.Of(day(n), time.UTC), Count: 1}
	}
	setback := func() *eventsv1.Event {
		return &eventsv1.Event{Data: &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{
			OccurredOn: localdate.Of(day(0), time.UTC), RecoveredOn: localdate.Of(day(9), time.UTC), State: typev1.SetbackState_SETBACK_STATE_RECOVERED,
		}}}
	}
	lesson := func(applied bool) *eventsv1.Event {
		f := &eventsv1.LessonFacts{State: typev1.LessonState_LESSON_STATE_CAPTURED}
		if applied {
			f.State, f.ApplyTime = typev1.LessonState_LESSON_STATE_APPLIED, timestamppb.New(day(8))
		}
		return &eventsv1.Event{Data: &eventsv1.Event_Lesson{Lesson: f}}
	}
	goal := func(state typev1.GoalState) *eventsv1.Event {
		return &eventsv1.Event{Data: &eventsv1.Event_Goal{Goal: &eventsv1.GoalFacts{State: state}}}
	}
	lived := newTeller()
	lived.tell(day(1), "/setbacks/s", "setback.recorded", setback())
	lived.tell(day(2), "/lessons/l", "lesson.captured", lesson(false))
	lived.tell(day(8), "/lessons/l", "lesson.applied", lesson(true))
	lived.tell(day(3), "/goals/g", "goal.created", goal(typev1.GoalState_GOAL_STATE_ACTIVE))
	for n := range 5 {
		at := day(n)
		lived.tell(at, "/gratitudes/"+localdate.Text(localdate.Of(at, time.UTC)), "gratitude.recorded", &eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: date(n)}})
		lived.tell(at, "/checkIns/"+at.Format(time.RFC3339), "checkIn.recorded", checkIn(int32(n), at))
		lived.tell(at, "/goals/g/steps/s", "step.completed", step(at.Format(time.DateOnly), at))
	}

	imported, later := newTeller(), start.AddDate(3, 0, 0)
	bring := func(made time.Time, subject, kind string, e *eventsv1.Event) {
		e.RecordTime = timestamppb.New(made)
		for _, in := range imported.tell(later, subject, kind, e) {
			if !in.GetTime().AsTime().Equal(later) {
				t.Errorf("%s is told at %s", in.GetKind(), in.GetTime().AsTime())
			}
			if a := in.GetLessonApplied(); a != nil && a.GetDays() != 6 {
				t.Errorf("applied after %d days", a.GetDays())
			}
		}
	}
	for n := 4; n >= 0; n-- { // in whichever order
		at := day(n)
		bring(at, "/gratitudes/"+localdate.Text(localdate.Of(at, time.UTC)), "gratitude.imported", &eventsv1.Event{Data: &eventsv1.Event_Gratitude{Gratitude: date(n)}})
		bring(at, "/checkIns/"+at.Format(time.RFC3339), "checkIn.imported", checkIn(int32(n), at))
		bring(day(3), "/goals/g/steps/s", "step.imported", step(at.Format(time.DateOnly), at))
	}
	bring(day(3), "/goals/g", "goal.imported", goal(typev1.GoalState_GOAL_STATE_ACTIVE))
	bring(day(2), "/lessons/l", "lesson.imported", lesson(true))
	bring(day(1), "/setbacks/s", "setback.imported", setback())
	for n := range 30 {
		if a, b := Summary(lived.p, "s", day(n)), Summary(imported.p, "s", day(n)); !proto.Equal(a, b) {
			t.Errorf("on day %d\n%v\nwas lived,\n%v imported", n, a, b)
		}
	}
}
