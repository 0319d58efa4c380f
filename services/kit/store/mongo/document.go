package mongo

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/protobuf/proto"

	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/bsonpb"
)

// identifier is what a key may be called: names become field names.
var identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)

// document is a record as it lies in the database. A deleted one whose events
// still wait is a tombstone: without a kind, so that no query along an index
// meets it, and without anything of what was in it.
type document struct {
	Name       string        `bson:"_id"`
	Owner      string        `bson:"owner"`
	Revision   int64         `bson:"revision"`
	Kind       string        `bson:"kind"`
	Parent     string        `bson:"parent"`
	RequestID  string        `bson:"request_id"`
	CreateTime bson.DateTime `bson:"create_time"`
	UpdateTime bson.DateTime `bson:"update_time"`
	Keys       bson.D        `bson:"keys"`
	Body       bson.Raw      `bson:"body"`
	Sealed     []byte        `bson:"sealed,omitempty"`
	Outbox     []entry       `bson:"outbox,omitempty"`
	// Pending is the partition, as long as the relay has something to do here.
	Pending *int32 `bson:"pending,omitempty"`
	Deleted bool   `bson:"deleted,omitempty"`
}

// entry is an event that waits for its number.
type entry struct {
	ID string `bson:"id"`
	// Seq is the owner's count of writes when it was made (see reserve).
	Seq   int64         `bson:"seq"`
	Time  bson.DateTime `bson:"time"`
	Type  string        `bson:"type"`
	Event []byte        `bson:"event"`
}

// whatIsRead leaves out of a record what only the relay and the indexes need.
var whatIsRead = bson.D{{Key: "outbox", Value: 0}, {Key: "keys", Value: 0}, {Key: "pending", Value: 0}}

// kind is how one kind lies in the database.
type kind struct {
	store.Kind
	indexes map[string]index
}

// index is one declared index.
type index struct {
	name string
	keys bson.D
	// last is the declared key that orders.
	last string
}

func newKind(k store.Kind) (*kind, error) {
	out := &kind{Kind: k, indexes: map[string]index{}}
	for _, key := range k.Keys {
		if !identifier.MatchString(key.Name) {
			return nil, fmt.Errorf("%w: %q is no identifier", store.ErrInvalid, key.Name)
		}
	}
	for _, x := range k.Indexes {
		out.indexes[x.Name] = newIndex(x)
	}
	return out, nil
}

// indexPrefix begins the names of all indexes that come from a schema.
const indexPrefix = "along_"

// newIndex gives an index over all kinds: kinds that declare the same keys share
// one, since a collection has room for 64. The record's name, at its end, breaks
// ties.
func newIndex(x store.Index) index {
	keys := bson.D{{Key: "kind", Value: 1}}
	for _, key := range x.Keys {
		keys = append(keys, bson.E{Key: field(key), Value: 1})
	}
	last := x.Keys[len(x.Keys)-1]
	if last != store.KeyName {
		keys = append(keys, bson.E{Key: "_id", Value: 1})
	}
	return index{name: indexPrefix + strings.Join(x.Keys, "+"), keys: keys, last: last}
}

// field is where a built-in or declared key lies.
func field(key string) string {
	switch key {
	case store.KeyName:
		return "_id"
	case store.KeyParent, store.KeyOwner, store.KeyCreateTime, store.KeyUpdateTime:
		return key
	}
	return "keys." + key
}

// stored is a key's value as it lies in the database.
func stored(key string, v store.Value) any {
	if n, ok := v.(int64); ok && (key == store.KeyCreateTime || key == store.KeyUpdateTime) {
		return bson.DateTime(n)
	}
	return v
}

// keyValues draws the declared keys out of a body.
func (k *kind) keyValues(body proto.Message) bson.D {
	out := make(bson.D, len(k.Keys))
	for i, key := range k.Keys {
		out[i] = bson.E{Key: key.Name, Value: key.Of(body)}
	}
	return out
}

func (k *kind) record(d *document) (store.Record, error) {
	body := k.New()
	if err := bsonpb.Unmarshal(d.Body, body); err != nil {
		return store.Record{}, fmt.Errorf("mongo: a record of kind %s cannot be decoded: %w", k.Name, err)
	}
	return store.Record{
		Kind: k.Name, Name: d.Name, Parent: d.Parent, Owner: d.Owner, RequestID: d.RequestID, Revision: d.Revision,
		CreateTime: instant(d.CreateTime), UpdateTime: instant(d.UpdateTime), Body: body, Sealed: d.Sealed,
	}, nil
}

func instant(t bson.DateTime) time.Time { return time.UnixMilli(int64(t)).UTC() }

func date(t time.Time) bson.DateTime { return bson.DateTime(t.UnixMilli()) }
