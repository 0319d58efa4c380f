// Package app wires the gateway, for gatewayd and for `rebound up`.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"

	"github.com/rebound-hq/rebound/gateway/edge"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/service"
	"github.com/rebound-hq/rebound/services/kit/telemetry"
)

// Config is the settings of the gateway.
type Config struct {
	Listen          string           `default:"127.0.0.1:8080" help:"Address to serve HTTP on, as host:port; port 0 picks a free one."`
	Journal         string           `default:"127.0.0.1:9001" help:"Address of the journal service (gRPC)."`
	Goals           string           `default:"127.0.0.1:9002" help:"Address of the goals service (gRPC)."`
	Insights        string           `default:"127.0.0.1:9003" help:"Address of the insights service (gRPC)."`
	AllowedOrigins  []string         `help:"Web origins that browsers may call from, such as https://portal.example. Default: none."`
	MaxBodyBytes    int64            `default:"2097152" help:"Size of a request body, in bytes."`
	MaxArchiveBytes int64            `default:"1073741824" help:"Size of an archive that is imported, in bytes; more than 1 GiB is refused by the journal."`
	TLS             service.TLS      `embed:"" prefix:"tls-"`
	Telemetry       telemetry.Config `embed:"" prefix:"telemetry-"`
}

// Running is a gateway that is ready to run.
type Running struct {
	edge  *edge.Edge
	lis   net.Listener
	log   *slog.Logger
	stack lifecycle.Stack
}

// Open builds the gateway up to where it could answer.
func Open(ctx context.Context, c Config, logs io.Writer) (_ *Running, err error) {
	r := &Running{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stack.Close())
		}
	}()
	t, err := telemetry.Start(ctx, c.Telemetry, "gateway", logs)
	if err != nil {
		return nil, err
	}
	r.stack.PushClose("telemetry", t.Close)
	r.log = t.Logger
	tlsConfig, err := c.TLS.Client()
	if err != nil {
		return nil, err
	}
	o := edge.Options{Limits: edge.DefaultLimits(), AllowedOrigins: c.AllowedOrigins, Logger: t.Logger, Meter: t.Meter, Metrics: t.Metrics, NewID: ids.Random}
	o.Limits.MaxBodyBytes, o.Limits.MaxArchiveBytes = c.MaxBodyBytes, c.MaxArchiveBytes
	dial := rpc.DialOptions{Limits: rpc.DefaultLimits(), TLS: tlsConfig, Tracing: t.Tracing}
	if o.Journal, err = rpc.Dial(c.Journal, dial); err != nil {
		return nil, err
	}
	r.stack.PushClose("journal connection", o.Journal.Close)
	if o.Goals, err = rpc.Dial(c.Goals, dial); err != nil {
		return nil, err
	}
	r.stack.PushClose("goals connection", o.Goals.Close)
	if o.Insights, err = rpc.Dial(c.Insights, dial); err != nil {
		return nil, err
	}
	r.stack.PushClose("insights connection", o.Insights.Close)
	if r.edge, err = edge.New(ctx, o); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	r.lis, err = lc.Listen(ctx, "tcp", c.Listen)
	return r, err
}

// Addr is where the gateway listens.
func (r *Running) Addr() string { return r.lis.Addr().String() }

// Run serves until ctx ends, then ends everything in order.
func (r *Running) Run(ctx context.Context) error {
	r.log.InfoContext(ctx, "serving", "address", r.Addr())
	return errors.Join(r.edge.Serve(ctx, r.lis), r.stack.Close())
}
