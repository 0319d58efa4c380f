package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// toGo finds the events of a partition up to a position.
func toGo(partition int, upTo int64) bson.D {
	return bson.D{{Key: "partition", Value: int32(partition)}, {Key: "position", Value: bson.D{{Key: "$lte", Value: upTo}}}}
}

// Trim implements store.Log. Positions follow one another without gaps, so it is known
// which is the last to go. The floor, which lies beside the lease, rises before the
// events go; what was cut short in between goes the next time. An event that a relay
// which died has left in an outbox as well would be added again if it was trimmed
// before another relay looks, which takes seconds: what is trimmed is to be older.
func (s *Store) Trim(ctx context.Context, partition int, upTo int64, limit int) (store.Floor, error) {
	if err := s.enter(); err != nil {
		return store.Floor{}, err
	}
	defer s.inflight.Done()
	if partition < 0 || partition >= s.Partitions() || limit < 1 || limit > store.MaxRead {
		return store.Floor{}, fmt.Errorf("%w: partition %d or limit %d out of range", store.ErrInvalid, partition, limit)
	}
	floor, err := s.floor(ctx, partition)
	if err != nil {
		return store.Floor{}, fail(ctx, err)
	}
	end, err := first(ctx, s.db.events, after(partition, 0), newest)
	if err != nil {
		return store.Floor{}, fail(ctx, err)
	}
	if last := min(upTo, end.Position-1, floor.Position+int64(limit)); last > floor.Position {
		l, err := first(ctx, s.db.events, after(partition, last-1), byPosition)
		if err != nil {
			return store.Floor{}, fail(ctx, err)
		}
		if _, err := s.db.leases.UpdateOne(ctx, bson.D{{Key: "_id", Value: int32(partition)}},
			bson.D{{Key: "$max", Value: bson.D{{Key: "floor", Value: l.Position}, {Key: "floor_time", Value: l.MaxTime}}}}); err != nil {
			return store.Floor{}, fail(ctx, err)
		}
		floor = store.Floor{Position: l.Position, Time: l.MaxTime.Time().UTC()}
	}
	if floor.Position > 0 {
		_, err = s.db.events.DeleteMany(ctx, toGo(partition, floor.Position))
	}
	return floor, fail(ctx, err)
}

// Floors implements store.Log.
func (s *Store) Floors(ctx context.Context) ([]store.Floor, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.inflight.Done()
	all, err := s.leases.all(ctx, s.db.leases)
	if err != nil {
		return nil, fail(ctx, err)
	}
	out := make([]store.Floor, s.Partitions())
	for _, l := range all {
		if l.Floor > 0 {
			out[l.Partition] = l.gone()
		}
	}
	return out, nil
}

func (l lease) gone() store.Floor {
	return store.Floor{Position: l.Floor, Time: l.FloorTime.Time().UTC()}
}

func (s *Store) floor(ctx context.Context, partition int) (store.Floor, error) {
	var l lease
	err := s.db.leases.FindOne(ctx, bson.D{{Key: "_id", Value: int32(partition)}}).Decode(&l)
	return l.gone(), err
}
