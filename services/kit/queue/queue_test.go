package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/queue"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// worker is a process that works on a store.
type worker struct {
	*queue.Queue
	stop func()
}

func newWorker(t *testing.T, docs store.Documents, now clock.Clock, do func(context.Context, string) (time.Time, error)) *worker {
	t.Helper()
	w := &worker{Queue: &queue.Queue{Name: "test", Docs: docs, Clock: now, Do: do, Log: slog.New(slog.DiscardHandler)}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(w.stop)
	return w
}

// TestEachOnce: of several processes one does each job, and none is left.
func TestEachOnce(t *testing.T) {
	rig := resourcetest.New(t)
	docs := rig.Open(t, queue.Kind())
	const jobs = 40
	did := make(chan string, 2*jobs)
	do := func(_ context.Context, item string) (time.Time, error) { did <- item; return time.Time{}, nil }
	workers := []*worker{newWorker(t, docs, rig.Clock.Now, do), newWorker(t, docs, rig.Clock.Now, do)}
	for i := range jobs {
		if err := workers[i%2].Add(t.Context(), fmt.Sprint("job", i), rig.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range jobs {
		got = append(got, <-did)
	}
	for _, w := range workers {
		w.stop()
	}
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != jobs || len(did) != 0 {
		t.Errorf("%d jobs were done, %d of them twice", n, len(did))
	}
	page, err := docs.List(t.Context(), store.Query{Kind: "jobs", Index: "by_due", Prefix: []store.Value{"queues/test"}, Limit: 10})
	if err != nil || len(page.Records) != 0 {
		t.Errorf("%d jobs are left: %v", len(page.Records), err)
	}
}

// TestEnsure: a job that is under way is not begun again, by nobody; one that is not
// there is.
func TestEnsure(t *testing.T) {
	rig := resourcetest.New(t)
	docs := rig.Open(t, queue.Kind())
	began, let := make(chan string, 4), make(chan struct{})
	do := func(_ context.Context, item string) (time.Time, error) {
		began <- item
		<-let
		return time.Time{}, nil
	}
	workers := []*worker{newWorker(t, docs, rig.Clock.Now, do), newWorker(t, docs, rig.Clock.Now, do)}
	for _, item := range []string{"a", "a", "a", "b"} {
		if err := workers[0].Ensure(t.Context(), item); err != nil {
			t.Fatal(err)
		}
		if err := workers[1].Ensure(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	got := []string{<-began, <-began}
	close(let)
	for _, w := range workers {
		w.stop()
	}
	if slices.Sort(got); !slices.Equal(got, []string{"a", "b"}) || len(began) != 0 {
		t.Errorf("%v, and %d more", got, len(began))
	}
}

// TestTakenUpAgain: what was cut short by the end of its process is done by the
// next, at once.
func TestTakenUpAgain(t *testing.T) {
	rig := resourcetest.New(t)
	docs := rig.Open(t, queue.Kind())
	begun := make(chan string)
	first := newWorker(t, docs, rig.Clock.Now, func(ctx context.Context, item string) (time.Time, error) {
		begun <- item
		<-ctx.Done()
		return time.Time{}, ctx.Err()
	})
	if err := first.Add(t.Context(), "job", rig.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	<-begun
	first.stop()
	done := make(chan string)
	newWorker(t, docs, rig.Clock.Now, func(_ context.Context, item string) (time.Time, error) { done <- item; return time.Time{}, nil })
	if got := <-done; got != "job" {
		t.Errorf("%s was done", got)
	}
}

// TestDue: a job is done when it is due and not before; one that says so is done
// again, as is one that fails.
func TestDue(t *testing.T) {
	rig := resourcetest.New(t)
	docs := rig.Open(t, queue.Kind())
	start := rig.Clock.Now()
	times := make(chan time.Duration)
	runs := 0
	w := newWorker(t, docs, rig.Clock.Now, func(context.Context, string) (time.Time, error) {
		now := rig.Clock.Now()
		times <- now.Sub(start)
		switch runs++; runs {
		case 1:
			return now.Add(time.Hour), nil
		case 2:
			return time.Time{}, errors.New("not yet")
		}
		return time.Time{}, nil
	})
	if err := w.Add(t.Context(), "later", start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// Adding makes the queue look; this one is never due.
	look := func() {
		if err := w.Add(t.Context(), "never", start.Add(1000*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []time.Duration{time.Minute, time.Minute + time.Hour, 0} {
		rig.Clock.Advance(max(0, want-rig.Clock.Now().Sub(start)-time.Millisecond))
		look()
		var got time.Duration
		for got == 0 {
			select {
			case got = <-times:
			case <-time.After(time.Millisecond): // what became of the run before may not be written yet
				rig.Clock.Advance(time.Second)
				look()
			}
		}
		if got < want && i < 2 {
			t.Errorf("run %d after %s, before %s", i+1, got, want)
		}
		for i == 0 && dueTime(t, docs, "later").Sub(start) < got+time.Hour { // it is being written down
			time.Sleep(time.Millisecond)
		}
	}
}

// dueTime is when a job is due.
func dueTime(t *testing.T, docs store.Documents, item string) time.Time {
	t.Helper()
	page, err := docs.List(t.Context(), store.Query{Kind: "jobs", Index: "by_due", Prefix: []store.Value{"queues/test"}, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range page.Records {
		if job := rec.Body.(*storagev1.Job); job.GetItem() == item {
			return job.GetDueTime().AsTime()
		}
	}
	return time.Time{}
}

// TestDeadProcess: what a process holds that is not heard of any more is done by
// another one when its lease has ended, and not before.
func TestDeadProcess(t *testing.T) {
	rig := resourcetest.New(t)
	docs := rig.Open(t, queue.Kind())
	begun, release := make(chan struct{}), make(chan struct{})
	dead := newWorker(t, docs, rig.Clock.Now, func(context.Context, string) (time.Time, error) {
		close(begun)
		<-release
		return time.Time{}, nil
	})
	if err := dead.Add(t.Context(), "job", rig.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	<-begun
	did := make(chan time.Time, 2)
	claimed := rig.Clock.Now()
	other := newWorker(t, docs, rig.Clock.Now, func(context.Context, string) (time.Time, error) {
		did <- rig.Clock.Now()
		return time.Time{}, nil
	})
	for {
		if err := other.Add(t.Context(), "another", claimed.Add(1000*time.Hour)); err != nil { // makes it look
			t.Fatal(err)
		}
		select {
		case at := <-did:
			if at.Sub(claimed) < 30*time.Second {
				t.Errorf("it was taken over after %s", at.Sub(claimed))
			}
			close(release)
			dead.stop()
			other.stop()
			if len(did) != 0 {
				t.Error("it was done again")
			}
			return
		case <-time.After(time.Millisecond):
			rig.Clock.Advance(time.Second)
		}
	}
}
