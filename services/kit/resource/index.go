package resource

import (
	"fmt"
	"slices"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	privacyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/privacy/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// childIndex lists what lies below a parent, by name; every type has it.
const childIndex = byPrefix + store.KeyName

// How the names of indexes begin: those below the parent, and those below the
// person of types that lie deeper.
const (
	byPrefix   = "by_"
	widePrefix = "wide_"
)

// agendaIndex lists what has a time set, whoever's it is, by that time.
const agendaIndex = "agenda"

// declareIndexes says what is wrong with what a type is to be found by. Each order
// field and key has an index below the parent and, for types that lie deeper, one
// below the person, for parents that end in "/-".
func (r *Resource[T]) declareIndexes() error {
	fields := r.orderFields()
	for _, field := range fields {
		if _, err := r.orderKey(field); err != nil {
			return err
		}
	}
	for _, key := range r.Keys {
		if slices.Contains(fields, key.Name) {
			return fmt.Errorf("resource: %s has an order field and a key %q", r.desc.FullName(), key.Name)
		}
	}
	for _, field := range r.Lookup {
		if _, err := r.orderKey(field); err != nil {
			return err
		}
	}
	if r.Agenda != "" {
		key, err := r.orderKey(r.Agenda)
		if err != nil || key.Type != store.Number {
			return fmt.Errorf("resource: %s cannot have the agenda %q", r.desc.FullName(), r.Agenda)
		}
	}
	return nil
}

func (r *Resource[T]) orderFields() []string {
	fields, more := slices.Clone(r.Order), []string{store.KeyCreateTime, store.KeyUpdateTime, store.KeyName}
	if r.ReadOnly && !r.TakenAlong { // when the service wrote it down is nobody's business
		more = more[2:]
	}
	for _, f := range more {
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// Kind is what the store must know of this type.
func (r *Resource[T]) Kind() store.Kind {
	k := store.Kind{Name: r.kind, New: func() proto.Message { return r.newDoc() }}
	fields := r.orderFields()
	for _, field := range fields {
		if key, _ := r.orderKey(field); key.Of != nil { // built-in ones have none
			k.Keys = append(k.Keys, key)
		}
	}
	for _, key := range r.Keys {
		k.Keys, fields = append(k.Keys, key), append(fields, key.Name)
	}
	for _, field := range fields {
		k.Indexes = append(k.Indexes, store.Index{Name: byPrefix + field, Keys: []string{store.KeyParent, field}})
		if r.parent != "" {
			k.Indexes = append(k.Indexes, store.Index{Name: widePrefix + field, Keys: []string{store.KeyOwner, field}})
		}
	}
	for _, field := range r.Lookup {
		key, _ := r.orderKey(field)
		k.Keys = append(k.Keys, key)
		k.Indexes = append(k.Indexes, store.Index{Name: keyIndex(field), Keys: []string{field, store.KeyName}})
	}
	if r.Agenda != "" {
		if !slices.Contains(r.Order, r.Agenda) {
			key, _ := r.orderKey(r.Agenda)
			k.Keys = append(k.Keys, key)
		}
		k.Indexes = append(k.Indexes, store.Index{Name: agendaIndex, Keys: []string{r.Agenda}})
	}
	return k
}

// orderKey draws the value of an order field from a document.
func (r *Resource[T]) orderKey(field string) (store.Key, error) {
	switch field {
	case store.KeyCreateTime, store.KeyUpdateTime, store.KeyName:
		return store.Key{Name: field}, nil
	}
	fd := r.desc.Fields().ByName(protoreflect.Name(field))
	if fd == nil || fd.IsList() || fd.IsMap() {
		return store.Key{}, fmt.Errorf("resource: %s cannot be ordered by %q", r.desc.FullName(), field)
	}
	t, of := comparable(fd)
	if of == nil {
		return store.Key{}, fmt.Errorf("resource: %s cannot be ordered by %q", r.desc.FullName(), field)
	}
	return store.Key{Name: field, Type: t, Of: func(body proto.Message) store.Value {
		m := body.ProtoReflect()
		return of(m.Get(fd), m.Has(fd))
	}}, nil
}

// comparable turns a field's value into one that stores can order by.
func comparable(fd protoreflect.FieldDescriptor) (store.KeyType, func(v protoreflect.Value, set bool) store.Value) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		if text, _ := proto.GetExtension(fd.Options(), privacyv1.E_Text).(bool); text {
			return 0, nil // it is empty where the store keeps it
		}
		return store.Text, func(v protoreflect.Value, _ bool) store.Value { return v.String() }
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return store.Number, func(v protoreflect.Value, _ bool) store.Value { return v.Int() }
	case protoreflect.EnumKind:
		return store.Number, func(v protoreflect.Value, _ bool) store.Value { return int64(v.Enum()) }
	case protoreflect.MessageKind:
		switch fd.Message().FullName() {
		case "google.protobuf.Timestamp":
			return store.Number, func(v protoreflect.Value, set bool) store.Value {
				if !set {
					return store.AbsentNumber
				}
				return v.Message().Interface().(*timestamppb.Timestamp).AsTime().UnixMilli()
			}
		case "google.type.Date":
			return store.Text, func(v protoreflect.Value, set bool) store.Value {
				if !set {
					return ""
				}
				return localdate.Text(v.Message().Interface().(*datepb.Date))
			}
		}
	}
	return 0, nil
}
