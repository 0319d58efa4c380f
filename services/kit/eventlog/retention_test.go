package eventlog_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// TestRetention: what is old goes, wherever a reader would start, and who comes with a
// place before that is told from where on there is something.
func TestRetention(t *testing.T) {
	r := newRig(t)
	r.publish(2500) // a second apart, a row per partition
	now := clock.NewManual(start.Add(2500 * time.Second))
	for range 5 {
		r.publish(10)
	}
	scope := eventlog.NewScope("test")
	early, err := r.bookmarks.Token(scope, make([]int64, r.store.Partitions()))
	if err != nil {
		t.Fatal(err)
	}
	trim := func(age time.Duration) {
		t.Helper()
		keep := eventlog.Retention{Log: r.store, Age: age, Clock: now.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
		if err := keep.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	trim(time.Hour)
	if _, err := r.bookmarks.Start(t.Context(), scope, "", early); err != nil {
		t.Fatalf("nothing is that old: %v", err)
	}
	trim(-time.Second)
	floors, err := r.store.Floors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone := func(from, token string, partitions ...int) string {
		t.Helper()
		_, err := r.bookmarks.Start(t.Context(), scope, from, token, partitions...)
		f, ok := fault.As(err)
		if !ok {
			return ""
		}
		if f.Code != codes.OutOfRange || f.Reason != "HISTORY_GONE" {
			t.Fatal(err)
		}
		return f.Metadata["earliest_token"]
	}
	earliest := gone("", early)
	if earliest == "" || gone(start.Format(time.RFC3339), "") == "" {
		t.Error("a place that is not kept is taken")
	}
	if gone("", earliest) != "" || gone(start.Add(2501*time.Second).Format(time.RFC3339), "") != "" || gone(eventlog.Earliest, "") != "" || gone(eventlog.Latest, "") != "" {
		t.Error("a place that is kept is refused")
	}
	for p, f := range floors {
		if (gone("", early, p) == "") != (f.Position == 0) {
			t.Errorf("in partition %d, whose floor is %v", p, f)
		}
	}
	// Who follows from the earliest place gets all that is kept.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := r.serve(time.Second).StreamEvents(ctx, &eventsv1.StreamEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if n += len(res.GetEvents()); res.GetHistoryEnd() {
			break
		}
	}
	if n != 50 {
		t.Errorf("%d events are kept, want 50", n)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := (eventlog.Retention{Log: r.store, Age: time.Hour, Clock: now.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}).Run(ended); err == nil {
		t.Error("it runs on")
	}
}
