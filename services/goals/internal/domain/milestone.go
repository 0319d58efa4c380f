package domain

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
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

// milestoneWeight is what a milestone counts for in its goal's progress.
func milestoneWeight(m *goalsv1.Milestone) int32 {
	if m.Weight == nil {
		return defaultWeight
	}
	return m.GetWeight()
}

// ReachMilestone says that a milestone was reached, and makes what is to be
// celebrated. Calling again finishes what was cut short.
func (d *Domain) ReachMilestone(ctx context.Context, req *goalsv1.ReachMilestoneRequest) (*goalsv1.Milestone, error) {
	m, err := d.Milestones.Mutate(ctx, "reached", req.GetName(), req.GetEtag(), func(m *goalsv1.Milestone, now time.Time) error {
		if m.State == ahead {
			m.State, m.ReachTime = reached, timestamppb.New(now)
		}
		return nil
	})
	if err != nil || m.GetState() == celebrated {
		return m, err
	}
	return m, d.earnMilestone(ctx, m)
}
