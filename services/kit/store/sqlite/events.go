package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Partitions implements store.Log.
func (s *Store) Partitions() int { return len(s.tail.read()) }

// positionBits is the room for positions in an event's id.
const positionBits = 44

// eventID is the place of an event in the whole log: partition, then position.
func eventID(partition int, position int64) int64 { return int64(partition)<<positionBits + position }

// What is asked of the log, between two ids: the first exclusive, the second not
// reached by any event.
const (
	rowsAfter = "SELECT first, payload FROM events WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
	firstRow  = "SELECT id, first, max_time FROM events WHERE id > ? AND id < ? ORDER BY id LIMIT 1"
	lastRow   = "SELECT id, max_time FROM events WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1"
)

// Read implements store.Log. A row holds the events that one transaction added
// to one partition.
func (s *Store) Read(ctx context.Context, partition int, after int64, limit int) (_ []*eventsv1.Event, err error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if partition < 0 || partition >= s.Partitions() || limit < 1 || limit > store.MaxRead {
		return nil, fmt.Errorf("%w: partition %d or limit %d out of range", store.ErrInvalid, partition, limit)
	}
	st, err := s.reads.get(ctx, rowsAfter)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(unhurried(ctx), eventID(partition, after), eventID(partition+1, 0), limit)
	if err != nil {
		return nil, unavailable(err)
	}
	defer func() {
		if cerr := rows.Close(); err == nil && cerr != nil {
			err = unavailable(cerr)
		}
	}()
	var out []*eventsv1.Event
	var payload sql.RawBytes
	for len(out) < limit && rows.Next() {
		var position int64
		if err := rows.Scan(&position, &payload); err != nil {
			return nil, unavailable(err)
		}
		if out, err = unpack(out, payload, position, after, limit); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	if s.floors.of(partition).Position > after { // after reading: it rises before rows go
		return nil, store.ErrGone
	}
	return out, nil
}

// unpack appends the events of a row that lie after a position.
func unpack(out []*eventsv1.Event, payload []byte, position, after int64, limit int) ([]*eventsv1.Event, error) {
	for ; len(payload) > 0 && len(out) < limit; position++ {
		raw, n := protowire.ConsumeBytes(payload)
		if n < 0 {
			return nil, fmt.Errorf("sqlite: a row of events is broken: %w", protowire.ParseError(n))
		}
		payload = payload[n:]
		if position <= after {
			continue
		}
		e := &eventsv1.Event{}
		if err := proto.Unmarshal(raw, e); err != nil {
			return nil, fmt.Errorf("sqlite: an event cannot be decoded: %w", err)
		}
		out = append(out, e)
	}
	return out, nil
}

// Wait implements store.Log.
func (s *Store) Wait(ctx context.Context, seen []int64) ([]int64, error) {
	return s.tail.wait(ctx, seen)
}

// Seek implements store.Log. Rows carry the latest time up to and including
// them, which only grows: the first row that reaches t is the place, and halving
// finds it without an index over times, which every commit would have to pay for.
func (s *Store) Seek(ctx context.Context, partition int, t time.Time) (int64, error) {
	if err := s.alive(); err != nil {
		return 0, err
	}
	heads := s.tail.read()
	if partition < 0 || partition >= len(heads) {
		return 0, fmt.Errorf("%w: partition %d out of range", store.ErrInvalid, partition)
	}
	st, err := s.reads.get(ctx, firstRow)
	if err != nil {
		return 0, err
	}
	base, end := eventID(partition, 0), eventID(partition+1, 0)
	// All rows that end at or below low are earlier than t; the first that ends
	// above high-1 is not, or there is none.
	low, high, place := int64(0), heads[partition], heads[partition]
	for low < high {
		middle := low + (high-low)/2
		var id, first, maxTime int64
		if err := st.QueryRowContext(unhurried(ctx), base+middle, end).Scan(&id, &first, &maxTime); err != nil {
			return 0, unavailable(err)
		}
		if maxTime >= t.UnixMilli() {
			high, place = middle, first-1
		} else {
			low = id - base
		}
	}
	return place, nil
}

// tail tells waiting readers how far the log goes.
type tail struct {
	mu      sync.Mutex
	heads   []int64
	changed chan struct{} // closed and replaced when heads move
	closed  bool
}

func newTail(heads []int64) *tail {
	return &tail{heads: slices.Clone(heads), changed: make(chan struct{})}
}

func (t *tail) read() []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heads // replaced, never changed
}

func (t *tail) advance(heads []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heads = slices.Clone(heads)
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tail) wait(ctx context.Context, seen []int64) ([]int64, error) {
	for {
		t.mu.Lock()
		heads, changed, closed := t.heads, t.changed, t.closed
		t.mu.Unlock()
		if closed {
			return nil, store.ErrClosed
		}
		if seen != nil && len(seen) != len(heads) {
			return nil, fmt.Errorf("%w: %d positions for %d partitions", store.ErrInvalid, len(seen), len(heads))
		}
		for p, h := range heads {
			if seen == nil || h > seen[p] {
				return slices.Clone(heads), nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
