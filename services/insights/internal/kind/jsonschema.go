package kind

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// always are the fields that every insight has.
var always = []any{"name", "kind", "subjects", "time", "n", "method", "methodVersion"}

// jsonSchema draws up the schema of the insights of one kind, as protojson writes
// them, from the descriptor. Properties that it does not name stay allowed: a later
// release may add some.
func jsonSchema(k insightsv1.InsightKind, traits *insightsv1.KindTraits) map[string]any {
	md := (&insightsv1.Insight{}).ProtoReflect().Descriptor()
	properties := map[string]any{}
	var data protoreflect.FieldDescriptor
	for i := range md.Fields().Len() {
		switch fd := md.Fields().Get(i); {
		case fd.ContainingOneof() == nil:
			properties[fd.JSONName()] = schemaOf(fd)
		case string(fd.Name()) == traits.GetData():
			data = fd
			properties[fd.JSONName()] = schemaOf(fd)
		}
	}
	properties["kind"] = map[string]any{"const": k.String()}
	properties["subjects"] = map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"type": "string"}}
	properties["n"] = map[string]any{"type": "integer", "minimum": 1}
	schema := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": k.String(),
		"type": "object", "properties": properties, "required": append([]any{}, always...),
	}
	if data != nil { // what is retracted says nothing more
		retracted := insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED.String()
		schema["if"] = map[string]any{"properties": map[string]any{"correction": map[string]any{"const": retracted}}, "required": []any{"correction"}}
		schema["else"] = map[string]any{"required": []any{data.JSONName()}}
	}
	return schema
}

// schemaOf is the schema of a field.
func schemaOf(fd protoreflect.FieldDescriptor) map[string]any {
	one := schemaOfOne(fd)
	if fd.IsList() {
		return map[string]any{"type": "array", "items": one}
	}
	return one
}

func schemaOfOne(fd protoreflect.FieldDescriptor) map[string]any {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return schemaOfMessage(fd.Message())
	case protoreflect.EnumKind:
		var names []any
		for i := range fd.Enum().Values().Len() {
			names = append(names, string(fd.Enum().Values().Get(i).Name()))
		}
		return map[string]any{"type": "string", "enum": names}
	case protoreflect.BoolKind:
		return map[string]any{"type": "boolean"}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return map[string]any{"type": "integer"}
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "string"} // 64-bit integers and bytes too are strings in JSON
}

// schemaOfMessage is the schema of a message. Numbers are there even when they are
// zero; messages are left out when they are unset.
func schemaOfMessage(md protoreflect.MessageDescriptor) map[string]any {
	if md.FullName() == "google.protobuf.Timestamp" {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	properties := map[string]any{}
	required := []any{}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		properties[fd.JSONName()] = schemaOf(fd)
		if !fd.HasPresence() {
			required = append(required, fd.JSONName())
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}
