package service

import (
	"context"

	"google.golang.org/grpc"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/rpc"
)

// Dial gives a connection to another service, which is closed with this one.
func (e *Env) Dial(service, target string, tokens auth.TokenSource) (*grpc.ClientConn, error) {
	tls, err := e.Config.TLS.Client()
	if err != nil {
		return nil, err
	}
	conn, err := rpc.Dial(target, rpc.DialOptions{Limits: e.Limits, TLS: tls, Tokens: tokens, Tracing: e.Telemetry.Tracing})
	if err != nil {
		return nil, err
	}
	e.Stack.PushClose(service+" connection", conn.Close)
	return conn, nil
}

// FollowJournal gives the task that follows the journal: erase is what is to be
// done here about an erasure, also what else this service wants to know.
func FollowJournal(env *Env, service string, journal grpc.ClientConnInterface, erase func(context.Context, string) (int64, error), also erasure.Also) Task {
	log := env.Telemetry.Logger.With("source", "journal")
	f := &erasure.Follower{
		Service: service, Erase: erase, Journal: journalv1.NewErasureServiceClient(journal),
		Checkpoints: eventlog.NewCheckpoints(env.Store, env.Clock), Log: log, Also: also,
	}
	client := eventlog.NewClient(eventsv1.NewEventServiceClient(journal), log)
	return func(ctx context.Context) error { return f.Run(ctx, client) }
}
