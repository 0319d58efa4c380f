package resource

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Get is the AIP-131 method. A singleton that was never written is shown with
// its defaults.
func (r *Resource[T]) Get(ctx context.Context, req proto.Message) (proto.Message, error) {
	return r.Fetch(ctx, stringField(req.ProtoReflect(), "name"))
}

// Fetch gives one document by name, as Get does.
func (r *Resource[T]) Fetch(ctx context.Context, name string) (T, error) {
	var zero T
	if err := r.names.checkName("name", name); err != nil {
		return zero, err
	}
	rec, err := r.record(ctx, name, "")
	if err == nil {
		return r.reveal(ctx, rec)
	}
	if f, ok := fault.As(err); !ok || f.Reason != "NOT_FOUND" || !r.names.singleton() {
		return zero, err
	}
	doc, err := r.unwritten(ctx, name)
	if err != nil {
		return zero, err
	}
	return r.derived(ctx, doc)
}

// unwritten is a singleton that was never written: its defaults, below a parent
// that is there.
func (r *Resource[T]) unwritten(ctx context.Context, name string) (T, error) {
	doc := r.newDoc()
	if err := r.parentExists(ctx, r.names.parentOf(name)); err != nil {
		return doc, err
	}
	if r.Defaults != nil {
		if err := r.Defaults(ctx, name, doc, r.deps.Clock()); err != nil {
			return doc, err
		}
	}
	doc.ProtoReflect().Set(r.fields.name, protoreflect.ValueOfString(name))
	access.SawNames(ctx, name)
	return doc, nil
}

// CheckReference says whether a reference in a document names a resource of
// this type that exists and is the same owner's; field is what to blame.
// An empty reference is good.
func (r *Resource[T]) CheckReference(ctx context.Context, field, owner, name string) error {
	if name == "" {
		return nil
	}
	if err := r.names.checkName(field, name); err != nil {
		return err
	}
	if ownerOf(name) != owner {
		return fault.Invalid(field, "REFERENCE_FOREIGN", "must name a resource of the same person")
	}
	_, err := r.record(ctx, name, "")
	if f, ok := fault.As(err); ok && f.Reason == "NOT_FOUND" {
		return fault.Invalid(field, "REFERENCE_UNKNOWN", "names a resource that does not exist")
	}
	return err
}

// CheckReferences is CheckReference for a list: with one read it looks at those names
// that are not among known, which were good before, and gives their documents by name.
func (r *Resource[T]) CheckReferences(ctx context.Context, field, owner string, names, known []string) (map[string]T, error) {
	at := func(i int) string { return fmt.Sprintf("%s[%d]", field, i) }
	var asked []string
	for i, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		if err := r.names.checkName(at(i), name); err != nil {
			return nil, err
		}
		if ownerOf(name) != owner {
			return nil, fault.Invalid(at(i), "REFERENCE_FOREIGN", "must name a resource of the same person")
		}
		asked = append(asked, name)
	}
	found, err := r.Batch(ctx, asked)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if _, ok := found[name]; !ok && !slices.Contains(known, name) {
			return nil, fault.Invalid(at(i), "REFERENCE_UNKNOWN", "names a resource that does not exist")
		}
	}
	return found, nil
}

// Methods are the standard methods of this type; Service takes those that the
// gRPC service has.
func (r *Resource[T]) Methods() []Method {
	one := string(r.desc.Name())
	many := upper(r.plural)
	return []Method{
		r.standard("Create"+one, r.Create, "parent", r.singular),
		r.standard("Get"+one, r.Get, "name"),
		r.standard("List"+many, r.List, "parent", "page_size", "page_token"),
		r.standard("Update"+one, r.Update, r.singular, "update_mask"),
		r.standard("Delete"+one, r.Delete, "name"),
	}
}

func (r *Resource[T]) standard(name string, h Handler, fields ...string) Method {
	return Method{name: name, handler: h, fields: fields}
}

// upper turns snake_case into UpperCamelCase.
func upper(s string) string {
	out := make([]byte, 0, len(s))
	up := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '_':
			up = true
		case up:
			out = append(out, c-'a'+'A')
			up = false
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// along is the way along an order field or key below a parent; with a parent that ends
// in "/-", below all of the person's parents.
func (r *Resource[T]) along(parent, field string) store.Query {
	q := store.Query{Kind: r.kind, Index: byPrefix + field, Prefix: []store.Value{parent}}
	if strings.HasSuffix(parent, "/"+wildcard) {
		q.Index, q.Prefix = widePrefix+field, []store.Value{ownerOf(parent)}
	}
	return q
}

// All gives every document below a parent, by name; with a parent that ends in
// "/-", below all of the person's parents.
func (r *Resource[T]) All(ctx context.Context, parent string) ([]T, error) {
	return r.every(ctx, r.along(parent, store.KeyName))
}

// every gives all documents of a query, page by page.
func (r *Resource[T]) every(ctx context.Context, q store.Query) ([]T, error) {
	q.Limit = store.MaxPage
	var docs []T
	for {
		page, err := r.deps.Store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, rec := range r.visibleOf(ctx, page.Records) {
			docs = append(docs, r.show(rec))
		}
		if q.After = page.Next; page.Next == nil {
			return docs, nil
		}
	}
}

// Below gives every document below a parent that a caller named, as All does.
func (r *Resource[T]) Below(ctx context.Context, parent string) ([]T, error) {
	if err := r.names.checkParent("parent", parent, true); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(parent, "/"+wildcard) {
		if err := r.parentExists(ctx, parent); err != nil {
			return nil, err
		}
	}
	return r.All(ctx, parent)
}
