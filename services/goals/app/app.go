// Package app wires the goals service, for goalsd and for `rebound up`.
package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/domain"
	"github.com/rebound-hq/rebound/services/goals/internal/follow"
	"github.com/rebound-hq/rebound/services/goals/internal/stream"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/service"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Sources say where to read what must be known of people: how they count days,
// what is to be looked at again, what they share, and who was erased.
type Sources struct {
	Journal   string `default:"127.0.0.1:9001" help:"Address of the journal service (gRPC)."`
	TokenFile string `type:"path" help:"File with the service token to read events with, renewed by the platform."`
}

// Definition is the goals service. Tokens, when not nil, stands in for the token
// file.
func Definition(sources Sources, tokens auth.TokenSource) service.Definition {
	return service.Definition{
		Name:          "goals",
		SchemaVersion: domain.SchemaVersion,
		Declare: func(deps *resource.Deps) (service.App, error) {
			if tokens == nil {
				if sources.TokenFile == "" {
					return nil, errors.New("source-token-file is required: the journal is read with a service token")
				}
				tokens = auth.FileSource(sources.TokenFile)
			}
			return goals{domain.New(deps), sources, tokens}, nil
		},
	}
}

type goals struct {
	*domain.Domain
	sources Sources
	tokens  auth.TokenSource
}

// Kinds implements service.App.
func (g goals) Kinds() []store.Kind { return append(g.Domain.Kinds(), eventlog.CheckpointKind()) }

// Start implements service.App.
func (g goals) Start(_ context.Context, env *service.Env) ([]rpc.Service, []service.Task, error) {
	conn, err := env.Dial("journal", g.sources.Journal, g.tokens)
	if err != nil {
		return nil, nil, err
	}
	env.Authority = access.NewRemote(conn)
	journal := service.FollowJournal(env, "goals", conn, env.Eraser.Erase, follow.People(g.KeepPeople))
	fields, err := stream.NewFields()
	if err != nil {
		return nil, nil, err
	}
	reminders := &stream.Server{Hub: env.Hub, Bookmarks: env.Bookmarks, Heartbeat: env.Heartbeat, Fields: fields, Reminders: g.RemindersByName}
	services, err := resource.Services(
		resource.In(goalsv1.File_rebound_goals_v1_goal_proto, g.Goals.Methods(),
			resource.Unary("AchieveGoal", g.AchieveGoal),
			resource.Unary("DropGoal", g.DropGoal),
			resource.Unary("HoldGoal", g.HoldGoal),
			resource.Unary("ResumeGoal", g.ResumeGoal),
			resource.Unary("CheckInKeyResult", g.CheckInKeyResult),
			resource.Unary("MeetObstacle", g.MeetObstacle)),
		resource.In(goalsv1.File_rebound_goals_v1_milestone_proto, g.Milestones.Methods(),
			resource.Unary("ReachMilestone", g.ReachMilestone),
			resource.Unary("CelebrateMilestone", g.CelebrateMilestone)),
		resource.In(goalsv1.File_rebound_goals_v1_step_proto, g.Steps.Methods(),
			resource.Unary("CompleteStep", g.CompleteStep),
			resource.Unary("UndoStep", g.UndoStep),
			resource.Unary("SkipStep", g.SkipStep),
			resource.Unary("PauseSteps", g.PauseSteps),
			resource.Unary("ResumeSteps", g.ResumeSteps),
			resource.Unary("SplitStep", g.SplitStep)),
		resource.In(goalsv1.File_rebound_goals_v1_roadmap_proto, g.Roadmaps.Methods(),
			resource.Unary("LinkRoadmap", g.LinkRoadmap),
			resource.Unary("UnlinkRoadmap", g.UnlinkRoadmap),
			resource.Unary("ReplanGoal", g.ReplanGoal)),
		resource.In(goalsv1.File_rebound_goals_v1_next_proto, nil,
			resource.Unary("GetNext", g.GetNext)),
		resource.In(goalsv1.File_rebound_goals_v1_celebration_proto, g.Celebrations.Methods(),
			resource.Unary("CelebrateCelebration", g.CelebrateCelebration)),
		resource.In(goalsv1.File_rebound_goals_v1_reminder_rule_proto, g.ReminderRules.Methods(),
			resource.Unary("CreateReminderRule", g.CreateReminderRule),
			resource.Unary("UpdateReminderRule", g.UpdateReminderRule)),
		resource.In(goalsv1.File_rebound_goals_v1_reminder_proto, g.Reminders.Methods(),
			resource.Unary("AckReminder", g.AckReminder),
			resource.Unary("SnoozeReminder", g.SnoozeReminder),
			resource.ServerStream("StreamReminders", reminders.StreamReminders)),
		resource.In(goalsv1.File_rebound_goals_v1_value_proto, g.Values.Methods()),
		resource.In(goalsv1.File_rebound_goals_v1_avenue_proto, g.Avenues.Methods(),
			resource.Unary("BatchCreateAvenues", g.BatchCreateAvenues),
			resource.Unary("CompareAvenues", g.CompareAvenues),
			resource.Unary("ChooseAvenue", g.ChooseAvenue),
			resource.Unary("RejectAvenue", g.RejectAvenue),
			resource.Unary("ReopenAvenue", g.ReopenAvenue)),
	)
	return services, []service.Task{journal, g.remind(env.Telemetry.Logger)}, err
}

const (
	// tickEach is how often it is looked for reminders whose time has come.
	tickEach = time.Second
	// retryEach is how soon after a failure.
	retryEach = 15 * time.Second
)

// remind gives the task that lets reminders come. Every instance runs it: they do
// not wait for each other, and what one does the others find done.
func (g goals) remind(log *slog.Logger) service.Task {
	return func(ctx context.Context) error {
		for {
			pause := tickEach
			more, err := g.Tick(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				pause = retryEach
				log.WarnContext(ctx, "some reminders have not come; they are tried again", "cause", err.Error())
			case more:
				pause = 0
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			}
		}
	}
}
