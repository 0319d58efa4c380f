package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// open counts a call in and finds a kind.
func (s *Store) open(name string) (*kind, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	k := s.kinds[name]
	if k == nil {
		s.inflight.Done()
		return nil, fmt.Errorf("%w: no kind %q", store.ErrInvalid, name)
	}
	return k, nil
}

// byName finds one record.
func (k *kind) byName(name any) bson.D {
	return bson.D{{Key: "_id", Value: name}, {Key: "kind", Value: k.Name}}
}

// Get implements store.Documents.
func (s *Store) Get(ctx context.Context, kind, name string) (store.Record, error) {
	k, err := s.open(kind)
	if err != nil {
		return store.Record{}, err
	}
	defer s.inflight.Done()
	var d document
	err = s.db.records.FindOne(ctx, k.byName(name), options.FindOne().SetProjection(whatIsRead)).Decode(&d)
	if errors.Is(err, driver.ErrNoDocuments) {
		return store.Record{}, store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, fail(ctx, err)
	}
	return k.record(&d)
}

// GetBatch implements store.Documents.
func (s *Store) GetBatch(ctx context.Context, kind string, names []string) (map[string]store.Record, error) {
	k, err := s.open(kind)
	if err != nil {
		return nil, err
	}
	defer s.inflight.Done()
	if len(names) > store.MaxPage {
		return nil, fmt.Errorf("%w: %d names are more than %d", store.ErrInvalid, len(names), store.MaxPage)
	}
	out := make(map[string]store.Record, len(names))
	if len(names) == 0 {
		return out, nil
	}
	records, err := s.find(ctx, k, query{filter: k.byName(bson.D{{Key: "$in", Value: names}}), limit: len(names)})
	for _, r := range records {
		out[r.Name] = r
	}
	return out, err
}

// query is one find.
type query struct {
	filter, sort bson.D
	// hint names the index; empty for the one over names.
	hint  string
	limit int
}

func (q query) options() *options.FindOptionsBuilder {
	o := options.Find().SetProjection(whatIsRead).SetLimit(int64(q.limit)).SetBatchSize(int32(q.limit))
	if q.hint != "" {
		o.SetHint(q.hint).SetSort(q.sort)
	}
	return o
}

func (s *Store) find(ctx context.Context, k *kind, q query) ([]store.Record, error) {
	cur, err := s.db.records.Find(ctx, q.filter, q.options())
	if err != nil {
		return nil, fail(ctx, err)
	}
	var docs []*document
	if err := cur.All(ctx, &docs); err != nil {
		return nil, fail(ctx, err)
	}
	out := make([]store.Record, len(docs))
	for i, d := range docs {
		if out[i], err = k.record(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// List implements store.Documents. One record more than asked for tells whether
// there is another page.
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	k, err := s.open(q.Kind)
	if err != nil {
		return store.Page{}, err
	}
	defer s.inflight.Done()
	if _, _, err := s.schema.Resolve(q); err != nil {
		return store.Page{}, err
	}
	var records []store.Record
	for _, part := range k.queries(q) {
		part.limit = q.Limit + 1 - len(records)
		if part.limit == 0 {
			break
		}
		more, err := s.find(ctx, k, part)
		if err != nil {
			return store.Page{}, err
		}
		records = append(records, more...)
	}
	page := store.Page{Records: records}
	if len(records) > q.Limit {
		page.Records = records[:q.Limit]
		last := records[q.Limit-1]
		page.Next = &store.Cursor{Key: k.Value(last, k.indexes[q.Index].last), Name: last.Name}
	}
	return page, nil
}

// queries gives the finds that answer a query, one after the other. After a
// cursor there are two, first along the names that share its key, then beyond it:
// each is one range of the index, which "beyond, or equal and a later name" in
// one condition would not be.
func (k *kind) queries(q store.Query) []query {
	x := k.indexes[q.Index]
	direction, above := 1, "$gt"
	if q.Descending {
		direction, above = -1, "$lt"
	}
	equal := bson.D{{Key: "kind", Value: k.Name}}
	declared, _ := k.Index(q.Index)
	for i, v := range q.Prefix {
		equal = append(equal, bson.E{Key: field(declared.Keys[i]), Value: stored(declared.Keys[i], v)})
	}
	last := field(x.last)
	var bounds []bson.D
	if q.From != nil {
		bounds = append(bounds, condition(last, "$gte", stored(x.last, q.From)))
	}
	if q.Until != nil {
		bounds = append(bounds, condition(last, "$lt", stored(x.last, q.Until)))
	}
	build := func(more ...bson.D) query {
		sort := bson.D{{Key: last, Value: direction}}
		if x.last != store.KeyName {
			sort = append(sort, bson.E{Key: "_id", Value: direction})
		}
		// A bound of the query and one of the cursor may be of one kind: both hold.
		conditions := bson.A{equal}
		for _, c := range slices.Concat(bounds, more) {
			conditions = append(conditions, c)
		}
		return query{filter: bson.D{{Key: "$and", Value: conditions}}, sort: sort, hint: x.name}
	}
	if q.After == nil {
		return []query{build()}
	}
	after := condition("_id", above, q.After.Name)
	if x.last == store.KeyName {
		return []query{build(after)} // the name is the key: there are no ties
	}
	key := stored(x.last, q.After.Key)
	return []query{build(condition(last, "$eq", key), after), build(condition(last, above, key))}
}

func condition(field, op string, v any) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: op, Value: v}}}}
}
