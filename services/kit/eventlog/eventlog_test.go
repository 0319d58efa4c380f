package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
	"github.com/rebound-hq/rebound/services/kit/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// rig is a log with a hub and a server.
type rig struct {
	t         testing.TB
	store     *sqlite.Store
	hub       *eventlog.Hub
	bookmarks *eventlog.Bookmarks
	sealer    *token.Sealer
	n         int
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(t.TempDir(), "log.db"), Schema: storetest.Schema(), Partitions: 4, NewID: ids.Random})
	if err != nil {
		t.Fatal(err)
	}
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	key, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: s, hub: eventlog.NewHub(s), sealer: token.New(key)}
	r.bookmarks = eventlog.NewBookmarks(s, s.ID(), r.sealer)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// publish adds n events of random owners.
func (r *rig) publish(n int) {
	r.t.Helper()
	var writes []store.Write
	for range n {
		r.n++
		owner := fmt.Sprintf("tenants/t%d/people/p%d", r.n%2, r.n%5)
		name := fmt.Sprintf("%s/lessons/l%d", owner, r.n)
		kind := []string{"lesson.captured", "lesson.applied"}[r.n%2]
		writes = append(writes, store.Write{Op: store.Insert, Record: store.Record{
			Kind: "lessons", Name: name, Parent: owner, Owner: owner, CreateTime: start, UpdateTime: start, Body: storetest.Schema().Kinds[1].New(),
		}, Events: []*eventsv1.Event{{
			Id: fmt.Sprint(r.n), Source: "test", Type: kind, Subject: name, Owner: owner, Time: timestamppb.New(start.Add(time.Duration(r.n) * time.Second)),
		}}})
	}
	for _, res := range r.store.Commit(context.Background(), writes...) {
		if res.Err != nil {
			r.t.Fatal(res.Err)
		}
	}
}

// serve serves the event service and gives a client.
func (r *rig) serve(heartbeat time.Duration) eventsv1.EventServiceClient {
	r.t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	server := grpc.NewServer()
	eventsv1.RegisterEventServiceServer(server, eventlog.NewServer(r.hub, r.bookmarks, heartbeat))
	go func() { _ = server.Serve(lis) }()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	return eventsv1.NewEventServiceClient(conn)
}

// read reads a stream until stop says so.
func read(t testing.TB, c eventsv1.EventServiceClient, req *eventsv1.StreamEventsRequest, stop func(*eventsv1.StreamEventsResponse) bool) (events []*eventsv1.Event, responses []*eventsv1.StreamEventsResponse) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := c.StreamEvents(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	for {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		events, responses = append(events, res.GetEvents()...), append(responses, res)
		if stop(res) {
			return events, responses
		}
	}
}

func historyEnd(res *eventsv1.StreamEventsResponse) bool { return res.GetHistoryEnd() }

func idsOf(events []*eventsv1.Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.GetId()
	}
	return out
}

// TestGuarantees: ordered per owner, unique, all there, one history-end.
func TestGuarantees(t *testing.T) {
	r := newRig(t)
	c := r.serve(time.Minute)
	r.publish(300)
	n := 0
	var once sync.Once
	events, responses := read(t, c, &eventsv1.StreamEventsRequest{}, func(res *eventsv1.StreamEventsResponse) bool {
		n += len(res.GetEvents())
		if res.GetHistoryEnd() {
			once.Do(func() { r.publish(100) }) // live from here on
		}
		return n == 400
	})
	seen, last, ends := map[string]bool{}, map[string]int64{}, 0
	for _, e := range events {
		if seen[e.GetId()] {
			t.Errorf("event %s came twice", e.GetId())
		}
		seen[e.GetId()] = true
		if e.GetPosition() <= last[e.GetOwner()] {
			t.Errorf("%s: position %d after %d", e.GetOwner(), e.GetPosition(), last[e.GetOwner()])
		}
		last[e.GetOwner()] = e.GetPosition()
	}
	for _, res := range responses {
		if res.GetHistoryEnd() {
			ends++
		}
		if res.GetNextToken() == "" {
			t.Error("a response has no token")
		}
	}
	if len(seen) != 400 || ends != 1 {
		t.Errorf("%d events, %d ends of history", len(seen), ends)
	}
}

// TestAnyCutResumes: cut after any response and resumed, a stream gives what it
// would have given whole.
func TestAnyCutResumes(t *testing.T) {
	r := newRig(t)
	c := r.serve(time.Minute)
	r.publish(1500)
	whole, _ := read(t, c, &eventsv1.StreamEventsRequest{}, historyEnd)
	rapid.Check(t, func(rt *rapid.T) {
		var got []*eventsv1.Event
		token := ""
		for done := false; !done; {
			left := rapid.IntRange(1, 4).Draw(rt, "responses")
			events, responses := read(t, c, &eventsv1.StreamEventsRequest{ResumeToken: token}, func(res *eventsv1.StreamEventsResponse) bool {
				left--
				done = res.GetHistoryEnd()
				return done || left == 0
			})
			got = append(got, events...)
			token = responses[len(responses)-1].GetNextToken()
		}
		if !slices.Equal(idsOf(got), idsOf(whole)) {
			rt.Fatalf("%d events in pieces, %d whole", len(got), len(whole))
		}
	})
}

func TestFiltersAndStart(t *testing.T) {
	r := newRig(t)
	c := r.serve(time.Minute)
	r.publish(200)
	for name, row := range map[string]struct {
		req  *eventsv1.StreamEventsRequest
		want func(*eventsv1.Event) bool
	}{
		"type":   {&eventsv1.StreamEventsRequest{Types: []string{"lesson.applied"}}, func(e *eventsv1.Event) bool { return e.GetType() == "lesson.applied" }},
		"tenant": {&eventsv1.StreamEventsRequest{OwnerPrefix: "tenants/t1"}, func(e *eventsv1.Event) bool { return eventlog.Under(e.GetOwner(), "tenants/t1") }},
		"person": {&eventsv1.StreamEventsRequest{OwnerPrefix: "tenants/t1/people/p1"}, func(e *eventsv1.Event) bool { return e.GetOwner() == "tenants/t1/people/p1" }},
		"nobody": {&eventsv1.StreamEventsRequest{OwnerPrefix: "tenants/t"}, func(*eventsv1.Event) bool { return false }},
		"latest": {&eventsv1.StreamEventsRequest{Start: "LATEST"}, func(*eventsv1.Event) bool { return false }},
	} {
		all, _ := read(t, c, &eventsv1.StreamEventsRequest{}, historyEnd)
		want := 0
		for _, e := range all {
			if row.want(e) {
				want++
			}
		}
		got, _ := read(t, c, row.req, historyEnd)
		for _, e := range got {
			if !row.want(e) {
				t.Errorf("%s: %s of %s is not wanted", name, e.GetType(), e.GetOwner())
			}
		}
		if len(got) != want {
			t.Errorf("%s: %d events, want %d", name, len(got), want)
		}
	}
	at := start.Add(150 * time.Second)
	late, _ := read(t, c, &eventsv1.StreamEventsRequest{Start: at.Format(time.RFC3339)}, historyEnd)
	seen := map[string]bool{}
	for _, e := range late {
		seen[e.GetId()] = true
	}
	for i := 150; i <= 200; i++ {
		if !seen[fmt.Sprint(i)] {
			t.Errorf("event %d is not earlier than the start, and did not come", i)
		}
	}
}

// TestHeartbeats: a stream that nothing matches moves its token on all the same.
func TestHeartbeats(t *testing.T) {
	r := newRig(t)
	c := r.serve(5 * time.Millisecond)
	beats := 0
	_, responses := read(t, c, &eventsv1.StreamEventsRequest{Types: []string{"nothing"}}, func(_ *eventsv1.StreamEventsResponse) bool {
		if beats++; beats == 2 {
			r.publish(50)
		}
		return beats == 30
	})
	token := responses[len(responses)-1].GetNextToken()
	events, _ := read(t, c, &eventsv1.StreamEventsRequest{Types: []string{"nothing"}, ResumeToken: token}, historyEnd)
	if len(events) != 0 {
		t.Fatalf("%d events", len(events))
	}
	if moved, err := sumOfPositions(r, token); err != nil || moved == 0 {
		t.Fatalf("the token did not move: %v", err)
	}
}

func TestTokens(t *testing.T) {
	r := newRig(t)
	r.publish(10)
	scope := eventlog.NewScope("a", "b")
	token, err := r.bookmarks.Token(scope, []int64{1, 1, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	ahead, err := r.bookmarks.Token(scope, []int64{1, 1, 1, 1000})
	if err != nil {
		t.Fatal(err)
	}
	other := eventlog.NewBookmarks(r.store, "another store", r.sealer)
	for name, row := range map[string]struct {
		b             *eventlog.Bookmarks
		scope         eventlog.Scope
		start, resume string
		want          string
	}{
		"good":          {r.bookmarks, scope, "", token, ""},
		"garbage":       {r.bookmarks, scope, "", "garbage", "RESUME_TOKEN_INVALID"},
		"altered":       {r.bookmarks, scope, "", token[:len(token)-3] + "AAA", "RESUME_TOKEN_INVALID"},
		"other scope":   {r.bookmarks, eventlog.NewScope("ab", ""), "", token, "RESUME_TOKEN_FOREIGN"},
		"other store":   {other, scope, "", token, "RESUME_TOKEN_FOREIGN"},
		"ahead":         {r.bookmarks, scope, "", ahead, "RESUME_TOKEN_AHEAD"},
		"start":         {r.bookmarks, scope, "yesterday", "", "START_INVALID"},
		"start by time": {r.bookmarks, scope, "2026-11-23T08:00:00.5Z", "", ""},
	} {
		_, err := row.b.Start(t.Context(), row.scope, row.start, row.resume)
		got := ""
		if f, ok := fault.As(err); ok {
			got = f.Reason
		}
		if got != row.want {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, row.want)
		}
	}
}

// TestClientComesBack: the client goes on through failures, misses nothing and
// handles nothing twice.
func TestClientComesBack(t *testing.T) {
	r := newRig(t)
	r.publish(3000)
	broken := &breaking{EventServiceClient: r.serve(time.Minute)}
	client := eventlog.NewClient(broken, slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	seen := map[string]int{}
	err := client.Run(ctx, "", func(_ context.Context, res *eventsv1.StreamEventsResponse) error {
		for _, e := range res.GetEvents() {
			seen[e.GetId()]++
		}
		if len(seen) == 3000 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s was handled %d times", id, n)
		}
	}
	if broken.opened < 3 {
		t.Errorf("the stream broke only %d times", broken.opened-1)
	}
	failed := errors.New("handler failed")
	if err := client.Run(t.Context(), "", func(context.Context, *eventsv1.StreamEventsResponse) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("the handler's failure: %v", err)
	}
	if err := client.Run(t.Context(), "garbage", func(context.Context, *eventsv1.StreamEventsResponse) error { return nil }); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a bad token: %v", err)
	}
}

// breaking breaks each stream after two responses.
type breaking struct {
	eventsv1.EventServiceClient
	opened int
}

func (b *breaking) StreamEvents(ctx context.Context, req *eventsv1.StreamEventsRequest, opts ...grpc.CallOption) (grpc.ServerStreamingClient[eventsv1.StreamEventsResponse], error) {
	b.opened++
	stream, err := b.EventServiceClient.StreamEvents(ctx, req, opts...)
	return &brokenStream{ServerStreamingClient: stream, left: 2}, err
}

type brokenStream struct {
	grpc.ServerStreamingClient[eventsv1.StreamEventsResponse]
	left int
}

func (b *brokenStream) Recv() (*eventsv1.StreamEventsResponse, error) {
	if b.left--; b.left < 0 {
		return nil, errors.New("the network broke")
	}
	return b.ServerStreamingClient.Recv()
}

// TestSlowFollower: one that does not read holds nobody else up.
func TestSlowFollower(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	q := eventlog.Query{Positions: make([]int64, 4), Heartbeat: time.Minute}
	wg.Go(func() {
		_ = r.hub.Follow(ctx, q, func(eventlog.Batch) error { <-ctx.Done(); return ctx.Err() })
	})
	got := make(chan int, 10_000)
	wg.Go(func() {
		_ = r.hub.Follow(ctx, q, func(b eventlog.Batch) error { got <- len(b.Events); return nil })
	})
	const n = 5000 // more than the ring keeps
	for range n / 500 {
		r.publish(500)
	}
	timeout := time.After(10 * time.Second)
	for total := 0; total < n; {
		select {
		case k := <-got:
			total += k
		case <-timeout:
			t.Fatalf("only %d of %d events came past the slow one", total, n)
		}
	}
}

func FuzzStart(f *testing.F) {
	r := newRig(f)
	f.Add("EARLIEST", "")
	f.Add("", "AQ")
	f.Fuzz(func(t *testing.T, start, resume string) {
		if _, err := r.bookmarks.Start(context.Background(), nil, start, resume); err != nil {
			if _, ok := fault.As(err); !ok {
				t.Fatal(err)
			}
		}
	})
}

// BenchmarkReplay reads a log through gRPC, decoding included.
func BenchmarkReplay(b *testing.B) {
	r := newRig(b)
	for range 100 {
		r.publish(1000)
	}
	c := r.serve(time.Minute)
	for b.Loop() {
		if events, _ := read(b, c, &eventsv1.StreamEventsRequest{}, historyEnd); len(events) != 100_000 {
			b.Fatal(len(events))
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
