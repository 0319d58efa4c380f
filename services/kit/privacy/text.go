// Package privacy keeps people's own words from everybody else. From the field
// annotation (rebound.privacy.v1.text) follow encryption at rest under the
// person's own key, and redaction.
package privacy

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	privacyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/privacy/v1"
)

// plan is how to find the text in messages of one type; empty when there is none.
type plan struct {
	fields []planField
}

type planField struct {
	fd    protoreflect.FieldDescriptor
	below *plan // of a message field; nil for text itself
}

var (
	plans     sync.Map // protoreflect.FullName -> *plan
	plansLock sync.Mutex
)

// planOf gives the plan of a message type, made once.
func planOf(md protoreflect.MessageDescriptor) *plan {
	if p, ok := plans.Load(md.FullName()); ok {
		return p.(*plan)
	}
	plansLock.Lock()
	defer plansLock.Unlock()
	made := map[protoreflect.FullName]*plan{}
	p := makePlan(md, made)
	for name, q := range made {
		q.prune(map[*plan]bool{})
		plans.Store(name, q)
	}
	return p
}

func makePlan(md protoreflect.MessageDescriptor, made map[protoreflect.FullName]*plan) *plan {
	if p, ok := made[md.FullName()]; ok {
		return p
	}
	p := &plan{}
	made[md.FullName()] = p // before its fields: messages may be recursive
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		switch {
		case isText(fd):
			p.fields = append(p.fields, planField{fd: fd})
		case fd.IsMap() && fd.MapValue().Message() != nil:
			p.fields = append(p.fields, planField{fd: fd, below: makePlan(fd.MapValue().Message(), made)})
		case fd.Message() != nil && !fd.IsMap():
			p.fields = append(p.fields, planField{fd: fd, below: makePlan(fd.Message(), made)})
		}
	}
	return p
}

// hasText tells whether text can be reached at all.
func (p *plan) hasText(seen map[*plan]bool) bool {
	if seen[p] {
		return false
	}
	seen[p] = true
	for _, f := range p.fields {
		if f.below == nil || f.below.hasText(seen) {
			return true
		}
	}
	return false
}

// prune drops the fields that lead to no text.
func (p *plan) prune(seen map[*plan]bool) {
	if seen[p] {
		return
	}
	seen[p] = true
	var kept []planField
	for _, f := range p.fields {
		if f.below == nil || f.below.hasText(map[*plan]bool{}) {
			kept = append(kept, f)
		}
	}
	p.fields = kept
	for _, f := range kept {
		if f.below != nil {
			f.below.prune(seen)
		}
	}
}

func isText(fd protoreflect.FieldDescriptor) bool {
	text, _ := proto.GetExtension(fd.Options(), privacyv1.E_Text).(bool)
	return text
}

// edit calls change on every text in m, by path (field numbers, list indexes and
// map keys joined by dots), and sets the text to what it returns.
func (p *plan) edit(m protoreflect.Message, path string, change func(path, text string) string) {
	for _, f := range p.fields {
		at := path + strconv.Itoa(int(f.fd.Number()))
		switch {
		case !m.Has(f.fd) && f.below != nil:
		case f.fd.IsMap():
			m.Get(f.fd).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				f.below.edit(v.Message(), at+"."+k.String()+".", change)
				return true
			})
		case f.fd.IsList():
			f.editList(m, at, change)
		case f.below != nil:
			f.below.edit(m.Mutable(f.fd).Message(), at+".", change)
		default:
			f.editOne(m, at, change)
		}
	}
}

func (f planField) editOne(m protoreflect.Message, at string, change func(path, text string) string) {
	was := m.Get(f.fd).String()
	if now := change(at, was); now != was {
		m.Set(f.fd, protoreflect.ValueOfString(now))
	}
}

func (f planField) editList(m protoreflect.Message, at string, change func(path, text string) string) {
	if !m.Has(f.fd) {
		return
	}
	list := m.Mutable(f.fd).List()
	for i := range list.Len() {
		element := at + "." + strconv.Itoa(i)
		if f.below != nil {
			f.below.edit(list.Get(i).Message(), element+".", change)
			continue
		}
		was := list.Get(i).String()
		if now := change(element, was); now != was {
			list.Set(i, protoreflect.ValueOfString(now))
		}
	}
}

// Texts gives every text in m that is not empty, as edit finds them.
func Texts(m proto.Message) []string {
	var out []string
	planOf(m.ProtoReflect().Descriptor()).edit(m.ProtoReflect(), "", func(_, text string) string {
		if text != "" {
			out = append(out, text)
		}
		return text
	})
	return out
}

// redacted stands in for text where a message is shown to others.
const redacted = "[redacted]"

// Redact gives a copy of m in which every text reads "[redacted]".
func Redact(m proto.Message) proto.Message {
	c := proto.Clone(m)
	planOf(c.ProtoReflect().Descriptor()).edit(c.ProtoReflect(), "", func(_, text string) string {
		if text == "" {
			return ""
		}
		return redacted
	})
	return c
}

// LogValue is a message as it may go into a log.
type LogValue struct{ Message proto.Message }

// LogValue implements slog.LogValuer.
func (v LogValue) LogValue() slog.Value { return slog.AnyValue(Redact(v.Message)) }

// TextPaths lists the fields that hold a person's words in a message type and
// below it, by dotted names.
func TextPaths(md protoreflect.MessageDescriptor) []string {
	var out []string
	textPaths(md, nil, map[protoreflect.FullName]bool{}, &out)
	return out
}

func textPaths(md protoreflect.MessageDescriptor, path []string, above map[protoreflect.FullName]bool, out *[]string) {
	if above[md.FullName()] {
		return
	}
	above[md.FullName()] = true
	defer delete(above, md.FullName())
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		at := slices.Concat(path, []string{string(fd.Name())})
		if isText(fd) {
			*out = append(*out, strings.Join(at, "."))
		}
		if fd.IsMap() {
			fd = fd.MapValue()
		}
		if fd.Message() != nil {
			textPaths(fd.Message(), at, above, out)
		}
	}
}
