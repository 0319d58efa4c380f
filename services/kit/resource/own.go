package resource

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Add makes a document that the service itself writes; ALREADY_EXISTS when it is
// there: of two that add one name, one succeeds.
func (r *Resource[T]) Add(ctx context.Context, name string, doc T) error {
	if err := r.names.checkName("name", name); err != nil {
		return err
	}
	_, err := r.insert(ctx, name, r.names.parentOf(name), "", doc, r.deps.Clock())
	return err
}

// Put is Add, but that it is there already is no error: it is left as it is.
func (r *Resource[T]) Put(ctx context.Context, name string, doc T) error {
	err := r.Add(ctx, name, doc)
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

// Keep changes documents of a type that the service itself writes, with one read
// and one write for all. Change is given each by name, a blank one where there is
// none; what it leaves as it was is not written. Those that others write in
// between are given to it again.
func (r *Resource[T]) Keep(ctx context.Context, names []string, change func(name string, doc T)) error {
	for range maxAttempts {
		var again []string
		for some := range slices.Chunk(names, store.MaxPage) {
			stale, err := r.keep(ctx, some, change)
			if err != nil {
				return err
			}
			again = append(again, stale...)
		}
		if names = again; len(names) == 0 {
			return nil
		}
	}
	return fault.Stale(names[0])
}

// keep tries once, and gives the names of those that others wrote in between.
func (r *Resource[T]) keep(ctx context.Context, names []string, change func(name string, doc T)) (stale []string, err error) {
	found, err := r.deps.Store.GetBatch(ctx, r.kind, names)
	if err != nil {
		return nil, err
	}
	now := r.deps.Clock()
	var writes []store.Write
	for _, name := range names {
		if err := r.names.checkName("name", name); err != nil {
			return nil, err
		}
		w := store.Write{Op: store.Replace, Record: found[name]}
		c := Change[T]{Name: name, Owner: ownerOf(name), Kind: r.kind, Now: now, Verb: updateVerb}
		if w.Record.Body != nil {
			c.Old = w.Record.Body.(T)
			c.New = proto.Clone(c.Old).(T)
		} else {
			w.Op, c.New, c.Verb = store.Insert, r.newDoc(), createVerb
			w.Record = store.Record{Kind: r.kind, Name: name, Parent: r.names.parentOf(name), Owner: c.Owner, CreateTime: now}
		}
		before := proto.Clone(c.New)
		if change(name, c.New); proto.Equal(before, c.New) {
			continue
		}
		if w.Events, err = r.decide(ctx, c); err != nil {
			return nil, err
		}
		r.stamp(c.New, name, w.Record.CreateTime, now)
		w.Record.Body, w.Record.UpdateTime, w.Record.Sealed = c.New, now, nil
		writes = append(writes, w)
	}
	if len(writes) == 0 {
		return nil, nil
	}
	for i, res := range r.deps.Store.Commit(ctx, writes...) {
		switch {
		case res.Err == nil:
		case store.Outrun(res.Err):
			stale = append(stale, writes[i].Record.Name)
		default:
			return nil, res.Err
		}
	}
	return stale, nil
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

// mutateMissing makes a singleton that was never written.
func (r *Resource[T]) mutateMissing(ctx context.Context, name string, fn func(doc T, now time.Time) error) (T, error) {
	var zero T
	blank, err := r.unwritten(ctx, name)
	if err != nil {
		return zero, err
	}
	now := r.deps.Clock()
	if err := fn(blank, now); err != nil {
		return zero, err
	}
	w, err := r.ownInsertion(ctx, name, r.names.parentOf(name), "", blank, now)
	if err != nil {
		return zero, err
	}
	return r.commit(ctx, w)
}
