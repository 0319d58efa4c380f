// Package bsonpb mirrors protobuf messages as BSON documents, field by field, so
// that people can look at them with the database's own tools.
//
// A field is stored under its proto name, an enum value by its name (as a number
// when it has none), the set member of a oneof as that field, a map as a
// sub-document. A Timestamp is a date and a google.type.Date the string
// YYYY-MM-DD; what such a date or string cannot hold (nanoseconds, partial dates)
// is a sub-document of the message's fields. Fields without presence that have
// their zero value are left out. Nothing but unknown fields is lost.
package bsonpb

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrText says that a string is not valid UTF-8, which neither protobuf nor BSON
// allows.
var ErrText = errors.New("bsonpb: text is not UTF-8")

// Marshal gives the document that mirrors a message.
func Marshal(m proto.Message) (bson.Raw, error) {
	d, err := document(m.ProtoReflect())
	if err != nil {
		return nil, err
	}
	return bson.Marshal(d)
}

// document mirrors the populated fields, in the order of their declaration.
func document(m protoreflect.Message) (bson.D, error) {
	fields := m.Descriptor().Fields()
	out := make(bson.D, 0, fields.Len())
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		v, err := field(fd, m.Get(fd))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fd.Name(), err)
		}
		out = append(out, bson.E{Key: string(fd.Name()), Value: v})
	}
	return out, nil
}

func field(fd protoreflect.FieldDescriptor, v protoreflect.Value) (any, error) {
	switch {
	case fd.IsMap():
		return mapping(fd, v.Map())
	case fd.IsList():
		list := v.List()
		out := make(bson.A, list.Len())
		for i := range out {
			var err error
			if out[i], err = single(fd, list.Get(i)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return single(fd, v)
}

// mapping gives a map's entries in the order of their keys, so that equal
// messages give equal documents.
func mapping(fd protoreflect.FieldDescriptor, m protoreflect.Map) (any, error) {
	out := make(bson.D, 0, m.Len())
	var err error
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		key := k.String()
		if !utf8.ValidString(key) {
			err = ErrText
			return false
		}
		var value any
		if value, err = single(fd.MapValue(), v); err != nil {
			return false
		}
		out = append(out, bson.E{Key: escape(key), Value: value})
		return true
	})
	slices.SortFunc(out, func(a, b bson.E) int {
		switch {
		case a.Key < b.Key:
			return -1
		case a.Key > b.Key:
			return 1
		}
		return 0
	})
	return out, err
}

func single(fd protoreflect.FieldDescriptor, v protoreflect.Value) (any, error) {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return v.Bool(), nil
	case protoreflect.EnumKind:
		if name := fd.Enum().Values().ByNumber(v.Enum()); name != nil {
			return string(name.Name()), nil
		}
		return int32(v.Enum()), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return int32(v.Int()), nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return v.Int(), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		// Above the largest int64 the same bits stand for a negative number.
		return int64(v.Uint()), nil
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return v.Float(), nil
	case protoreflect.StringKind:
		if !utf8.ValidString(v.String()) {
			return nil, ErrText
		}
		return v.String(), nil
	case protoreflect.BytesKind:
		return bson.Binary{Data: v.Bytes()}, nil
	}
	if short, ok := shorten(v.Message()); ok {
		return short, nil
	}
	return document(v.Message())
}
