// Package reference finds where messages name other resources: the fields with a
// google.api.resource_reference, in the messages below too.
package reference

import (
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan is where messages of one type name other resources.
type plan struct {
	fields []protoreflect.FieldDescriptor // strings, or lists of them
	below  []protoreflect.FieldDescriptor // messages, or lists of them
}

var plans sync.Map // protoreflect.FullName -> *plan

func planOf(md protoreflect.MessageDescriptor) *plan {
	if p, ok := plans.Load(md.FullName()); ok {
		return p.(*plan)
	}
	p := &plan{}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		switch {
		case fd.IsMap():
		case fd.Message() != nil && fd.Message().ParentFile().Package() != "google.protobuf":
			p.below = append(p.below, fd)
		case fd.Kind() == protoreflect.StringKind && TypeOf(fd) != "":
			p.fields = append(p.fields, fd)
		}
	}
	plans.Store(md.FullName(), p)
	return p
}

// TypeOf is the type of the resource that a field names, such as
// "journal.rebound.dev/Setback", "*" for any, "" for a field that names none.
func TypeOf(fd protoreflect.FieldDescriptor) string {
	opt, _ := proto.GetExtension(fd.Options(), annotations.E_ResourceReference).(*annotations.ResourceReference)
	return opt.GetType()
}

// Edit calls change with every name of another resource in m and puts what it
// returns in its place; an empty name goes away.
func Edit(m protoreflect.Message, change func(fd protoreflect.FieldDescriptor, name string) string) {
	p := planOf(m.Descriptor())
	for _, fd := range p.fields {
		switch {
		case !m.Has(fd):
		case fd.IsList():
			editList(m.Mutable(fd).List(), fd, change)
		default:
			if name := change(fd, m.Get(fd).String()); name != "" {
				m.Set(fd, protoreflect.ValueOfString(name))
			} else {
				m.Clear(fd)
			}
		}
	}
	for _, fd := range p.below {
		switch {
		case !m.Has(fd):
		case fd.IsList():
			list := m.Mutable(fd).List()
			for i := range list.Len() {
				Edit(list.Get(i).Message(), change)
			}
		default:
			Edit(m.Mutable(fd).Message(), change)
		}
	}
}

func editList(list protoreflect.List, fd protoreflect.FieldDescriptor, change func(protoreflect.FieldDescriptor, string) string) {
	kept := 0
	for i := range list.Len() {
		if name := change(fd, list.Get(i).String()); name != "" {
			list.Set(kept, protoreflect.ValueOfString(name))
			kept++
		}
	}
	list.Truncate(kept)
}
