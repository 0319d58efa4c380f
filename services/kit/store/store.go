// Package store is the contract between a service and the place its documents
// and events lie in. Two packages fulfil it: sqlite (embedded) and mongo. The
// suite in storetest judges both; each sentence of the contract below that
// begins with an id in brackets has a case of that id there.
//
// Instants (create and update times, timestamps in bodies, event times) are kept
// to the millisecond; callers truncate before they commit.
package store

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
)

// Record is one document with what the store must know about it.
type Record struct {
	// Kind names the declared kind.
	Kind string
	// Name is the key within the store: a resource name.
	Name string
	// Parent is the name of the resource above; empty for none. The name begins
	// with it and a slash. Like Owner it follows from the name and never changes.
	Parent string
	// Owner is whose it is, the unit of partition, encryption and erasure:
	// tenants/{tenant}/people/{person}, or another fixed name for what belongs
	// to nobody. The name begins with it and a slash, or is it.
	Owner string
	// RequestID is the id of the request that created it; empty for none.
	RequestID string
	// Revision is given by the store and grows with every write. A name that is
	// deleted and made again does not get a revision it had before, as long as
	// UpdateTime does not go back.
	Revision int64
	// CreateTime and UpdateTime are the caller's, UTC.
	CreateTime, UpdateTime time.Time
	// Body is the document, a message of the kind's type. Its text fields are
	// empty where Sealed holds them.
	Body proto.Message
	// Sealed holds the encrypted text fields; nil for none.
	Sealed []byte
}

// Op is what a Write does.
type Op int

const (
	// Insert makes a record that must not exist.
	Insert Op = iota + 1
	// Replace writes over a record at a known revision.
	Replace
	// Delete removes a record at a known revision.
	Delete
)

// Write is one document write with its events.
type Write struct {
	Op Op
	// Record is what to write; for Delete, Kind, Name and Owner suffice. Its
	// Revision, for Replace and Delete, is the one that must be current.
	Record Record
	// Events are committed with the record. Id, source, type, subject, owner,
	// time and data are the caller's; owner is the record's owner.
	Events []*eventsv1.Event
}

// Result is what became of one Write.
type Result struct {
	// Record as it now is, with its revision; for Delete, as it was named. Its
	// Body may be the very message that was given.
	Record Record
	// Replayed is true when an Insert found the record its RequestID had made.
	Replayed bool
	// Err is nil, ErrExists, ErrNotFound, ErrConflict, ErrTooLarge, ErrInvalid,
	// ErrUnavailable or ErrClosed, possibly wrapped.
	Err error
}

// Value is one index value: a string or an int64. An absent field counts as ""
// or math.MinInt64, so that values of one key always compare.
type Value any

// Query asks for the records of one kind along one declared index. There is no
// way to ask for a scan.
type Query struct {
	Kind  string
	Index string
	// Prefix gives a value for each key of the index but the last.
	Prefix []Value
	// From (inclusive) and Until (exclusive) bound the last key; nil: unbounded.
	From, Until Value
	// Descending turns the order of last key and name around.
	Descending bool
	// After is the place of the last record of the page before; nil: the first page.
	After *Cursor
	// Limit is how many records at most, 1 to MaxPage.
	Limit int
}

// Cursor is a place in the order of a query: last key, then name.
type Cursor struct {
	Key  Value
	Name string
}

// Page is the answer to a Query.
type Page struct {
	Records []Record
	// Next is where the following page starts after; nil when there is none.
	Next *Cursor
}

// MaxPage is the most records one Query may ask for.
const MaxPage = 1000

// MaxRead is the most events one Read may ask for.
const MaxRead = 10000

// DefaultPartitions is the number of partitions of a new store's log.
const DefaultPartitions = 16

// Documents is the half of a store that holds records.
type Documents interface {
	// Commit does each write, and answers with one Result each, in order.
	//
	// [commit-atomic] A write's record and events become durable and visible
	// together or not at all. [commit-alone] Each write succeeds or fails alone.
	// [commit-durable] A write without Err is on disk (on MongoDB: on a
	// majority) when Commit returns.
	// [insert-exists] Insert of a name that exists is ErrExists and changes
	// nothing, [insert-replay] unless the record was made with the same
	// non-empty RequestID: then it is returned as it is now, Replayed, and no
	// event is added. [insert-race] Of two that insert one name, one succeeds.
	// [replace-absent] Replace or Delete of an absent name is ErrNotFound.
	// [replace-stale] With a revision that is not current it is ErrConflict, and
	// neither record nor events change. [replace-race] Of two that replace one
	// revision, one succeeds. [replace-keeps] Replace keeps CreateTime and
	// RequestID as they were. [revision-grows] Each write gives a revision above
	// the one before. [revision-recreate] A name deleted and made again later
	// gets a revision above the old ones.
	// [order-within-commit] Writes of one Commit to one owner are done in order.
	// [no-alias] The store keeps no reference to what it was given, nor gives
	// out what it keeps. [round-trip] Unicode, letter case, the NUL character,
	// empty and large values come back as they were.
	// [too-large] A body over 8 MiB is ErrTooLarge. [names] An Insert whose name
	// does not begin with its parent or its owner is ErrInvalid.
	//
	// A ctx that ends early is answered with its error in every Result not yet
	// known; such a write may have happened.
	Commit(ctx context.Context, writes ...Write) []Result

	// Get gives one record. [get-absent] An absent name is ErrNotFound.
	// [read-your-writes] An acknowledged write is seen by every later read.
	// [kind-wall] A name of another kind is ErrNotFound.
	Get(ctx context.Context, kind, name string) (Record, error)

	// GetBatch gives the records of those names that exist, by name, with one
	// round trip. At most MaxPage names.
	GetBatch(ctx context.Context, kind string, names []string) (map[string]Record, error)

	// List gives the records along an index. [list-order] Ordered by last key,
	// then name. [list-prefix] Only records that equal the prefix.
	// [list-range] From is inclusive, Until exclusive. [list-page] Every page
	// size gives the same records. [list-stable] Records that are inserted or
	// deleted between pages cause neither loss nor repeat of others.
	// [list-anchor] A cursor stays good when its record is deleted or changed.
	// [list-declared] An undeclared kind or index, a wrong number of prefix
	// values, a value of the wrong type or a limit out of range is ErrInvalid.
	List(ctx context.Context, q Query) (Page, error)
}

// Floor is what a partition's log holds no more.
type Floor struct {
	// Position up to which all events are gone; 0: none is.
	Position int64
	// Time of the latest of them, UTC; no meaning at position 0.
	Time time.Time
}

// Log is the half of a store that holds events, in partitions by owner.
type Log interface {
	// Partitions is the number of partitions, fixed when the store was made.
	Partitions() int

	// Read gives the events of a partition after a position, oldest first, at
	// most limit (1 to MaxRead). Fewer do not mean that there are no more.
	//
	// [log-order] Positions strictly increase. [log-owner] Events of one owner
	// lie in one partition, in the order their writes were acknowledged.
	// [log-final] Who has seen position p never later finds a new event at or
	// below p. [log-once] Each committed event is there exactly once, as it was
	// given, with partition and position set. [log-reopen] All that holds across
	// Close and reopening. [log-events-together] Events of one write lie in
	// the order they were given. [log-failed] A failed write leaves no event.
	// [trim-read] After a position below the floor it is ErrGone: nothing is
	// passed over.
	Read(ctx context.Context, partition int, after int64, limit int) ([]*eventsv1.Event, error)

	// Wait returns the last position of each partition as soon as any lies above
	// the one in seen; nil seen: at once. [wait-wakes] A commit wakes it within
	// a second. [wait-cancel] It ends with ctx.
	Wait(ctx context.Context, seen []int64) ([]int64, error)

	// Seek gives the position after which all events of the partition with a
	// time at or after t lie. [seek-time] No event of that time or later lies at
	// or below it; earlier events may follow it. [trim-seek] Where the floor lies
	// above, it is the floor.
	Seek(ctx context.Context, partition int, t time.Time) (int64, error)

	// Trim removes events of a partition at or below a position, oldest first,
	// about limit (1 to MaxRead) at most, and gives the floor that it has come to.
	//
	// [trim-floor] Floors never fall, and never lie above what Trim was asked for.
	// Again and again, it gets as far as it may, give or take the events that were
	// committed together. [trim-keeps] What lies above the floor stays as it was.
	// [trim-last] The last event of a partition stays, so that no position is
	// given twice. [trim-reopen] All that holds across Close and reopening.
	Trim(ctx context.Context, partition int, upTo int64, limit int) (Floor, error)

	// Floors gives the floor of each partition.
	Floors(ctx context.Context) ([]Floor, error)
}

// Store is both, with a life of its own.
type Store interface {
	Documents
	Log

	// ID names this store for ever. [id-stable] It is the same after reopening
	// and differs between stores.
	ID() string

	// Check says whether the store can serve, within the ctx's deadline.
	Check(ctx context.Context) error

	// Close finishes what is under way and ends the store. [close-use] Later
	// calls are ErrClosed. [close-twice] A second Close does nothing.
	Close() error
}
