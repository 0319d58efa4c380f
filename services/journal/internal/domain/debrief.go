package domain

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// maxSlot is the longest time one may set aside for a debrief.
const maxSlot = 24 * time.Hour

func (d *Domain) debriefs() resource.Type[*journalv1.Debrief] {
	return resource.Type[*journalv1.Debrief]{
		Filter: []string{"state", "scheduled_time", "complete_time"},
		Order:  []string{"create_time", "scheduled_time"},
		Keys:   []store.Key{{Name: OpenRevisit, Type: store.Text, Of: lastOpenRevisit}},
		Decide: d.decideDebrief,
	}
}

func (d *Domain) decideDebrief(_ context.Context, c resource.Change[*journalv1.Debrief]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("scheduled", nil), nil
	}
	if c.Created() {
		c.New.State = typev1.DebriefState_DEBRIEF_STATE_DRAFT
	}
	if slot := c.New.GetDuration(); slot != nil && (slot.AsDuration() <= 0 || slot.AsDuration() > maxSlot) {
		return nil, fault.Invalid("debrief.duration", "DURATION_OUT_OF_RANGE", "must be more than 0 s and at most 24 h")
	}
	if err := d.checkAnswers(c.New.GetAnswers()); err != nil {
		return nil, err
	}
	if err := checkChain(c.New.GetWhyChain()); err != nil {
		return nil, err
	}
	return c.Event("scheduled", &eventsv1.Event{Data: &eventsv1.Event_Debrief{Debrief: debriefFacts(c.Name, c.New)}}), nil
}

// checkAnswers holds answers against the question bank: known questions, each once.
func (d *Domain) checkAnswers(answers []*journalv1.Answer) error {
	seen := map[string]bool{}
	for i, a := range answers {
		field := indexed("debrief.answers", i, "question")
		if !d.knownQuestion(a.GetQuestion()) {
			return fault.Invalid(field, "QUESTION_UNKNOWN", "must be the id of a question of the question bank")
		}
		if seen[a.GetQuestion()] {
			return fault.Invalid(field, "QUESTION_REPEATED", "must not be answered twice")
		}
		seen[a.GetQuestion()] = true
	}
	return nil
}

func debriefFacts(name string, b *journalv1.Debrief) *eventsv1.DebriefFacts {
	f := &eventsv1.DebriefFacts{
		Setback: parentName(name),
		State:   b.GetState(),
		Moments: int32(len(b.GetMoments())),
	}
	for _, r := range b.GetRevisits() {
		if r.GetRevisitTime() != nil {
			f.Revisits = append(f.Revisits, &eventsv1.RevisitFacts{DueOn: r.GetDueOn(), Intensity: r.GetIntensity()})
			continue
		}
		f.RevisitsDue = append(f.RevisitsDue, r.GetDueOn())
	}
	for _, a := range b.GetAnswers() {
		f.Questions = append(f.Questions, a.GetQuestion())
	}
	return f
}

// CompleteDebrief completes a debrief and moves its setback on to DEBRIEFED.
// These are two documents, written one after the other: should the second write
// fail, the call fails, and calling again finishes it.
func (d *Domain) CompleteDebrief(ctx context.Context, req *journalv1.CompleteDebriefRequest) (*journalv1.Debrief, error) {
	cal, err := d.Calendar(ctx, resource.Owner(req.GetName()))
	if err != nil {
		return nil, err
	}
	done, err := d.Debriefs.Mutate(ctx, "completed", req.GetName(), req.GetEtag(), func(b *journalv1.Debrief, now time.Time) error {
		if b.State == typev1.DebriefState_DEBRIEF_STATE_COMPLETED {
			return nil
		}
		if len(b.Moments) == 0 && len(b.Answers) == 0 {
			return fault.Precondition("DEBRIEF_EMPTY", "a debrief needs at least one moment or answer before it is complete")
		}
		b.State = typev1.DebriefState_DEBRIEF_STATE_COMPLETED
		b.CompleteTime = timestamppb.New(now)
		b.Revisits = defaultRevisits(cal.Date(now))
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = d.Setbacks.Mutate(ctx, "debriefed", parentName(req.GetName()), "", func(s *journalv1.Setback, _ time.Time) error {
		if s.State == typev1.SetbackState_SETBACK_STATE_OPEN {
			s.State = typev1.SetbackState_SETBACK_STATE_DEBRIEFED
		}
		return nil
	})
	return done, err
}
