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

// FollowErasures gives the task that obeys the erasures which the journal tells
// of: erase is what is to be done about one here.
func FollowErasures(env *Env, service string, journal grpc.ClientConnInterface, erase func(context.Context, string) (int64, error)) Task {
	log := env.Telemetry.Logger.With("source", "erasures")
	f := &erasure.Follower{
		Service: service, Erase: erase, Journal: journalv1.NewErasureServiceClient(journal),
		Checkpoints: eventlog.NewCheckpoints(env.Store, env.Clock), Log: log,
	}
	client := eventlog.NewClient(eventsv1.NewEventServiceClient(journal), log)
	return func(ctx context.Context) error { return f.Run(ctx, client) }
}
