package bsonpb

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var errType = errors.New("bsonpb: value of another type")

// Unmarshal fills a message from the document that mirrors it. Fields and enum
// names that this release does not know are ignored.
func Unmarshal(doc bson.Raw, m proto.Message) error {
	proto.Reset(m)
	return fill(m.ProtoReflect(), doc)
}

func fill(m protoreflect.Message, doc bson.Raw) error {
	elements, err := doc.Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(e.Key()))
		if fd == nil {
			continue
		}
		if err := fillField(m, fd, e.Value()); err != nil {
			return fmt.Errorf("%s: %w", fd.Name(), err)
		}
	}
	return nil
}

func fillField(m protoreflect.Message, fd protoreflect.FieldDescriptor, v bson.RawValue) error {
	switch {
	case fd.IsMap():
		return fillMap(m.Mutable(fd).Map(), fd, v)
	case fd.IsList():
		array, ok := v.ArrayOK()
		if !ok {
			return errType
		}
		values, err := array.Values()
		if err != nil {
			return err
		}
		list := m.Mutable(fd).List()
		for _, each := range values {
			value, known, err := read(fd, each, list.NewElement)
			if err != nil {
				return err
			}
			if known {
				list.Append(value)
			}
		}
		return nil
	}
	value, known, err := read(fd, v, func() protoreflect.Value { return m.NewField(fd) })
	if known && err == nil {
		m.Set(fd, value)
	}
	return err
}

func fillMap(m protoreflect.Map, fd protoreflect.FieldDescriptor, v bson.RawValue) error {
	doc, ok := v.DocumentOK()
	if !ok {
		return errType
	}
	elements, err := doc.Elements()
	if err != nil {
		return err
	}
	for _, e := range elements {
		key, err := readKey(fd.MapKey(), unescape(e.Key()))
		if err != nil {
			return err
		}
		value, known, err := read(fd.MapValue(), e.Value(), m.NewValue)
		if err != nil {
			return err
		}
		if known {
			m.Set(key, value)
		}
	}
	return nil
}

func readKey(fd protoreflect.FieldDescriptor, text string) (protoreflect.MapKey, error) {
	var v protoreflect.Value
	var err error
	switch fd.Kind() {
	case protoreflect.StringKind:
		v = protoreflect.ValueOfString(text)
	case protoreflect.BoolKind:
		var b bool
		b, err = strconv.ParseBool(text)
		v = protoreflect.ValueOfBool(b)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 32)
		v = protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 64)
		v = protoreflect.ValueOfUint64(n)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		var n int64
		n, err = strconv.ParseInt(text, 10, 32)
		v = protoreflect.ValueOfInt32(int32(n))
	default:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v = protoreflect.ValueOfInt64(n)
	}
	if err != nil {
		return protoreflect.MapKey{}, errType // the key itself may be a person's word
	}
	return v.MapKey(), nil
}

// read gives one value; known is false for an enum name of a later release.
func read(fd protoreflect.FieldDescriptor, v bson.RawValue, empty func() protoreflect.Value) (_ protoreflect.Value, known bool, err error) {
	var out protoreflect.Value
	var ok bool
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		out = empty()
		if lengthen(out.Message(), v) {
			return out, true, nil
		}
		doc, isDoc := v.DocumentOK()
		if !isDoc {
			return out, false, errType
		}
		return out, true, fill(out.Message(), doc)
	case protoreflect.EnumKind:
		if name, isName := v.StringValueOK(); isName {
			value := fd.Enum().Values().ByName(protoreflect.Name(name))
			if value == nil {
				return out, false, nil
			}
			return protoreflect.ValueOfEnum(value.Number()), true, nil
		}
		n, isNumber := integer(v, math.MinInt32, math.MaxInt32)
		out, ok = protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), isNumber
	default:
		out, ok = scalar(fd.Kind(), v)
	}
	if !ok {
		return out, false, errType
	}
	return out, true, nil
}

func scalar(kind protoreflect.Kind, v bson.RawValue) (protoreflect.Value, bool) {
	switch kind {
	case protoreflect.BoolKind:
		b, ok := v.BooleanOK()
		return protoreflect.ValueOfBool(b), ok
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, ok := integer(v, math.MinInt32, math.MaxInt32)
		return protoreflect.ValueOfInt32(int32(n)), ok
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, ok := integer(v, math.MinInt64, math.MaxInt64)
		return protoreflect.ValueOfInt64(n), ok
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, ok := integer(v, 0, math.MaxUint32)
		return protoreflect.ValueOfUint32(uint32(n)), ok
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, ok := integer(v, math.MinInt64, math.MaxInt64)
		return protoreflect.ValueOfUint64(uint64(n)), ok
	case protoreflect.FloatKind:
		f, ok := float(v)
		return protoreflect.ValueOfFloat32(float32(f)), ok
	case protoreflect.DoubleKind:
		f, ok := float(v)
		return protoreflect.ValueOfFloat64(f), ok
	case protoreflect.StringKind:
		s, ok := v.StringValueOK()
		return protoreflect.ValueOfString(s), ok
	}
	_, data, ok := v.BinaryOK()
	return protoreflect.ValueOfBytes(append([]byte{}, data...)), ok
}

// integer takes any number that is whole and in range: what people write with a
// shell is a double.
func integer(v bson.RawValue, low, high int64) (int64, bool) {
	if f, ok := v.DoubleOK(); ok {
		n := int64(f)
		return n, float64(n) == f && f > math.MinInt64 && f < math.MaxInt64 && n >= low && n <= high
	}
	n, ok := v.AsInt64OK()
	return n, ok && n >= low && n <= high
}

func float(v bson.RawValue) (float64, bool) {
	if f, ok := v.DoubleOK(); ok {
		return f, true
	}
	n, ok := v.AsInt64OK()
	return float64(n), ok
}
