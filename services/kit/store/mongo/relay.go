package mongo

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// relay moves events from the outboxes of records to the log, and numbers them
// on the way. One step:
//
//  1. scan: some records whose outboxes wait.
//  2. gather: everything that waits of the owners found, up to the highest number
//     that scan saw of each. A scan is not a snapshot: it may meet a record and
//     have missed another of the same owner that was acknowledged before the
//     first was sent. By the time of the second read that one is there. What the
//     second read meets beyond the number may in turn lack something, and is left
//     for another step.
//  3. append: in the order of the owner's numbers into the log (append.go).
//  4. clear: out of the outboxes, if nothing came in meanwhile.
//
// It may stop after any of these and start anywhere else: what is in the log
// already is not added again.
type relay struct {
	db     collections
	leases *keeper
	log    *slog.Logger
	pace   pace
	woken  chan struct{}
	// batch is how many records one scan reads.
	batch int
	// ends is where each partition's log ends; touched by one step at a time.
	ends map[int32]end
}

// maxBatch is how many records a step begins with.
const maxBatch = 500

func newRelay(db collections, o Options, leases *keeper) *relay {
	return &relay{
		db: db, leases: leases, log: o.Log, pace: pace{low: o.PollMin, high: o.PollMax},
		woken: make(chan struct{}, 1), batch: maxBatch, ends: map[int32]end{},
	}
}

// waiting is a record with something to relay.
type waiting struct {
	Name      string  `bson:"_id"`
	Owner     string  `bson:"owner"`
	Partition int32   `bson:"pending"`
	Deleted   bool    `bson:"deleted"`
	Outbox    []entry `bson:"outbox"`
	// take is how many of the outbox, from its beginning, this step relays.
	take int
}

// seqs gives the number of each entry of an outbox: what lies behind another was
// written after it, though its number may have been drawn before.
func (w *waiting) seqs() []int64 {
	out := make([]int64, len(w.Outbox))
	var highest int64
	for i, e := range w.Outbox {
		highest = max(highest, e.Seq)
		out[i] = highest
	}
	return out
}

// wake makes the relay look at once.
func (r *relay) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// wakeFor wakes the relay if a partition is its own.
func (r *relay) wakeFor(partition int32) {
	if r.leases.holding(partition) {
		r.wake()
	}
}

// run relays until the end.
func (r *relay) run(ctx context.Context) {
	for {
		n := 0
		err := r.leases.bounded(ctx, func(ctx context.Context) (err error) {
			n, err = r.step(ctx)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		r.report(err)
		if err == nil && n >= r.batch {
			continue
		}
		if !rest(ctx, r.pace.next(n > 0), r.woken) {
			return
		}
	}
}

// report tells of a failure of the relay; nothing is lost by it.
func (r *relay) report(err error) {
	if err != nil {
		r.log.Warn("relaying events failed; it is tried again", slog.String("error", describe(err)))
	}
}

// drain relays until nothing waits in the partitions held.
func (r *relay) drain(ctx context.Context) error {
	for {
		n, err := r.step(ctx)
		if n == 0 || err != nil {
			return err
		}
	}
}

// step relays what some records hold, and says of how many.
func (r *relay) step(ctx context.Context) (int, error) {
	held := r.leases.holds()
	if len(held) == 0 {
		return 0, nil
	}
	scanned, err := r.scan(ctx, slices.Collect(maps.Keys(held)))
	if err != nil || len(scanned) == 0 {
		return 0, err
	}
	gathered, err := r.gather(ctx, scanned)
	if err != nil {
		return 0, err
	}
	done, err := r.append(ctx, held, gathered)
	if cerr := r.clear(ctx, done); err == nil {
		err = cerr
	}
	return len(scanned), err
}

// inPartitions finds the records of which something waits.
func inPartitions(partitions []int32) bson.D {
	return bson.D{{Key: "pending", Value: bson.D{{Key: "$in", Value: partitions}}}}
}

// ofOwners finds all that waits of some owners.
func ofOwners(partitions []int32, owners []string) bson.D {
	return append(inPartitions(partitions), bson.E{Key: "owner", Value: bson.D{{Key: "$in", Value: owners}}})
}

// What scan and gather read of a record.
var (
	numbersOnly = bson.D{{Key: "owner", Value: 1}, {Key: "pending", Value: 1}, {Key: "outbox.seq", Value: 1}}
	wholeOutbox = bson.D{{Key: "owner", Value: 1}, {Key: "pending", Value: 1}, {Key: "deleted", Value: 1}, {Key: "outbox", Value: 1}}
)

func (r *relay) scan(ctx context.Context, partitions []int32) ([]*waiting, error) {
	return r.read(ctx, inPartitions(partitions), options.Find().SetProjection(numbersOnly).SetLimit(int64(r.batch)).SetBatchSize(int32(r.batch)))
}

func (r *relay) gather(ctx context.Context, scanned []*waiting) ([]*waiting, error) {
	partitions, upTo := map[int32]bool{}, map[string]int64{}
	for _, w := range scanned {
		partitions[w.Partition] = true
		upTo[w.Owner] = max(upTo[w.Owner], 0)
		for _, seq := range w.seqs() {
			upTo[w.Owner] = max(upTo[w.Owner], seq)
		}
	}
	filter := ofOwners(slices.Collect(maps.Keys(partitions)), slices.Collect(maps.Keys(upTo)))
	found, err := r.read(ctx, filter, options.Find().SetProjection(wholeOutbox).SetBatchSize(int32(r.batch)))
	if err != nil {
		return nil, err
	}
	for _, w := range found {
		seqs := w.seqs()
		w.take, _ = slices.BinarySearch(seqs, upTo[w.Owner]+1)
	}
	return found, nil
}

func (r *relay) read(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder) ([]*waiting, error) {
	cur, err := r.db.records.Find(ctx, filter, o)
	if err != nil {
		return nil, err
	}
	var out []*waiting
	return out, cur.All(ctx, &out)
}

// numbered is an entry on its way into the log.
type numbered struct {
	entry
	owner string
	seq   int64
}

// inOrder gives what a step relays of each partition: by owner, then in the order
// of the owner's numbers. Only entries of one record share a number; their order
// stays.
func inOrder(gathered []*waiting) map[int32][]numbered {
	out := map[int32][]numbered{}
	for _, w := range gathered {
		seqs := w.seqs()
		for i, e := range w.Outbox[:w.take] {
			out[w.Partition] = append(out[w.Partition], numbered{entry: e, owner: w.Owner, seq: seqs[i]})
		}
	}
	for _, entries := range out {
		slices.SortStableFunc(entries, func(a, b numbered) int {
			return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.seq, b.seq))
		})
	}
	return out
}
