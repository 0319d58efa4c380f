package resource

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// maxAttempts is how often a write without an etag is tried again when others
// write the same document.
const maxAttempts = 8

// Verbs of the standard methods.
const (
	createVerb = "create"
	updateVerb = "update"
	deleteVerb = "delete"
)

// Create is the AIP-133 method.
func (r *Resource[T]) Create(ctx context.Context, req proto.Message) (proto.Message, error) {
	m := req.ProtoReflect()
	parent := stringField(m, "parent")
	if err := r.names.checkParent("parent", parent, false); err != nil {
		return nil, err
	}
	doc, err := r.document(m)
	if err != nil {
		return nil, err
	}
	if err := r.parentExists(ctx, parent); err != nil {
		return nil, err
	}
	now := r.deps.Clock()
	requestID := stringField(m, "request_id")
	id, err := r.newID(ctx, parent, stringField(m, r.singular+"_id"), requestID, doc, now)
	if err != nil {
		return nil, err
	}
	return r.insert(ctx, r.names.join(parent, id), parent, requestID, doc, now)
}

func (r *Resource[T]) newID(ctx context.Context, parent, id, requestID string, doc T, now time.Time) (string, error) {
	field := r.singular + "_id"
	switch {
	case id != "" && !validID(id):
		return "", fault.Invalid(field, "ID_INVALID", "must be 1 to 63 lower-case letters, digits and inner hyphens")
	case id == "" && r.ID != nil:
		var err error
		if id, err = r.ID(ctx, parent, doc, now); err != nil {
			return "", err
		}
	case id == "" && requestID != "":
		// The same request gives the same name: a retry finds what it made.
		return ids.Derived(parent, r.kind, requestID), nil
	case id == "":
		return r.deps.NewID(), nil
	}
	if r.CheckID != nil {
		return id, r.CheckID(ctx, parent, id, now)
	}
	return id, nil
}

// document takes the resource out of a request, without what only the server sets.
func (r *Resource[T]) document(req protoreflect.Message) (T, error) {
	fd := req.Descriptor().Fields().ByName(protoreflect.Name(r.singular))
	if fd == nil || !req.Has(fd) {
		var zero T
		return zero, fault.Invalid(r.singular, "REQUIRED", "is required")
	}
	return proto.Clone(req.Get(fd).Message().Interface()).(T), nil
}

// parentExists does not look for readers: what they do not see is not there, and
// what is not there is empty.
func (r *Resource[T]) parentExists(ctx context.Context, parent string) error {
	if r.parent == "" || access.ViewOf(ctx) != nil {
		return nil
	}
	_, err := r.deps.Store.Get(ctx, r.parent, parent)
	if errors.Is(err, store.ErrNotFound) {
		return fault.NotFound(parent)
	}
	return err
}

// insert makes a document that is not there yet.
func (r *Resource[T]) insert(ctx context.Context, name, parent, requestID string, doc T, now time.Time) (T, error) {
	w, err := r.insertion(ctx, name, parent, requestID, doc, now)
	if err != nil {
		var zero T
		return zero, err
	}
	return r.commit(ctx, w)
}

// insertion completes and decides on a document that is not there yet.
func (r *Resource[T]) insertion(ctx context.Context, name, parent, requestID string, doc T, now time.Time) (store.Write, error) {
	r.behavior.clearOutput(doc.ProtoReflect())
	return r.ownInsertion(ctx, name, parent, requestID, doc, now)
}

// ownInsertion is insertion of a document that the service itself has filled in:
// it keeps what only the server sets.
func (r *Resource[T]) ownInsertion(ctx context.Context, name, parent, requestID string, doc T, now time.Time) (store.Write, error) {
	r.behavior.truncateTimes(doc.ProtoReflect())
	if r.Defaults != nil {
		if err := r.Defaults(ctx, name, doc, now); err != nil {
			return store.Write{}, err
		}
	}
	change := Change[T]{Name: name, Owner: ownerOf(name), Kind: r.kind, New: doc, Now: now, Verb: createVerb}
	events, err := r.decide(ctx, change)
	if err != nil {
		return store.Write{}, err
	}
	r.stamp(doc, name, now, now)
	return store.Write{Op: store.Insert, Events: events, Record: store.Record{
		Kind: r.kind, Name: name, Parent: parent, Owner: change.Owner, RequestID: requestID,
		CreateTime: now, UpdateTime: now, Body: doc,
	}}, nil
}

// Update is the AIP-134 method.
func (r *Resource[T]) Update(ctx context.Context, req proto.Message) (proto.Message, error) {
	m := req.ProtoReflect()
	src, err := r.document(m)
	if err != nil {
		return nil, err
	}
	from := src.ProtoReflect()
	name := from.Get(r.fields.name).String()
	if err := r.names.checkName(r.singular+".name", name); err != nil {
		return nil, err
	}
	etag := from.Get(r.fields.etag).String()
	mask, _ := messageField(m, "update_mask").(*fieldmaskpb.FieldMask)
	make := r.names.singleton() || boolField(m, "allow_missing")
	from.Clear(r.fields.name)
	from.Clear(r.fields.etag)

	doc, err := r.write(ctx, updateVerb, name, etag, func(old T, _ time.Time) (T, error) {
		var zero T
		merged, err := r.behavior.merge(old, src, mask)
		if err != nil {
			return zero, err
		}
		r.behavior.truncateTimes(merged.ProtoReflect())
		if err := r.valid(merged); err != nil {
			return zero, err
		}
		return merged.(T), nil
	})
	if f, ok := fault.As(err); !ok || f.Reason != "NOT_FOUND" || !make || etag != "" {
		return doc, err
	}
	return r.updateMissing(ctx, name, src, mask)
}

// updateMissing creates what an update found missing.
func (r *Resource[T]) updateMissing(ctx context.Context, name string, src T, mask *fieldmaskpb.FieldMask) (T, error) {
	var zero T
	parent, now := r.names.parentOf(name), r.deps.Clock()
	if err := r.parentExists(ctx, parent); err != nil {
		return zero, err
	}
	if !r.names.singleton() && r.CheckID != nil {
		if err := r.CheckID(ctx, parent, LastSegment(name), now); err != nil {
			return zero, err
		}
	}
	blank := r.newDoc()
	if r.names.singleton() && r.Defaults != nil {
		if err := r.Defaults(ctx, name, blank, now); err != nil {
			return zero, err
		}
	}
	merged, err := r.behavior.merge(blank, src, mask)
	if err != nil {
		return zero, err
	}
	if err := r.valid(merged); err != nil {
		return zero, err
	}
	return r.insert(ctx, name, parent, "", merged.(T), now)
}

// Mutate is what custom methods are made of: it changes one document by fn,
// under the type's domain rules. Without an etag it tries again when others
// write in between, calling fn again. A singleton that was never written is made
// from its defaults.
func (r *Resource[T]) Mutate(ctx context.Context, verb, name, etag string, fn func(doc T, now time.Time) error) (T, error) {
	var zero T
	if err := r.names.checkName("name", name); err != nil {
		return zero, err
	}
	for range maxAttempts {
		doc, err := r.write(ctx, verb, name, etag, func(old T, now time.Time) (T, error) {
			doc := proto.Clone(old).(T)
			return doc, fn(doc, now)
		})
		if !isReason(err, "NOT_FOUND") || !r.names.singleton() || etag != "" {
			return doc, err
		}
		if doc, err = r.mutateMissing(ctx, name, fn); !isReason(err, "ALREADY_EXISTS") {
			return doc, err
		}
	}
	return zero, fault.Stale(name)
}

// write replaces a document by what next makes of it.
func (r *Resource[T]) write(ctx context.Context, verb, name, etag string, next func(old T, now time.Time) (T, error)) (T, error) {
	var zero T
	for range maxAttempts {
		rec, err := r.record(ctx, name, etag)
		if err != nil {
			return zero, err
		}
		old, now := rec.Body.(T), r.deps.Clock()
		doc, err := next(old, now)
		if err != nil {
			return zero, err
		}
		if proto.Equal(old, doc) {
			return r.derived(ctx, r.show(rec))
		}
		if vs := r.behavior.changedImmutable(doc.ProtoReflect(), old.ProtoReflect(), r.singular+"."); len(vs) > 0 {
			return zero, fault.Invalids(vs...)
		}
		events, err := r.decide(ctx, Change[T]{Name: name, Owner: rec.Owner, Kind: r.kind, Old: old, New: doc, Revision: rec.Revision, Now: now, Verb: verb})
		if err != nil {
			return zero, err
		}
		if proto.Equal(old, doc) { // the domain has put back what was changed
			return r.derived(ctx, r.show(rec))
		}
		r.stamp(doc, name, rec.CreateTime, now)
		rec.Body, rec.UpdateTime, rec.Sealed = doc, now, nil
		written, err := r.commit(ctx, store.Write{Op: store.Replace, Record: rec, Events: events})
		if err == nil || etag != "" || !errors.Is(err, store.ErrConflict) {
			return written, staleOr(err, name)
		}
	}
	return zero, staleOr(store.ErrConflict, name)
}

// Delete is the AIP-135 method.
func (r *Resource[T]) Delete(ctx context.Context, req proto.Message) (proto.Message, error) {
	m := req.ProtoReflect()
	name, etag := stringField(m, "name"), stringField(m, "etag")
	if err := r.names.checkName("name", name); err != nil {
		return nil, err
	}
	rec, err := r.record(ctx, name, etag)
	if err != nil {
		return nil, err
	}
	// What is refused takes nothing with it.
	if _, err := r.decide(ctx, r.deletion(rec)); err != nil {
		return nil, err
	}
	if err := r.clearChildren(ctx, name, boolField(m, "force")); err != nil {
		return nil, err
	}
	for range maxAttempts {
		err = r.remove(ctx, rec)
		if etag != "" || !errors.Is(err, store.ErrConflict) {
			break
		}
		if rec, err = r.record(ctx, name, etag); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, staleOr(err, name)
	}
	return &emptypb.Empty{}, nil
}

func (r *Resource[T]) deletion(rec store.Record) Change[T] {
	return Change[T]{Name: rec.Name, Owner: rec.Owner, Kind: r.kind, Old: rec.Body.(T), Revision: rec.Revision, Now: r.deps.Clock(), Verb: deleteVerb}
}

func (r *Resource[T]) remove(ctx context.Context, rec store.Record) error {
	events, err := r.decide(ctx, r.deletion(rec))
	if err != nil {
		return err
	}
	return r.deps.Store.Commit(ctx, store.Write{Op: store.Delete, Record: rec, Events: events})[0].Err
}

// record reads a document and holds it against an etag. What the caller may not see
// is denied whether it is there or not.
func (r *Resource[T]) record(ctx context.Context, name, etag string) (store.Record, error) {
	rec, err := r.deps.Store.Get(ctx, r.kind, name)
	if view := access.ViewOf(ctx); view != nil && (err == nil && !r.visible(view, rec) || errors.Is(err, store.ErrNotFound)) {
		return store.Record{}, access.Denied()
	}
	if errors.Is(err, store.ErrNotFound) {
		return rec, fault.NotFound(name)
	}
	if err == nil && etag != "" && etag != Etag(rec.Revision) {
		return rec, fault.Stale(name)
	}
	return rec, err
}

func (r *Resource[T]) commit(ctx context.Context, w store.Write) (T, error) {
	doc, err := r.committed(w, r.deps.Store.Commit(ctx, w)[0])
	if err != nil {
		return doc, err
	}
	return r.derived(ctx, doc)
}

// committed gives the document that a commit has written.
func (r *Resource[T]) committed(w store.Write, res store.Result) (T, error) {
	var zero T
	switch {
	case errors.Is(res.Err, store.ErrExists):
		return zero, fault.Exists(w.Record.Name)
	case res.Err != nil:
		return zero, res.Err
	}
	return r.show(res.Record), nil
}

// stamp writes the standard fields into a document that is about to be stored.
func (r *Resource[T]) stamp(doc T, name string, created, updated time.Time) {
	m := doc.ProtoReflect()
	m.Set(r.fields.name, protoreflect.ValueOfString(name))
	if r.fields.etag == nil {
		return // only the service itself writes it
	}
	m.Clear(r.fields.etag)
	m.Set(r.fields.createTime, protoreflect.ValueOfMessage(timestamppb.New(created).ProtoReflect()))
	m.Set(r.fields.updateTime, protoreflect.ValueOfMessage(timestamppb.New(updated).ProtoReflect()))
}

// show gives a record's document as the API shows it.
func (r *Resource[T]) show(rec store.Record) T {
	doc := rec.Body.(T)
	if r.fields.etag != nil {
		doc.ProtoReflect().Set(r.fields.etag, protoreflect.ValueOfString(Etag(rec.Revision)))
	}
	return doc
}

// derived completes one document by what follows from others.
func (r *Resource[T]) derived(ctx context.Context, doc T) (T, error) {
	if r.Derive == nil {
		return doc, nil
	}
	return doc, r.Derive(ctx, []T{doc})
}

// valid holds a document against its proto's rules: of a merged one the parts were
// checked on their way in, their sum was not; of a batch not even the parts.
func (r *Resource[T]) valid(doc proto.Message) error {
	if r.deps.Validator == nil {
		return nil
	}
	return r.deps.Validator.Validate(doc)
}

// Etag is the etag of a revision.
func Etag(revision int64) string { return strconv.FormatInt(revision, 36) }

func isReason(err error, reason string) bool {
	f, ok := fault.As(err)
	return ok && f.Reason == reason
}

func staleOr(err error, name string) error {
	if errors.Is(err, store.ErrConflict) {
		return fault.Stale(name)
	}
	if errors.Is(err, store.ErrNotFound) {
		return fault.NotFound(name)
	}
	return err
}
