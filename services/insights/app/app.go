// Package app wires the insights service, for insightsd and for `rebound up`.
package app

import (
	"context"
	"errors"
	"time"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/cohort"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/insights/internal/export"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/kind"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/insights/internal/share"
	"github.com/rebound-hq/rebound/services/insights/internal/stream"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/service"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// schemaVersion grows when stored documents change in a way that older releases
// cannot read.
const schemaVersion = 3

// Sources say where events come from.
type Sources struct {
	Journal   string `default:"127.0.0.1:9001" help:"Address of the journal service (gRPC)."`
	Goals     string `default:"127.0.0.1:9002" help:"Address of the goals service (gRPC)."`
	TokenFile string `type:"path" help:"File with the service token to read events with, renewed by the platform."`
}

// Retention says how long the insight stream is kept.
type Retention struct {
	Days    int  `default:"30" help:"How many days the insight stream is kept, 1 to 36500. Readers that come back later start with a snapshot."`
	Forever bool `help:"Keep the insight stream for ever, whatever retention-days says."`
}

// age is how old events of the log get; 0: it is not trimmed.
func (r Retention) age() (time.Duration, error) {
	switch {
	case r.Forever:
		return 0, nil
	case r.Days < 1 || r.Days > 36500:
		return 0, errors.New("retention-days must be 1 to 36500; retention-forever keeps all")
	}
	return time.Duration(r.Days) * 24 * time.Hour, nil
}

// Definition is the insights service. Tokens, when not nil, stands in for the
// token file. Rebuild is the label under which projections are to be rebuilt; empty, or
// one that was used before: they are when they have to be.
func Definition(sources Sources, retention Retention, tokens auth.TokenSource, rebuild string) service.Definition {
	return service.Definition{
		Name:          "insights",
		SchemaVersion: schemaVersion,
		Declare: func(deps *resource.Deps) (service.App, error) {
			if tokens == nil {
				if sources.TokenFile == "" {
					return nil, errors.New("source-token-file is required: events are read with a service token")
				}
				tokens = auth.FileSource(sources.TokenFile)
			}
			age, err := retention.age()
			if err != nil {
				return nil, err
			}
			fields, err := filter.New((&insightsv1.Insight{}).ProtoReflect().Descriptor(), stream.Filterable...)
			if err != nil {
				return nil, err
			}
			insights, err := resource.New(deps, resource.Type[*insightsv1.Insight]{
				ReadOnly: true, Filter: stream.Filterable, Order: []string{"time"},
			})
			if err != nil {
				return nil, err
			}
			cohorts, err := cohort.New(deps)
			if err != nil {
				return nil, err
			}
			schemas, err := kind.NewSchemas()
			return &app{
				sources: sources, age: age, tokens: tokens, rebuild: rebuild, insights: insights, cohorts: cohorts,
				fields: fields, schemas: schemas, deps: deps,
			}, err
		},
	}
}

type app struct {
	sources     Sources
	age         time.Duration
	tokens      auth.TokenSource
	rebuild     string
	insights    *resource.Resource[*insightsv1.Insight]
	cohorts     *cohort.Cohorts
	fields      *filter.Fields
	schemas     *kind.Schemas
	deps        *resource.Deps
	generations *consume.Generations
}

// Kinds implements service.App.
func (a *app) Kinds() []store.Kind {
	return append(append(consume.Kinds(), stream.Kind(a.insights.Kind())), a.cohorts.Kinds()...)
}

// Start implements service.App.
func (a *app) Start(ctx context.Context, env *service.Env) ([]rpc.Service, []service.Task, error) {
	journal, err := env.Dial("journal", a.sources.Journal, a.tokens)
	if err != nil {
		return nil, nil, err
	}
	env.Authority = access.NewRemote(journal)
	consumer := consume.New(env.Store, env.Clock, env.Telemetry.Logger)
	if err := consumer.Generations.Begin(ctx, projection.Version, a.rebuild); err != nil {
		return nil, nil, err
	}
	a.generations = consumer.Generations
	people := stream.NewPeople(a.generations)
	env.Screen = people.Screen
	streams := &stream.Server{
		Hub: env.Hub, Bookmarks: env.Bookmarks, Heartbeat: env.Heartbeat, Docs: env.Store, People: people,
		Names: env.Keys.Pseudonym, Fields: a.fields, Authority: env.Authority, Clock: env.Clock, Partitions: env.Store.Partitions(),
	}
	exports := export.NewServer(streams, a.cohorts.Reports.Fetch, env.Clock)
	table := facts.NewTable(env.Store, env.Clock, facts.DefaultTableBytes)
	table.Scope = func(tenant string) string { return a.generations.Current().Name(tenant) }
	a.cohorts.People, a.cohorts.Names = table, env.Keys.Pseudonym
	services, err := resource.Services(append(a.cohorts.Groups(),
		resource.In(insightsv1.File_rebound_insights_v1_insight_service_proto, a.insights.Methods(),
			resource.ServerStream("StreamInsights", streams.StreamInsights)),
		resource.In(insightsv1.File_rebound_insights_v1_export_proto, nil,
			resource.ServerStream("ExportInsights", exports.ExportInsights), resource.ServerStream("ExportCohortReport", exports.ExportCohortReport)),
		resource.In(insightsv1.File_rebound_insights_v1_insight_schema_proto, nil,
			resource.Unary("ListInsightSchemas", a.schemas.List), resource.Unary("GetInsightSchema", a.schemas.Get)),
		resource.In(insightsv1.File_rebound_insights_v1_summary_proto, nil, resource.Unary("GetSummary", a.getSummary)),
		resource.In(insightsv1.File_rebound_insights_v1_chart_proto, nil,
			resource.Unary("GetChart", a.getChart), resource.Unary("GetCohortChart", a.getCohortChart)),
		resource.In(insightsv1.File_rebound_insights_v1_digest_proto, nil,
			resource.Unary("GetDigest", a.getDigest), resource.Unary("GetDigestPage", a.getDigestPage)),
	)...)
	if err != nil {
		return nil, nil, err
	}
	erasures := service.FollowJournal(env, "insights", journal, func(ctx context.Context, owner string) (int64, error) {
		return consumer.Erase(ctx, owner, env.Eraser.Erase)
	}, erasure.Also{})
	tasks := []service.Task{erasures}
	if a.age > 0 {
		tasks = append(tasks, eventlog.Retention{Log: env.Store, Age: a.age, Clock: env.Clock, Logger: env.Telemetry.Logger}.Run)
	}
	readers, err := a.readers(env, consumer)
	if err != nil {
		return nil, nil, err
	}
	known := func(ctx context.Context) error {
		if err := a.cohorts.Warm(ctx); err != nil && ctx.Err() == nil {
			env.Telemetry.Logger.WarnContext(ctx, "cohort reports could not be made ready; the first ones take longer", "cause", err.Error())
		}
		return table.Run(ctx, env.Telemetry.Logger)
	}
	return services, append(tasks, readers.Run, a.generations.Run, known), nil
}

// readers gives what reads the sources, in shares with other processes.
func (a *app) readers(env *service.Env, consumer *consume.Consumer) (*share.Group, error) {
	var sources []consume.Source
	for name, target := range map[string]string{consume.Journal: a.sources.Journal, consume.Goals: a.sources.Goals} {
		conn, err := env.Dial(name, target, a.tokens)
		if err != nil {
			return nil, err
		}
		client := eventlog.NewClient(eventsv1.NewEventServiceClient(conn), env.Telemetry.Logger.With("source", name))
		sources = append(sources, consume.Source{Name: name, Client: client})
	}
	return &share.Group{
		Work: consume.Work, Shares: consume.Shares, Docs: env.Store, Clock: env.Clock, NewID: a.deps.NewID, Log: env.Telemetry.Logger,
		Do: func(ctx context.Context, share int) error { return consumer.Share(ctx, share, sources) },
	}, nil
}

// getSummary tells how a person is doing.
func (a *app) getSummary(ctx context.Context, req *insightsv1.GetSummaryRequest) (*insightsv1.Summary, error) {
	owner := resource.Owner(req.GetName())
	if req.GetName() != owner+"/summary" {
		return nil, fault.Invalid("name", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}/summary")
	}
	if err := shows(ctx, req.GetName()); err != nil {
		return nil, err
	}
	now := a.deps.Clock()
	asOf := now
	if t := req.GetAsOf(); t != nil {
		asOf = clock.Truncate(t.AsTime())
		switch {
		case !t.IsValid() || asOf.After(now.Add(time.Minute)):
			return nil, fault.Invalid("as_of", "TIME_IN_FUTURE", "must be an instant that does not lie in the future")
		case asOf.Before(now.Add(-projection.MaxBack)):
			return nil, fault.Invalid("as_of", "TIME_TOO_EARLY", "must be at most 366 days ago")
		}
	}
	p, err := a.projectionOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	return projection.Summary(p, req.GetName(), asOf), nil
}
