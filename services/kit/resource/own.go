package resource

import (
	"context"
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
