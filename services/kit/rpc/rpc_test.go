package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tokens knows callers by token.
type tokens map[string]*auth.Principal

func (v tokens) Verify(_ context.Context, token string) (*auth.Principal, error) {
	if p := v[token]; p != nil {
		return p, nil
	}
	return nil, fault.Unauthenticated("TOKEN_SIGNATURE", "unknown")
}

// setbacks answers as get and stream say.
type setbacks struct {
	journalv1.UnimplementedSetbackServiceServer
	get func(context.Context, *journalv1.GetSetbackRequest) (*journalv1.Setback, error)
}

func (s *setbacks) GetSetback(ctx context.Context, req *journalv1.GetSetbackRequest) (*journalv1.Setback, error) {
	return s.get(ctx, req)
}

func (s *setbacks) CreateSetback(context.Context, *journalv1.CreateSetbackRequest) (*journalv1.Setback, error) {
	return &journalv1.Setback{}, nil
}

// calendars have the public method.
type calendars struct {
	journalv1.UnimplementedCalendarServiceServer
}

func (*calendars) GetLinkedCalendar(context.Context, *journalv1.GetLinkedCalendarRequest) (*httpbody.HttpBody, error) {
	return &httpbody.HttpBody{}, nil
}

type events struct {
	eventsv1.UnimplementedEventServiceServer
	stream func(*eventsv1.StreamEventsRequest, grpc.ServerStreamingServer[eventsv1.StreamEventsResponse]) error
}

func (s *events) StreamEvents(req *eventsv1.StreamEventsRequest, out grpc.ServerStreamingServer[eventsv1.StreamEventsResponse]) error {
	return s.stream(req, out)
}

// rig is a server over a pipe.
type rig struct {
	setbacks *setbacks
	events   *events
	logs     *buffer
	journal  *authority
	healthy  atomic.Bool
	conn     *grpc.ClientConn
	stop     func() error
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{logs: &buffer{}, journal: &authority{}, events: &events{}, setbacks: &setbacks{get: func(context.Context, *journalv1.GetSetbackRequest) (*journalv1.Setback, error) {
		return &journalv1.Setback{Title: "t"}, nil
	}}}
	r.healthy.Store(true)
	o := Options{
		Limits: DefaultLimits(), Validator: validator, Logger: slog.New(slog.NewJSONHandler(r.logs, nil)), Meter: noop.Meter{}, NewID: ids.Sequence(),
		Verifier: tokens{
			"ada":     {Subject: "ada", Tenant: "acme", Person: "ada", Roles: []policyv1.Role{policyv1.Role_ROLE_PERSON}},
			"cara":    {Subject: "cara", Tenant: "acme", Person: "cara", Roles: []policyv1.Role{policyv1.Role_ROLE_COACH}},
			"service": {Subject: "insights", Roles: []policyv1.Role{policyv1.Role_ROLE_SERVICE}},
		},
		Authority: r.journal, Clock: clock.System,
		Check: func(context.Context) error {
			if r.healthy.Load() {
				return nil
			}
			return errors.New("down")
		},
	}
	if change != nil {
		change(&o)
	}
	server, err := NewServer(o, Service{&journalv1.SetbackService_ServiceDesc, r.setbacks}, Service{&eventsv1.EventService_ServiceDesc, r.events},
		Service{&journalv1.CalendarService_ServiceDesc, &calendars{}})
	if err != nil {
		t.Fatal(err)
	}
	lis := bufconn.Listen(1 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, lis) }()
	r.conn, err = grpc.NewClient("passthrough:pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := errors.Join(r.stop(), r.conn.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func as(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

const mine = "tenants/acme/people/ada/setbacks/a"

func (r *rig) get(ctx context.Context, name string, opts ...grpc.CallOption) error {
	_, err := journalv1.NewSetbackServiceClient(r.conn).GetSetback(ctx, &journalv1.GetSetbackRequest{Name: name}, opts...)
	return err
}

func (r *rig) open(ctx context.Context, req *eventsv1.StreamEventsRequest) error {
	stream, err := eventsv1.NewEventServiceClient(r.conn).StreamEvents(ctx, req)
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

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

func TestRateLimit(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.ReadsPerSecond = 1 })
	ctx := as(t.Context(), "ada")
	for range 2 { // the burst
		if err := r.get(ctx, mine); err != nil {
			t.Fatal(err)
		}
	}
	st := wants(t, r.get(ctx, mine), codes.ResourceExhausted, "RATE_LIMITED")
	found := false
	for _, d := range st.Details() {
		if retry, ok := d.(*errdetails.RetryInfo); ok && retry.GetRetryDelay().AsDuration() > 0 {
			found = true
		}
	}
	if !found {
		t.Error("no RetryInfo")
	}
}

// TestRatePerItem: a call that brings several items is charged for each, and one that
// brings more than a whole budget is let through when the budget is whole.
func TestRatePerItem(t *testing.T) {
	limits := DefaultLimits()
	limits.WritesPerSecond = 10 // bursts of 20
	limit, err := limitRate(limits)
	if err != nil {
		t.Fatal(err)
	}
	call := func(caller string, lines int) bool {
		t.Helper()
		c := &Call{Principal: &auth.Principal{Person: caller}, Rule: &policyv1.Rule{Rate: policyv1.Rate_RATE_WRITE, Items: "lines"}}
		err := limit(t.Context(), c, &goalsv1.BatchCreateAvenuesRequest{Lines: make([]string, lines)})
		if f, ok := fault.As(err); err != nil && (!ok || f.Reason != "RATE_LIMITED" || f.RetryAfter < 100*time.Millisecond) {
			t.Errorf("%v", err)
		}
		return err == nil
	}
	if !call("ada", 12) || call("ada", 12) || !call("ada", 6) || !call("ada", 0) {
		t.Error("lines are not charged one by one")
	}
	if !call("grace", 1000) || call("grace", 1000) {
		t.Error("a batch above the burst is not charged as a burst")
	}
}

func TestStreamsPerCaller(t *testing.T) {
	const n = 2
	r := newRig(t, func(o *Options) { o.Limits.MaxStreamsPerCaller = n })
	begun := make(chan struct{}, n)
	r.events.stream = func(_ *eventsv1.StreamEventsRequest, s grpc.ServerStreamingServer[eventsv1.StreamEventsResponse]) error {
		begun <- struct{}{}
		<-s.Context().Done()
		return s.Context().Err()
	}
	ctx, cancel := context.WithCancel(as(t.Context(), "service"))
	defer cancel()
	for range n {
		if _, err := eventsv1.NewEventServiceClient(r.conn).StreamEvents(ctx, &eventsv1.StreamEventsRequest{}); err != nil {
			t.Fatal(err)
		}
		<-begun
	}
	wants(t, r.open(ctx, &eventsv1.StreamEventsRequest{}), codes.ResourceExhausted, "TOO_MANY_STREAMS")
}

func TestMessageSize(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.MaxMessageBytes = 1000 })
	// A name of n bytes makes a message of n + 3.
	prefix := "tenants/acme/people/ada/setbacks/"
	for size, want := range map[int]codes.Code{1000: codes.OK, 1001: codes.ResourceExhausted} {
		name := prefix + strings.Repeat("a", size-3-len(prefix))
		if got := status.Code(r.get(as(t.Context(), "ada"), name)); got != want {
			t.Errorf("%d bytes: %s", size, got)
		}
	}
}

func TestDeadline(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.UnaryDeadline = 10 * time.Millisecond })
	r.setbacks.get = func(ctx context.Context, _ *journalv1.GetSetbackRequest) (*journalv1.Setback, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	wants(t, r.get(as(t.Context(), "ada"), mine), codes.DeadlineExceeded, "DEADLINE_EXCEEDED")
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

func TestLimitsAreChecked(t *testing.T) {
	l := DefaultLimits()
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	l.MaxStreamsPerCaller = 0
	if l.Check() == nil {
		t.Error("zero was taken for a limit")
	}
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
