// Package resource is the one implementation of the AIP standard methods. A
// resource type is declared: its message, its defaults, its domain rules. It
// gets Create, Get, List, Update and Delete, and custom methods through Mutate.
//
// The way of a write: the request's document is stripped of what only the server
// sets, completed by the type's defaults, decided on by the type's domain rules
// (which finish the document and name the events), checked for what is
// required, and committed with its events in one write of the store.
package resource

import (
	"context"
	"fmt"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Deps is what every resource type of a service shares. Types are declared
// before the store is opened, since the store must know them: Store is set in
// between.
type Deps struct {
	Store store.Documents
	Clock clock.Clock
	NewID ids.Source
	// Tokens seals page tokens.
	Tokens Tokens
	// Principal names the caller, to bind page tokens to.
	Principal func(ctx context.Context) string
	// Person names the person who calls, tenants/{tenant}/people/{person}; empty
	// when it is none.
	Person func(ctx context.Context) string
	// Source is the source of events, such as "rebound/journal".
	Source string
	// Validator checks whole documents after an update was merged.
	Validator protovalidate.Validator

	portable []Portable // of the declared types
}

// Tokens seals and opens page tokens, authenticated. token.Sealer is one.
type Tokens interface {
	Seal(purpose string, m proto.Message) (string, error)
	Open(purpose, text string, m proto.Message) error
}

// Change is one write as the domain sees it.
type Change[T proto.Message] struct {
	// Name is the resource name; Owner is tenants/{tenant}/people/{person}.
	Name, Owner string
	// Kind is the kind of the resource, such as "setbacks".
	Kind string
	// Old is the document before, not to be changed; the zero T on create.
	Old T
	// New is the document after, which Decide may finish; the zero T on delete.
	New T
	// Revision is what Old has in the store; 0 on create.
	Revision int64
	// Now is the time of the write.
	Now time.Time
	// Verb is "create", "update", "delete" or the name given to Mutate.
	Verb string
}

// Created is true when the document is new.
func (c Change[T]) Created() bool { return isNil(c.Old) }

// Deleted is true when the document goes away.
func (c Change[T]) Deleted() bool { return isNil(c.New) }

func isNil(m proto.Message) bool { return m == nil || !m.ProtoReflect().IsValid() }

// Type declares a resource type. The pattern, the plural and the singular come
// from the google.api.resource option of the message.
type Type[T proto.Message] struct {
	// ReadOnly types are written by the service itself: clients get and list.
	ReadOnly bool
	// TakenAlong types are ReadOnly, and yet people take them along: they hold words
	// that people gave with custom methods.
	TakenAlong bool
	// Stays keeps what people write themselves out of what they take along:
	// permissions and secrets, which are good for here only.
	Stays bool
	// Filter are the fields that filters may name, besides create_time and
	// update_time: scalars, enums, timestamps, dates or lists of them.
	Filter []string
	// Order are the fields of order_by, the default first, such as
	// "occurred_on"; name needs no declaration but for being first, nor do create_time
	// and update_time, unless the type is ReadOnly and not TakenAlong. Each costs an index.
	Order []string
	// Keys are values that follow from a document and are no field of it, by which
	// the service itself finds documents, through Between and Latest. Each costs an
	// index. Their names are none of the order fields'.
	Keys []store.Key
	// Ascending makes the default order ascending; otherwise it is descending.
	Ascending bool
	// Children are the kinds of resources below, for Delete.
	Children []string
	// Lookup are text fields that the service itself finds documents by, wherever they
	// lie, with Having. Each costs an index.
	Lookup []string
	// Shown tells whether a reader may see a document that a grant let them ask
	// for; nil: as far as the grant covers it.
	Shown func(v *access.View, doc T) bool
	// Along are the kinds of singletons below: they go with a Delete, and do not
	// stop it.
	Along []string
	// Agenda is a timestamp field by which the service itself finds with Due what is
	// to be done next, whoever's it is; "": none. It costs an index.
	Agenda string
	// ID makes the id of a create that brings none; nil: a UUID.
	ID func(ctx context.Context, parent string, doc T, now time.Time) (string, error)
	// CheckID says why an id is not good, beyond the general rule; nil: it is.
	CheckID func(ctx context.Context, parent, id string, now time.Time) error
	// Defaults completes a document that is about to be made, or, for a
	// singleton that was never written, to be shown.
	Defaults func(ctx context.Context, name string, doc T, now time.Time) error
	// Derive sets fields that are not stored but follow from other documents, on
	// all documents of an answer at once.
	Derive func(ctx context.Context, docs []T) error
	// Decide says whether a change may be, finishes the new document and
	// returns the events, of which only type and data need be set.
	Decide func(ctx context.Context, c Change[T]) ([]*eventsv1.Event, error)
}

// Resource serves one declared type.
type Resource[T proto.Message] struct {
	Type[T]
	deps     *Deps
	desc     protoreflect.MessageDescriptor
	names    pattern
	singular string // field of the document in requests
	plural   string // field of the documents in list responses, and the kind
	kind     string
	parent   string // kind of the parent resource; "" when it is the person
	behavior *behaviors
	filter   *filter.Fields
	fields   standardFields
	newDoc   func() T
}

// New checks a declaration and makes it serve.
func New[T proto.Message](deps *Deps, t Type[T]) (*Resource[T], error) {
	var zero T
	md := zero.ProtoReflect().Descriptor()
	opt, ok := proto.GetExtension(md.Options(), annotations.E_Resource).(*annotations.ResourceDescriptor)
	if !ok || len(opt.GetPattern()) != 1 || opt.GetSingular() == "" || opt.GetPlural() == "" {
		return nil, fmt.Errorf("resource: %s needs google.api.resource with one pattern, singular and plural", md.FullName())
	}
	names, err := parsePattern(opt.GetPattern()[0])
	if err != nil {
		return nil, fmt.Errorf("resource: %s: %w", md.FullName(), err)
	}
	r := &Resource[T]{
		Type:     t,
		deps:     deps,
		desc:     md,
		names:    names,
		singular: snake(opt.GetSingular()),
		plural:   snake(opt.GetPlural()),
		kind:     names.kind(),
		parent:   names.parentKind(),
		behavior: behaviorsOf(md),
		newDoc:   func() T { return zero.ProtoReflect().New().Interface().(T) },
	}
	if r.fields, err = standardFieldsOf(md); err != nil {
		return nil, err
	}
	if !t.ReadOnly {
		if err := r.fields.writable(md); err != nil {
			return nil, err
		}
		t.Filter = append([]string{store.KeyCreateTime, store.KeyUpdateTime}, t.Filter...)
	}
	if r.filter, err = filter.New(md, t.Filter...); err != nil {
		return nil, err
	}
	if err := r.declareIndexes(); err != nil {
		return nil, err
	}
	if t.TakenAlong || !t.ReadOnly && !t.Stays && writtenByPeople(md, r.names.singleton()) {
		deps.portable = append(deps.portable, r)
	}
	return r, nil
}

// Must is New for wiring code whose declarations are constants checked by tests.
func Must[T proto.Message](deps *Deps, t Type[T]) *Resource[T] {
	r, err := New(deps, t)
	if err != nil {
		panic(err)
	}
	return r
}

// standardFields are the fields every resource has; one that only the service
// itself writes needs no more than a name.
type standardFields struct {
	name, etag, createTime, updateTime protoreflect.FieldDescriptor
}

func standardFieldsOf(md protoreflect.MessageDescriptor) (standardFields, error) {
	f := standardFields{
		name:       md.Fields().ByName("name"),
		etag:       md.Fields().ByName("etag"),
		createTime: md.Fields().ByName("create_time"),
		updateTime: md.Fields().ByName("update_time"),
	}
	if f.name == nil {
		return f, fmt.Errorf("resource: %s lacks a name", md.FullName())
	}
	return f, nil
}

// writable says what a resource lacks that clients are to write.
func (f standardFields) writable(md protoreflect.MessageDescriptor) error {
	if f.etag == nil || f.createTime == nil || f.updateTime == nil {
		return fmt.Errorf("resource: %s lacks etag, create_time or update_time", md.FullName())
	}
	return nil
}

// snake turns lowerCamelCase, as AIP-123 writes singular and plural, into the
// snake_case of field names.
func snake(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}
