package mongo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/bsonpb"
)

const (
	// maxParallel is how many owners' writes of one commit are under way at once.
	maxParallel = 8
	// maxAttempts is how often a write that lost a race tries again.
	maxAttempts = 8
	// maxDocument is the largest mirror of a body: its field names can make it
	// larger than the message, and a document may have 16 MiB with its outbox.
	maxDocument = 15 << 20
)

// write is a write on its way, encoded.
type write struct {
	store.Write
	kind      *kind
	body      bson.Raw
	keys      bson.D
	outbox    []entry
	partition int32
	// seq is the owner's number for this write.
	seq int64
	// floor is the highest revision of what the owner has deleted.
	floor  int64
	result *store.Result
}

// Commit implements store.Documents. Each owner's writes are done in order,
// owners beside each other; inserts travel together.
func (s *Store) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	results := make([]store.Result, len(writes))
	if err := s.enter(); err != nil {
		for i, w := range writes {
			results[i] = store.Result{Record: w.Record, Err: err}
		}
		return results
	}
	defer s.inflight.Done()
	owners := map[string][]*write{}
	for i, w := range writes {
		results[i].Record = w.Record
		p, err := s.encode(w)
		if err != nil {
			results[i].Err = err
			continue
		}
		p.result = &results[i]
		owners[w.Record.Owner] = append(owners[w.Record.Owner], p)
	}
	s.commit(ctx, owners)
	for i, w := range writes {
		if results[i].Err == nil && (len(w.Events) > 0 || w.Op == store.Delete) {
			s.relay.wakeFor(int32(store.PartitionOf(w.Record.Owner, s.tail.partitions())))
		}
	}
	return results
}

// commit does the writes of all owners. Those of owners who only get inserts
// become one insert of many.
func (s *Store) commit(ctx context.Context, owners map[string][]*write) {
	var mu sync.Mutex
	var inserts []*write
	var mixed [][]*write
	var reserving errgroup.Group
	reserving.SetLimit(maxParallel)
	for owner, ws := range owners {
		reserving.Go(func() error {
			if err := s.reserve(ctx, owner, ws); err != nil {
				failAll(ws, fail(ctx, err))
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if slices.ContainsFunc(ws, func(w *write) bool { return w.Op != store.Insert }) {
				mixed = append(mixed, ws)
			} else {
				inserts = append(inserts, ws...)
			}
			return nil
		})
	}
	_ = reserving.Wait() // none fails: results say what did
	var writing errgroup.Group
	writing.SetLimit(maxParallel)
	writing.Go(func() error { s.insertAll(ctx, inserts); return nil })
	for _, ws := range mixed {
		writing.Go(func() error { s.inOrder(ctx, ws); return nil })
	}
	_ = writing.Wait() // none fails: results say what did
}

// inOrder does the writes of one owner, neighboring inserts together.
func (s *Store) inOrder(ctx context.Context, ws []*write) {
	for len(ws) > 0 {
		inserts := 0
		for inserts < len(ws) && ws[inserts].Op == store.Insert {
			inserts++
		}
		s.insertAll(ctx, ws[:inserts])
		if ws = ws[inserts:]; len(ws) > 0 {
			s.change(ctx, ws[0])
			ws = ws[1:]
		}
	}
}

func failAll(ws []*write, err error) {
	for _, w := range ws {
		w.result.Err = err
	}
}

// encode takes over what the caller gave, as bytes.
func (s *Store) encode(w store.Write) (*write, error) {
	p := &write{Write: w, kind: s.kinds[w.Record.Kind], partition: int32(store.PartitionOf(w.Record.Owner, s.tail.partitions()))}
	if p.kind == nil || w.Op < store.Insert || w.Op > store.Delete || (w.Op != store.Delete && w.Record.Body == nil) {
		return nil, fmt.Errorf("%w: no kind %q, no such operation or no body", store.ErrInvalid, w.Record.Kind)
	}
	if w.Op == store.Insert {
		if err := store.CheckNames(w.Record); err != nil {
			return nil, err
		}
	}
	for _, e := range w.Events {
		raw, err := proto.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("%w: an event cannot be encoded", store.ErrInvalid)
		}
		p.outbox = append(p.outbox, entry{ID: e.GetId(), Time: date(e.GetTime().AsTime()), Type: e.GetType(), Event: raw})
	}
	if w.Op == store.Delete {
		return p, nil
	}
	if proto.Size(w.Record.Body)+len(w.Record.Sealed) > store.MaxBody {
		return nil, store.ErrTooLarge
	}
	var err error
	if p.body, err = bsonpb.Marshal(w.Record.Body); err != nil {
		return nil, fmt.Errorf("%w: a body of kind %s cannot be encoded: %w", store.ErrInvalid, w.Record.Kind, err)
	}
	if len(p.body)+len(w.Record.Sealed) > maxDocument {
		return nil, store.ErrTooLarge
	}
	p.Record.Body, p.Record.Sealed = proto.Clone(w.Record.Body), bytes.Clone(w.Record.Sealed)
	p.Record.CreateTime, p.Record.UpdateTime = instant(date(w.Record.CreateTime)), instant(date(w.Record.UpdateTime))
	p.keys = p.kind.keyValues(p.Record.Body)
	return p, nil
}

// reserve stamps the events of an owner's writes with the owner's next numbers,
// so that whatever was acknowledged before has lower ones, and learns above which
// revision new records must begin. It raises that before anything is deleted:
// nothing else remembers a deleted record's revision once its tombstone is gone.
func (s *Store) reserve(ctx context.Context, owner string, ws []*write) error {
	var n, deleted int64
	for _, w := range ws {
		if w.Op != store.Replace || len(w.outbox) > 0 {
			n++
		}
		if w.Op == store.Delete {
			deleted = max(deleted, w.Record.Revision)
		}
	}
	if n == 0 {
		return nil
	}
	var counter struct {
		Seq   int64 `bson:"seq"`
		Floor int64 `bson:"floor"`
	}
	update := bson.D{{Key: "$inc", Value: bson.D{{Key: "seq", Value: n}}}, {Key: "$max", Value: bson.D{{Key: "floor", Value: deleted}}}}
	err := retry(driver.IsDuplicateKeyError, func() error { // two that make the counter at once
		return s.db.owners.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: owner}}, update,
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&counter)
	})
	seq := counter.Seq - n
	for _, w := range ws {
		if w.Op == store.Replace && len(w.outbox) == 0 {
			continue
		}
		seq++
		w.seq, w.floor = seq, counter.Floor
		for i := range w.outbox {
			w.outbox[i].Seq = seq
		}
	}
	return err
}

// firstRevision is the revision of a new record: above all that its name had, and
// most likely another than that of what the owner made in the same millisecond.
func (w *write) firstRevision() int64 {
	return max(w.floor+1, w.Record.UpdateTime.UnixMicro()+w.seq%1000)
}

// retry does something again while it fails with an error that passes.
func retry(passes func(error) bool, do func() error) error {
	var err error
	for range maxAttempts {
		if err = do(); err == nil || !passes(err) {
			return err
		}
	}
	return err
}
