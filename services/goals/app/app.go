// Package app wires the goals service, for goalsd and for `rebound up`.
package app

import (
	"context"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/domain"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/service"
)

// Definition is the goals service.
func Definition() service.Definition {
	return service.Definition{
		Name:          "goals",
		SchemaVersion: domain.SchemaVersion,
		Declare:       func(deps *resource.Deps) (service.App, error) { return goals{domain.New(deps)}, nil },
	}
}

type goals struct{ *domain.Domain }

// Start implements service.App.
func (g goals) Start(context.Context, *service.Env) ([]rpc.Service, []service.Task, error) {
	services, err := resource.Services(
		resource.In(goalsv1.File_rebound_goals_v1_goal_proto, g.Goals.Methods(),
			resource.Unary("AchieveGoal", g.AchieveGoal),
			resource.Unary("DropGoal", g.DropGoal),
			resource.Unary("HoldGoal", g.HoldGoal),
			resource.Unary("ResumeGoal", g.ResumeGoal)),
		resource.In(goalsv1.File_rebound_goals_v1_milestone_proto, g.Milestones.Methods(),
			resource.Unary("ReachMilestone", g.ReachMilestone),
			resource.Unary("CelebrateMilestone", g.CelebrateMilestone)),
		resource.In(goalsv1.File_rebound_goals_v1_step_proto, g.Steps.Methods(),
			resource.Unary("CompleteStep", g.CompleteStep),
			resource.Unary("UndoStep", g.UndoStep)),
	)
	return services, nil, err
}
