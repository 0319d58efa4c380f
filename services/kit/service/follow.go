package service

import (
	"context"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/rpc"
)

// FollowJournal gives the task that follows the journal: erase is what is to be
// done here about an erasure, also what else this service wants to know.
func FollowJournal(env *Env, service, journal string, tokens auth.TokenSource, erase func(context.Context, string) (int64, error), also erasure.Also) (Task, error) {
	tls, err := env.Config.TLS.Client()
	if err != nil {
		return nil, err
	}
	conn, err := rpc.Dial(journal, rpc.DialOptions{Limits: env.Limits, TLS: tls, Tokens: tokens, Tracing: env.Telemetry.Tracing})
	if err != nil {
		return nil, err
	}
	env.Stack.PushClose("journal connection", conn.Close)
	log := env.Telemetry.Logger.With("source", "journal")
	f := &erasure.Follower{
		Service: service, Erase: erase, Journal: journalv1.NewErasureServiceClient(conn),
		Checkpoints: eventlog.NewCheckpoints(env.Store, env.Clock), Log: log, Also: also,
	}
	client := eventlog.NewClient(eventsv1.NewEventServiceClient(conn), log)
	return func(ctx context.Context) error { return f.Run(ctx, client) }, nil
}
