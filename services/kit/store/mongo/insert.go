package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// A message to the server holds at most so many inserts.
const (
	maxInserts     = 500
	maxInsertBytes = 16 << 20
)

// insertAll inserts in order. The server stops at a name that exists; then one
// read tells which of the rest exist, and the others go on.
func (s *Store) insertAll(ctx context.Context, ws []*write) {
	// Each round inserts something or settles the first write, but for races.
	for rounds := 2*len(ws) + maxAttempts; len(ws) > 0; rounds-- {
		if rounds == 0 {
			failAll(ws, fmt.Errorf("%w: too many inserts of one name at once", store.ErrUnavailable))
			return
		}
		n, err := s.insertSome(ctx, ws)
		for _, w := range ws[:n] {
			w.result.Record = w.Record
		}
		ws = ws[n:]
		if err == nil {
			continue
		}
		if _, ok := duplicate(err); !ok {
			failAll(ws, fail(ctx, err))
			return
		}
		rest, err := s.settleExisting(ctx, ws)
		if err != nil {
			failAll(ws, fail(ctx, err))
			return
		}
		ws = rest
	}
}

// insertSome inserts the first writes, as many as one message holds, and says how
// many are in.
func (s *Store) insertSome(ctx context.Context, ws []*write) (int, error) {
	var docs []any
	size := 0
	for _, w := range ws {
		size += len(w.body) + len(w.Record.Sealed)
		if len(docs) == maxInserts || (len(docs) > 0 && size > maxInsertBytes) {
			break
		}
		w.Record.Revision = w.firstRevision()
		docs = append(docs, w.document())
	}
	_, err := s.db.records.InsertMany(ctx, docs, options.InsertMany().SetOrdered(true))
	if err == nil {
		return len(docs), nil
	}
	n, _ := duplicate(err)
	return n, err
}

// settleExisting answers the writes whose names exist, and gives the others. A
// tombstone is written over when it is its write's turn.
func (s *Store) settleExisting(ctx context.Context, ws []*write) ([]*write, error) {
	looked := ws[:min(len(ws), maxInserts)]
	existing, err := s.existing(ctx, looked)
	if err != nil {
		return nil, err
	}
	var rest []*write
	for i, w := range looked {
		d := existing[w.Record.Name]
		switch {
		case d == nil || (d.Deleted && i > 0):
			rest = append(rest, w)
		case d.Deleted:
			revived, err := s.revive(ctx, w, d.Revision)
			if err != nil {
				return nil, err
			}
			if !revived {
				rest = append(rest, w)
			}
		default:
			w.exists(d)
		}
	}
	return append(rest, ws[len(looked):]...), nil
}

// existing reads what has the names of writes, tombstones included.
func (s *Store) existing(ctx context.Context, ws []*write) (map[string]*document, error) {
	names := make(bson.A, len(ws))
	for i, w := range ws {
		names[i] = w.Record.Name
	}
	cur, err := s.db.localRecords.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: names}}}}, options.Find().SetProjection(whatIsRead))
	if err != nil {
		return nil, err
	}
	var found []*document
	if err := cur.All(ctx, &found); err != nil {
		return nil, err
	}
	out := make(map[string]*document, len(found))
	for _, d := range found {
		out[d.Name] = d
	}
	return out, nil
}

// exists answers an insert of a name that exists.
func (w *write) exists(d *document) {
	w.result.Err = store.ErrExists
	if w.Record.RequestID == "" || d.RequestID != w.Record.RequestID || d.Kind != w.kind.Name {
		return
	}
	w.result.Record, w.result.Err = w.kind.record(d)
	w.result.Replayed = w.result.Err == nil
}

// revive writes over a tombstone, whose outbox stays.
func (s *Store) revive(ctx context.Context, w *write, revision int64) (bool, error) {
	w.Record.Revision = max(revision+1, w.firstRevision())
	fields := append(w.fields(),
		bson.E{Key: "kind", Value: w.kind.Name},
		bson.E{Key: "parent", Value: w.Record.Parent},
		bson.E{Key: "request_id", Value: w.Record.RequestID},
		bson.E{Key: "create_time", Value: date(w.Record.CreateTime)})
	res, err := s.db.records.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: w.Record.Name}, {Key: "owner", Value: w.Record.Owner}, {Key: "revision", Value: revision}, {Key: "deleted", Value: true}},
		w.update(fields, bson.D{{Key: "deleted", Value: ""}}))
	if err != nil || res.MatchedCount == 0 {
		return false, err
	}
	w.result.Record = w.Record
	return true, nil
}

// document is what an insert puts in.
func (w *write) document() document {
	r := w.Record
	d := document{
		Name: r.Name, Owner: r.Owner, Revision: r.Revision, Kind: r.Kind, Parent: r.Parent, RequestID: r.RequestID,
		CreateTime: date(r.CreateTime), UpdateTime: date(r.UpdateTime),
		Keys: w.keys, Body: w.body, Sealed: r.Sealed, Outbox: w.outbox,
	}
	if len(w.outbox) > 0 {
		d.Pending = &w.partition
	}
	return d
}
