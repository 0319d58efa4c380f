package rpc

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"buf.build/go/protovalidate"
	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

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
