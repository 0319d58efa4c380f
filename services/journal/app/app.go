// Package app wires the journal service, for journald and for `rebound up`.
package app

import (
	"context"
	"errors"
	"slices"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
	"github.com/rebound-hq/rebound/services/journal/internal/calendar"
	"github.com/rebound-hq/rebound/services/journal/internal/domain"
	"github.com/rebound-hq/rebound/services/journal/internal/erase"
	"github.com/rebound-hq/rebound/services/journal/internal/operation"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/service"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

// Sources say where the rest of a person's data lies.
type Sources struct {
	Goals     string `default:"127.0.0.1:9002" help:"Address of the goals service (gRPC)."`
	TokenFile string `type:"path" help:"File with the service token to call it with, renewed by the platform."`
}

// Definition is the journal service. Tokens, when not nil, stands in for the
// token file.
func Definition(sources Sources, tokens auth.TokenSource) service.Definition {
	return service.Definition{
		Name:          "journal",
		SchemaVersion: domain.SchemaVersion,
		Declare: func(deps *resource.Deps) (service.App, error) {
			if tokens == nil {
				if sources.TokenFile == "" {
					return nil, errors.New("source-token-file is required: goals are read with a service token")
				}
				tokens = auth.FileSource(sources.TokenFile)
			}
			d := domain.New(deps)
			return journal{d, erase.New(deps), calendar.New(deps, d), operation.New(deps), sources, tokens}, nil
		},
	}
}

type journal struct {
	*domain.Domain
	erase     *erase.Service
	calendar  *calendar.Service
	operation *operation.Service
	sources   Sources
	tokens    auth.TokenSource
}

// Kinds implements service.App.
func (j journal) Kinds() []store.Kind {
	return slices.Concat(j.Domain.Kinds(), j.erase.Kinds(), j.calendar.Kinds(), j.operation.Kinds())
}

// Start implements service.App.
func (j journal) Start(_ context.Context, env *service.Env) ([]rpc.Service, []service.Task, error) {
	j.erase.Begin(erase.Parts{
		Docs: env.Store, Eraser: env.Eraser, Keyring: env.Keyring, Withdraw: j.WithdrawAll, Log: env.Telemetry.Logger,
	})
	env.Authority = j.Authority()
	goals, err := env.Dial("goals", j.sources.Goals, j.tokens)
	if err != nil {
		return nil, nil, err
	}
	j.calendar.Begin(calendar.Parts{Goals: calendar.NewGoals(goals), Pseudonym: env.Keys.Pseudonym, Tenants: env.Config.Auth.Tenants})
	if err := j.operation.Begin(operation.Parts{
		Limits: operation.DefaultLimits(), Zone: j.Zone, Log: env.Telemetry.Logger,
		Sources: []transfer.Source{env.Records, transfer.Remote{Client: transferv1.NewTransferServiceClient(goals)}},
	}); err != nil {
		return nil, nil, err
	}
	services, err := resource.Services(
		resource.In(journalv1.File_rebound_journal_v1_setback_proto, j.Setbacks.Methods(),
			resource.Unary("CloseSetback", j.CloseSetback),
			resource.Unary("RecoverSetback", j.RecoverSetback),
			resource.Unary("ReopenSetback", j.ReopenSetback)),
		resource.In(journalv1.File_rebound_journal_v1_debrief_proto, j.Debriefs.Methods(),
			resource.Unary("CompleteDebrief", j.CompleteDebrief),
			resource.Unary("NextDebriefPrompt", j.NextDebriefPrompt),
			resource.Unary("RevisitDebrief", j.RevisitDebrief),
			resource.Unary("ScheduleDebriefRevisits", j.ScheduleDebriefRevisits)),
		resource.In(journalv1.File_rebound_journal_v1_debrief_question_proto, nil,
			resource.Unary("ListDebriefQuestions", j.ListDebriefQuestions)),
		resource.In(journalv1.File_rebound_journal_v1_lesson_proto, j.Lessons.Methods(),
			resource.Unary("PlanLesson", j.PlanLesson),
			resource.Unary("ApplyLesson", j.ApplyLesson)),
		resource.In(journalv1.File_rebound_journal_v1_check_in_proto, j.CheckIns.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_gratitude_proto, j.Gratitudes.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_profile_proto, j.Profiles.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_affiliation_proto, j.Affiliations.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_strength_proto, j.Strengths.Methods(),
			resource.Unary("MergeStrength", j.MergeStrength)),
		resource.In(journalv1.File_rebound_journal_v1_reframe_proto, j.Reframes.Methods(),
			resource.Unary("SuggestReframe", j.SuggestReframe)),
		resource.In(journalv1.File_rebound_journal_v1_reflection_proto, j.Reflections.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_visualization_proto, j.Visualizations.Methods(),
			resource.Unary("PracticeVisualization", j.PracticeVisualization)),
		resource.In(journalv1.File_rebound_journal_v1_connection_proto, j.Connections.Methods(),
			resource.Unary("GetSupportBalance", j.GetSupportBalance)),
		resource.In(journalv1.File_rebound_journal_v1_outreach_proto, j.Outreaches.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_story_proto, j.Stories.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_story_version_proto, j.StoryVersions.Methods(),
			resource.Unary("ReviewStoryVersion", j.ReviewStoryVersion),
			resource.Unary("PublishStoryVersion", j.PublishStoryVersion),
			resource.Unary("WithdrawStoryVersion", j.WithdrawStoryVersion)),
		resource.In(journalv1.File_rebound_journal_v1_library_story_proto, j.LibraryStories.Methods(),
			resource.Unary("MarkLibraryStoryHelpful", j.MarkLibraryStoryHelpful),
			resource.Unary("MarkLibraryStoryMeToo", j.MarkLibraryStoryMeToo)),
		resource.In(journalv1.File_rebound_journal_v1_on_this_day_proto, nil,
			resource.Unary("GetOnThisDay", j.GetOnThisDay)),
		resource.In(journalv1.File_rebound_journal_v1_grant_proto, j.Grants.Methods(),
			resource.Unary("RevokeGrant", j.RevokeGrant),
			resource.Unary("ListReceivedGrants", j.ListReceivedGrants),
			resource.Unary("ResolveGrants", j.ResolveGrants)),
		resource.In(journalv1.File_rebound_journal_v1_access_log_proto, j.AccessLog.Methods(),
			resource.Unary("RecordAccesses", j.RecordAccesses)),
		resource.In(journalv1.File_rebound_journal_v1_comment_proto, j.Comments.Methods()),
		resource.In(journalv1.File_rebound_journal_v1_calendar_proto, nil,
			resource.Unary("GetCalendar", j.calendar.GetCalendar),
			resource.Unary("GetLinkedCalendar", j.calendar.GetLinkedCalendar)),
		resource.In(journalv1.File_rebound_journal_v1_calendar_link_proto, j.calendar.Links.Methods(),
			resource.Unary("ReplaceCalendarLink", j.calendar.ReplaceCalendarLink),
			resource.Unary("RevokeCalendarLink", j.calendar.RevokeCalendarLink)),
		resource.In(journalv1.File_rebound_journal_v1_erasure_proto, nil,
			resource.Unary("ErasePerson", j.erase.ErasePerson),
			resource.Unary("GetErasure", j.erase.GetErasure),
			resource.Unary("AcknowledgeErasure", j.erase.AcknowledgeErasure)),
		resource.In(journalv1.File_rebound_journal_v1_operation_proto, nil,
			resource.Unary("ExportPerson", j.operation.ExportPerson),
			resource.Unary("ImportPerson", j.operation.ImportPerson),
			resource.ServerStream("DownloadOperation", j.operation.DownloadOperation),
			resource.Unary("GetOperation", j.operation.GetOperation),
			resource.Unary("ListOperations", j.operation.ListOperations),
			resource.Unary("CancelOperation", j.operation.CancelOperation),
			resource.Unary("DeleteOperation", j.operation.DeleteOperation)),
	)
	return services, []service.Task{j.erase.Run, j.operation.Run}, err
}
