package resource

import (
	"context"
	"errors"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// Put makes a document that the service itself writes. That it is there already
// is no error: it is left as it is.
func (r *Resource[T]) Put(ctx context.Context, name string, doc T) error {
	if err := r.names.checkName("name", name); err != nil {
		return err
	}
	_, err := r.insert(ctx, name, r.names.parentOf(name), "", doc, r.deps.Clock())
	if isReason(err, "ALREADY_EXISTS") {
		return nil
	}
	return err
}

// PutAll makes documents of a type that the service itself writes, in one go. Those
// that are there already are left as they are.
func (r *Resource[T]) PutAll(ctx context.Context, docs []T) error {
	writes := make([]store.Write, len(docs))
	now := r.deps.Clock()
	for i, doc := range docs {
		name := doc.ProtoReflect().Get(r.fields.name).String()
		if err := r.names.checkName("name", name); err != nil {
			return err
		}
		writes[i] = store.Write{Op: store.Insert, Record: store.Record{
			Kind: r.kind, Name: name, Parent: r.names.parentOf(name), Owner: ownerOf(name), CreateTime: now, UpdateTime: now, Body: doc,
		}}
	}
	var errs []error
	for _, res := range r.deps.Store.Commit(ctx, writes...) {
		if !errors.Is(res.Err, store.ErrExists) {
			errs = append(errs, res.Err)
		}
	}
	return errors.Join(errs...)
}

// Drop deletes a document of a type that the service itself writes. That it is
// gone already is no error.
func (r *Resource[T]) Drop(ctx context.Context, name string) error {
	rec, err := r.record(ctx, name, "")
	if err == nil {
		err = staleOr(r.remove(ctx, rec), name)
	}
	if isReason(err, "NOT_FOUND") {
		return nil
	}
	return err
}
