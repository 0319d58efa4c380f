package resource

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The fields of requests, by name: requests that lack one have its default.

func stringField(m protoreflect.Message, name string) string {
	if fd := m.Descriptor().Fields().ByName(protoreflect.Name(name)); fd != nil && fd.Kind() == protoreflect.StringKind && !fd.IsList() {
		return m.Get(fd).String()
	}
	return ""
}

func boolField(m protoreflect.Message, name string) bool {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	return fd != nil && fd.Kind() == protoreflect.BoolKind && m.Get(fd).Bool()
}

func messageField(m protoreflect.Message, name string) any {
	if fd := m.Descriptor().Fields().ByName(protoreflect.Name(name)); fd != nil && fd.Message() != nil && m.Has(fd) {
		return m.Get(fd).Message().Interface()
	}
	return nil
}
