package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// unit is one Commit on its way through the writer.
type unit struct {
	writes  []prepared
	results []store.Result
	done    chan struct{}
}

// prepared is a write whose body is encoded already: that is done by the
// caller's goroutine, not by the one writer.
type prepared struct {
	store.Write
	table *table
	body  []byte
	err   error
}

// Commit implements store.Documents.
func (s *Store) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	u := &unit{results: make([]store.Result, len(writes)), done: make(chan struct{})}
	for _, w := range writes {
		u.writes = append(u.writes, s.prepare(w))
	}
	if err := s.submit(ctx, u); err != nil {
		return failAll(writes, err)
	}
	select {
	case <-u.done:
		return u.results
	case <-ctx.Done():
		return failAll(writes, ctx.Err())
	}
}

func (s *Store) submit(ctx context.Context, u *unit) error {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return store.ErrClosed
	}
	s.pending.Add(1)
	s.mu.RUnlock()
	defer s.pending.Done()
	select {
	case s.queue <- u:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func failAll(writes []store.Write, err error) []store.Result {
	out := make([]store.Result, len(writes))
	for i, w := range writes {
		out[i] = store.Result{Record: w.Record, Err: err}
	}
	return out
}

func (s *Store) prepare(w store.Write) prepared {
	p := prepared{Write: w, table: s.tables[w.Record.Kind]}
	if p.table == nil || w.Op < store.Insert || w.Op > store.Delete {
		p.err = store.ErrInvalid
		return p
	}
	p.Events = make([]*eventsv1.Event, len(w.Events))
	for i, e := range w.Events {
		p.Events[i] = proto.CloneOf(e)
	}
	if w.Op == store.Delete {
		return p
	}
	p.Record.Body, p.Record.Sealed = proto.Clone(w.Record.Body), bytes.Clone(w.Record.Sealed)
	p.body, p.err = proto.MarshalOptions{Deterministic: true}.Marshal(p.Record.Body)
	if len(p.body)+len(w.Record.Sealed) > store.MaxBody {
		p.err = store.ErrTooLarge
	}
	return p
}

// writer is the one goroutine that writes.
type writer struct {
	s        *Store
	conn     *sql.Conn
	stmts    map[string]*sql.Stmt
	append   *sql.Stmt
	setMax   *sql.Stmt
	revision int64
	heads    []int64
	maxTimes []int64
}

func newWriter(ctx context.Context, s *Store, meta metadata) (*writer, error) {
	conn, err := s.writeDB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{s: s, conn: conn, stmts: map[string]*sql.Stmt{}, revision: meta.revision, heads: meta.heads, maxTimes: meta.maxTimes}
	for _, t := range s.tables {
		for _, text := range []string{t.insert, t.replace, t.remove, t.get} {
			if w.stmts[text], err = conn.PrepareContext(ctx, text); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
		}
	}
	if w.append, err = conn.PrepareContext(ctx, "INSERT INTO events (partition, first, last, max_time, payload) VALUES (?, ?, ?, ?, ?)"); err == nil {
		w.setMax, err = conn.PrepareContext(ctx, "UPDATE meta SET value = ? WHERE key = 'revision'")
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return w, nil
}

func (w *writer) run() {
	defer close(w.s.stopped)
	defer func() { _ = w.conn.Close() }() // the database is closed next, which reports
	for {
		select {
		case u := <-w.s.queue:
			w.group(u)
		case <-w.s.closing:
			for {
				select {
				case u := <-w.s.queue:
					w.group(u)
				default:
					return
				}
			}
		}
	}
}

// group commits a unit and what has queued up behind it as one transaction.
func (w *writer) group(first *unit) {
	units, n := []*unit{first}, len(first.writes)
	for n < maxGroup {
		select {
		case u := <-w.s.queue:
			units, n = append(units, u), n+len(u.writes)
			continue
		default:
		}
		break
	}
	g := newGroup(w)
	if err := w.transact(g, units); err != nil {
		for _, u := range units {
			for i := range u.results {
				u.results[i] = store.Result{Record: u.writes[i].Record, Err: unavailable(err)}
			}
		}
	} else {
		w.revision, w.heads, w.maxTimes = g.revision, g.heads, g.maxTimes
		if g.appended {
			w.s.tail.advance(g.heads)
		}
	}
	for _, u := range units {
		close(u.done)
	}
}

// transact does all writes of a group. An error means that nothing was done; a
// write that fails by the contract fails alone, in its result.
func (w *writer) transact(g *group, units []*unit) (err error) {
	ctx := context.Background() // a commit is shared: no caller's end may end it
	if _, err = w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rerr := w.conn.ExecContext(ctx, "ROLLBACK")
			err = errors.Join(err, rerr)
		}
	}()
	for _, u := range units {
		for i := range u.writes {
			if u.results[i], err = g.apply(ctx, &u.writes[i]); err != nil {
				return err
			}
		}
	}
	if err = g.flush(ctx); err != nil {
		return err
	}
	_, err = w.conn.ExecContext(ctx, "COMMIT")
	return err
}

// group is the state of one transaction; it becomes the writer's when it commits.
type group struct {
	w        *writer
	revision int64
	heads    []int64
	maxTimes []int64
	packs    map[int]*pack
	appended bool
}

// pack is the events that one transaction adds to one partition: one row.
type pack struct {
	first   int64
	payload []byte
}

func newGroup(w *writer) *group {
	return &group{
		w: w, revision: w.revision, packs: map[int]*pack{},
		heads: append([]int64(nil), w.heads...), maxTimes: append([]int64(nil), w.maxTimes...),
	}
}

// nextRevision is above every revision the store gave before.
func (g *group) nextRevision(r store.Record) int64 {
	g.revision = max(g.revision+1, r.UpdateTime.UnixMicro())
	return g.revision
}

// flush writes the packs and the revision counter.
func (g *group) flush(ctx context.Context) error {
	for p, k := range g.packs {
		if _, err := g.w.append.ExecContext(ctx, p, k.first, g.heads[p], g.maxTimes[p], k.payload); err != nil {
			return err
		}
		g.appended = true
	}
	if g.revision == g.w.revision {
		return nil
	}
	_, err := g.w.setMax.ExecContext(ctx, strconv.FormatInt(g.revision, 10))
	return err
}

// publish numbers the events of a write that has succeeded.
func (g *group) publish(events []*eventsv1.Event) error {
	for _, e := range events {
		p := store.PartitionOf(e.GetOwner(), len(g.heads))
		k := g.packs[p]
		if k == nil {
			k = &pack{first: g.heads[p] + 1}
			g.packs[p] = k
		}
		g.heads[p]++
		e.Partition, e.Position = int32(p), g.heads[p]
		g.maxTimes[p] = max(g.maxTimes[p], e.GetTime().AsTime().UnixMilli())
		raw, err := proto.Marshal(e)
		if err != nil {
			return err
		}
		k.payload = protowire.AppendBytes(k.payload, raw)
	}
	return nil
}
