package transfer_test

import (
	"fmt"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// drawer draws messages that keep the rules of their protos.
type drawer struct {
	t     *rapid.T
	owner string
}

const maxDepth = 4

func (d drawer) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		rules, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
		must := hasBehavior(fd, annotations.FieldBehavior_REQUIRED) || len(rules.GetEnum().GetNotIn()) > 0
		if !fd.HasPresence() { // rules hold for the zero value, too
			must = must || rules.GetInt32().GetGte() > 0 || rules.GetDouble().GetGte() > 0 || rules.GetString().GetMinLen() > 0
		}
		ours := fd.Message() != nil && strings.HasPrefix(string(fd.Message().FullName()), "rebound.")
		switch {
		case fd.Name() == "name" || fd.Name() == "etag" || fd.IsMap() || ours && depth == maxDepth:
		case !must && rapid.IntRange(0, 2).Draw(d.t, "absent") == 0:
		case fd.IsList():
			d.list(m.Mutable(fd).List(), fd, rules.GetRepeated(), must, depth)
		case ours:
			d.fill(m.Mutable(fd).Message(), depth+1)
		case fd.Message() != nil:
			m.Set(fd, d.known(m.NewField(fd)))
		default:
			m.Set(fd, d.scalar(fd, rules, must))
		}
	}
}

func (d drawer) list(list protoreflect.List, fd protoreflect.FieldDescriptor, rules *validate.RepeatedRules, must bool, depth int) {
	least := int(rules.GetMinItems())
	if must {
		least = max(1, least)
	}
	most := 3
	if rules.GetMaxItems() > 0 {
		most = int(min(3, rules.GetMaxItems()))
	}
	var seen []string
	for range rapid.IntRange(least, max(least, most)).Draw(d.t, "length") {
		v := list.NewElement()
		switch {
		case fd.Message() == nil:
			v = d.scalar(fd, rules.GetItems(), true)
		case strings.HasPrefix(string(fd.Message().FullName()), "rebound."):
			d.fill(v.Message(), depth+1)
		default:
			v = d.known(v)
		}
		if text := v.String(); !rules.GetUnique() || !slices.Contains(seen, text) {
			seen = append(seen, text)
			list.Append(v)
		}
	}
}

func (d drawer) scalar(fd protoreflect.FieldDescriptor, rules *validate.FieldRules, must bool) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(d.t, "bool"))
	case protoreflect.EnumKind:
		least := 0
		if must {
			least = 1
		}
		n := rapid.IntRange(least, fd.Enum().Values().Len()-1).Draw(d.t, "enum")
		return protoreflect.ValueOfEnum(fd.Enum().Values().Get(n).Number())
	case protoreflect.Int32Kind:
		low, high := int32(0), int32(1000)
		if r := rules.GetInt32(); r.GetLessThan() != nil {
			low, high = r.GetGte(), r.GetLte()
		}
		return protoreflect.ValueOfInt32(rapid.Int32Range(low, high).Draw(d.t, "int32"))
	case protoreflect.DoubleKind:
		low, high := 0.0, 1e6
		if r := rules.GetDouble(); r.GetLessThan() != nil {
			low, high = max(r.GetGte(), -high), min(r.GetLte(), high)
		}
		return protoreflect.ValueOfFloat64(rapid.Float64Range(low, high).Draw(d.t, "double"))
	}
	return protoreflect.ValueOfString(d.text(fd, rules.GetString(), must))
}

func (d drawer) text(fd protoreflect.FieldDescriptor, rules *validate.StringRules, must bool) string {
	reference, _ := proto.GetExtension(fd.Options(), annotations.E_ResourceReference).(*annotations.ResourceReference)
	switch kind := reference.GetType(); {
	case kind == "*" || kind == "journal.rebound.dev/Setback":
		return fmt.Sprintf("%s/setbacks/s%d", d.owner, rapid.IntRange(0, 9).Draw(d.t, "setback"))
	case kind == "goals.rebound.dev/Goal":
		return d.owner + "/goals/g1"
	case kind == "goals.rebound.dev/Milestone":
		return d.owner + "/goals/g1/milestones/m1"
	case kind != "":
		return "tenants/acme/libraryStories/somewhere"
	}
	if rules.GetPattern() != "" { // those of ids
		return fmt.Sprintf("id-%d", rapid.IntRange(0, 999).Draw(d.t, "id"))
	}
	least, most := int(rules.GetMinLen()), 40
	if must {
		least = max(1, least)
	}
	if rules.GetMaxLen() > 0 {
		most = int(min(40, rules.GetMaxLen()))
	}
	odd := rapid.SampledFrom([]string{"<b>&</b>", "a\u2028b\n# c", "\x00", "Zürich \U0001F9D7", `"\\`, "x"})
	text := rapid.OneOf(rapid.StringN(least, most, -1), odd).Draw(d.t, "text")
	if strings.TrimSpace(text) == "" && must || len([]rune(text)) > most || len([]rune(text)) < least {
		return "x"
	}
	return text
}

// known draws a message of a type that is not ours.
func (d drawer) known(v protoreflect.Value) protoreflect.Value {
	m := v.Message()
	set := func(name protoreflect.Name, v protoreflect.Value) { m.Set(m.Descriptor().Fields().ByName(name), v) }
	switch m.Descriptor().Name() {
	case "Timestamp":
		set("seconds", protoreflect.ValueOfInt64(rapid.Int64Range(-2_000_000_000, 1_700_000_000).Draw(d.t, "seconds")))
		set("nanos", protoreflect.ValueOfInt32(rapid.Int32Range(0, 999).Draw(d.t, "millis")*1e6))
	case "Duration":
		set("seconds", protoreflect.ValueOfInt64(rapid.Int64Range(0, 86400).Draw(d.t, "seconds")))
	case "Date":
		set("year", protoreflect.ValueOfInt32(rapid.Int32Range(1970, 2026).Draw(d.t, "year")))
		set("month", protoreflect.ValueOfInt32(rapid.Int32Range(1, 12).Draw(d.t, "month")))
		set("day", protoreflect.ValueOfInt32(rapid.Int32Range(1, 28).Draw(d.t, "day")))
	}
	return v
}

func hasBehavior(fd protoreflect.FieldDescriptor, want annotations.FieldBehavior) bool {
	list, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(list, want)
}

// patternOf is the pattern of a resource's names.
func patternOf(md protoreflect.MessageDescriptor) string {
	return proto.GetExtension(md.Options(), annotations.E_Resource).(*annotations.ResourceDescriptor).GetPattern()[0]
}
