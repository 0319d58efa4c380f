package access

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// Authority knows the grants and keeps the access logs: the journal.
type Authority interface {
	// Grants gives the grants of an owner that let a reader see something now.
	Grants(ctx context.Context, owner, reader string) ([]*journalv1.Grant, error)
	// Record adds entries to people's access logs, each under its name. One that
	// is there already is left as it is.
	Record(ctx context.Context, entries []*journalv1.AccessLogEntry) error
}

// remote asks the journal over gRPC.
type remote struct {
	grants journalv1.GrantServiceClient
	log    journalv1.AccessLogServiceClient
}

// NewRemote gives the authority behind a connection to the journal.
func NewRemote(conn grpc.ClientConnInterface) Authority {
	return remote{journalv1.NewGrantServiceClient(conn), journalv1.NewAccessLogServiceClient(conn)}
}

// Grants implements Authority.
func (r remote) Grants(ctx context.Context, owner, reader string) ([]*journalv1.Grant, error) {
	res, err := r.grants.ResolveGrants(ctx, &journalv1.ResolveGrantsRequest{Owner: owner, Reader: reader})
	return res.GetGrants(), away(err)
}

// Record implements Authority.
func (r remote) Record(ctx context.Context, entries []*journalv1.AccessLogEntry) error {
	_, err := r.log.RecordAccesses(ctx, &journalv1.RecordAccessesRequest{Entries: entries})
	return away(err)
}

// away turns what is wrong between two services into what the caller can do about
// it: try again.
func away(err error) error {
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.Canceled, codes.DeadlineExceeded:
		return err
	}
	return fault.Unavailable(err)
}

// Batch limits.
const (
	// MaxBatch is how many entries are recorded at once.
	MaxBatch = 200
	// maxBatchBytes is how much is recorded at once, unless one entry alone is more:
	// well below what a message may hold.
	maxBatchBytes = 1 << 20
	// recordTimeout is how long recording may take.
	recordTimeout = 10 * time.Second
)

// Log records what readers see. Record returns once it is kept: what is shown has
// been logged. Those who come while others are being recorded go together.
type Log struct {
	authority Authority

	mu       sync.Mutex
	waiting  []*pending
	flushing bool
}

type pending struct {
	entry *journalv1.AccessLogEntry
	done  chan error
}

// NewLog records with an authority.
func NewLog(a Authority) *Log { return &Log{authority: a} }

// Record adds one entry.
func (l *Log) Record(ctx context.Context, e *journalv1.AccessLogEntry) error {
	p := &pending{entry: e, done: make(chan error, 1)}
	l.mu.Lock()
	l.waiting = append(l.waiting, p)
	lead := !l.flushing
	l.flushing = true
	l.mu.Unlock()
	if lead {
		// The first caller's end must not end the others' wait.
		go l.flush(context.WithoutCancel(ctx))
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flush records until nobody waits.
func (l *Log) flush(ctx context.Context) {
	for {
		l.mu.Lock()
		batch := l.waiting[:next(l.waiting)]
		l.waiting = l.waiting[len(batch):]
		l.flushing = len(batch) > 0
		l.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		entries := make([]*journalv1.AccessLogEntry, len(batch))
		for i, p := range batch {
			entries[i] = p.entry
		}
		within, cancel := context.WithTimeout(ctx, recordTimeout)
		err := l.authority.Record(within, entries)
		cancel()
		for _, p := range batch {
			p.done <- err
		}
	}
}

// next is how many of those who wait go together.
func next(waiting []*pending) int {
	n, size := 0, 0
	for n < min(len(waiting), MaxBatch) {
		if size += proto.Size(waiting[n].entry); n > 0 && size > maxBatchBytes {
			break
		}
		n++
	}
	return n
}
