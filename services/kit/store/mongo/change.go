package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// change does a Replace or Delete and answers it.
func (s *Store) change(ctx context.Context, w *write) {
	var err error
	if w.Op == store.Replace {
		err = s.replace(ctx, w)
	} else {
		err = s.remove(ctx, w)
	}
	if errors.Is(err, driver.ErrNoDocuments) {
		err = s.missed(ctx, w)
	}
	w.result.Err = err
	switch {
	case err == nil:
		w.result.Record = w.Record
	case !isOutcome(err):
		w.result.Err = fail(ctx, err)
	}
}

func isOutcome(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrInvalid)
}

// current finds the document a write was made for.
func (w *write) current() bson.D {
	return bson.D{{Key: "_id", Value: w.Record.Name}, {Key: "owner", Value: w.Record.Owner}, {Key: "kind", Value: w.kind.Name}, {Key: "revision", Value: w.Record.Revision}}
}

// fields are what inserts and replacements alike set.
func (w *write) fields() bson.D {
	r := w.Record
	out := bson.D{
		{Key: "revision", Value: r.Revision}, {Key: "update_time", Value: date(r.UpdateTime)},
		{Key: "keys", Value: w.keys}, {Key: "body", Value: w.body},
	}
	if len(r.Sealed) > 0 {
		out = append(out, bson.E{Key: "sealed", Value: r.Sealed})
	}
	return out
}

// update sets and unsets fields and adds the events to the outbox: one write.
func (w *write) update(set, unset bson.D) bson.D {
	var out bson.D
	if len(w.outbox) > 0 {
		set = append(set, bson.E{Key: "pending", Value: w.partition})
		out = append(out, bson.E{Key: "$push", Value: bson.D{{Key: "outbox", Value: bson.D{{Key: "$each", Value: w.outbox}}}}})
	}
	out = append(out, bson.E{Key: "$set", Value: set})
	if len(unset) > 0 {
		out = append(out, bson.E{Key: "$unset", Value: unset})
	}
	return out
}

// replace writes over the record; what stays comes back.
func (s *Store) replace(ctx context.Context, w *write) error {
	current := w.current()
	w.Record.Revision = max(w.Record.Revision+1, w.Record.UpdateTime.UnixMicro())
	var unset bson.D
	if len(w.Record.Sealed) == 0 {
		unset = bson.D{{Key: "sealed", Value: ""}}
	}
	var kept document
	err := s.db.records.FindOneAndUpdate(ctx, current, w.update(w.fields(), unset),
		options.FindOneAndUpdate().SetProjection(bson.D{{Key: "create_time", Value: 1}, {Key: "request_id", Value: 1}})).Decode(&kept)
	if err != nil {
		return err
	}
	w.Record.CreateTime, w.Record.RequestID = instant(kept.CreateTime), kept.RequestID
	return nil
}

// remove makes the record a tombstone, for the relay to take away.
func (s *Store) remove(ctx context.Context, w *write) error {
	var gone bson.D
	for _, name := range []string{"kind", "parent", "request_id", "create_time", "update_time", "keys", "body", "sealed"} {
		gone = append(gone, bson.E{Key: name, Value: ""})
	}
	set := bson.D{{Key: "deleted", Value: true}}
	if len(w.outbox) == 0 {
		set = append(set, bson.E{Key: "pending", Value: w.partition})
	}
	res, err := s.db.records.UpdateOne(ctx, w.current(), w.update(set, gone))
	if err == nil && res.MatchedCount == 0 {
		return driver.ErrNoDocuments
	}
	return err
}

// missed tells why a conditional write found nothing to write.
func (s *Store) missed(ctx context.Context, w *write) error {
	var d document
	err := s.db.localRecords.FindOne(ctx, bson.D{{Key: "_id", Value: w.Record.Name}, {Key: "kind", Value: w.kind.Name}},
		options.FindOne().SetProjection(bson.D{{Key: "owner", Value: 1}})).Decode(&d)
	switch {
	case errors.Is(err, driver.ErrNoDocuments):
		return store.ErrNotFound
	case err != nil:
		return err
	case d.Owner != w.Record.Owner:
		return fmt.Errorf("%w: a record's owner does not change", store.ErrInvalid)
	}
	return store.ErrConflict
}
