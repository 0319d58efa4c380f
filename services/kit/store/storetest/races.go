package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const racers = 8

var raceCases = []testCase{
	{"insert-race", func(t *testing.T, f fixture) {
		var won, lost atomic.Int32
		race(racers, func(i int) {
			r := f.setback(ada, "a", int32(i))
			res := f.store.Commit(f.ctx(), store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{f.event(r, "recorded")}})[0]
			count(t, res.Err, store.ErrExists, &won, &lost)
		})
		if won.Load() != 1 || lost.Load() != racers-1 {
			t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
		}
		if n := len(f.events(ada, 1)); n != 1 {
			t.Fatalf("%d events", n)
		}
	}},
	{"replace-race", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 0))
		var won, lost atomic.Int32
		race(racers, func(i int) {
			next := r
			next.Body = &journalv1.Setback{Name: r.Name, Intensity: int32(i)}
			res := f.store.Commit(f.ctx(), store.Write{Op: store.Replace, Record: next, Events: []*eventsv1.Event{f.event(r, "updated")}})[0]
			count(t, res.Err, store.ErrConflict, &won, &lost)
		})
		if won.Load() != 1 || lost.Load() != racers-1 {
			t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
		}
		if n := len(f.events(ada, 2)); n != 2 {
			t.Fatalf("%d events", n)
		}
	}},
	{"lost-update", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 0))
		const each = 5
		race(racers, func(int) {
			for done := 0; done < each; {
				cur, err := f.store.Get(f.ctx(), setbacks, r.Name)
				if err != nil {
					t.Error(err)
					return
				}
				cur.Body.(*journalv1.Setback).Intensity++
				switch res := f.store.Commit(f.ctx(), store.Write{Op: store.Replace, Record: cur})[0]; {
				case res.Err == nil:
					done++
				case !errors.Is(res.Err, store.ErrConflict):
					t.Error(res.Err)
					return
				}
			}
		})
		if got := f.get(r.Name).Body.(*journalv1.Setback).GetIntensity(); got != racers*each {
			t.Fatalf("%d of %d increments were kept", got, racers*each)
		}
	}},
	{"log-once", func(t *testing.T, f fixture) {
		const each = 20
		var mu sync.Mutex
		want := map[string]*eventsv1.Event{}
		race(racers, func(i int) {
			owner := fmt.Sprintf("tenants/acme/people/p%d", i%3)
			for n := range each {
				r := f.setback(owner, fmt.Sprintf("s-%d-%d", i, n), 1)
				e := f.event(r, "recorded")
				if res := f.store.Commit(f.ctx(), store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{e}})[0]; res.Err != nil {
					t.Error(res.Err)
					return
				}
				mu.Lock()
				want[e.GetId()] = e
				mu.Unlock()
			}
		})
		seen := map[string]bool{}
		total := map[string]int{}
		for i := range racers {
			total[fmt.Sprintf("tenants/acme/people/p%d", i%3)] += each
		}
		for owner, n := range total {
			for _, e := range f.events(owner, n) {
				if seen[e.GetId()] {
					t.Fatalf("event %s is there twice", e.GetId())
				}
				seen[e.GetId()] = true
				sameEvent(t, e, want[e.GetId()])
			}
		}
		if len(seen) != racers*each {
			t.Fatalf("%d of %d events", len(seen), racers*each)
		}
	}},
	{"log-final", func(t *testing.T, f fixture) {
		const each = 30
		done := make(chan struct{})
		go func() {
			defer close(done)
			race(racers, func(i int) {
				for n := range each {
					r := f.setback(fmt.Sprintf("tenants/acme/people/p%d", i), fmt.Sprintf("s%d", n), 1)
					if res := f.store.Commit(f.ctx(), store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{f.event(r, "recorded")}})[0]; res.Err != nil {
						t.Error(res.Err)
					}
				}
			})
		}()
		// Whoever tails the log while it is written sees each event once, and
		// finds the same events when reading it all again.
		tailed := tailAll(t, f, racers*each)
		<-done
		for p, events := range tailed {
			again, err := f.store.Read(f.ctx(), p, 0, store.MaxRead)
			if err != nil || len(again) != len(events) {
				t.Fatalf("partition %d: tailed %d events, read %d: %v", p, len(events), len(again), err)
			}
			for i, e := range again {
				if e.GetId() != events[i].GetId() || e.GetPosition() != events[i].GetPosition() {
					t.Fatalf("partition %d: event %d is another when read again", p, i)
				}
			}
		}
	}},
}

func tailAll(t *testing.T, f fixture, want int) map[int][]*eventsv1.Event {
	out := map[int][]*eventsv1.Event{}
	seen := make([]int64, f.store.Partitions())
	for n := 0; n < want; {
		heads, err := f.store.Wait(f.ctx(), seen)
		if err != nil {
			t.Error(err)
			return out
		}
		for p, head := range heads {
			for seen[p] < head {
				batch, err := f.store.Read(f.ctx(), p, seen[p], 7)
				if err != nil || len(batch) == 0 {
					t.Errorf("partition %d says head %d, but after %d: %d events, %v", p, head, seen[p], len(batch), err)
					return out
				}
				for _, e := range batch {
					if e.GetPosition() <= seen[p] {
						t.Errorf("position %d after %d", e.GetPosition(), seen[p])
					}
					seen[p] = e.GetPosition()
				}
				out[p] = append(out[p], batch...)
				n += len(batch)
			}
		}
	}
	return out
}

func race(n int, do func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

func count(t *testing.T, err, loss error, won, lost *atomic.Int32) {
	switch {
	case err == nil:
		won.Add(1)
	case errors.Is(err, loss):
		lost.Add(1)
	default:
		t.Error(err)
	}
}
