// Package clock is where time comes from, so that tests can say what time it is.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time, UTC, truncated to the millisecond that stores keep.
type Clock func() time.Time

// System is the machine's clock.
func System() time.Time { return Truncate(time.Now()) }

// Truncate is the one place that decides the precision of stored instants.
func Truncate(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Sleep waits for a time that passes by itself; it ends with ctx, whose error it gives.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Manual is a clock that moves when told to. Safe for concurrent use.
type Manual struct {
	mu  sync.Mutex
	now time.Time
}

// NewManual gives a clock that stands at t.
func NewManual(t time.Time) *Manual { return &Manual{now: Truncate(t)} }

// Now is the clock's time.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = Truncate(m.now.Add(d))
}
