package resource

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// visible tells whether a reader may see a record.
func (r *Resource[T]) visible(v *access.View, rec store.Record) bool {
	if r.Shown != nil {
		return rec.Owner == v.Owner && r.Shown(v, rec.Body.(T))
	}
	_, ok := v.Covers(rec)
	return ok
}

// visibleOf leaves out the records that the caller may not see.
func (r *Resource[T]) visibleOf(ctx context.Context, records []store.Record) []store.Record {
	v := access.ViewOf(ctx)
	if v == nil {
		return records
	}
	return slices.DeleteFunc(records, func(rec store.Record) bool { return !r.visible(v, rec) })
}

// reveal gives the caller one record's document. From a reader it hides what the
// document names and they may not see.
func (r *Resource[T]) reveal(ctx context.Context, rec store.Record) (T, error) {
	doc, err := r.derived(ctx, r.show(rec))
	if v := access.ViewOf(ctx); err == nil && v != nil {
		err = v.Hide(ctx, r.deps.Store, doc)
	}
	access.Saw(ctx, rec)
	return doc, err
}

// fitting gives the test of what belongs to an answer. A filter is held against
// documents as the reader sees them: else it would tell of what is hidden.
func (r *Resource[T]) fitting(ctx context.Context, v *access.View, records []store.Record, match filter.Matcher) (func(store.Record) bool, error) {
	matches := func(rec store.Record) bool { return match == nil || match(rec.Body.ProtoReflect()) }
	if v == nil {
		return matches, nil
	}
	var seen []proto.Message
	for _, rec := range records {
		if r.visible(v, rec) {
			seen = append(seen, rec.Body)
		}
	}
	if err := v.Hide(ctx, r.deps.Store, seen...); err != nil {
		return nil, err
	}
	return func(rec store.Record) bool { return r.visible(v, rec) && matches(rec) }, nil
}

// Having gives a page of the documents whose key has a value, wherever they lie, by
// name, as a list request with page_size and page_token asks for it; those that keep
// is true of.
func (r *Resource[T]) Having(ctx context.Context, req proto.Message, key, value string, keep func(T) bool) (proto.Message, error) {
	return r.page(ctx, req.ProtoReflect(), store.Query{Kind: r.kind, Index: keyIndex(key), Prefix: []store.Value{value}}, keep)
}

// AllHaving gives all documents of one owner whose key has a value, by name.
func (r *Resource[T]) AllHaving(ctx context.Context, key, value, owner string) ([]T, error) {
	return r.every(ctx, store.Query{
		Kind: r.kind, Index: keyIndex(key), Prefix: []store.Value{value},
		From: owner + "/", Until: owner + "0", // the character after the slash
	})
}

func keyIndex(key string) string { return "having_" + key }
