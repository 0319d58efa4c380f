package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"buf.build/go/protovalidate"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// Options say how to serve.
type Options struct {
	Limits    Limits
	Verifier  Verifier
	Validator protovalidate.Validator
	Logger    *slog.Logger
	Meter     metric.Meter
	NewID     ids.Source
	// TLS is nil for plain text.
	TLS *tls.Config
	// Tracing puts a span around each call.
	Tracing bool
	// Check says whether the service can serve; health follows it.
	Check func(ctx context.Context) error
	// Authority knows the grants that let readers in and keeps what they read;
	// needed where some rule lets them in.
	Authority access.Authority
	// Clock dates what they read.
	Clock clock.Clock

	rules *auth.Rules
	log   *access.Log
}

// Service is a gRPC service with what implements it.
type Service struct {
	Desc *grpc.ServiceDesc
	Impl any
}

// Server serves services. Health starts as NOT_SERVING and follows Check.
type Server struct {
	grpc     *grpc.Server
	health   *health.Server
	options  Options
	draining chan struct{}
}

// healthEvery is how often Check is asked.
const healthEvery = 2 * time.Second

// NewServer makes a server. Every method of the services must have a rule.
func NewServer(o Options, services ...Service) (*Server, error) {
	if err := o.Limits.Check(); err != nil {
		return nil, err
	}
	descriptors, err := describe(services)
	if err != nil {
		return nil, err
	}
	if o.rules, err = auth.LoadRules(descriptors...); err != nil {
		return nil, err
	}
	if o.Authority != nil {
		o.log = access.NewLog(o.Authority)
	} else if o.rules.Grantable() {
		return nil, errors.New("rpc: grants let readers in, and nobody knows the grants")
	}
	m, err := newMetrics(o.Meter)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, health: health.NewServer(), draining: make(chan struct{})}
	all, err := layers(o, m, s.draining)
	if err != nil {
		return nil, err
	}
	ch := &chain{layers: all, rules: o.rules}
	s.grpc = grpc.NewServer(serverOptions(o, ch)...)
	for _, svc := range services {
		s.grpc.RegisterService(svc.Desc, svc.Impl)
	}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	reflection.Register(s.grpc)
	return s, nil
}

func describe(services []Service) ([]protoreflect.ServiceDescriptor, error) {
	out := make([]protoreflect.ServiceDescriptor, len(services))
	for i, svc := range services {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(svc.Desc.ServiceName))
		if err != nil {
			return nil, fmt.Errorf("rpc: %s: %w", svc.Desc.ServiceName, err)
		}
		sd, ok := d.(protoreflect.ServiceDescriptor)
		if !ok {
			return nil, fmt.Errorf("rpc: %s is no service", svc.Desc.ServiceName)
		}
		out[i] = sd
	}
	return out, nil
}

func serverOptions(o Options, ch *chain) []grpc.ServerOption {
	l := o.Limits
	opts := []grpc.ServerOption{
		grpc.UnaryInterceptor(ch.unary),
		grpc.StreamInterceptor(ch.stream),
		grpc.MaxRecvMsgSize(l.MaxMessageBytes),
		grpc.MaxSendMsgSize(l.MaxMessageBytes),
		grpc.MaxHeaderListSize(uint32(l.MaxHeaderBytes)),
		grpc.MaxConcurrentStreams(uint32(l.MaxStreamsPerConnection)),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: l.ConnectionAge, MaxConnectionAgeGrace: l.ConnectionGrace,
			Time: l.KeepaliveEvery, Timeout: l.KeepaliveTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: l.KeepaliveMinimum, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
	if o.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	if o.Tracing {
		opts = append(opts, grpc.StatsHandler(otelgrpc.NewServerHandler()))
	}
	return opts
}

// Serve serves until ctx ends, then lets calls finish: streams are told to come
// back elsewhere, unary calls have the drain timeout.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(lis) }()
	ticker := time.NewTicker(healthEvery)
	defer ticker.Stop()
	for {
		s.updateHealth(ctx)
		select {
		case <-ticker.C:
		case err := <-served:
			return err
		case <-ctx.Done():
			s.stop()
			if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				return err
			}
			return nil
		}
	}
}

func (s *Server) updateHealth(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, healthEvery)
	defer cancel()
	state := healthpb.HealthCheckResponse_SERVING
	if err := s.options.Check(ctx); err != nil {
		state = healthpb.HealthCheckResponse_NOT_SERVING
		s.options.Logger.WarnContext(ctx, "not serving", "cause", err.Error())
	}
	s.health.SetServingStatus("", state)
}

func (s *Server) stop() {
	s.health.Shutdown()
	close(s.draining)
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	timer := time.NewTimer(s.options.Limits.DrainTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.grpc.Stop()
		<-done
	}
}
