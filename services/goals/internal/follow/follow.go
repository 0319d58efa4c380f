// Package follow keeps what the goals service must know of people from what the
// journal says of them: how they count days, and what of theirs is to be looked
// at again.
package follow

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	datepb "google.golang.org/genproto/googleapis/type/date"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// reading names how far the journal was read. It is a new one whenever the types
// below, or what is made of their events, change: then all is read again.
const reading = "journal-1"

// types are the events that tell something which must be known.
var types = []string{
	"profile.updated",
	"lesson.captured", "lesson.updated", "lesson.planned", "lesson.applied", "lesson.deleted",
	"debrief.completed", "debrief.revisited", "debrief.rescheduled", "debrief.deleted",
}

// maxRevisits is how many lessons and debriefs are kept of one person.
const maxRevisits = 2000

// Name is the name of what is known of a person.
func Name(owner string) string { return owner + "/knownPerson" }

// Keep changes what is known of people, by name. Resource.Keep is one.
type Keep func(ctx context.Context, names []string, change func(name string, p *storagev1.KnownPerson)) error

// People is what to hand on of the journal, to be kept.
func People(keep Keep) erasure.Also {
	return erasure.Also{Reading: reading, Types: types, Apply: func(ctx context.Context, events []*eventsv1.Event) error {
		byName := map[string][]*eventsv1.Event{}
		for _, e := range events {
			byName[Name(e.GetOwner())] = append(byName[Name(e.GetOwner())], e)
		}
		return keep(ctx, slices.Sorted(maps.Keys(byName)), func(name string, p *storagev1.KnownPerson) {
			for _, e := range byName[name] {
				apply(p, e)
			}
		})
	}}
}

// apply takes one event in. An event says all of its subject, so that only its
// place in the order matters: one that comes again, late, changes nothing.
func apply(p *storagev1.KnownPerson, e *eventsv1.Event) {
	if e.GetPosition() <= p.GetPositions()[reading] {
		return
	}
	p.Positions = map[string]int64{reading: e.GetPosition()}
	if f := e.GetProfile(); f != nil {
		p.TimeZone, p.DayStartMinutes, p.Locale = f.GetTimeZone(), localdate.Minutes(f.GetDayStart()), f.GetLocale()
		return
	}
	revisit(p, strings.TrimPrefix(e.GetSubject(), e.GetOwner()+"/"), due(e))
}

// due is when the lesson or debrief of an event is to be looked at again. A lesson
// that was applied needs no more looking at, nor does what was deleted.
func due(e *eventsv1.Event) []int32 {
	dates := e.GetDebrief().GetRevisitsDue()
	if l := e.GetLesson(); l.GetReviewOn() != nil && l.GetState() != typev1.LessonState_LESSON_STATE_APPLIED {
		dates = []*datepb.Date{l.GetReviewOn()}
	}
	days := make([]int32, len(dates))
	for i, d := range dates {
		days[i] = int32(localdate.Days(d))
	}
	slices.Sort(days)
	return days
}

// revisit notes when something is to be looked at again; without days, that it is
// not. Of too many, the one that is due last goes.
func revisit(p *storagev1.KnownPerson, name string, days []int32) {
	delete(p.Revisits, name)
	if len(days) == 0 {
		return
	}
	if p.Revisits == nil {
		p.Revisits = map[string]*storagev1.Days{}
	}
	p.Revisits[name] = &storagev1.Days{Days: days}
	if len(p.Revisits) > maxRevisits {
		delete(p.Revisits, slices.MaxFunc(slices.Sorted(maps.Keys(p.Revisits)), func(a, b string) int {
			return cmp.Compare(p.Revisits[a].GetDays()[0], p.Revisits[b].GetDays()[0])
		}))
	}
}
