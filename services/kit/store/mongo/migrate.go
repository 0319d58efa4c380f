package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// layout is the version of how this package itself uses a database.
const layout = 1

// metadata is what the database says about itself: one document.
type metadata struct {
	Key        string `bson:"_id"`
	ID         string `bson:"id"`
	Layout     int32  `bson:"layout"`
	Schema     int32  `bson:"schema"`
	Partitions int32  `bson:"partitions"`
	// Filled are the declared keys, as kind.key, that every record has.
	Filled []string `bson:"filled"`
}

// metaKey is the name of the one document.
const metaKey = "store"

// migrate brings the database to the schema. Each part can be done again, by
// another process at the same time too. The version is raised first: from then on
// older releases refuse the database.
func (s *Store) migrate(ctx context.Context, o Options) (metadata, error) {
	meta, err := s.metadata(ctx, o)
	if err != nil {
		return meta, fail(ctx, err)
	}
	if meta.Layout > layout || meta.Schema > int32(o.Schema.Version) {
		return meta, fmt.Errorf("%w: it has schema %d of layout %d, this release knows %d of %d", store.ErrNewerSchema, meta.Schema, meta.Layout, o.Schema.Version, layout)
	}
	if meta.Schema < int32(o.Schema.Version) {
		older := bson.D{{Key: "_id", Value: metaKey}, {Key: "schema", Value: bson.D{{Key: "$lte", Value: int32(o.Schema.Version)}}}}
		res, err := s.db.meta.UpdateOne(ctx, older, bson.D{{Key: "$set", Value: bson.D{{Key: "schema", Value: int32(o.Schema.Version)}}}})
		if err != nil {
			return meta, fail(ctx, err)
		}
		if res.MatchedCount == 0 {
			return meta, fmt.Errorf("%w: it was upgraded just now", store.ErrNewerSchema)
		}
	}
	for _, part := range []func(context.Context, metadata) error{s.makeIndexes, s.makeLeases, s.fillKeys, s.dropIndexes} {
		if err := part(ctx, meta); err != nil {
			return meta, fail(ctx, err)
		}
	}
	return meta, nil
}

// metadata reads the document, or makes it.
func (s *Store) metadata(ctx context.Context, o Options) (metadata, error) {
	fresh := metadata{
		Key: metaKey, ID: o.NewID(), Layout: layout, Schema: int32(o.Schema.Version),
		Partitions: int32(o.Partitions), Filled: s.declaredKeys(),
	}
	var meta metadata
	err := retry(transient, func() error {
		err := s.db.meta.FindOne(ctx, bson.D{{Key: "_id", Value: metaKey}}).Decode(&meta)
		if !errors.Is(err, driver.ErrNoDocuments) {
			return err
		}
		meta = fresh
		_, err = s.db.meta.InsertOne(ctx, fresh)
		return err
	})
	return meta, err
}

// transient tells whether an error of making something goes away when it is done
// again: another process has made it at the same time.
func transient(err error) bool {
	var server driver.ServerError
	return errors.As(err, &server)
}

func (s *Store) declaredKeys() []string {
	out := []string{}
	for _, k := range s.schema.Kinds {
		for _, key := range k.Keys {
			out = append(out, k.Name+"."+key.Name)
		}
	}
	return out
}

// declaredIndexes gives the indexes of the schema, each once.
func (s *Store) declaredIndexes() map[string]bson.D {
	out := map[string]bson.D{}
	for _, k := range s.kinds {
		for _, x := range k.indexes {
			out[x.name] = x.keys
		}
	}
	return out
}

func (s *Store) makeIndexes(ctx context.Context, _ metadata) error {
	records := []driver.IndexModel{{
		Keys: bson.D{{Key: "pending", Value: 1}, {Key: "owner", Value: 1}},
		Options: options.Index().SetName("pending").
			SetPartialFilterExpression(bson.D{{Key: "pending", Value: bson.D{{Key: "$exists", Value: true}}}}),
	}}
	for name, keys := range s.declaredIndexes() {
		records = append(records, driver.IndexModel{Keys: keys, Options: options.Index().SetName(name)})
	}
	unique := func(name string, keys bson.D) driver.IndexModel {
		return driver.IndexModel{Keys: keys, Options: options.Index().SetName(name).SetUnique(true)}
	}
	events := []driver.IndexModel{
		unique("position", byPosition),
		unique("id", bson.D{{Key: "partition", Value: 1}, {Key: "id", Value: 1}}),
		{Keys: byMaxTime, Options: options.Index().SetName("max_time")},
	}
	err := retry(transient, func() error {
		_, err := s.db.records.Indexes().CreateMany(ctx, records)
		return err
	})
	if err != nil {
		return err
	}
	return retry(transient, func() error {
		_, err := s.db.events.Indexes().CreateMany(ctx, events)
		return err
	})
}

// dropIndexes drops what the schema no longer declares.
func (s *Store) dropIndexes(ctx context.Context, _ metadata) error {
	have, err := s.db.records.Indexes().ListSpecifications(ctx)
	if err != nil {
		return err
	}
	declared := s.declaredIndexes()
	for _, x := range have {
		if declared[x.Name] != nil || !strings.HasPrefix(x.Name, indexPrefix) {
			continue
		}
		if err := s.db.records.Indexes().DropOne(ctx, x.Name); err != nil && !hasCode(err, codeIndexNotFound) {
			return err
		}
	}
	return nil
}

// makeLeases makes the lease of each partition, which nobody holds.
func (s *Store) makeLeases(ctx context.Context, meta metadata) error {
	n, err := s.db.localLeases.CountDocuments(ctx, bson.D{})
	if err != nil || n == int64(meta.Partitions) {
		return err
	}
	docs := make([]any, meta.Partitions)
	for p := range docs {
		docs[p] = lease{Partition: int32(p)}
	}
	return retry(transient, func() error {
		_, err := s.db.leases.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
		if driver.IsDuplicateKeyError(err) {
			return nil
		}
		return err
	})
}

// nameIndex is the index that every collection has.
const nameIndex = "_id_"

// fillBatch is how many records are held in memory at once.
const fillBatch = 500

// fillKeys gives every record the keys that were declared since, drawn from its
// body.
func (s *Store) fillKeys(ctx context.Context, meta metadata) error {
	declared := s.declaredKeys()
	kinds := bson.A{}
	for _, k := range s.schema.Kinds {
		if slices.ContainsFunc(k.Keys, func(key store.Key) bool { return !slices.Contains(meta.Filled, k.Name+"."+key.Name) }) {
			kinds = append(kinds, k.Name)
		}
	}
	if slices.Equal(declared, meta.Filled) {
		return nil
	}
	var place any = bson.MinKey{}
	for len(kinds) > 0 {
		last, err := s.fillSome(ctx, kinds, place)
		if err != nil {
			return err
		}
		if last == nil {
			break
		}
		place = *last
	}
	// A key that is not declared any more is forgotten: what is written from now
	// on does not have it.
	_, err := s.db.meta.UpdateOne(ctx, bson.D{{Key: "_id", Value: metaKey}}, bson.D{{Key: "$set", Value: bson.D{{Key: "filled", Value: declared}}}})
	return err
}

// fillSome fills the records that follow a name, and gives the last name; nil when
// there are no more.
func (s *Store) fillSome(ctx context.Context, kinds bson.A, place any) (*string, error) {
	cur, err := s.db.localRecords.Find(ctx, inNameOrder(kinds, place), options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetHint(nameIndex).SetLimit(fillBatch).
		SetProjection(bson.D{{Key: "kind", Value: 1}, {Key: "revision", Value: 1}, {Key: "body", Value: 1}}))
	if err != nil {
		return nil, err
	}
	var found []*document
	if err := cur.All(ctx, &found); err != nil || len(found) == 0 {
		return nil, err
	}
	sets := make([]driver.WriteModel, len(found))
	for i, d := range found {
		k := s.kinds[d.Kind]
		r, err := k.record(d)
		if err != nil {
			return nil, err
		}
		// A record that was written since has its keys from who wrote it.
		sets[i] = driver.NewUpdateOneModel().
			SetFilter(append(k.byName(d.Name), bson.E{Key: "revision", Value: d.Revision})).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "keys", Value: k.keyValues(r.Body)}}}})
	}
	_, err = s.db.records.BulkWrite(ctx, sets, options.BulkWrite().SetOrdered(false))
	return &found[len(found)-1].Name, err
}

// inNameOrder finds the records of some kinds that follow a name.
func inNameOrder(kinds bson.A, place any) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: place}}}, {Key: "kind", Value: bson.D{{Key: "$in", Value: kinds}}}}
}
