package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

var logCases = []testCase{
	{"log-order", func(t *testing.T, f fixture) {
		for i := range 30 {
			f.insert(f.setback(fmt.Sprintf("tenants/acme/people/p%d", i), "a", 1))
		}
		f.events("tenants/acme/people/p29", 1)
		for p := range f.store.Partitions() {
			var last int64
			events, err := f.store.Read(f.ctx(), p, 0, store.MaxRead)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.GetPosition() <= last || int(e.GetPartition()) != p {
					t.Fatalf("position %d after %d, partition %d in %d", e.GetPosition(), last, e.GetPartition(), p)
				}
				last = e.GetPosition()
			}
			// Reading after a position is exclusive, and limits hold.
			for i, e := range events {
				rest, err := f.store.Read(f.ctx(), p, e.GetPosition(), 2)
				if err != nil || len(rest) != min(2, len(events)-i-1) {
					t.Fatalf("after %d: %d events, %v", e.GetPosition(), len(rest), err)
				}
			}
		}
		if _, err := f.store.Read(f.ctx(), f.store.Partitions(), 0, 1); !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("partition out of range: %v", err)
		}
	}},
	{"log-owner", func(t *testing.T, f fixture) {
		// Different documents of one person, each acknowledged before the next is
		// sent, must come in that order.
		var want []string
		for i := range 40 {
			r := f.setback(ada, fmt.Sprintf("s%d", (i*17)%40), 1)
			e := f.event(r, "recorded")
			if res := f.commit(store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{e}}); res.Err != nil {
				t.Fatal(res.Err)
			}
			want = append(want, e.GetId())
		}
		for i, e := range f.events(ada, 40) {
			if e.GetId() != want[i] {
				t.Fatalf("event %d is out of order", i)
			}
		}
	}},
	{"log-events-together", func(t *testing.T, f fixture) {
		r := f.setback(ada, "a", 1)
		given := []*eventsv1.Event{f.event(r, "one"), f.event(r, "two"), f.event(r, "three")}
		if res := f.commit(store.Write{Op: store.Insert, Record: r, Events: given}); res.Err != nil {
			t.Fatal(res.Err)
		}
		for i, e := range f.events(ada, 3) {
			sameEvent(t, e, given[i])
		}
	}},
	{"log-reopen", func(t *testing.T, f fixture) {
		f.insert(f.setback(ada, "a", 1))
		before := f.events(ada, 1)
		s, err := f.open.Reopen(t, f.store, Schema())
		if err != nil {
			t.Fatal(err)
		}
		f.store = s
		f.insert(f.setback(ada, "b", 1))
		after := f.events(ada, 2)
		if len(after) != 2 || !proto.Equal(after[0], before[0]) || after[1].GetPosition() <= after[0].GetPosition() {
			t.Fatalf("before %v, after %v", before, after)
		}
	}},
	{"log-failed", func(t *testing.T, f fixture) {
		r := f.setback(ada, "absent", 1)
		f.commit(store.Write{Op: store.Replace, Record: r, Events: []*eventsv1.Event{f.event(r, "updated")}})
		f.commit(store.Write{Op: store.Delete, Record: r, Events: []*eventsv1.Event{f.event(r, "deleted")}})
		f.insert(f.setback(ada, "a", 1))
		if events := f.events(ada, 1); len(events) != 1 || events[0].GetType() != "setback.recorded" {
			t.Fatalf("got %v", events)
		}
	}},
	{"wait-wakes", func(t *testing.T, f fixture) {
		seen, err := f.store.Wait(f.ctx(), nil)
		if err != nil || len(seen) != f.store.Partitions() {
			t.Fatalf("%v, %v", seen, err)
		}
		woken := make(chan error, 1)
		go func() {
			heads, err := f.store.Wait(f.ctx(), seen)
			if p := store.PartitionOf(ada, len(heads)); err == nil && heads[p] <= seen[p] {
				err = fmt.Errorf("heads %v did not move", heads)
			}
			woken <- err
		}()
		f.insert(f.setback(ada, "a", 1))
		select {
		case err := <-woken:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(5 * time.Second): // the contract says one; machines are slow
			t.Fatal("nobody was woken")
		}
	}},
	{"wait-cancel", func(t *testing.T, f fixture) {
		seen, err := f.store.Wait(f.ctx(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(f.ctx())
		ended := make(chan error, 1)
		go func() {
			_, err := f.store.Wait(ctx, seen)
			ended <- err
		}()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}},
	{"seek-time", func(t *testing.T, f fixture) {
		p := store.PartitionOf(ada, f.store.Partitions())
		// Times go back now and then, as clocks do.
		offsets := []int{0, 10, 5, 20, 20, 15, 30}
		for i, off := range offsets {
			r := f.setback(ada, fmt.Sprintf("s%d", i), 1)
			e := f.event(r, "recorded")
			e.Time = timestamppb.New(start.Add(time.Duration(off) * time.Second))
			if res := f.commit(store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{e}}); res.Err != nil {
				t.Fatal(res.Err)
			}
		}
		events := f.events(ada, len(offsets))
		for _, off := range []int{-5, 0, 7, 20, 30, 40} {
			at := start.Add(time.Duration(off) * time.Second)
			pos, err := f.store.Seek(f.ctx(), p, at)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if !e.GetTime().AsTime().Before(at) && e.GetPosition() <= pos {
					t.Fatalf("seek +%ds gives %d, but %d is not earlier", off, pos, e.GetPosition())
				}
			}
			if off == 40 && pos != events[len(events)-1].GetPosition() {
				t.Fatalf("seek past the end gives %d", pos)
			}
			if off == -5 && pos >= events[0].GetPosition() {
				t.Fatalf("seek before the start gives %d", pos)
			}
		}
	}},
}

// sameEvent compares what was given with what is there: partition and position
// are the log's.
func sameEvent(t testing.TB, got, given *eventsv1.Event) {
	t.Helper()
	c := proto.CloneOf(got)
	c.Partition, c.Position = given.GetPartition(), given.GetPosition()
	if !proto.Equal(c, given) {
		t.Fatalf("event differs:\n got %v\nwant %v", c, given)
	}
}
