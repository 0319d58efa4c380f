package rpc

import (
	"crypto/tls"
	"fmt"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/rebound-hq/rebound/services/kit/auth"
)

// DialOptions say how to call another service.
type DialOptions struct {
	Limits Limits
	// TLS is nil for plain text.
	TLS *tls.Config
	// Tokens, when set, gives the token to send with each call.
	Tokens auth.TokenSource
	// Tracing puts a span around each call.
	Tracing bool
}

// Dial gives a connection to a service; it connects when it is used. Calls are
// spread over all addresses that a DNS name has.
func Dial(target string, o DialOptions) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if o.TLS != nil {
		creds = credentials.NewTLS(o.TLS)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(o.Limits.MaxMessageBytes), grpc.MaxCallSendMsgSize(o.Limits.MaxMessageBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: max(o.Limits.KeepaliveEvery, o.Limits.KeepaliveMinimum), Timeout: o.Limits.KeepaliveTimeout,
		}),
	}
	if o.Tokens != nil {
		opts = append(opts, grpc.WithPerRPCCredentials(auth.PerRPC{Source: o.Tokens, RequireTLS: o.TLS != nil}))
	}
	if o.Tracing {
		opts = append(opts, grpc.WithStatsHandler(otelgrpc.NewClientHandler()))
	}
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		return nil, fmt.Errorf("rpc: %s: %w", target, err)
	}
	return conn, nil
}
