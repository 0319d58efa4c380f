package resource

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// ImportedVerb is the Verb of a Change that restores a document which was made
// elsewhere. Old is a copy of New: rules about what changes do not apply, rules
// about what may be do.
const ImportedVerb = "imported"

// clockSkew is how far ahead of ours another system's clock may be.
const clockSkew = 5 * time.Minute

// Portable is a resource type whose resources people write themselves, and can
// take along: read as they are stored, and restored as they were.
type Portable interface {
	// Kind is what the store must know of it.
	Kind() store.Kind
	// Descriptor is its message's.
	Descriptor() protoreflect.MessageDescriptor
	// New gives an empty document.
	New() proto.Message
	// Records reads a person's documents of this type, by name or, with byTime, by
	// the time at which they were made. What follows from other documents is not in
	// them.
	Records(ctx context.Context, owner string, byTime bool, after *store.Cursor, limit int) (store.Page, error)
	// Stored gives those documents of these names that exist, as they are stored.
	Stored(ctx context.Context, names []string) (map[string]proto.Message, error)
	// CheckRestored says what is wrong with a document by itself: its name, its
	// times, what is required, and the rules of its proto. Errors are faults or
	// of protovalidate.
	CheckRestored(doc proto.Message) error
	// Restore makes documents that CheckRestored found good, with their times and
	// all that only the server sets. The type's rules decide on each as on a change
	// by ImportedVerb, and may finish it. Each fails alone: with ALREADY_EXISTS
	// where one of that name exists, unless it was restored under the same
	// request id.
	Restore(ctx context.Context, docs []proto.Message, requestIDs []string) []error
}

// Portable gives the declared types that people can take along, those right below
// the person first, else by kind.
func (d *Deps) Portable() []Portable {
	depth := func(p Portable) int { return p.(interface{ depth() int }).depth() }
	return slices.SortedStableFunc(slices.Values(d.portable), func(a, b Portable) int {
		return cmp.Or(cmp.Compare(depth(a), depth(b)), cmp.Compare(a.Kind().Name, b.Kind().Name))
	})
}

// writtenByPeople tells whether people make resources of a type themselves: the
// service in its file has a method for that whose rule lets them at their own.
func writtenByPeople(md protoreflect.MessageDescriptor, singleton bool) bool {
	verb := protoreflect.Name("Create")
	if singleton {
		verb = "Update"
	}
	services := md.ParentFile().Services()
	for i := range services.Len() {
		method := services.Get(i).Methods().ByName(verb + md.Name())
		if method == nil {
			continue
		}
		rule, _ := proto.GetExtension(method.Options(), policyv1.E_Rule).(*policyv1.Rule)
		for _, a := range rule.GetAllow() {
			if a.GetRole() == policyv1.Role_ROLE_PERSON && a.GetRelation() == policyv1.Relation_RELATION_OWN {
				return true
			}
		}
	}
	return false
}

func (r *Resource[T]) depth() int { return len(r.names.segments) }

// Descriptor is the descriptor of the type's message.
func (r *Resource[T]) Descriptor() protoreflect.MessageDescriptor { return r.desc }

// New gives an empty document.
func (r *Resource[T]) New() proto.Message { return r.newDoc() }

// Records implements Portable.
func (r *Resource[T]) Records(ctx context.Context, owner string, byTime bool, after *store.Cursor, limit int) (store.Page, error) {
	field, indexes := store.KeyName, r.listIndex
	if byTime {
		field = store.KeyCreateTime
	}
	if r.wideIndex != nil {
		indexes = r.wideIndex
	}
	return r.deps.Store.List(ctx, store.Query{
		Kind: r.kind, Index: indexes[field], Prefix: []store.Value{owner}, After: after, Limit: limit,
	})
}

// Stored implements Portable.
func (r *Resource[T]) Stored(ctx context.Context, names []string) (map[string]proto.Message, error) {
	found, err := r.deps.Store.GetBatch(ctx, r.kind, names)
	if err != nil {
		return nil, err
	}
	out := make(map[string]proto.Message, len(found))
	for name, rec := range found {
		out[name] = rec.Body
	}
	return out, nil
}

// CheckRestored implements Portable.
func (r *Resource[T]) CheckRestored(doc proto.Message) error {
	m := doc.ProtoReflect()
	if err := r.names.checkName("name", m.Get(r.fields.name).String()); err != nil {
		return err
	}
	created, updated := timeOf(m, r.fields.createTime), timeOf(m, r.fields.updateTime)
	switch {
	case created.IsZero() || updated.IsZero() || updated.Before(created):
		return fault.Invalid("update_time", "TIME_INVALID", "must be an instant, not before create_time, which must be one too")
	case updated.After(r.deps.Clock().Add(clockSkew)):
		return fault.Invalid("update_time", "TIME_IN_FUTURE", "must not lie in the future")
	}
	if vs := r.behavior.missing(m, r.singular+".", nil); len(vs) > 0 {
		return fault.Invalids(vs...)
	}
	return r.valid(doc)
}

// timeOf is the instant in a field; zero when there is none.
func timeOf(m protoreflect.Message, fd protoreflect.FieldDescriptor) time.Time {
	ts, ok := m.Get(fd).Message().Interface().(*timestamppb.Timestamp)
	if !ok || !m.Has(fd) || !ts.IsValid() {
		return time.Time{}
	}
	return ts.AsTime()
}

// Restore implements Portable.
func (r *Resource[T]) Restore(ctx context.Context, docs []proto.Message, requestIDs []string) []error {
	errs := make([]error, len(docs))
	there, err := r.parentsOf(ctx, docs)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	var writes []store.Write
	var place []int // of writes among docs
	for i, doc := range docs {
		parent := r.names.parentOf(stringField(doc.ProtoReflect(), store.KeyName))
		if r.parent != "" && !there[parent] {
			errs[i] = fault.NotFound(parent)
			continue
		}
		w, err := r.restoration(ctx, doc.(T), parent, requestIDs[i])
		if err != nil {
			errs[i] = err
			continue
		}
		writes, place = append(writes, w), append(place, i)
	}
	for j, res := range r.deps.Store.Commit(ctx, writes...) {
		if errs[place[j]] = res.Err; errors.Is(res.Err, store.ErrExists) {
			errs[place[j]] = fault.Exists(writes[j].Record.Name)
		}
	}
	return errs
}

// parentsOf tells which parents of documents exist, with one read.
func (r *Resource[T]) parentsOf(ctx context.Context, docs []proto.Message) (map[string]bool, error) {
	if r.parent == "" {
		return nil, nil
	}
	var names []string
	for _, doc := range docs {
		if parent := r.names.parentOf(stringField(doc.ProtoReflect(), store.KeyName)); !slices.Contains(names, parent) {
			names = append(names, parent)
		}
	}
	found, err := r.deps.Store.GetBatch(ctx, r.parent, names)
	there := make(map[string]bool, len(found))
	for name := range found {
		there[name] = true
	}
	return there, err
}

// restoration is the write that makes a document as it was.
func (r *Resource[T]) restoration(ctx context.Context, doc T, parent, requestID string) (store.Write, error) {
	var none store.Write
	m, now := doc.ProtoReflect(), r.deps.Clock()
	name := m.Get(r.fields.name).String()
	if r.CheckID != nil && !r.names.singleton() {
		if err := r.CheckID(ctx, parent, LastSegment(name), now); err != nil {
			return none, err
		}
	}
	m.Clear(r.fields.etag)
	r.behavior.truncateTimes(m)
	created, updated := timeOf(m, r.fields.createTime), timeOf(m, r.fields.updateTime)
	change := Change[T]{
		Name: name, Owner: ownerOf(name), Kind: r.kind, Old: proto.Clone(doc).(T), New: doc, Now: now, Verb: ImportedVerb,
	}
	events, err := r.decide(ctx, change)
	if err != nil {
		return none, err
	}
	for _, e := range events {
		e.RecordTime = timestamppb.New(created)
	}
	r.stamp(doc, name, created, updated)
	return store.Write{Op: store.Insert, Events: events, Record: store.Record{
		Kind: r.kind, Name: name, Parent: parent, Owner: change.Owner, RequestID: requestID,
		CreateTime: created, UpdateTime: updated, Body: doc,
	}}, nil
}
