package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// trimmed fills the log of a person with events a minute apart, each committed alone,
// and gives them.
func (f fixture) trimmed(n int) []*eventsv1.Event {
	f.t.Helper()
	for i := range n {
		r := f.setback(ada, fmt.Sprintf("t%d", i), 1)
		e := f.event(r, "recorded")
		e.Time = timestamppb.New(start.Add(time.Duration(i) * time.Minute))
		if res := f.commit(store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{e}}); res.Err != nil {
			f.t.Fatal(res.Err)
		}
	}
	return f.events(ada, n)
}

// trim trims ada's partition as far as a position, a few at a time.
func (f fixture) trim(upTo int64, limit int) store.Floor {
	f.t.Helper()
	p := store.PartitionOf(ada, f.store.Partitions())
	before := store.Floor{Position: -1}
	for {
		floor, err := f.store.Trim(f.ctx(), p, upTo, limit)
		if err != nil {
			f.t.Fatal(err)
		}
		if floor.Position < before.Position || floor.Position > upTo {
			f.t.Fatalf("trimming up to %d went from %v to %v", upTo, before, floor)
		}
		if floor == before {
			return floor
		}
		before = floor
	}
}

// kept reads what is left of ada's partition.
func (f fixture) kept(after int64) []*eventsv1.Event {
	f.t.Helper()
	got, err := f.store.Read(f.ctx(), store.PartitionOf(ada, f.store.Partitions()), after, store.MaxRead)
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

func sameEvents(t testing.TB, got, want []*eventsv1.Event) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b *eventsv1.Event) bool { return proto.Equal(a, b) }) {
		t.Fatalf("%d events are there, want %d as they were", len(got), len(want))
	}
}

var trimCases = []testCase{
	{"trim-floor", func(t *testing.T, f fixture) {
		events := f.trimmed(8)
		floors, err := f.store.Floors(f.ctx())
		if err != nil || len(floors) != f.store.Partitions() || floors[events[0].GetPartition()].Position != 0 {
			t.Fatalf("before: %v, %v", floors, err)
		}
		first, err := f.store.Trim(f.ctx(), int(events[0].GetPartition()), events[5].GetPosition(), 2)
		if err != nil || first.Position != events[1].GetPosition() || !first.Time.Equal(events[1].GetTime().AsTime()) {
			t.Fatalf("two at most: %v, %v", first, err)
		}
		if floor := f.trim(events[5].GetPosition(), 2); floor.Position != events[5].GetPosition() || !floor.Time.Equal(events[5].GetTime().AsTime()) {
			t.Fatalf("all of it: %v", floor)
		}
		if again := f.trim(events[5].GetPosition(), 100); again.Position != events[5].GetPosition() {
			t.Fatalf("again: %v", again)
		}
		if back, err := f.store.Trim(f.ctx(), int(events[0].GetPartition()), 1, 100); err != nil || back.Position != events[5].GetPosition() {
			t.Fatalf("a floor fell to %v, %v", back, err)
		}
		floors, err = f.store.Floors(f.ctx())
		for p, floor := range floors {
			if trimmed := p == int(events[0].GetPartition()); trimmed != (floor.Position > 0) || err != nil {
				t.Fatalf("partition %d: %v, %v", p, floor, err)
			}
		}
		for _, c := range []struct{ partition, limit int }{{-1, 1}, {f.store.Partitions(), 1}, {0, 0}, {0, store.MaxRead + 1}} {
			if _, err := f.store.Trim(f.ctx(), c.partition, 1, c.limit); !errors.Is(err, store.ErrInvalid) {
				t.Fatalf("%v: %v", c, err)
			}
		}
	}},
	{"trim-keeps", func(t *testing.T, f fixture) {
		events := f.trimmed(6)
		seen, err := f.store.Wait(f.ctx(), nil)
		if err != nil {
			t.Fatal(err)
		}
		f.trim(events[2].GetPosition(), 100)
		sameEvents(t, f.kept(events[2].GetPosition()), events[3:])
		after, err := f.store.Wait(f.ctx(), nil)
		if err != nil || !slices.Equal(seen, after) {
			t.Fatalf("the heads were %v and are %v, %v", seen, after, err)
		}
		if got := f.get(ada + "/setbacks/t0"); got.Name == "" {
			t.Fatal("a document went with its event")
		}
	}},
	{"trim-last", func(t *testing.T, f fixture) {
		events := f.trimmed(3)
		last := events[2].GetPosition()
		if floor := f.trim(last+100, 100); floor.Position != events[1].GetPosition() {
			t.Fatalf("got %v", floor)
		}
		s, err := f.open.Reopen(t, f.store, Schema())
		if err != nil {
			t.Fatal(err)
		}
		f.store = s
		f.insert(f.setback(ada, "next", 1))
		heads, err := f.store.Wait(f.ctx(), nil)
		for p := events[0].GetPartition(); err == nil && heads[p] == last; {
			heads, err = f.store.Wait(f.ctx(), heads)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := f.kept(last); len(got) != 1 || got[0].GetPosition() <= last {
			t.Fatalf("after position %d came %v", last, got)
		}
	}},
	{"trim-read", func(t *testing.T, f fixture) {
		events := f.trimmed(6)
		floor := f.trim(events[2].GetPosition(), 100)
		for after := range floor.Position {
			if got, err := f.store.Read(f.ctx(), int(events[0].GetPartition()), after, 10); !errors.Is(err, store.ErrGone) || got != nil {
				t.Fatalf("after %d: %d events, %v", after, len(got), err)
			}
		}
	}},
	{"trim-seek", func(t *testing.T, f fixture) {
		events := f.trimmed(8)
		floor := f.trim(events[3].GetPosition(), 100)
		for minute, want := range map[int]int64{-1: floor.Position, 2: floor.Position, 4: floor.Position, 6: events[5].GetPosition(), 20: events[7].GetPosition()} {
			got, err := f.store.Seek(f.ctx(), int(events[0].GetPartition()), start.Add(time.Duration(minute)*time.Minute))
			if err != nil || got != want {
				t.Fatalf("at minute %d: %d, %v, want %d", minute, got, err, want)
			}
		}
	}},
	{"trim-reopen", func(t *testing.T, f fixture) {
		events := f.trimmed(6)
		floor := f.trim(events[2].GetPosition(), 100)
		s, err := f.open.Reopen(t, f.store, Schema())
		if err != nil {
			t.Fatal(err)
		}
		f.store = s
		floors, err := f.store.Floors(f.ctx())
		if p := events[0].GetPartition(); err != nil || floors[p] != floor {
			t.Fatalf("the floor was %v and is %v, %v", floor, floors[p], err)
		}
		sameEvents(t, f.kept(floor.Position), events[3:])
		if _, err := f.store.Read(f.ctx(), int(events[0].GetPartition()), floor.Position-1, 10); !errors.Is(err, store.ErrGone) {
			t.Fatalf("below the floor: %v", err)
		}
		if next := f.trim(events[4].GetPosition(), 1); next.Position != events[4].GetPosition() {
			t.Fatalf("going on: %v", next)
		}
	}},
}
