package resource

import (
	"context"
	"errors"
	"time"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// Put makes a document of a type that the service itself writes. That it is
// there already is no error: it is left as it is.
func (r *Resource[T]) Put(ctx context.Context, name string, doc T) error {
	return r.PutAll(ctx, []Named[T]{{name, doc}})
}

// Named is a document and the name it is to have.
type Named[T any] struct {
	Name string
	Doc  T
}

// PutAll does what Put does for several documents, in one commit of the store.
// Each is made, or is there already, by itself.
func (r *Resource[T]) PutAll(ctx context.Context, docs []Named[T]) error {
	now := r.deps.Clock()
	writes := make([]store.Write, 0, len(docs))
	for _, d := range docs {
		if err := r.names.checkName("name", d.Name); err != nil {
			return err
		}
		w, err := r.ownInsertion(ctx, d.Name, r.names.parentOf(d.Name), "", d.Doc, now)
		if err != nil {
			return err
		}
		writes = append(writes, w)
	}
	if len(writes) == 0 {
		return nil
	}
	for _, res := range r.deps.Store.Commit(ctx, writes...) {
		if res.Err != nil && !errors.Is(res.Err, store.ErrExists) {
			return res.Err
		}
	}
	return nil
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

// Due gives the documents, whoever's they are, whose time on the agenda is there:
// the earliest first, at most limit.
func (r *Resource[T]) Due(ctx context.Context, now time.Time, limit int) ([]T, error) {
	page, err := r.deps.Store.List(ctx, store.Query{
		Kind: r.kind, Index: agendaIndex, From: store.AbsentNumber + 1, Until: now.UnixMilli() + 1, Limit: limit,
	})
	if err != nil {
		return nil, err
	}
	docs := make([]T, len(page.Records))
	for i, rec := range page.Records {
		docs[i] = r.show(rec)
	}
	return docs, nil
}
