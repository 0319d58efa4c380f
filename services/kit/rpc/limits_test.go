package rpc

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

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
