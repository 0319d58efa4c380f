package domain

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	ahead      = typev1.MilestoneState_MILESTONE_STATE_AHEAD
	reached    = typev1.MilestoneState_MILESTONE_STATE_REACHED
	celebrated = typev1.MilestoneState_MILESTONE_STATE_CELEBRATED
)

func (d *Domain) milestones() resource.Type[*goalsv1.Milestone] {
	return resource.Type[*goalsv1.Milestone]{
		Filter:    []string{"state", "due_date", "order"},
		Order:     []string{"order", "due_date"},
		Ascending: true,
		Decide:    decideMilestone,
	}
}

func decideMilestone(_ context.Context, c resource.Change[*goalsv1.Milestone]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("created", nil), nil
	}
	if c.Created() {
		c.New.State = ahead
	}
	if err := localdate.CheckWhole("milestone.due_date", c.New.GetDueDate()); err != nil {
		return nil, err
	}
	return c.Event("created", &eventsv1.Event{Data: &eventsv1.Event_Milestone{Milestone: &eventsv1.MilestoneFacts{
		Goal: goalOf(c.Name), State: c.New.GetState(), DueDate: c.New.GetDueDate(), Rewarded: c.New.GetReward() != "",
	}}}), nil
}

// ReachMilestone says that a milestone was reached.
func (d *Domain) ReachMilestone(ctx context.Context, req *goalsv1.ReachMilestoneRequest) (*goalsv1.Milestone, error) {
	return d.Milestones.Mutate(ctx, "reached", req.GetName(), req.GetEtag(), func(m *goalsv1.Milestone, now time.Time) error {
		if m.State == ahead {
			m.State, m.ReachTime = reached, timestamppb.New(now)
		}
		return nil
	})
}

// CelebrateMilestone says how a reached milestone was celebrated. Celebrating
// again changes the words only.
func (d *Domain) CelebrateMilestone(ctx context.Context, req *goalsv1.CelebrateMilestoneRequest) (*goalsv1.Milestone, error) {
	return d.Milestones.Mutate(ctx, "celebrated", req.GetName(), req.GetEtag(), func(m *goalsv1.Milestone, now time.Time) error {
		if m.State == ahead {
			return fault.Precondition("MILESTONE_AHEAD", "a milestone is celebrated once it is reached")
		}
		if m.State == reached {
			m.State, m.CelebrateTime = celebrated, timestamppb.New(now)
		}
		m.Celebration = req.GetHow()
		return nil
	})
}
