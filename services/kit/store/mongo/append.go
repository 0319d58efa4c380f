package mongo

import (
	"context"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
)

// end is where a partition's log ends, as far as the holder of an epoch knows.
type end struct {
	epoch    int64
	position int64
	maxTime  bson.DateTime
}

// maxAppends is how many partitions are appended to at once.
const maxAppends = 4

// appended is what became of one partition's part of a step.
type appended struct {
	partition int32
	end       end
	ok        bool
	err       error
}

// append puts entries into the log and gives the records whose entries are there
// now. Partitions fail alone.
func (r *relay) append(ctx context.Context, held map[int32]int64, gathered []*waiting) ([]*waiting, error) {
	parts := inOrder(gathered)
	results := make([]appended, 0, len(parts))
	for p := range parts {
		results = append(results, appended{partition: p, end: r.ends[p]})
	}
	var appending errgroup.Group
	appending.SetLimit(maxAppends)
	for i := range results {
		a := &results[i]
		appending.Go(func() error {
			if epoch := held[a.partition]; a.end.epoch != epoch {
				a.end = end{epoch: epoch, position: -1}
			}
			a.ok, a.err = r.appendTo(ctx, a.partition, &a.end, parts[a.partition])
			return nil
		})
	}
	_ = appending.Wait() // none fails: results say what did
	heads, failed := map[int32]int64{}, map[int32]bool{}
	var err error
	for _, a := range results {
		r.ends[a.partition] = a.end
		if !a.ok {
			failed[a.partition], err = true, a.err
			delete(r.ends, a.partition)
			continue
		}
		heads[a.partition] = a.end.position
	}
	// Readers are told before the outboxes are cleared: whoever is told by nobody
	// is told when the step is done again.
	if aerr := r.leases.advance(ctx, heads); aerr != nil {
		return nil, aerr
	}
	var done []*waiting
	for _, w := range gathered {
		if !failed[w.Partition] {
			done = append(done, w)
		}
	}
	return done, err
}

// appendTo puts entries at the end of a partition's log. The server refuses a
// position or an event that is there: then another relay was at work, or this one
// was interrupted, and what is there is looked up. False: the lease is lost.
func (r *relay) appendTo(ctx context.Context, partition int32, e *end, entries []numbered) (bool, error) {
	for attempt := 0; ; attempt++ {
		if e.position < 0 {
			if err := r.findEnd(ctx, partition, e); err != nil {
				return false, err
			}
		}
		docs, next := number(partition, *e, entries)
		if len(docs) == 0 {
			return true, nil
		}
		_, err := r.db.events.InsertMany(ctx, docs, options.InsertMany().SetOrdered(true))
		if err == nil {
			*e = next
			return true, nil
		}
		if _, refused := duplicate(err); !refused || attempt == maxAttempts {
			return false, err
		}
		if held, err := r.leases.confirm(ctx, partition); !held || err != nil {
			return false, err
		}
		if entries, err = r.missing(ctx, partition, entries); err != nil {
			return false, err
		}
		e.position = -1
	}
}

// number makes log documents of entries, and gives the end after them.
func number(partition int32, e end, entries []numbered) ([]any, end) {
	docs := make([]any, len(entries))
	for i, n := range entries {
		e.position++
		e.maxTime = max(e.maxTime, n.Time)
		docs[i] = logged{
			Partition: partition, Position: e.position, ID: n.ID, Time: n.Time, MaxTime: e.maxTime,
			Owner: n.owner, Type: n.Type, Event: n.Event,
		}
	}
	return docs, e
}

// findEnd looks up where a partition's log ends.
func (r *relay) findEnd(ctx context.Context, partition int32, e *end) error {
	last, err := first(ctx, r.db.localEvents, after(int(partition), 0), newest)
	if err == nil {
		e.position, e.maxTime = last.Position, last.MaxTime
		if last.Position == 0 {
			e.maxTime = bson.DateTime(minTime)
		}
	}
	return err
}

// minTime is before any time.
const minTime = -1 << 63

// byIDs finds events of a partition.
func byIDs(partition int32, ids []string) bson.D {
	return bson.D{{Key: "partition", Value: partition}, {Key: "id", Value: bson.D{{Key: "$in", Value: ids}}}}
}

// missing gives the entries that are not in the log.
func (r *relay) missing(ctx context.Context, partition int32, entries []numbered) ([]numbered, error) {
	ids := make([]string, len(entries))
	for i, n := range entries {
		ids[i] = n.ID
	}
	cur, err := r.db.localEvents.Find(ctx, byIDs(partition, ids), options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}}))
	if err != nil {
		return nil, err
	}
	var found []logged
	if err := cur.All(ctx, &found); err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, l := range found {
		there[l.ID] = true
	}
	var out []numbered
	for _, n := range entries {
		// An id that is given twice is one event.
		if !there[n.ID] {
			out, there[n.ID] = append(out, n), true
		}
	}
	return out, nil
}

// clear takes what is in the log out of the outboxes. Where nothing else is in
// one, the record is done, and a tombstone goes; a record that was written to
// meanwhile does not match, and only its entries go.
func (r *relay) clear(ctx context.Context, done []*waiting) error {
	var whole, parts []driver.WriteModel
	for _, w := range done {
		if w.take == len(w.Outbox) {
			whole = append(whole, w.finish())
		}
		if w.take > 0 {
			parts = append(parts, w.pull())
		}
	}
	unordered := options.BulkWrite().SetOrdered(false)
	if len(whole) > 0 {
		res, err := r.db.records.BulkWrite(ctx, whole, unordered)
		if err != nil {
			return err
		}
		if len(whole) == len(done) && res.MatchedCount+res.DeletedCount == int64(len(whole)) {
			return nil
		}
	}
	if len(parts) == 0 {
		return nil
	}
	_, err := r.db.records.BulkWrite(ctx, parts, unordered)
	return err
}

// finish clears a whole outbox, as long as it is the one that was read.
func (w *waiting) finish() driver.WriteModel {
	same := bson.D{{Key: "_id", Value: w.Name}, {Key: "owner", Value: w.Owner}, {Key: "outbox." + strconv.Itoa(len(w.Outbox)), Value: bson.D{{Key: "$exists", Value: false}}}}
	if len(w.Outbox) > 0 {
		same = append(same, bson.E{Key: "outbox.0.id", Value: w.Outbox[0].ID}, bson.E{Key: "outbox." + strconv.Itoa(len(w.Outbox)-1) + ".id", Value: w.Outbox[len(w.Outbox)-1].ID})
	}
	if w.Deleted {
		return driver.NewDeleteOneModel().SetFilter(append(same, bson.E{Key: "deleted", Value: true}))
	}
	return driver.NewUpdateOneModel().SetFilter(append(same, bson.E{Key: "deleted", Value: bson.D{{Key: "$exists", Value: false}}})).
		SetUpdate(bson.D{{Key: "$unset", Value: bson.D{{Key: "outbox", Value: ""}, {Key: "pending", Value: ""}}}})
}

// pull takes what was relayed out of an outbox.
func (w *waiting) pull() driver.WriteModel {
	ids := make(bson.A, w.take)
	for i := range ids {
		ids[i] = w.Outbox[i].ID
	}
	return driver.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: w.Name}, {Key: "owner", Value: w.Owner}}).
		SetUpdate(bson.D{{Key: "$pull", Value: bson.D{{Key: "outbox", Value: bson.D{{Key: "id", Value: bson.D{{Key: "$in", Value: ids}}}}}}}})
}
