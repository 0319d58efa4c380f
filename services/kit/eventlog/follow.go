package eventlog

import (
	"context"
	"slices"
	"sort"
	"time"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
)

// Query says what to follow.
type Query struct {
	// Positions, one per partition of the log, to start after.
	Positions []int64
	// Partitions to follow; nil: all.
	Partitions []int
	// Match tells which events are wanted; nil: all.
	Match func(*eventsv1.Event) bool
	// Heartbeat is how often there is a batch even when nothing happens.
	Heartbeat time.Duration
}

// Batch is what a follower is given. Events and Positions are good until emit
// returns; nobody may change them.
type Batch struct {
	// Events, in order per owner; none on a heartbeat or marker.
	Events []*eventsv1.Event
	// Positions after these events, those that did not match included.
	Positions []int64
	// HistoryEnd is true once: all that was there at the start has been given.
	HistoryEnd bool
}

// Follow gives emit what lies in the log after the query's positions, then a
// marker, then what comes, until ctx ends or emit fails. A slow emit holds
// nobody else up.
func (h *Hub) Follow(ctx context.Context, q Query, emit func(Batch) error) error {
	f := h.follower(q, emit)
	heads, err := h.log.Wait(ctx, nil)
	if err != nil {
		return err
	}
	if err := f.history(ctx, heads); err != nil {
		return err
	}
	if err := f.give(true); err != nil {
		return err
	}
	return f.live(ctx)
}

// Stretch gives emit what lies in the log after the query's positions, up to and
// including those of until, in the order in which Follow gives it, and then ends.
func (h *Hub) Stretch(ctx context.Context, q Query, until []int64, emit func(Batch) error) error {
	f := h.follower(q, emit)
	for _, p := range f.query.Partitions {
		for f.positions[p] < until[p] {
			events, err := h.log.Read(ctx, p, f.positions[p], readBatch)
			if err != nil {
				return err
			}
			n := sort.Search(len(events), func(i int) bool { return events[i].GetPosition() > until[p] })
			if n == 0 {
				break
			}
			if err := f.pass(p, events[:n]); err != nil {
				return err
			}
		}
	}
	return f.giveRest()
}

func (h *Hub) follower(q Query, emit func(Batch) error) *follower {
	f := &follower{hub: h, query: q, emit: emit, positions: slices.Clone(q.Positions), last: time.Now()}
	if f.query.Partitions == nil {
		for p := range h.log.Partitions() {
			f.query.Partitions = append(f.query.Partitions, p)
		}
	}
	return f
}

type follower struct {
	hub       *Hub
	query     Query
	emit      func(Batch) error
	positions []int64
	batch     []*eventsv1.Event
	last      time.Time // of the last batch
}

// history reads each partition up to where it ended when the stream began.
func (f *follower) history(ctx context.Context, heads []int64) error {
	for _, p := range f.query.Partitions {
		for f.positions[p] < heads[p] {
			events, err := f.hub.log.Read(ctx, p, f.positions[p], readBatch)
			if err != nil {
				return err
			}
			if len(events) == 0 {
				break
			}
			if err := f.pass(p, events); err != nil {
				return err
			}
		}
	}
	return f.giveRest()
}

// live follows the end of the log.
func (f *follower) live(ctx context.Context) error {
	ticker := time.NewTicker(f.query.Heartbeat)
	defer ticker.Stop()
	for {
		changed := f.hub.changed(f.query.Partitions) // before looking, so that nothing slips through
		if err := f.drain(ctx); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ticker.C:
			if err := f.give(false); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drain passes on all there is.
func (f *follower) drain(ctx context.Context) error {
	for _, p := range f.query.Partitions {
		for {
			events, err := f.hub.after(ctx, p, f.positions[p])
			if err != nil {
				return err
			}
			if len(events) == 0 {
				break
			}
			if err := f.pass(p, events); err != nil {
				return err
			}
		}
	}
	return f.giveRest()
}

// pass takes those events that match into the batch, which is given when it is
// full. What few events many partitions have travel together.
func (f *follower) pass(p int, events []*eventsv1.Event) error {
	for _, e := range events {
		f.positions[p] = e.GetPosition()
		if f.query.Match == nil || f.query.Match(e) {
			f.batch = append(f.batch, e)
		}
		if len(f.batch) == emitBatch {
			if err := f.give(false); err != nil {
				return err
			}
		}
	}
	// A long way without a match still tells the reader how far it got.
	if time.Since(f.last) >= f.query.Heartbeat {
		return f.give(false)
	}
	return nil
}

// giveRest gives what is in the batch, if anything.
func (f *follower) giveRest() error {
	if len(f.batch) == 0 {
		return nil
	}
	return f.give(false)
}

func (f *follower) give(end bool) error {
	f.last = time.Now()
	b := Batch{Events: f.batch, Positions: f.positions, HistoryEnd: end}
	f.batch = f.batch[:0]
	return f.emit(b)
}
