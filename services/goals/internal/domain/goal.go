package domain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

func (d *Domain) goals() resource.Type[*goalsv1.Goal] {
	return resource.Type[*goalsv1.Goal]{
		Filter:   []string{"state", "target_date", "achieve_time", "origins", "horizon", "parent_goal", "score"},
		Order:    []string{"create_time", "target_date"},
		Children: []string{"steps", "milestones"},
		Along:    []string{"roadmap"},
		Derive:   d.deriveProgress,
		Decide:   d.decideGoal,
	}
}

func (d *Domain) decideGoal(ctx context.Context, c resource.Change[*goalsv1.Goal]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("created", nil), d.settleEdges(ctx, c)
	}
	if c.Created() {
		c.New.State = typev1.GoalState_GOAL_STATE_ACTIVE
	}
	if err := d.checkOrigins(ctx, c); err != nil {
		return nil, err
	}
	if err := localdate.CheckWhole("goal.target_date", c.New.GetTargetDate()); err != nil {
		return nil, err
	}
	if err := d.settleKeyResults(c); err != nil {
		return nil, err
	}
	if err := d.settleObstacles(c); err != nil {
		return nil, err
	}
	// Last, since it writes: what is refused for another reason leaves nothing behind.
	if err := d.placeGoal(ctx, c); err != nil {
		return nil, err
	}
	return c.Event("created", &eventsv1.Event{Data: &eventsv1.Event_Goal{Goal: goalFacts(c.New)}}), nil
}

// goalFacts is what an event says about a goal.
func goalFacts(g *goalsv1.Goal) *eventsv1.GoalFacts {
	facts := &eventsv1.GoalFacts{
		Origins: g.GetOrigins(), State: g.GetState(), TargetDate: g.GetTargetDate(), Horizon: g.GetHorizon(), ParentGoal: g.GetParentGoal(),
		KeyResults: int32(len(g.GetKeyResults())), Score: g.Score, Confidence: meanConfidence(g.GetKeyResults()),
		Obstacles: int32(len(g.GetObstacles())), ImaginedCauses: int32(len(g.GetPreMortem())),
	}
	for _, o := range g.GetObstacles() {
		facts.TimesMet += o.GetTimesMet()
		facts.TimesFollowed += o.GetTimesFollowed()
	}
	return facts
}

// checkOrigins checks where a goal grew out of. What lies in the journal is not asked
// for: a goal outlives it.
func (d *Domain) checkOrigins(ctx context.Context, c resource.Change[*goalsv1.Goal]) error {
	known := slices.Clone(c.Old.GetOrigins())
	for i, origin := range c.New.GetOrigins() {
		if err := checkOrigin(fmt.Sprintf("goal.origins[%d]", i), c.Owner, origin); err != nil {
			return err
		}
		if !strings.Contains(origin, "/avenues/") {
			known = append(known, origin)
		}
	}
	_, err := d.Avenues.CheckReferences(ctx, "goal.origins", c.Owner, c.New.GetOrigins(), known)
	return err
}

// origins are the collections that a goal may grow out of.
var origins = []string{"setbacks", "lessons", "avenues", "visualizations"}

// checkOrigin checks the shape of an origin's name and whose it is.
func checkOrigin(field, owner, name string) error {
	segments := strings.Split(name, "/")
	if len(segments) != 6 || !slices.Contains(origins, segments[4]) || segments[5] == "" {
		return fault.Invalid(field, "NAME_INVALID", "must name a setback, lesson, avenue or visualization, as tenants/{tenant}/people/{person}/lessons/{lesson}")
	}
	if resource.Owner(name) != owner {
		return fault.Invalid(field, "REFERENCE_FOREIGN", "must name a resource of the same person")
	}
	return nil
}

// deriveProgress tells how far goals have come. For several goals it reads all of
// the person's milestones and steps at once.
func (d *Domain) deriveProgress(ctx context.Context, goals []*goalsv1.Goal) error {
	parent := goals[0].GetName()
	if len(goals) > 1 {
		parent = resource.Owner(parent) + "/goals/-"
	}
	milestones, err := d.Milestones.All(ctx, parent)
	if err != nil {
		return err
	}
	steps, err := d.Steps.All(ctx, parent)
	if err != nil {
		return err
	}
	tallies := map[string]*tally{}
	for _, m := range milestones {
		tallyOf(tallies, m.GetName()).count(milestoneWeight(m), m.GetState() != ahead)
	}
	for _, s := range steps {
		tallyOf(tallies, s.GetName()).count(stepWeight(s), s.GetState() == done)
	}
	for _, g := range goals {
		g.Progress = tallyOf(tallies, g.GetName()).progress(g)
	}
	return nil
}

// goalOf is the goal in the name of a milestone or step.
func goalOf(name string) string {
	segments := strings.Split(name, "/")
	return strings.Join(segments[:min(6, len(segments))], "/")
}

// move changes a goal's state, when the state it is in allows it.
func (d *Domain) move(ctx context.Context, verb, name, etag string, to typev1.GoalState, from []typev1.GoalState, also func(*goalsv1.Goal, time.Time)) (*goalsv1.Goal, error) {
	return d.Goals.Mutate(ctx, verb, name, etag, func(g *goalsv1.Goal, now time.Time) error {
		if g.State == to {
			return nil
		}
		for _, f := range from {
			if g.State == f {
				g.State = to
				also(g, now)
				return nil
			}
		}
		return fault.Precondition("GOAL_STATE", "a goal that is %s cannot be %s", strings.TrimPrefix(g.State.String(), "GOAL_STATE_"), verb)
	})
}

const (
	active   = typev1.GoalState_GOAL_STATE_ACTIVE
	achieved = typev1.GoalState_GOAL_STATE_ACHIEVED
	onHold   = typev1.GoalState_GOAL_STATE_ON_HOLD
	dropped  = typev1.GoalState_GOAL_STATE_DROPPED
)

// AchieveGoal says that a goal was achieved.
func (d *Domain) AchieveGoal(ctx context.Context, req *goalsv1.AchieveGoalRequest) (*goalsv1.Goal, error) {
	return d.move(ctx, "achieved", req.GetName(), req.GetEtag(), achieved, []typev1.GoalState{active, onHold},
		func(g *goalsv1.Goal, now time.Time) { g.AchieveTime = timestamppb.New(now) })
}

// DropGoal lets a goal go.
func (d *Domain) DropGoal(ctx context.Context, req *goalsv1.DropGoalRequest) (*goalsv1.Goal, error) {
	return d.move(ctx, "dropped", req.GetName(), req.GetEtag(), dropped, []typev1.GoalState{active, onHold},
		func(g *goalsv1.Goal, now time.Time) { g.DropReason, g.DropTime = req.GetReason(), timestamppb.New(now) })
}

// HoldGoal lets a goal rest, then its repeating steps. What was cut short is
// finished by the same call again.
func (d *Domain) HoldGoal(ctx context.Context, req *goalsv1.HoldGoalRequest) (*goalsv1.Goal, error) {
	g, err := d.move(ctx, "held", req.GetName(), req.GetEtag(), onHold, []typev1.GoalState{active},
		func(*goalsv1.Goal, time.Time) {})
	if err == nil {
		_, err = d.PauseSteps(ctx, &goalsv1.PauseStepsRequest{Parent: req.GetName()})
	}
	return g, err
}

// ResumeGoal takes a goal up again, then its repeating steps.
func (d *Domain) ResumeGoal(ctx context.Context, req *goalsv1.ResumeGoalRequest) (*goalsv1.Goal, error) {
	g, err := d.move(ctx, "resumed", req.GetName(), req.GetEtag(), active, []typev1.GoalState{onHold, dropped},
		func(g *goalsv1.Goal, _ time.Time) { g.DropReason, g.DropTime = "", nil })
	if err == nil {
		_, err = d.ResumeSteps(ctx, &goalsv1.ResumeStepsRequest{Parent: req.GetName()})
	}
	return g, err
}
