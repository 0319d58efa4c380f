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

// prepared is a write in the form in which it goes into the file: all that can
// be done by the caller's goroutine is, and the one writer never looks at a
// message, which the caller may go on to change.
type prepared struct {
	op     store.Op
	record store.Record
	table  *table
	body   []byte
	keys   []any
	events []packed
	err    error
}

// packed is an event without its place in the log.
type packed struct {
	partition int
	time      int64 // milliseconds since 1970
	raw       []byte
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
	if s.closed.Load() {
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
	p := prepared{op: w.Op, record: w.Record, table: s.tables[w.Record.Kind]}
	if p.table == nil || w.Op < store.Insert || w.Op > store.Delete || w.Op != store.Delete && w.Record.Body == nil {
		p.err = store.ErrInvalid
		return p
	}
	if w.Op == store.Insert {
		if p.err = store.CheckNames(w.Record); p.err != nil {
			return p
		}
	}
	for _, e := range w.Events {
		var event packed
		if event, p.err = pack(e, s.Partitions()); p.err != nil {
			return p
		}
		p.events = append(p.events, event)
	}
	if w.Op == store.Delete {
		return p
	}
	p.record.Sealed = bytes.Clone(w.Record.Sealed)
	p.keys = p.table.keyValues(w.Record)
	p.body, p.err = proto.Marshal(w.Record.Body)
	if len(p.body)+len(w.Record.Sealed) > store.MaxBody {
		p.err = store.ErrTooLarge
	}
	return p
}

// Fields of an event that the log sets.
var (
	eventFields    = (&eventsv1.Event{}).ProtoReflect().Descriptor().Fields()
	partitionField = eventFields.ByName("partition").Number()
	positionField  = eventFields.ByName("position").Number()
)

func pack(e *eventsv1.Event, partitions int) (packed, error) {
	raw, err := proto.Marshal(e)
	return packed{partition: store.PartitionOf(e.GetOwner(), partitions), time: e.GetTime().AsTime().UnixMilli(), raw: raw}, err
}

// place appends an event at a position. Of a field that is there twice, the last
// one counts: the place goes behind what the caller may have set.
func (e packed) place(payload []byte, position int64) []byte {
	size := len(e.raw) + protowire.SizeTag(partitionField) + protowire.SizeVarint(uint64(e.partition)) +
		protowire.SizeTag(positionField) + protowire.SizeVarint(uint64(position))
	payload = append(protowire.AppendVarint(payload, uint64(size)), e.raw...)
	payload = protowire.AppendVarint(protowire.AppendTag(payload, partitionField, protowire.VarintType), uint64(e.partition))
	return protowire.AppendVarint(protowire.AppendTag(payload, positionField, protowire.VarintType), uint64(position))
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
		for _, text := range []string{t.insert, t.replace, t.replaceSame, t.remove, t.get} {
			if w.stmts[text], err = conn.PrepareContext(ctx, text); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
		}
	}
	if w.append, err = conn.PrepareContext(ctx, "INSERT INTO events (id, first, max_time, payload) VALUES (?, ?, ?, ?)"); err == nil {
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
		case c := <-w.s.cuts:
			w.trim(c)
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
				u.results[i] = store.Result{Record: u.writes[i].record, Err: unavailable(err)}
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
	rows     map[int]*row
	appended bool
}

// row is the events that one transaction adds to one partition.
type row struct {
	first   int64
	payload []byte
}

func newGroup(w *writer) *group {
	return &group{
		w: w, revision: w.revision, rows: map[int]*row{},
		heads: append([]int64(nil), w.heads...), maxTimes: append([]int64(nil), w.maxTimes...),
	}
}

// nextRevision is above every revision the store gave before.
func (g *group) nextRevision(r store.Record) int64 {
	g.revision = max(g.revision+1, r.UpdateTime.UnixMicro())
	return g.revision
}

// flush writes the rows of events and the revision counter.
func (g *group) flush(ctx context.Context) error {
	for p, r := range g.rows {
		if _, err := g.w.append.ExecContext(ctx, eventID(p, g.heads[p]), r.first, g.maxTimes[p], r.payload); err != nil {
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
func (g *group) publish(events []packed) {
	for _, e := range events {
		r := g.rows[e.partition]
		if r == nil {
			r = &row{first: g.heads[e.partition] + 1}
			g.rows[e.partition] = r
		}
		g.heads[e.partition]++
		g.maxTimes[e.partition] = max(g.maxTimes[e.partition], e.time)
		r.payload = e.place(r.payload, g.heads[e.partition])
	}
}
