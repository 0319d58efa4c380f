package edge

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"reflect"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rebound-hq/rebound/services/kit/filter"
)

// expandQuery gives short enum values in a query their full names, as bodies may have
// them.
func expandQuery(query string, md protoreflect.MessageDescriptor) string {
	q, err := url.ParseQuery(query)
	if err != nil {
		return query // what is wrong with it is told by who reads it
	}
	changed := false
	for name, values := range q {
		fd := md.Fields().ByJSONName(name)
		if fd == nil {
			fd = md.Fields().ByTextName(name)
		}
		if fd == nil || fd.Enum() == nil {
			continue
		}
		for i, v := range values {
			if known := filter.EnumValue(fd.Enum(), v); known != nil && string(known.Name()) != v {
				values[i], changed = string(known.Name()), true
			}
		}
	}
	if !changed {
		return query
	}
	return q.Encode()
}

// lenient is the JSON of the API, which also takes enum values without their
// prefix, as filters do. Only what would be refused otherwise is looked at again.
type lenient struct{ runtime.JSONPb }

// Unmarshal implements runtime.Marshaler.
func (l *lenient) Unmarshal(data []byte, v any) error {
	err := l.JSONPb.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	md := messageOf(v)
	if md == nil {
		return err
	}
	expanded, ok := expandEnums(data, md)
	if !ok {
		return err
	}
	return l.JSONPb.Unmarshal(expanded, v)
}

// NewDecoder implements runtime.Marshaler. A body is one document.
func (l *lenient) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r) // the edge bounds it
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(data)) == 0 {
			return io.EOF
		}
		return l.Unmarshal(data, v)
	})
}

// messageOf is the type of message that is decoded into v: a message, or a
// pointer to a message field.
func messageOf(v any) protoreflect.MessageDescriptor {
	if m, ok := v.(proto.Message); ok {
		return m.ProtoReflect().Descriptor()
	}
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return nil
	}
	if m, ok := reflect.Zero(t.Elem()).Interface().(proto.Message); ok {
		return m.ProtoReflect().Descriptor()
	}
	return nil
}

// expandEnums gives short enum values their full names; false: there is none.
func expandEnums(data []byte, md protoreflect.MessageDescriptor) ([]byte, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var doc map[string]any
	if d.Decode(&doc) != nil || !expandMessage(doc, md) {
		return nil, false
	}
	out, err := json.Marshal(doc)
	return out, err == nil
}

func expandMessage(doc map[string]any, md protoreflect.MessageDescriptor) bool {
	changed := false
	for name, value := range doc {
		fd := md.Fields().ByJSONName(name)
		if fd == nil {
			fd = md.Fields().ByTextName(name)
		}
		if fd == nil || fd.IsMap() {
			continue
		}
		if list, ok := value.([]any); ok {
			for i := range list {
				changed = expandValue(&list[i], fd) || changed
			}
			continue
		}
		if expandValue(&value, fd) {
			doc[name], changed = value, true
		}
	}
	return changed
}

// expandValue looks at one value of a field.
func expandValue(value *any, fd protoreflect.FieldDescriptor) bool {
	switch v := (*value).(type) {
	case map[string]any:
		return fd.Message() != nil && expandMessage(v, fd.Message())
	case string:
		if fd.Enum() == nil {
			return false
		}
		if known := filter.EnumValue(fd.Enum(), v); known != nil && string(known.Name()) != v {
			*value = string(known.Name())
			return true
		}
	}
	return false
}
