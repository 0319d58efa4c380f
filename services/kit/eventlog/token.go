package eventlog

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/token"
)

// Where a stream can start.
const (
	Earliest = "EARLIEST"
	Latest   = "LATEST"
)

const resumeUse = "resume"

// Bookmarks makes and reads the resume tokens of one log.
type Bookmarks struct {
	log     store.Log
	storeID string
	sealer  *token.Sealer
}

// NewBookmarks works for the log of the store with this id.
func NewBookmarks(log store.Log, storeID string, sealer *token.Sealer) *Bookmarks {
	return &Bookmarks{log: log, storeID: storeID, sealer: sealer}
}

// Scope is a hash of what a stream shows: whose, and by what filter. A token is
// good for the scope it was given in only.
type Scope []byte

// NewScope hashes parts in order.
func NewScope(parts ...string) Scope {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.AppendUvarint(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return h.Sum(nil)[:16]
}

// Token makes the token for positions.
func (b *Bookmarks) Token(scope Scope, positions []int64) (string, error) {
	return b.Seal(scope, &storagev1.ResumeToken{Positions: positions})
}

// Seal makes the token for positions and what else a stream wants to find in it; store
// and scope it sets itself.
func (b *Bookmarks) Seal(scope Scope, t *storagev1.ResumeToken) (string, error) {
	t.Store, t.Request = b.storeID, scope
	return b.sealer.Seal(resumeUse, t)
}

// Start gives the positions to start after: those of the token, or, without
// one, those that start stands for. Errors are faults on the fields resume_token
// and start, and HISTORY_GONE where the log no longer goes back that far in the
// partitions that are to be followed; none given: in any.
func (b *Bookmarks) Start(ctx context.Context, scope Scope, start, resume string, partitions ...int) ([]int64, error) {
	if resume != "" {
		t, err := b.Resume(ctx, scope, resume, partitions...)
		return t.GetPositions(), err
	}
	switch start {
	case "", Earliest:
		floors, err := b.log.Floors(ctx)
		return positionsOf(floors), err
	case Latest:
		return b.log.Wait(ctx, nil)
	}
	t, err := time.Parse(time.RFC3339Nano, start)
	if err != nil {
		return nil, fault.Invalid("start", "START_INVALID", "must be EARLIEST, LATEST or an RFC 3339 time")
	}
	gone := func(_ int, f store.Floor) bool { return !t.After(f.Time) }
	if err := b.kept(ctx, scope, partitions, gone); err != nil {
		return nil, err
	}
	positions := make([]int64, b.log.Partitions())
	for p := range positions {
		if positions[p], err = b.log.Seek(ctx, p, t); err != nil {
			return nil, err
		}
	}
	return positions, nil
}

// Before gives the positions right before the first event of each partition that is
// of the time t or later; where there is none, those at the end of the log.
func (b *Bookmarks) Before(ctx context.Context, t time.Time) ([]int64, error) {
	positions, err := b.log.Wait(ctx, nil)
	if err != nil {
		return nil, err
	}
	for p, head := range positions {
		if positions[p], err = b.before(ctx, p, head, t); err != nil {
			return nil, err
		}
	}
	return positions, nil
}

// before looks from where Seek finds that events of that time may begin.
func (b *Bookmarks) before(ctx context.Context, partition int, head int64, t time.Time) (int64, error) {
	at, err := b.log.Seek(ctx, partition, t)
	for err == nil && at < head {
		var events []*eventsv1.Event
		if events, err = b.log.Read(ctx, partition, at, readBatch); len(events) == 0 {
			break
		}
		for _, e := range events {
			if e.GetPosition() > head || !e.GetTime().AsTime().Before(t) {
				return at, nil
			}
			at = e.GetPosition()
		}
	}
	return at, err
}

// Resume opens a token; its faults are those of Start.
func (b *Bookmarks) Resume(ctx context.Context, scope Scope, text string, partitions ...int) (*storagev1.ResumeToken, error) {
	var t storagev1.ResumeToken
	if err := b.sealer.Open(resumeUse, text, &t); err != nil {
		return nil, fault.Invalid("resume_token", "RESUME_TOKEN_INVALID", "is not a token this service gave")
	}
	if t.GetStore() != b.storeID || subtle.ConstantTimeCompare(t.GetRequest(), scope) != 1 || len(t.GetPositions()) != b.log.Partitions() {
		return nil, fault.Invalid("resume_token", "RESUME_TOKEN_FOREIGN", "was given for another stream: parent and filter must be as they were")
	}
	heads, err := b.log.Wait(ctx, nil)
	if err != nil {
		return nil, err
	}
	for p, position := range t.GetPositions() {
		if position > heads[p] {
			return nil, fault.Invalid("resume_token", "RESUME_TOKEN_AHEAD", "lies ahead of the log, which was set back; start from EARLIEST")
		}
	}
	gone := func(p int, f store.Floor) bool { return t.GetPositions()[p] < f.Position }
	return &t, b.kept(ctx, scope, partitions, gone)
}

// kept is HISTORY_GONE when something of what is asked for is gone from one of the
// partitions; none given: from any.
func (b *Bookmarks) kept(ctx context.Context, scope Scope, partitions []int, gone func(partition int, f store.Floor) bool) error {
	floors, err := b.log.Floors(ctx)
	if err != nil {
		return err
	}
	for p, f := range floors {
		if f.Position == 0 || len(partitions) > 0 && !slices.Contains(partitions, p) || !gone(p, f) {
			continue
		}
		earliest, err := b.Token(scope, positionsOf(floors))
		if err != nil {
			return err
		}
		return &fault.Fault{
			Code: codes.OutOfRange, Reason: "HISTORY_GONE", Metadata: map[string]string{"earliest_token": earliest},
			Message: "that far back nothing is kept any more; go on with the earliest token, or begin with a snapshot",
		}
	}
	return nil
}

func positionsOf(floors []store.Floor) []int64 {
	out := make([]int64, len(floors))
	for p, f := range floors {
		out[p] = f.Position
	}
	return out
}
