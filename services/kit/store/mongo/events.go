package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// logged is an event in the log.
type logged struct {
	Partition int32         `bson:"partition"`
	Position  int64         `bson:"position"`
	ID        string        `bson:"id"`
	Time      bson.DateTime `bson:"time"`
	// MaxTime is the latest time up to and including this event. It only grows,
	// so that an index finds where a time begins.
	MaxTime bson.DateTime `bson:"max_time"`
	Owner   string        `bson:"owner"`
	Type    string        `bson:"type"`
	Event   []byte        `bson:"event"`
}

// Partitions implements store.Log.
func (s *Store) Partitions() int { return s.tail.partitions() }

// after finds the events of a partition after a position.
func after(partition int, position int64) bson.D {
	return bson.D{{Key: "partition", Value: int32(partition)}, {Key: "position", Value: bson.D{{Key: "$gt", Value: position}}}}
}

// beyond finds the events of all partitions after a position of each.
func beyond(positions []int64) bson.D {
	any := make(bson.A, len(positions))
	for p, position := range positions {
		any[p] = after(p, position)
	}
	return bson.D{{Key: "$or", Value: any}}
}

// from finds the events of a partition from the first on that reaches a time.
func from(partition int, t time.Time) bson.D {
	return bson.D{{Key: "partition", Value: int32(partition)}, {Key: "max_time", Value: bson.D{{Key: "$gte", Value: date(t)}}}}
}

// Orders of the log. They name the partition so that the index serves them.
var (
	byPosition = bson.D{{Key: "partition", Value: 1}, {Key: "position", Value: 1}}
	newest     = bson.D{{Key: "partition", Value: -1}, {Key: "position", Value: -1}}
	byMaxTime  = bson.D{{Key: "partition", Value: 1}, {Key: "max_time", Value: 1}, {Key: "position", Value: 1}}
)

// Read implements store.Log. What a majority has not got yet is not given out:
// it could be taken back.
func (s *Store) Read(ctx context.Context, partition int, position int64, limit int) ([]*eventsv1.Event, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.inflight.Done()
	if partition < 0 || partition >= s.Partitions() || limit < 1 || limit > store.MaxRead {
		return nil, fmt.Errorf("%w: partition %d or limit %d out of range", store.ErrInvalid, partition, limit)
	}
	cur, err := s.db.events.Find(ctx, after(partition, position), options.Find().SetSort(byPosition).
		SetLimit(int64(limit)).SetBatchSize(int32(limit)).
		SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "position", Value: 1}, {Key: "event", Value: 1}}))
	if err != nil {
		return nil, fail(ctx, err)
	}
	var found []logged
	if err := cur.All(ctx, &found); err != nil {
		return nil, fail(ctx, err)
	}
	if n := len(found); n == 0 || found[n-1].Position != position+int64(n) { // some may have been trimmed, now or before
		floor, err := s.floor(ctx, partition)
		if err == nil && floor.Position > position {
			err = store.ErrGone
		}
		if err != nil {
			return nil, fail(ctx, err)
		}
	}
	out := make([]*eventsv1.Event, len(found))
	for i, l := range found {
		out[i] = &eventsv1.Event{}
		if err := proto.Unmarshal(l.Event, out[i]); err != nil {
			return nil, fmt.Errorf("mongo: an event cannot be decoded: %w", err)
		}
		out[i].Partition, out[i].Position = int32(partition), l.Position
	}
	return out, nil
}

// Wait implements store.Log.
func (s *Store) Wait(ctx context.Context, seen []int64) ([]int64, error) {
	if seen == nil {
		if err := s.enter(); err != nil {
			return nil, err
		}
		defer s.inflight.Done()
		if err := s.leases.heads(ctx); err != nil {
			return nil, fail(ctx, err)
		}
	}
	return s.tail.wait(ctx, seen)
}

// Seek implements store.Log.
func (s *Store) Seek(ctx context.Context, partition int, t time.Time) (int64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.inflight.Done()
	if partition < 0 || partition >= s.Partitions() {
		return 0, fmt.Errorf("%w: partition %d out of range", store.ErrInvalid, partition)
	}
	// The end is read first: what comes after it is not passed over.
	end, err := first(ctx, s.db.events, after(partition, 0), newest)
	if err != nil {
		return 0, fail(ctx, err)
	}
	begin, err := first(ctx, s.db.events, from(partition, t), byMaxTime)
	switch {
	case err != nil:
		return 0, fail(ctx, err)
	case begin.Position == 0:
		return end.Position, nil
	}
	return begin.Position - 1, nil
}

// first gives the place of the first event in an order; zero for none.
func first(ctx context.Context, events *driver.Collection, filter, order bson.D) (logged, error) {
	var l logged
	err := events.FindOne(ctx, filter, options.FindOne().SetSort(order).
		SetProjection(bson.D{{Key: "position", Value: 1}, {Key: "max_time", Value: 1}})).Decode(&l)
	if errors.Is(err, driver.ErrNoDocuments) {
		err = nil
	}
	return l, err
}
