// Package mongo keeps a store in a MongoDB database, or in one that speaks its
// protocol.
//
// Only single documents are written atomically: no transactions, no change
// streams. A record's events are pushed into its own outbox in the write that
// changes it; a relay, one leaseholder per partition, numbers them and moves them
// to the log (see relay.go). Everything is written with majority concern and read
// from the primary.
//
// On a sharded cluster the shard key of records is owner, that of events is
// partition.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Options say where and what to keep.
type Options struct {
	// URI of the server, with the driver's options in its query.
	URI string
	// Database that belongs to this store alone.
	Database string
	Schema   store.Schema
	// Partitions of a new store's log; 0: store.DefaultPartitions. An existing
	// store keeps the number it was made with.
	Partitions int
	// NewID names a new store, and this holder of leases.
	NewID ids.Source
	// Clock tells when leases end; nil: clock.System.
	Clock clock.Clock
	// Log hears of failures of the relay; nil: nobody does.
	Log *slog.Logger
	// LeaseTTL is how long a partition waits for a relay that died; 0: 5 s.
	LeaseTTL time.Duration
	// PollMin and PollMax are how often to look for what other processes have
	// committed: the first while there is something, the second after a while
	// without; 0: 25 ms and 250 ms.
	PollMin, PollMax time.Duration
}

// Defaults of Options.
const (
	defaultLeaseTTL = 5 * time.Second
	defaultPollMin  = 25 * time.Millisecond
	defaultPollMax  = 250 * time.Millisecond
)

// Bounds of what nobody's context bounds.
const (
	// selectTimeout is how long an operation looks for the server; the URI may
	// say otherwise.
	selectTimeout = 5 * time.Second
	// roundTimeout bounds one round of the relay, of its leases or of the watch.
	roundTimeout = 10 * time.Second
	// closeTimeout bounds each step of Close.
	closeTimeout = 5 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Partitions == 0 {
		o.Partitions = store.DefaultPartitions
	}
	if o.NewID == nil {
		o.NewID = ids.Random
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.LeaseTTL == 0 {
		o.LeaseTTL = defaultLeaseTTL
	}
	if o.PollMin == 0 {
		o.PollMin = defaultPollMin
	}
	if o.PollMax == 0 {
		o.PollMax = max(defaultPollMax, o.PollMin)
	}
	return o
}

// Store is a store in a MongoDB database.
type Store struct {
	schema store.Schema
	kinds  map[string]*kind
	id     string
	client *driver.Client
	db     collections
	leases *keeper
	relay  *relay
	tail   *tail

	stop     context.CancelFunc // ends the loops
	loops    sync.WaitGroup
	once     sync.Once
	mu       sync.RWMutex // guards closed against inflight.Add
	closed   bool
	inflight sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open opens a store, making or upgrading it as needed. It is
// store.ErrNewerSchema when a newer release wrote it.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := prepare(ctx, o.withDefaults())
	if err != nil {
		return nil, err
	}
	s.start()
	return s, nil
}

// prepare does all of Open but starting the loops.
func prepare(ctx context.Context, o Options) (_ *Store, err error) {
	if err := o.Schema.Check(); err != nil {
		return nil, err
	}
	if o.URI == "" || o.Database == "" || o.Partitions < 1 || o.PollMax < o.PollMin {
		return nil, fmt.Errorf("%w: a store needs a URI, a database, at least one partition and ordered intervals", store.ErrInvalid)
	}
	s := &Store{schema: o.Schema, kinds: map[string]*kind{}}
	for _, k := range o.Schema.Kinds {
		if s.kinds[k.Name], err = newKind(k); err != nil {
			return nil, err
		}
	}
	s.client, err = driver.Connect(options.Client().SetServerSelectionTimeout(selectTimeout).ApplyURI(o.URI).
		SetWriteConcern(writeconcern.Majority()).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()))
	if err != nil {
		// The driver's text may hold the password of the URI.
		return nil, fmt.Errorf("%w: the URI of the database cannot be used", store.ErrInvalid)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.disconnect())
		}
	}()
	s.db = newCollections(s.client.Database(o.Database))
	meta, err := s.migrate(ctx, o)
	if err != nil {
		return nil, err
	}
	s.id = meta.ID
	s.tail = newTail(int(meta.Partitions))
	s.leases = newKeeper(s.db, o, s.tail)
	s.relay = newRelay(s.db, o, s.leases)
	return s, fail(ctx, s.leases.round(ctx))
}

// start starts the loops: leases, relay, and the watch for what other processes
// relay.
func (s *Store) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.loops.Go(func() { s.leases.run(ctx, s.relay.wake) })
	s.loops.Go(func() { s.relay.run(ctx) })
	s.loops.Go(func() { s.leases.watch(ctx) })
}

// collections are the places of a store. Local ones are read without waiting for
// a majority: they decide what to write, and must see what is about to be there.
type collections struct {
	database                                           *driver.Database
	records, localRecords, owners, events, localEvents *driver.Collection
	leases, localLeases, meta                          *driver.Collection
}

func newCollections(db *driver.Database) collections {
	local := options.Collection().SetReadConcern(readconcern.Local())
	return collections{
		database: db,
		records:  db.Collection("records"), localRecords: db.Collection("records", local),
		owners: db.Collection("owners", local),
		events: db.Collection("events"), localEvents: db.Collection("events", local),
		leases: db.Collection("leases"), localLeases: db.Collection("leases", local),
		meta: db.Collection("meta", local),
	}
}

// ID implements store.Store.
func (s *Store) ID() string { return s.id }

// Check asks the primary for an answer.
func (s *Store) Check(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.inflight.Done()
	return fail(ctx, s.client.Ping(ctx, readpref.Primary()))
}

// enter counts a call in, until inflight.Done, unless the store is closed.
func (s *Store) enter() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	s.inflight.Add(1)
	return nil
}

// Close finishes what is under way, relays what waits in the outboxes of the
// partitions it holds, and hands them over.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.tail.close()
		s.settle()
		if s.stop != nil {
			s.stop()
		}
		s.loops.Wait()
		// What cannot be relayed now, the next holder relays.
		for _, last := range []func(context.Context) error{s.relay.drain, s.leases.release} {
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			s.relay.report(last(ctx))
			cancel()
		}
		err = s.disconnect()
	})
	return err
}

// settle waits for the calls under way, as long as Close may take.
func (s *Store) settle() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.inflight.Wait()
	}()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
	}
}

func (s *Store) disconnect() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return fail(ctx, s.client.Disconnect(ctx))
}
