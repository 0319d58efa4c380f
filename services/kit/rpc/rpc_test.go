package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wants checks code and reason, and that the details are whole.
func wants(t testing.TB, err error, code codes.Code, reason string) *status.Status {
	t.Helper()
	st := status.Convert(err)
	var got, request string
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			got = d.GetReason()
			if d.GetDomain() != fault.Domain {
				t.Errorf("domain %q", d.GetDomain())
			}
		case *errdetails.RequestInfo:
			request = d.GetRequestId()
		}
	}
	if st.Code() != code || got != reason || request == "" {
		t.Errorf("want %s %s with a request id, got %s %q %q: %v", code, reason, st.Code(), got, request, err)
	}
	return st
}

func TestOrderOfLayers(t *testing.T) {
	m, err := newMetrics(noop.Meter{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := layers(Options{Limits: DefaultLimits()}, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range all {
		got = append(got, l.Name)
	}
	want := []string{"metrics", "request-id", "log", "error-map", "recover", "deadline", "authenticate", "access", "authorise", "rate-limit", "validate"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
}

// TestChain: layers run in their order, all around steps before any message step.
func TestChain(t *testing.T) {
	var trace []string
	layer := func(name string) Layer {
		return Layer{
			Name: name,
			Around: func(ctx context.Context, _ *Call, next func(context.Context) error) error {
				trace = append(trace, name+"{")
				defer func() { trace = append(trace, "}"+name) }()
				return next(ctx)
			},
			Message: func(context.Context, *Call, proto.Message) error {
				trace = append(trace, name+"?")
				return nil
			},
		}
	}
	ch := &chain{layers: []Layer{layer("a"), {Name: "none"}, layer("b")}, rules: &auth.Rules{}}
	want := "a{ b{ a? b? handler }b }a"
	handler := func(context.Context, any) (any, error) {
		trace = append(trace, "handler")
		return &journalv1.Setback{}, nil
	}
	if _, err := ch.unary(t.Context(), &journalv1.Setback{}, &grpc.UnaryServerInfo{}, handler); err != nil || strings.Join(trace, " ") != want {
		t.Errorf("unary: %v, %v", trace, err)
	}
	trace = nil
	err := ch.stream(nil, oneMessage{ctx: t.Context()}, &grpc.StreamServerInfo{}, func(_ any, s grpc.ServerStream) error {
		if err := s.RecvMsg(&journalv1.Setback{}); err != nil {
			return err
		}
		trace = append(trace, "handler")
		return nil
	})
	if err != nil || strings.Join(trace, " ") != want {
		t.Errorf("stream: %v, %v", trace, err)
	}
}

type oneMessage struct {
	grpc.ServerStream
	ctx context.Context
}

func (s oneMessage) Context() context.Context { return s.ctx }
func (oneMessage) RecvMsg(any) error          { return nil }

func TestAuthenticationAndRules(t *testing.T) {
	r := newRig(t, nil)
	ctx := t.Context()
	for name, row := range map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"no token":        {r.get(ctx, mine), codes.Unauthenticated, "TOKEN_MISSING"},
		"bad token":       {r.get(as(ctx, "x"), mine), codes.Unauthenticated, "TOKEN_SIGNATURE"},
		"other person":    {r.get(as(ctx, "ada"), "tenants/acme/people/grace/setbacks/a"), codes.PermissionDenied, "ACCESS_DENIED"},
		"other tenant":    {r.get(as(ctx, "ada"), "tenants/other/people/ada/setbacks/a"), codes.PermissionDenied, "ACCESS_DENIED"},
		"role":            {r.get(as(ctx, "service"), mine), codes.PermissionDenied, "ROLE_REQUIRED"},
		"stream no token": {r.open(ctx, &eventsv1.StreamEventsRequest{}), codes.Unauthenticated, "TOKEN_MISSING"},
		"stream role":     {r.open(as(ctx, "ada"), &eventsv1.StreamEventsRequest{}), codes.PermissionDenied, "ROLE_REQUIRED"},
		"stream invalid":  {r.open(as(ctx, "service"), &eventsv1.StreamEventsRequest{Start: strings.Repeat("x", 65)}), codes.InvalidArgument, "STRING_MAX_LEN"},
		"before validity": {r.get(as(ctx, "service"), ""), codes.PermissionDenied, "ROLE_REQUIRED"},
	} {
		t.Run(name, func(t *testing.T) { wants(t, row.err, row.code, row.reason) })
	}
	if err := r.get(as(ctx, "ada"), mine); err != nil {
		t.Error(err)
	}
	_, err := journalv1.NewSetbackServiceClient(r.conn).CreateSetback(as(ctx, "ada"), &journalv1.CreateSetbackRequest{Parent: "tenants/acme/people/ada"})
	wants(t, err, codes.InvalidArgument, "REQUIRED")
}

func TestErrors(t *testing.T) {
	r := newRig(t, nil)
	for _, row := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{store.ErrNotFound, codes.NotFound, "NOT_FOUND"},
		{fmt.Errorf("%w: %w", privacy.ErrErased, store.ErrNotFound), codes.NotFound, "NOT_FOUND"},
		{store.ErrExists, codes.AlreadyExists, "ALREADY_EXISTS"},
		{store.ErrConflict, codes.Aborted, "ETAG_MISMATCH"},
		{store.ErrTooLarge, codes.InvalidArgument, "RESOURCE_TOO_LARGE"},
		{fmt.Errorf("deep: %w", store.ErrUnavailable), codes.Unavailable, "UNAVAILABLE"},
		{store.ErrClosed, codes.Unavailable, "UNAVAILABLE"},
		{context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED"},
		{context.Canceled, codes.Canceled, "CANCELLED"},
		{fault.Precondition("HAS_CHILDREN", "x"), codes.FailedPrecondition, "HAS_CHILDREN"},
		{fmt.Errorf("wrapped: %w", fault.Invalid("f", "BAD", "x")), codes.InvalidArgument, "BAD"},
		{status.Error(codes.OutOfRange, "x"), codes.OutOfRange, "OUT_OF_RANGE"},
		{errors.New("a secret cause"), codes.Internal, "INTERNAL"},
	} {
		r.setbacks.get = func(context.Context, *journalv1.GetSetbackRequest) (*journalv1.Setback, error) { return nil, row.err }
		st := wants(t, r.get(as(t.Context(), "ada"), mine), row.code, row.reason)
		if strings.Contains(st.Message(), "secret") {
			t.Error("a cause was told to the caller")
		}
	}
	if !strings.Contains(r.logs.String(), "a secret cause") {
		t.Error("a cause is not in the log")
	}
}

func TestPanicsAreCaught(t *testing.T) {
	r := newRig(t, nil)
	r.setbacks.get = func(context.Context, *journalv1.GetSetbackRequest) (*journalv1.Setback, error) {
		panic("a person's words")
	}
	r.events.stream = func(*eventsv1.StreamEventsRequest, grpc.ServerStreamingServer[eventsv1.StreamEventsResponse]) error {
		panic("a person's words")
	}
	wants(t, r.get(as(t.Context(), "ada"), mine), codes.Internal, "INTERNAL")
	wants(t, r.open(as(t.Context(), "service"), &eventsv1.StreamEventsRequest{}), codes.Internal, "INTERNAL")
	if logs := r.logs.String(); strings.Contains(logs, "a person's words") || strings.Count(logs, "rpc_test.go") < 2 {
		t.Error("the log lacks the stack, or holds the panic's value")
	}
}

func TestRequestID(t *testing.T) {
	r := newRig(t, nil)
	for given, want := range map[string]string{"mine-1": "mine-1", "not ok": "00000000-0000-0000-", strings.Repeat("x", 65): "00000000-0000-0000-"} {
		var header metadata.MD
		if err := r.get(metadata.AppendToOutgoingContext(as(t.Context(), "ada"), "x-request-id", given), mine, grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
		if got := header.Get("x-request-id"); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q: got %v", given, got)
		}
	}
}

// TestStopEndsStreams: a stream is told to come back, at once.
func TestStopEndsStreams(t *testing.T) {
	r := newRig(t, nil)
	begun := make(chan struct{})
	r.events.stream = func(_ *eventsv1.StreamEventsRequest, s grpc.ServerStreamingServer[eventsv1.StreamEventsResponse]) error {
		close(begun)
		<-s.Context().Done()
		return s.Context().Err()
	}
	ended := make(chan error, 1)
	go func() { ended <- r.open(as(context.Background(), "service"), &eventsv1.StreamEventsRequest{}) }()
	<-begun
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	wants(t, <-ended, codes.Unavailable, "SHUTTING_DOWN")
}

func TestStreamLifetime(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.StreamLifetime = 10 * time.Millisecond })
	r.events.stream = func(_ *eventsv1.StreamEventsRequest, s grpc.ServerStreamingServer[eventsv1.StreamEventsResponse]) error {
		<-s.Context().Done()
		return s.Context().Err()
	}
	wants(t, r.open(as(t.Context(), "service"), &eventsv1.StreamEventsRequest{}), codes.Unavailable, "STREAM_LIFETIME")
}

func TestHealth(t *testing.T) {
	r := newRig(t, nil)
	watch, err := healthpb.NewHealthClient(r.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for {
			res, err := watch.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if res.GetStatus() == want {
				return
			}
		}
	}
	until(healthpb.HealthCheckResponse_SERVING)
	r.healthy.Store(false)
	until(healthpb.HealthCheckResponse_NOT_SERVING)
}

func BenchmarkUnary(b *testing.B) {
	r := newRig(b, func(o *Options) {
		o.Limits.ReadsPerSecond = 1 << 30
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	})
	b.Run("health", func(b *testing.B) {
		for b.Loop() {
			if _, err := healthpb.NewHealthClient(r.conn).Check(b.Context(), &healthpb.HealthCheckRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		ctx := as(b.Context(), "ada")
		for b.Loop() {
			if err := r.get(ctx, mine); err != nil {
				b.Fatal(err)
			}
		}
	})
}
