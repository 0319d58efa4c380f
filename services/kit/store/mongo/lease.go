package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rebound-hq/rebound/services/kit/clock"
)

// lease says who relays a partition. Two may believe to hold one, when clocks
// differ or one was asleep: the unique indexes of the log then let only one of
// them win (see append.go). A lease keeps them from trying.
type lease struct {
	Partition int32         `bson:"_id"`
	Holder    string        `bson:"holder"`
	Until     bson.DateTime `bson:"until"`
	// Epoch counts the takeovers.
	Epoch int64 `bson:"epoch"`
	// Head is the last position in the log, or somewhat less: readers in other
	// processes look here for news.
	Head int64 `bson:"head"`
	// Floor is the position up to which the log was trimmed, FloorTime the time of
	// the latest event that went.
	Floor     int64         `bson:"floor"`
	FloorTime bson.DateTime `bson:"floor_time"`
}

// keeper holds the leases of one Store.
type keeper struct {
	db     collections
	now    clock.Clock
	ttl    time.Duration
	pace   pace
	holder string
	tail   *tail

	mu   sync.Mutex
	held map[int32]lease
}

func newKeeper(db collections, o Options, t *tail) *keeper {
	return &keeper{
		db: db, now: o.Clock, ttl: o.LeaseTTL, pace: pace{low: o.PollMin, high: o.PollMax},
		holder: o.NewID(), tail: t, held: map[int32]lease{},
	}
}

// run renews and takes leases until the end; wake tells the relay that there may
// be new work.
func (k *keeper) run(ctx context.Context, wake func()) {
	for rest(ctx, k.ttl/3, nil) {
		// A round that fails is made up for by the next; until then the leases
		// run on, and the relay reports what keeps it from the server.
		if err := k.bounded(ctx, k.round); err == nil {
			wake()
		}
	}
}

func (k *keeper) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	return do(ctx)
}

// round renews what is held and takes what is free.
func (k *keeper) round(ctx context.Context) error {
	now := k.now()
	until := date(now.Add(k.ttl))
	if _, err := k.db.leases.UpdateMany(ctx, k.mine(), bson.D{{Key: "$set", Value: bson.D{{Key: "until", Value: until}}}}); err != nil {
		return err
	}
	all, err := k.all(ctx, k.db.localLeases)
	if err != nil {
		return err
	}
	var takes []driver.WriteModel
	for _, l := range all {
		if l.Holder == k.holder || l.Until > date(now) {
			continue
		}
		takes = append(takes, driver.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: l.Partition}, {Key: "epoch", Value: l.Epoch}, {Key: "until", Value: bson.D{{Key: "$lte", Value: date(now)}}}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "holder", Value: k.holder}, {Key: "until", Value: until}, {Key: "epoch", Value: l.Epoch + 1}}}}))
	}
	if len(takes) > 0 {
		if _, err := k.db.leases.BulkWrite(ctx, takes, options.BulkWrite().SetOrdered(false)); err != nil {
			return err
		}
		if all, err = k.all(ctx, k.db.localLeases); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.held)
	for _, l := range all {
		if l.Holder == k.holder {
			k.held[l.Partition] = l
		}
	}
	return nil
}

func (k *keeper) mine() bson.D { return bson.D{{Key: "holder", Value: k.holder}} }

func (k *keeper) all(ctx context.Context, from *driver.Collection) ([]lease, error) {
	cur, err := from.Find(ctx, bson.D{})
	if err != nil {
		return nil, err
	}
	var out []lease
	return out, cur.All(ctx, &out)
}

// holds gives the partitions whose leases run, with their epochs.
func (k *keeper) holds() map[int32]int64 {
	now := date(k.now())
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make(map[int32]int64, len(k.held))
	for p, l := range k.held {
		if l.Until > now {
			out[p] = l.Epoch
		}
	}
	return out
}

func (k *keeper) holding(partition int32) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held[partition].Until > date(k.now())
}

// confirm asks the database whether a lease is still held, and gives it up when
// not.
func (k *keeper) confirm(ctx context.Context, partition int32) (bool, error) {
	var l lease
	err := k.db.localLeases.FindOne(ctx, bson.D{{Key: "_id", Value: partition}}).Decode(&l)
	if err != nil && !errors.Is(err, driver.ErrNoDocuments) {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.Holder == k.holder && l.Epoch == k.held[partition].Epoch {
		return true, nil
	}
	delete(k.held, partition)
	return false, nil
}

// advance tells readers how far the log goes now.
func (k *keeper) advance(ctx context.Context, heads map[int32]int64) error {
	if len(heads) == 0 {
		return nil
	}
	k.tail.advance(heads)
	var sets []driver.WriteModel
	for p, h := range heads {
		sets = append(sets, driver.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: p}}).
			SetUpdate(bson.D{{Key: "$max", Value: bson.D{{Key: "head", Value: h}}}}))
	}
	_, err := k.db.leases.BulkWrite(ctx, sets, options.BulkWrite().SetOrdered(false))
	return err
}

// heads reads how far the log goes, whoever relays: what the leases say, and what
// was added since by a relay that has not said so yet, or died before.
func (k *keeper) heads(ctx context.Context) error {
	if _, err := k.look(ctx); err != nil {
		return err
	}
	cur, err := k.db.events.Find(ctx, beyond(k.tail.now()), options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "partition", Value: 1}, {Key: "position", Value: 1}}))
	if err != nil {
		return err
	}
	var found []logged
	if err := cur.All(ctx, &found); err != nil {
		return err
	}
	heads := map[int32]int64{}
	for _, l := range found {
		heads[l.Partition] = max(heads[l.Partition], l.Position)
	}
	k.tail.advance(heads)
	return nil
}

func (k *keeper) look(ctx context.Context) (moved bool, err error) {
	all, err := k.all(ctx, k.db.leases)
	if err != nil {
		return false, err
	}
	heads := make(map[int32]int64, len(all))
	for _, l := range all {
		heads[l.Partition] = l.Head
	}
	return k.tail.advance(heads), nil
}

// watch looks for what other processes relay, as long as there are any and
// somebody waits for it.
func (k *keeper) watch(ctx context.Context) {
	for {
		select {
		case <-k.tail.wanted:
		case <-ctx.Done():
			return
		}
		for moved := true; k.tail.anyWaiting(); {
			if !rest(ctx, k.pace.next(moved), nil) {
				return
			}
			if moved = false; len(k.holds()) == k.tail.partitions() {
				continue
			}
			_ = k.bounded(ctx, func(ctx context.Context) (err error) {
				moved, err = k.look(ctx)
				return err // whoever waits goes on waiting; Check tells of the server
			})
		}
	}
}

// release hands all leases over.
func (k *keeper) release(ctx context.Context) error {
	k.mu.Lock()
	clear(k.held)
	k.mu.Unlock()
	_, err := k.db.leases.UpdateMany(ctx, k.mine(), bson.D{{Key: "$set", Value: bson.D{{Key: "holder", Value: ""}, {Key: "until", Value: bson.DateTime(0)}}}})
	return err
}
