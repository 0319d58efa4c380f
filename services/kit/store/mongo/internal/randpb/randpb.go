// Package randpb draws random messages, for property tests.
package randpb

import (
	"math"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"pgregory.net/rapid"

	_ "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"    // registers its messages
	_ "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1" // registers its messages
	_ "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"  // registers its messages
	_ "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"  // registers its messages
)

// maxDepth is how deep messages are drawn.
const maxDepth = 3

// Types gives every message type that a store may hold.
func Types() []protoreflect.MessageType {
	var out []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(t protoreflect.MessageType) bool {
		for _, pkg := range []string{"journal", "goals", "insights", "storage"} {
			if strings.HasPrefix(string(t.Descriptor().FullName()), "rebound."+pkg+".v1.") {
				out = append(out, t)
			}
		}
		return true
	})
	return out
}

// Draw draws a message of a type.
func Draw(t *rapid.T, typ protoreflect.MessageType) proto.Message {
	m := typ.New()
	draw(t, m, 0)
	return m.Interface()
}

func draw(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !rapid.Bool().Draw(t, "has") || (depth >= maxDepth && fd.Message() != nil) {
			continue
		}
		switch {
		case fd.IsMap():
			values := m.Mutable(fd).Map()
			for range rapid.IntRange(0, 3).Draw(t, "entries") {
				key := value(t, fd.MapKey(), nil, depth).MapKey()
				values.Set(key, value(t, fd.MapValue(), values.NewValue, depth))
			}
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range rapid.IntRange(0, 3).Draw(t, "length") {
				list.Append(value(t, fd, list.NewElement, depth))
			}
		default:
			m.Set(fd, value(t, fd, func() protoreflect.Value { return m.NewField(fd) }, depth))
		}
	}
}

func value(t *rapid.T, fd protoreflect.FieldDescriptor, empty func() protoreflect.Value, depth int) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32Range(-1, 12).Draw(t, "enum")))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(rapid.Float32().Draw(t, "float"))
	case protoreflect.DoubleKind:
		odd := rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1)})
		return protoreflect.ValueOfFloat64(rapid.OneOf(rapid.Float64(), odd).Draw(t, "double"))
	case protoreflect.StringKind:
		odd := rapid.SampledFrom([]string{"", "\x00", ".", "$", "%", "%2E", "%00", "$a.b", "%%", "Zürich \U0001F9D7"})
		return protoreflect.ValueOfString(rapid.OneOf(rapid.String(), odd).Draw(t, "string"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes"))
	}
	m := empty()
	if !plausible(t, m.Message()) {
		draw(t, m.Message(), depth+1)
	}
	return m
}

// plausible draws, most of the time, a time or a date as people write them.
func plausible(t *rapid.T, m protoreflect.Message) bool {
	set := func(name protoreflect.Name, v protoreflect.Value) { m.Set(m.Descriptor().Fields().ByName(name), v) }
	name := m.Descriptor().FullName()
	if (name != "google.protobuf.Timestamp" && name != "google.type.Date") || rapid.IntRange(0, 3).Draw(t, "odd") == 0 {
		return false
	}
	if name == "google.type.Date" {
		set("year", protoreflect.ValueOfInt32(rapid.Int32Range(1, 9999).Draw(t, "year")))
		set("month", protoreflect.ValueOfInt32(rapid.Int32Range(1, 12).Draw(t, "month")))
		set("day", protoreflect.ValueOfInt32(rapid.Int32Range(1, 31).Draw(t, "day")))
		return true
	}
	set("seconds", protoreflect.ValueOfInt64(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds")))
	set("nanos", protoreflect.ValueOfInt32(rapid.Int32Range(0, 999).Draw(t, "millis")*1e6))
	return true
}
