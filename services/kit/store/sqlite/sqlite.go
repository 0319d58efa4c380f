// Package sqlite keeps a store in one SQLite file: what runs when nobody has set
// up a database. One writer commits what has queued up as one transaction, so
// that many writers share the cost of making it durable; readers have their own
// connections and never wait for the writer.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Options say where and what to keep.
type Options struct {
	// Path of the file; its folder must exist.
	Path   string
	Schema store.Schema
	// Partitions of a new store's log; 0: store.DefaultPartitions. An existing
	// store keeps the number it was made with.
	Partitions int
	// NewID names a new store.
	NewID ids.Source
	// Readers is how many reads run at once; 0: 8.
	Readers int
}

// Limits of the writer.
const (
	// maxGroup is how many writes share one transaction.
	maxGroup = 512
	// maxQueue is how many commits wait for the writer; more wait to queue.
	maxQueue = 1024
	// checkpointPages is how long the write-ahead log gets, in pages of 4 KiB,
	// before its pages are moved to where they belong: the longer, the more often
	// a page was written again meanwhile and is moved once.
	checkpointPages = 16384
	defaultReaders  = 8
)

// Store is a store in a SQLite file.
type Store struct {
	schema  store.Schema
	id      string
	lock    *flock.Flock
	writeDB *sql.DB
	readDB  *sql.DB
	reads   statements
	tables  map[string]*table
	tail    *tail
	floors  floors

	queue   chan *unit
	cuts    chan *cut
	closing chan struct{} // closed by Close: no more commits
	stopped chan struct{} // closed when the writer is done
	once    sync.Once
	pending sync.WaitGroup // commits that may still put into the queue
	mu      sync.RWMutex   // guards closed against pending.Add
	closed  atomic.Bool
}

var _ store.Store = (*Store)(nil)

// Open opens a store, making or upgrading it as needed. It is
// store.ErrInUse while another process has it open, and store.ErrNewerSchema
// when a newer release wrote it.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.Schema.Check(); err != nil {
		return nil, err
	}
	lock := flock.New(o.Path + ".lock")
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("sqlite: lock: %w", err)
	}
	if !ok {
		return nil, store.ErrInUse
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	s.lock = lock
	return s, nil
}

func open(ctx context.Context, o Options) (_ *Store, err error) {
	s := &Store{
		schema:  o.Schema,
		tables:  map[string]*table{},
		queue:   make(chan *unit, maxQueue),
		cuts:    make(chan *cut),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeDBs())
		}
	}()
	if s.writeDB, err = sql.Open("sqlite", dsn(o.Path, false)); err != nil {
		return nil, err
	}
	s.writeDB.SetMaxOpenConns(1)
	for _, k := range o.Schema.Kinds {
		if s.tables[k.Name], err = newTable(k); err != nil {
			return nil, err
		}
	}
	meta, err := migrate(ctx, s.writeDB, o, s.tables)
	if err != nil {
		return nil, err
	}
	s.id = meta.id
	if s.readDB, err = sql.Open("sqlite", dsn(o.Path, true)); err != nil {
		return nil, err
	}
	readers := o.Readers
	if readers == 0 {
		readers = defaultReaders
	}
	s.readDB.SetMaxOpenConns(readers)
	s.readDB.SetMaxIdleConns(readers)
	s.reads = statements{db: s.readDB}
	s.tail, s.floors.by = newTail(meta.heads), meta.floors
	w, err := newWriter(ctx, s, meta)
	if err != nil {
		return nil, err
	}
	go w.run()
	return s, nil
}

// dsn sets what every connection needs: a write-ahead log that is flushed with
// each transaction, and readers that cannot write.
func dsn(path string, readOnly bool) string {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)")
	q.Add("_pragma", "cache_size(-32768)")
	q.Add("_pragma", "mmap_size(268435456)")
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Add("_pragma", fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages))
		q.Add("_txlock", "immediate")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// ID names this store for ever.
func (s *Store) ID() string { return s.id }

// Check reads one row.
func (s *Store) Check(ctx context.Context) error {
	if err := s.alive(); err != nil {
		return err
	}
	var one int
	if err := s.readDB.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return unavailable(err)
	}
	return nil
}

func (s *Store) alive() error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	return nil
}

// Close finishes the commits that are under way and closes the file.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		s.mu.Lock()
		s.closed.Store(true)
		s.mu.Unlock()
		s.pending.Wait()
		close(s.closing)
		<-s.stopped
		s.tail.close()
		err = errors.Join(s.closeDBs(), s.lock.Unlock())
	})
	return err
}

func (s *Store) closeDBs() error {
	var errs []error
	s.reads.close()
	for _, db := range []*sql.DB{s.readDB, s.writeDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// unavailable hides the driver's error behind the contract's; a context's own
// error stays what it is.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %s", store.ErrUnavailable, err.Error())
}

// unhurried is a context for one query: it does not end before the query does.
// Every query is one short range of an index; watching for an end that comes
// earlier would cost goroutines with each of them.
func unhurried(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// statements prepares each query text once.
type statements struct {
	db *sql.DB
	mu sync.Mutex
	by map[string]*sql.Stmt
}

func (p *statements) get(ctx context.Context, text string) (*sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if st, ok := p.by[text]; ok {
		return st, nil
	}
	st, err := p.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, unavailable(err)
	}
	if p.by == nil {
		p.by = map[string]*sql.Stmt{}
	}
	p.by[text] = st
	return st, nil
}

func (p *statements) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, st := range p.by {
		_ = st.Close() // the database is closed next, which reports
	}
	p.by = nil
}
