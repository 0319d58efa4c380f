package follow

import (
	"context"
	"fmt"
	"slices"
	"testing"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

const ada = "tenants/acme/people/ada"

// memory keeps people in a map.
type memory map[string]*storagev1.KnownPerson

func (m memory) keep(_ context.Context, names []string, change func(string, *storagev1.KnownPerson)) error {
	for _, name := range names {
		if m[name] == nil {
			m[name] = &storagev1.KnownPerson{}
		}
		change(name, m[name])
	}
	return nil
}

// told makes events of one person, in order.
type told struct{ events []*eventsv1.Event }

func (l *told) tell(eventType, subject string, e *eventsv1.Event) {
	e.Type, e.Owner, e.Subject, e.Position = eventType, ada, ada+"/"+subject, int64(len(l.events)+1)
	l.events = append(l.events, e)
}

func (l *told) lesson(eventType, id string, state typev1.LessonState, on *datepb.Date) {
	l.tell(eventType, "lessons/"+id, &eventsv1.Event{Data: &eventsv1.Event_Lesson{Lesson: &eventsv1.LessonFacts{State: state, ReviewOn: on}}})
}

func (l *told) debrief(eventType string, due ...*datepb.Date) {
	l.tell(eventType, "setbacks/s/debriefs/d", &eventsv1.Event{Data: &eventsv1.Event_Debrief{Debrief: &eventsv1.DebriefFacts{RevisitsDue: due}}})
}

func date(m, d int32) *datepb.Date { return &datepb.Date{Year: 2026, Month: m, Day: d} }

// known gives what is kept after events.
func known(t interface{ Fatal(...any) }, m memory, events ...*eventsv1.Event) *storagev1.KnownPerson {
	if err := People(m.keep).Apply(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	return m[ada+"/knownPerson"]
}

// revisits tells what is due, as name and dates.
func revisits(p *storagev1.KnownPerson) []string {
	var out []string
	for name, days := range p.GetRevisits() {
		line := name
		for _, d := range days.GetDays() {
			line += " " + localdate.Text(localdate.FromDays(int(d)))
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func TestPeople(t *testing.T) {
	l := &told{}
	m := memory{}
	l.tell("profile.updated", "profile", &eventsv1.Event{Data: &eventsv1.Event_Profile{Profile: &eventsv1.ProfileFacts{
		TimeZone: "Europe/Berlin", DayStart: &timeofday.TimeOfDay{Hours: 4},
	}}})
	l.lesson("lesson.captured", "a", typev1.LessonState_LESSON_STATE_CAPTURED, date(12, 1))
	l.lesson("lesson.captured", "b", typev1.LessonState_LESSON_STATE_CAPTURED, date(12, 2))
	l.lesson("lesson.captured", "c", typev1.LessonState_LESSON_STATE_CAPTURED, nil)
	l.debrief("debrief.completed", date(12, 31), date(12, 8))
	p := known(t, m, l.events...)
	if p.GetTimeZone() != "Europe/Berlin" || p.GetDayStartMinutes() != 240 {
		t.Errorf("%v", p)
	}
	if want := []string{"lessons/a 2026-12-01", "lessons/b 2026-12-02", "setbacks/s/debriefs/d 2026-12-08 2026-12-31"}; !slices.Equal(revisits(p), want) {
		t.Errorf("%v", revisits(p))
	}
	// Applied, put off, looked at, deleted: each changes what is due.
	before := len(l.events)
	l.lesson("lesson.applied", "a", typev1.LessonState_LESSON_STATE_APPLIED, date(12, 1))
	l.lesson("lesson.updated", "b", typev1.LessonState_LESSON_STATE_PLANNED, date(12, 24))
	l.debrief("debrief.revisited", date(12, 31))
	p = known(t, m, l.events[before:]...)
	if want := []string{"lessons/b 2026-12-24", "setbacks/s/debriefs/d 2026-12-31"}; !slices.Equal(revisits(p), want) {
		t.Errorf("%v", revisits(p))
	}
	before = len(l.events)
	l.tell("lesson.deleted", "lessons/b", &eventsv1.Event{})
	l.tell("debrief.deleted", "setbacks/s/debriefs/d", &eventsv1.Event{})
	if p = known(t, m, l.events[before:]...); len(p.GetRevisits()) != 0 {
		t.Errorf("%v", revisits(p))
	}
	// What comes again, whole or in part, changes nothing.
	want := proto.Clone(p)
	if again := known(t, m, l.events...); !proto.Equal(want, again) {
		t.Errorf("%v, want %v", again, want)
	}
}

// TestAgain: in whatever pieces events come, and come again, the same is known.
func TestAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &told{}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "lesson")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				l.lesson("lesson.updated", id, typev1.LessonState(rapid.IntRange(1, 3).Draw(t, "state")), date(12, rapid.Int32Range(1, 31).Draw(t, "day")))
			case 1:
				l.tell("lesson.deleted", "lessons/"+id, &eventsv1.Event{})
			case 2:
				l.debrief("debrief.rescheduled", date(12, rapid.Int32Range(1, 31).Draw(t, "due")))
			}
		}
		whole := known(t, memory{}, l.events...)
		pieces := memory{}
		for done := 0; done < len(l.events); {
			from := rapid.IntRange(0, done).Draw(t, "from")
			done = rapid.IntRange(done+1, len(l.events)).Draw(t, "to")
			known(t, pieces, l.events[from:done]...)
		}
		if got := pieces[ada+"/knownPerson"]; !proto.Equal(whole, got) {
			t.Fatalf("%v, want %v", got, whole)
		}
	})
}

// TestBounded: of too many things, those that are due first are kept.
func TestBounded(t *testing.T) {
	l := &told{}
	for i := range maxRevisits + 10 {
		l.lesson("lesson.captured", fmt.Sprintf("l%05d", i), typev1.LessonState_LESSON_STATE_CAPTURED, localdate.FromDays(30_000-i))
	}
	p := known(t, memory{}, l.events...)
	if n := len(p.GetRevisits()); n != maxRevisits {
		t.Fatalf("%d are kept", n)
	}
	for i := range 10 {
		if name := fmt.Sprintf("lessons/l%05d", i); p.GetRevisits()[name] != nil {
			t.Errorf("%s is kept, which is due last", name)
		}
	}
}
