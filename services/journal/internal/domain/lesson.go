package domain

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

func (d *Domain) lessons() resource.Type[*journalv1.Lesson] {
	return resource.Type[*journalv1.Lesson]{
		Filter: []string{"state", "setback", "review_on", "apply_time"},
		Order:  []string{"create_time", "review_on"},
		Decide: d.decideLesson,
	}
}

func (d *Domain) decideLesson(ctx context.Context, c resource.Change[*journalv1.Lesson]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("captured", nil), nil
	}
	if c.Created() {
		c.New.State = typev1.LessonState_LESSON_STATE_CAPTURED
	}
	if c.Created() || c.Old.GetSetback() != c.New.GetSetback() {
		if err := d.Setbacks.CheckReference(ctx, "lesson.setback", c.Owner, c.New.GetSetback()); err != nil {
			return nil, err
		}
	}
	if err := localdate.CheckWhole("lesson.review_on", c.New.GetReviewOn()); err != nil {
		return nil, err
	}
	return c.Event("captured", &eventsv1.Event{Data: &eventsv1.Event_Lesson{Lesson: &eventsv1.LessonFacts{
		Setback: c.New.GetSetback(), State: c.New.GetState(), ReviewOn: c.New.GetReviewOn(), ApplyTime: c.New.GetApplyTime(),
	}}}), nil
}

// PlanLesson says that a goal grew out of a lesson. The goal lies in another
// service: its name is taken as it is.
func (d *Domain) PlanLesson(ctx context.Context, req *journalv1.PlanLessonRequest) (*journalv1.Lesson, error) {
	if err := personsGoal("goal", resource.Owner(req.GetName()), req.GetGoal()); err != nil {
		return nil, err
	}
	return d.Lessons.Mutate(ctx, "planned", req.GetName(), req.GetEtag(), func(l *journalv1.Lesson, _ time.Time) error {
		l.Goal = req.GetGoal()
		if l.State == typev1.LessonState_LESSON_STATE_CAPTURED {
			l.State = typev1.LessonState_LESSON_STATE_PLANNED
		}
		return nil
	})
}

// ApplyLesson says that it was done differently. The first time counts; later
// evidence replaces the words and leaves the time.
func (d *Domain) ApplyLesson(ctx context.Context, req *journalv1.ApplyLessonRequest) (*journalv1.Lesson, error) {
	return d.Lessons.Mutate(ctx, "applied", req.GetName(), req.GetEtag(), func(l *journalv1.Lesson, now time.Time) error {
		l.Evidence = req.GetEvidence()
		if l.State != typev1.LessonState_LESSON_STATE_APPLIED {
			l.State = typev1.LessonState_LESSON_STATE_APPLIED
			l.ApplyTime = timestamppb.New(now)
		}
		return nil
	})
}
