// Package eventlog serves a store's event log as a stream that can be resumed,
// and reads such streams. Its guarantees: events of one owner come in order, each
// once per stream, whole batches or none, and a reader that goes on from the
// last token it held misses nothing.
package eventlog

import (
	"context"
	"errors"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Limits of the hub and its followers.
const (
	// ringEvents is how many of the latest events of a partition are kept in
	// memory for those who follow its end.
	ringEvents = 1024
	// readBatch is how many events are read from the log at once.
	readBatch = 1000
	// emitBatch is how many events one batch carries at most.
	emitBatch = 500
	// coalesce is how long wake-ups are held back to go out together, so that
	// many followers of a busy log cost little.
	coalesce = 2 * time.Millisecond
)

// Hub reads the end of a log once for all who follow it.
type Hub struct {
	log store.Log

	mu    sync.Mutex
	rings []ring
	wake  []chan struct{} // by partition; closed and replaced when its ring grows
	any   chan struct{}   // the same for all partitions together
}

// ring holds the events of a partition after a position.
type ring struct {
	from   int64 // the ring has all events after this position ...
	to     int64 // ... up to this one
	events []*eventsv1.Event
}

// NewHub gives a hub for a log; it does nothing until Run.
func NewHub(log store.Log) *Hub {
	n := log.Partitions()
	h := &Hub{log: log, rings: make([]ring, n), wake: make([]chan struct{}, n), any: make(chan struct{})}
	for p := range n {
		h.rings[p] = ring{from: -1, to: -1} // nothing is known yet
		h.wake[p] = make(chan struct{})
	}
	return h
}

// Run reads the end of the log until ctx ends or the store is closed. When the
// store cannot be read for a while it tries again.
func (h *Hub) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	for {
		err := h.tail(ctx, pause.Reset)
		ended := ctx.Err() != nil || errors.Is(err, store.ErrClosed)
		if ended || clock.Sleep(ctx, pause.NextBackOff()) != nil {
			return nil //nolint:nilerr // that it was ended is no error
		}
	}
}

func (h *Hub) tail(ctx context.Context, well func()) error {
	seen, err := h.log.Wait(ctx, nil)
	if err != nil {
		return err
	}
	h.begin(seen)
	for {
		heads, err := h.log.Wait(ctx, seen)
		if err != nil {
			return err
		}
		well()
		for p := range heads {
			for seen[p] < heads[p] {
				events, err := h.log.Read(ctx, p, seen[p], readBatch)
				if err != nil {
					return err
				}
				if len(events) == 0 {
					break // the head was seen before its events: the next Wait returns at once
				}
				seen[p] = events[len(events)-1].GetPosition()
				h.grow(p, events)
			}
		}
		if err := clock.Sleep(ctx, coalesce); err != nil {
			return err
		}
	}
}

// begin says from where on the rings are complete.
func (h *Hub) begin(heads []int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.rings {
		h.rings[p] = ring{from: heads[p], to: heads[p]}
		h.wakeAll(p)
	}
}

func (h *Hub) grow(p int, events []*eventsv1.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &h.rings[p]
	r.events = append(r.events, events...)
	if over := len(r.events) - ringEvents; over > 0 {
		r.from = r.events[over-1].GetPosition()
		r.events = slices.Clone(r.events[over:])
	}
	r.to = events[len(events)-1].GetPosition()
	h.wakeAll(p)
}

// wakeAll wakes those who follow a partition; the caller holds the lock.
func (h *Hub) wakeAll(p int) {
	close(h.wake[p])
	h.wake[p] = make(chan struct{})
	close(h.any)
	h.any = make(chan struct{})
}

// changed gives the channel that is closed when there may be more.
func (h *Hub) changed(partitions []int) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(partitions) == 1 {
		return h.wake[partitions[0]]
	}
	return h.any
}

// after gives events after a position: out of the ring when it reaches back far
// enough, else out of the log. The events are shared: nobody may change them.
func (h *Hub) after(ctx context.Context, p int, position int64) ([]*eventsv1.Event, error) {
	h.mu.Lock()
	r := h.rings[p]
	h.mu.Unlock()
	if r.from < 0 || position < r.from {
		return h.log.Read(ctx, p, position, readBatch)
	}
	i := sort.Search(len(r.events), func(i int) bool { return r.events[i].GetPosition() > position })
	return r.events[i:], nil
}
