package resource

import (
	"strconv"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// behaviors are the google.api.field_behavior options of a message, read once:
// looking options up for each request costs more than the rest of it.
type behaviors struct {
	fields []fieldBehavior
	id     protoreflect.FieldDescriptor // a string "id" that tells elements of a list apart; nil: none
}

type fieldBehavior struct {
	fd                              protoreflect.FieldDescriptor
	required, outputOnly, immutable bool
	timestamp                       bool
	below                           *behaviors // of a message field; nil for others
}

var behaviorCache sync.Map // protoreflect.FullName -> *behaviors

func behaviorsOf(md protoreflect.MessageDescriptor) *behaviors {
	if b, ok := behaviorCache.Load(md.FullName()); ok {
		return b.(*behaviors)
	}
	b := &behaviors{}
	behaviorCache.Store(md.FullName(), b) // before the fields: messages may be recursive
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		f := fieldBehavior{fd: fd}
		list, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
		for _, v := range list {
			switch v {
			case annotations.FieldBehavior_REQUIRED:
				f.required = true
			case annotations.FieldBehavior_OUTPUT_ONLY, annotations.FieldBehavior_IDENTIFIER:
				f.outputOnly = true
			case annotations.FieldBehavior_IMMUTABLE:
				f.immutable = true
			}
		}
		if fd.Message() != nil && !fd.IsMap() {
			f.timestamp = fd.Message().FullName() == "google.protobuf.Timestamp"
			if fd.Message().ParentFile().Package() != "google.protobuf" {
				f.below = behaviorsOf(fd.Message())
			}
		}
		b.fields = append(b.fields, f)
		if fd.Name() == "id" && fd.Kind() == protoreflect.StringKind && !fd.IsList() {
			b.id = fd
		}
	}
	return b
}

// each calls do with every message a field holds: one, or each of a list.
func (f fieldBehavior) each(m protoreflect.Message, do func(protoreflect.Message, string)) {
	if !m.Has(f.fd) {
		return
	}
	if !f.fd.IsList() {
		do(m.Get(f.fd).Message(), string(f.fd.Name()))
		return
	}
	list := m.Get(f.fd).List()
	for i := range list.Len() {
		do(list.Get(i).Message(), string(f.fd.Name())+"["+strconv.Itoa(i)+"]")
	}
}

// clearOutput clears what only the server sets.
func (b *behaviors) clearOutput(m protoreflect.Message) {
	for _, f := range b.fields {
		if f.outputOnly {
			m.Clear(f.fd)
		} else if f.below != nil {
			f.each(m, func(sub protoreflect.Message, _ string) { f.below.clearOutput(sub) })
		}
	}
}

// keepOutput sets what only the server sets to what it was in old. Inside lists an
// element is the one that had the same id; where elements have none, there is no telling
// which was which, and they are left as they are.
func (b *behaviors) keepOutput(m, old protoreflect.Message) {
	for _, f := range b.fields {
		switch {
		case f.outputOnly && old.Has(f.fd):
			m.Set(f.fd, old.Get(f.fd))
		case f.outputOnly:
			m.Clear(f.fd)
		case f.below == nil:
		case f.fd.IsList():
			if f.below.id != nil && m.Has(f.fd) {
				f.below.keepByID(m.Mutable(f.fd).List(), old.Get(f.fd).List())
			}
		case m.Has(f.fd):
			f.below.keepOutput(m.Mutable(f.fd).Message(), old.Get(f.fd).Message())
		case old.Has(f.fd): // cleared, but for what only the server sets
			kept := m.NewField(f.fd)
			f.below.keepOutput(kept.Message(), old.Get(f.fd).Message())
			if proto.Size(kept.Message().Interface()) > 0 {
				m.Set(f.fd, kept)
			}
		}
	}
}

// keepByID is keepOutput for the elements of a list. New ones have nothing that only the
// server sets.
func (b *behaviors) keepByID(list, old protoreflect.List) {
	was := map[string]protoreflect.Message{}
	for i := range old.Len() {
		m := old.Get(i).Message()
		was[m.Get(b.id).String()] = m
	}
	for i := range list.Len() {
		m := list.Get(i).Message()
		if before := was[m.Get(b.id).String()]; before != nil {
			b.keepOutput(m, before)
		} else {
			b.clearOutput(m)
		}
	}
}

// missing lists the required fields that are empty, by path from prefix.
func (b *behaviors) missing(m protoreflect.Message, prefix string, into []fault.Violation) []fault.Violation {
	for _, f := range b.fields {
		if f.required && empty(m, f.fd) {
			into = append(into, fault.Violation{Field: prefix + string(f.fd.Name()), Reason: "REQUIRED", Description: "is required"})
			continue
		}
		if f.below != nil {
			f.each(m, func(sub protoreflect.Message, at string) {
				into = f.below.missing(sub, prefix+at+".", into)
			})
		}
	}
	return into
}

func empty(m protoreflect.Message, fd protoreflect.FieldDescriptor) bool {
	if !m.Has(fd) {
		return true
	}
	return fd.Kind() == protoreflect.StringKind && !fd.IsList() && strings.TrimSpace(m.Get(fd).String()) == ""
}

// changedImmutable lists the immutable fields that differ.
func (b *behaviors) changedImmutable(m, old protoreflect.Message, prefix string) []fault.Violation {
	var vs []fault.Violation
	for _, f := range b.fields {
		if f.immutable && !m.Get(f.fd).Equal(old.Get(f.fd)) {
			vs = append(vs, fault.Violation{Field: prefix + string(f.fd.Name()), Reason: "IMMUTABLE", Description: "cannot be changed once it is set"})
		}
	}
	return vs
}

// truncateTimes brings every timestamp to the precision that stores keep.
func (b *behaviors) truncateTimes(m protoreflect.Message) {
	for _, f := range b.fields {
		switch {
		case f.timestamp:
			f.each(m, func(sub protoreflect.Message, _ string) {
				if ts, ok := sub.Interface().(*timestamppb.Timestamp); ok && ts.IsValid() {
					ts.Nanos = timestamppb.New(clock.Truncate(ts.AsTime())).Nanos
				}
			})
		case f.below != nil:
			f.each(m, func(sub protoreflect.Message, _ string) { f.below.truncateTimes(sub) })
		}
	}
}
