package eventlog

import (
	"context"
	"log/slog"
	"time"

	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// How a log is trimmed: a little at a time, so that nobody has to wait for long.
const (
	trimEach  = time.Hour
	trimBatch = 1000
	trimPause = 20 * time.Millisecond
)

// Retention trims a log: what is older than a time goes.
type Retention struct {
	Log store.Log
	// Age is how old events get, by their own time.
	Age   time.Duration
	Clock clock.Clock
	// Logger hears of failures, which the next round makes up for.
	Logger *slog.Logger
}

// Run trims now, and then each hour, until ctx ends.
func (r Retention) Run(ctx context.Context) error {
	for {
		if err := r.Trim(ctx); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "the event log could not be trimmed; it is tried again", "cause", err.Error())
		}
		if err := clock.Sleep(ctx, trimEach); err != nil {
			return err
		}
	}
}

// Trim is one round.
func (r Retention) Trim(ctx context.Context) error {
	for p := range r.Log.Partitions() {
		upTo, err := r.Log.Seek(ctx, p, r.Clock().Add(-r.Age))
		for before := int64(-1); err == nil; {
			var floor store.Floor
			floor, err = r.Log.Trim(ctx, p, upTo, trimBatch)
			if err != nil || floor.Position == before || floor.Position >= upTo {
				break
			}
			before = floor.Position
			err = clock.Sleep(ctx, trimPause)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
