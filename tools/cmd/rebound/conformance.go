package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/conformance"
)

// conformanceCommand checks the guarantees of the insight stream.
type conformanceCommand struct {
	api.Target
	Tenant        string        `required:"" help:"The tenant."`
	Person        string        `default:"conformance" help:"A person of its own, by id: the run writes setbacks that it recovers from, and lets pipelines read."`
	PipelineToken string        `help:"Token of the role pipeline, to read the tenant's stream with. Default: as for the person."`
	Insights      int           `default:"40" help:"How many insights to bring about, 10 to 10000."`
	Seed          uint64        `default:"1" help:"What the places follow from at which connections are cut off."`
	Patience      time.Duration `default:"45s" help:"How long to wait for what should come, heartbeats included."`
}

// errBroken is a run that found a guarantee broken.
var errBroken = errors.New("a guarantee is broken")

// Run checks and prints the report.
func (c *conformanceCommand) Run(ctx context.Context) (err error) {
	if c.Insights < conformance.MinInsights || c.Insights > 10_000 || c.Patience <= 0 {
		return fmt.Errorf("--insights must be %d to 10000, --patience positive", conformance.MinInsights)
	}
	client, err := api.New(c.Target)
	if err != nil {
		return err
	}
	conn, err := dialEdge(c.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	system, err := conformance.NewRemote(client, conn, c.Tenant, c.Person, c.PipelineToken)
	if err != nil {
		return err
	}
	results, err := conformance.Suite{
		System: system, Run: conformance.RunID(time.Now()), Insights: c.Insights, Seed: c.Seed, Patience: c.Patience,
	}.Execute(ctx)
	if err != nil {
		return err
	}
	kept, err := conformance.Print(os.Stdout, results)
	if err == nil && !kept {
		err = errBroken
	}
	return err
}

// dialEdge gives a connection to the gRPC side of a REST address.
func dialEdge(address string) (*grpc.ClientConn, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("--url %q is no address", address)
	}
	o, port := rpc.DialOptions{Limits: rpc.DefaultLimits()}, "80"
	if u.Scheme == "https" {
		o.TLS, port = &tls.Config{MinVersion: tls.VersionTLS12}, "443"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return rpc.Dial(net.JoinHostPort(u.Hostname(), port), o)
}
