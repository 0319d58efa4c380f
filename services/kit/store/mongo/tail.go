package mongo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// tail tells waiting readers how far the log goes.
type tail struct {
	mu      sync.Mutex
	heads   []int64
	changed chan struct{} // closed and replaced when heads move
	closed  bool
	waiting int
	wanted  chan struct{} // gets one when somebody begins to wait
}

func newTail(partitions int) *tail {
	return &tail{heads: make([]int64, partitions), changed: make(chan struct{}), wanted: make(chan struct{}, 1)}
}

func (t *tail) partitions() int { return len(t.heads) } // never changes

// advance takes heads into account, in any order, and tells whether any moved.
func (t *tail) advance(heads map[int32]int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	moved := false
	for p, h := range heads {
		if h > t.heads[p] {
			t.heads[p], moved = h, true
		}
	}
	if moved {
		t.wakeAll()
	}
	return moved
}

func (t *tail) wakeAll() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.wakeAll()
}

// anyWaiting tells whether it is worth to look what other processes relay.
func (t *tail) anyWaiting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiting > 0
}

// now gives the heads.
func (t *tail) now() []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.heads)
}

// look gives the heads if any lies above the one in seen, else a channel that
// closes when one moves.
func (t *tail) look(seen []int64) ([]int64, <-chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, nil, store.ErrClosed
	case seen != nil && len(seen) != len(t.heads):
		return nil, nil, fmt.Errorf("%w: %d positions for %d partitions", store.ErrInvalid, len(seen), len(t.heads))
	}
	for p, h := range t.heads {
		if seen == nil || h > seen[p] {
			return slices.Clone(t.heads), nil, nil
		}
	}
	return nil, t.changed, nil
}

func (t *tail) wait(ctx context.Context, seen []int64) ([]int64, error) {
	t.count(1)
	defer t.count(-1)
	for {
		heads, changed, err := t.look(seen)
		if heads != nil || err != nil {
			return heads, err
		}
		select {
		case t.wanted <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *tail) count(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting += n
}

// pace is how long to wait between looks: short while there is something to see,
// longer and longer after.
type pace struct{ low, high, now time.Duration }

func (p *pace) next(busy bool) time.Duration {
	if busy || p.now == 0 {
		p.now = p.low
	} else {
		p.now = min(2*p.now, p.high)
	}
	return p.now
}

// rest waits, but not beyond a wake or the end; false: the end. A nil wake never
// comes.
func rest(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
		return false
	}
	return true
}
