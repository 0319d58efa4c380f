package domain

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	due   = typev1.CelebrationState_CELEBRATION_STATE_DUE
	taken = typev1.CelebrationState_CELEBRATION_STATE_CELEBRATED
)

// celebrations are made when something is earned, under a name that follows from
// what for: earning it again makes no second one.
func (d *Domain) celebrations() resource.Type[*goalsv1.Celebration] {
	return resource.Type[*goalsv1.Celebration]{
		ReadOnly: true, TakenAlong: true,
		Filter: []string{"state", "subject", "earn_time", "celebrate_time"},
		Order:  []string{"earn_time", "celebrate_time"},
		Decide: decideCelebration,
	}
}

func decideCelebration(_ context.Context, c resource.Change[*goalsv1.Celebration]) ([]*eventsv1.Event, error) {
	return c.Event("earned", &eventsv1.Event{Data: &eventsv1.Event_Celebration{Celebration: &eventsv1.CelebrationFacts{
		Subject: c.New.GetSubject(), Completions: c.New.GetCompletions(), State: c.New.GetState(), Rewarded: c.New.GetReward() != "",
	}}}), nil
}

// celebrationOf is the name of the celebration of a milestone, or of a number of
// completions of a step. Its id is the same wherever the person takes it.
func celebrationOf(subject string, completions int32) string {
	owner := resource.Owner(subject)
	return owner + "/celebrations/" + ids.Derived(strings.TrimPrefix(subject, owner), strconv.Itoa(int(completions)))
}

// earn makes celebrations, by name. Those that are there stay as they are.
func (d *Domain) earn(ctx context.Context, earned map[string]*goalsv1.Celebration) error {
	return d.Celebrations.Keep(ctx, slices.Sorted(maps.Keys(earned)), func(name string, c *goalsv1.Celebration) {
		if c.State == 0 {
			proto.Merge(c, earned[name])
			c.State = due
		}
	})
}

// earnMilestone makes what is to be celebrated of a milestone that was reached.
func (d *Domain) earnMilestone(ctx context.Context, m *goalsv1.Milestone) error {
	return d.earn(ctx, map[string]*goalsv1.Celebration{
		celebrationOf(m.GetName(), 0): {Subject: m.GetName(), Reward: m.GetReward(), EarnTime: m.GetReachTime()},
	})
}

// checkRewards checks that no number of completions has two rewards.
func checkRewards(s *goalsv1.Step) error {
	seen := map[int32]bool{}
	for i, r := range s.GetRewards() {
		if seen[r.GetCompletions()] {
			return fault.Invalid(fmt.Sprintf("step.rewards[%d].completions", i), "REWARD_REPEATED", "must not be there twice")
		}
		seen[r.GetCompletions()] = true
	}
	return nil
}

// earnRewards makes what a step's completions have earned, and takes back what
// is due and no longer earned. What was celebrated stays.
func (d *Domain) earnRewards(ctx context.Context, s *goalsv1.Step) error {
	earned := map[string]*goalsv1.Celebration{}
	var unearned []string
	for _, r := range s.GetRewards() {
		name := celebrationOf(s.GetName(), r.GetCompletions())
		if int(r.GetCompletions()) > len(s.GetCompletions()) {
			unearned = append(unearned, name)
			continue
		}
		earned[name] = &goalsv1.Celebration{
			Subject: s.GetName(), Completions: r.GetCompletions(), Reward: r.GetReward(),
			EarnTime: s.GetCompletions()[r.GetCompletions()-1].GetCompleteTime(),
		}
	}
	if err := d.earn(ctx, earned); err != nil {
		return err
	}
	found, err := d.Celebrations.Batch(ctx, unearned)
	if err != nil {
		return err
	}
	for name, c := range found {
		if c.GetState() == due {
			if err := d.Celebrations.Drop(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// words are what a person says about a celebration. Both kinds of request have them.
type words interface {
	GetHow() string
	GetWithWhom() []string
}

// take says how something was celebrated. The first time counts as the time.
func (d *Domain) take(ctx context.Context, name, etag string, w words) (*goalsv1.Celebration, error) {
	return d.Celebrations.Mutate(ctx, "celebrated", name, etag, func(c *goalsv1.Celebration, now time.Time) error {
		if c.State == due {
			c.State, c.CelebrateTime = taken, timestamppb.New(now)
		}
		c.How, c.WithWhom = w.GetHow(), w.GetWithWhom()
		return nil
	})
}

// CelebrateMilestone says how a reached milestone was celebrated. Celebrating
// again changes the words only. These are two documents; calling again finishes
// what was cut short.
func (d *Domain) CelebrateMilestone(ctx context.Context, req *goalsv1.CelebrateMilestoneRequest) (*goalsv1.Milestone, error) {
	m, err := d.markCelebrated(ctx, req.GetName(), req.GetEtag(), req)
	if err != nil {
		return nil, err
	}
	if err := d.earnMilestone(ctx, m); err != nil {
		return nil, err
	}
	_, err = d.take(ctx, celebrationOf(m.GetName(), 0), "", req)
	return m, err
}

// markCelebrated writes into a milestone how it was celebrated.
func (d *Domain) markCelebrated(ctx context.Context, name, etag string, w words) (*goalsv1.Milestone, error) {
	return d.Milestones.Mutate(ctx, "celebrated", name, etag, func(m *goalsv1.Milestone, now time.Time) error {
		if m.State == ahead {
			return fault.Precondition("MILESTONE_AHEAD", "a milestone is celebrated once it is reached")
		}
		if m.State == reached {
			m.State, m.CelebrateTime = celebrated, timestamppb.New(now)
		}
		m.Celebration, m.WithWhom = w.GetHow(), w.GetWithWhom()
		return nil
	})
}

// CelebrateCelebration says how something earned was celebrated; of a milestone
// that is still there, it also says so there.
func (d *Domain) CelebrateCelebration(ctx context.Context, req *goalsv1.CelebrateCelebrationRequest) (*goalsv1.Celebration, error) {
	c, err := d.take(ctx, req.GetName(), req.GetEtag(), req)
	if err != nil || !isMilestone(c.GetSubject()) {
		return c, err
	}
	if _, err := d.markCelebrated(ctx, c.GetSubject(), "", req); err != nil && !isGone(err) {
		return nil, err
	}
	return c, nil
}
