package calendar

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/journal/internal/domain"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// defaultSlot is how long a slot is that has no duration.
const defaultSlot = time.Hour

// fromJournal reads what the journal itself has: one range of an index for each
// kind of entry, and the setbacks that these belong to at once.
func (s *Service) fromJournal(ctx context.Context, owner string, w window) ([]entry, error) {
	debriefs := owner + "/setbacks/-"
	begin, end := w.instants()
	slots, err := s.domain.Debriefs.Latest(ctx, debriefs, "scheduled_time", begin.UnixMilli(), end.UnixMilli(), maxEach)
	if err != nil {
		return nil, err
	}
	first, last := store.Value(localdate.Text(w.from)), store.Value(localdate.Text(w.until))
	revisits, err := s.domain.Debriefs.Latest(ctx, debriefs, domain.OpenRevisit, first, nil, maxEach)
	if err != nil {
		return nil, err
	}
	lessons, err := s.domain.Lessons.Latest(ctx, owner, "review_on", first, last, maxEach)
	if err != nil {
		return nil, err
	}
	setbacks, err := s.setbacksOf(ctx, slices.Concat(slots, revisits), lessons)
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, b := range slots {
		out = append(out, slotOf(b, setbacks[setbackOf(b)].GetTitle()))
	}
	for _, b := range revisits {
		if setback := setbacks[setbackOf(b)]; !setback.GetMuted() {
			out = append(out, revisitsOf(b, setback.GetTitle(), w)...)
		}
	}
	for _, l := range lessons {
		if !setbacks[l.GetSetback()].GetMuted() {
			out = append(out, dated(lessonReview, l, l.GetName(), l.GetStatement()).on(l.GetReviewOn()))
		}
	}
	return out, nil
}

// setbacksOf reads the setbacks that debriefs and lessons belong to, each once.
func (s *Service) setbacksOf(ctx context.Context, debriefs []*journalv1.Debrief, lessons []*journalv1.Lesson) (map[string]*journalv1.Setback, error) {
	seen := map[string]bool{"": true}
	var names []string
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, b := range debriefs {
		add(setbackOf(b))
	}
	for _, l := range lessons {
		add(l.GetSetback())
	}
	return s.domain.Setbacks.Batch(ctx, names)
}

// setbackOf is the name of a debrief's setback.
func setbackOf(b *journalv1.Debrief) string {
	name, _, _ := strings.Cut(b.GetName(), "/debriefs/")
	return name
}

// slotOf is the slot of a debrief. It stays when the debrief is done: the time was
// spent.
func slotOf(b *journalv1.Debrief, title string) entry {
	e := dated(debriefSlot, b, b.GetName(), title)
	e.start, e.length = b.GetScheduledTime().AsTime(), defaultSlot
	if b.GetDuration() != nil {
		e.length = b.GetDuration().AsDuration()
	}
	return e
}

// revisitsOf are the revisits of a debrief that are not done.
func revisitsOf(b *journalv1.Debrief, title string, w window) []entry {
	var out []entry
	for _, r := range b.GetRevisits() {
		if r.GetRevisitTime() == nil && w.has(r.GetDueOn()) {
			id := b.GetName() + "/revisits/" + localdate.Text(r.GetDueOn())
			out = append(out, dated(debriefRevisit, b, id, title).on(r.GetDueOn()))
		}
	}
	return out
}

// document is what entries are made of.
type document interface {
	GetCreateTime() *timestamppb.Timestamp
	GetUpdateTime() *timestamppb.Timestamp
}

// dated begins an entry with the times of its document.
func dated(k kind, of document, id, title string) entry {
	return entry{kind: k, id: id, title: title, created: of.GetCreateTime().AsTime(), updated: of.GetUpdateTime().AsTime()}
}
