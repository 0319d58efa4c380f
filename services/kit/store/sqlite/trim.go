package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// cut is one Trim on its way through the writer.
type cut struct {
	partition int
	upTo      int64
	limit     int
	floor     store.Floor
	err       error
	done      chan struct{}
}

// floors are what the file no longer holds.
type floors struct {
	mu sync.Mutex
	by []store.Floor
}

func (f *floors) of(partition int) store.Floor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.by[partition]
}

func (f *floors) set(partition int, floor store.Floor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.by[partition] = floor
}

// Floors implements store.Log.
func (s *Store) Floors(context.Context) ([]store.Floor, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	s.floors.mu.Lock()
	defer s.floors.mu.Unlock()
	return slices.Clone(s.floors.by), nil
}

// Trim implements store.Log: whole rows go.
func (s *Store) Trim(ctx context.Context, partition int, upTo int64, limit int) (store.Floor, error) {
	if err := s.alive(); err != nil {
		return store.Floor{}, err
	}
	if partition < 0 || partition >= s.Partitions() || limit < 1 || limit > store.MaxRead {
		return store.Floor{}, fmt.Errorf("%w: partition %d or limit %d out of range", store.ErrInvalid, partition, limit)
	}
	c := &cut{partition: partition, upTo: upTo, limit: limit, done: make(chan struct{})}
	select {
	case s.cuts <- c:
		<-c.done
		return c.floor, c.err
	case <-s.closing:
		return store.Floor{}, store.ErrClosed
	case <-ctx.Done():
		return store.Floor{}, ctx.Err()
	}
}

// What Trim does: it finds the last row to go, which is not the last of all, then
// everything up to it goes.
const (
	nthRow   = "SELECT id, max_time FROM events WHERE id > ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?"
	trimRows = "DELETE FROM events WHERE id > ? AND id <= ?"
	setFloor = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)

// trim does a cut. The floor rises before the rows go, and falls back when they do not.
func (w *writer) trim(c *cut) {
	defer close(c.done)
	before := w.s.floors.of(c.partition)
	if c.err = w.cut(c, before); c.err != nil {
		w.s.floors.set(c.partition, before)
		c.floor, c.err = before, unavailable(c.err)
	}
}

func (w *writer) cut(c *cut, before store.Floor) (err error) {
	ctx := context.Background() // as with commits
	base := eventID(c.partition, 0)
	var id, maxTime int64
	from, until := base+before.Position, base+min(c.upTo+1, w.heads[c.partition])
	err = w.conn.QueryRowContext(ctx, nthRow, from, until, c.limit-1).Scan(&id, &maxTime)
	if errors.Is(err, sql.ErrNoRows) { // all of them
		err = w.conn.QueryRowContext(ctx, lastRow, from, until).Scan(&id, &maxTime)
	}
	if errors.Is(err, sql.ErrNoRows) {
		c.floor = before
		return nil
	}
	if err != nil {
		return err
	}
	if _, err = w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rerr := w.conn.ExecContext(ctx, "ROLLBACK")
			err = errors.Join(err, rerr)
		}
	}()
	c.floor = store.Floor{Position: id - base, Time: time.UnixMilli(maxTime).UTC()}
	if _, err = w.conn.ExecContext(ctx, trimRows, base, id); err != nil {
		return err
	}
	if _, err = w.conn.ExecContext(ctx, setFloor, floorKey(c.partition), fmt.Sprintf("%d %d", c.floor.Position, maxTime)); err != nil {
		return err
	}
	w.s.floors.set(c.partition, c.floor)
	_, err = w.conn.ExecContext(ctx, "COMMIT")
	return err
}

// floorKey is where a partition's floor lies in the file: position and milliseconds,
// with a space between.
func floorKey(partition int) string { return "floor_" + strconv.Itoa(partition) }

func readFloors(ctx context.Context, tx *sql.Tx, partitions int) ([]store.Floor, error) {
	have, err := pairsOf(ctx, tx, "SELECT key, value FROM meta WHERE key LIKE ?", "floor_%")
	if err != nil {
		return nil, err
	}
	out := make([]store.Floor, partitions)
	for p := range out {
		position, millis, ok := strings.Cut(have[floorKey(p)], " ")
		if !ok {
			continue
		}
		at, perr := strconv.ParseInt(position, 10, 64)
		ms, terr := strconv.ParseInt(millis, 10, 64)
		if err := errors.Join(perr, terr); err != nil {
			return nil, fmt.Errorf("sqlite: meta %s is not a floor: %w", floorKey(p), err)
		}
		out[p] = store.Floor{Position: at, Time: time.UnixMilli(ms).UTC()}
	}
	return out, nil
}
