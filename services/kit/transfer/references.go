package transfer

import (
	"regexp"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

// references are the fields of a message type that name other resources, as
// google.api.resource_reference tells.
type references struct {
	fields []reference
}

type reference struct {
	fd protoreflect.FieldDescriptor
	// names fits the names below the person that the field may hold; nil when what
	// it names is not the person's.
	names *regexp.Regexp
	below *references // of a message field; nil for a reference itself
}

// anyName fits whatever could be a person's resource.
var anyName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*/` + idPattern + `(/[A-Za-z][A-Za-z0-9]*/` + idPattern + `){0,3}$`)

const (
	// idPattern is an id in a reference: those to resources of other services are
	// taken as they are.
	idPattern    = `[^/]+`
	peoplePrefix = "tenants/{tenant}/people/{person}/"
)

// patterns gives the pattern of every resource type that is linked in, by type.
var patterns = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		opt, _ := proto.GetExtension(mt.Descriptor().Options(), annotations.E_Resource).(*annotations.ResourceDescriptor)
		if len(opt.GetPattern()) == 1 {
			out[opt.GetType()] = opt.GetPattern()[0]
		}
		return true
	})
	return out
})

func referencesOf(md protoreflect.MessageDescriptor) *references {
	return collectReferences(md, map[protoreflect.FullName]*references{})
}

func collectReferences(md protoreflect.MessageDescriptor, seen map[protoreflect.FullName]*references) *references {
	if r, ok := seen[md.FullName()]; ok {
		return r
	}
	r := &references{}
	seen[md.FullName()] = r // before its fields: messages may be recursive
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		opt, _ := proto.GetExtension(fd.Options(), annotations.E_ResourceReference).(*annotations.ResourceReference)
		switch {
		case opt.GetType() != "":
			r.fields = append(r.fields, reference{fd: fd, names: namesOf(opt.GetType())})
		case fd.Message() != nil && !fd.IsMap() && strings.HasPrefix(string(fd.Message().FullName()), "rebound."):
			r.fields = append(r.fields, reference{fd: fd, below: collectReferences(fd.Message(), seen)})
		}
	}
	return r
}

// namesOf fits the names of a type below a person; nil for a type that is not a
// person's. Of a type of another service nothing more is known.
func namesOf(resourceType string) *regexp.Regexp {
	pattern, known := patterns()[resourceType]
	if !known {
		return anyName
	}
	rest, persons := strings.CutPrefix(pattern, peoplePrefix)
	if !persons {
		return nil
	}
	return regexp.MustCompile("^" + regexp.MustCompile(`\{[^}]+\}`).ReplaceAllLiteralString(rest, idPattern) + "$")
}

// shorten cuts the person off references. One that is not to something of the
// person is left out: it would name nothing elsewhere.
func (r *references) shorten(m protoreflect.Message, prefix string) {
	for _, f := range r.fields {
		f.each(m, func(sub protoreflect.Message) { f.below.shorten(sub, prefix) })
		f.edit(m, func(name string) string {
			if rest, ok := strings.CutPrefix(name, prefix); ok && f.names != nil {
				return rest
			}
			return ""
		})
	}
}

// lengthen makes references to resources of a person out of those below one.
func (r *references) lengthen(m protoreflect.Message, prefix string) error {
	var err error
	for _, f := range r.fields {
		f.each(m, func(sub protoreflect.Message) {
			if e := f.below.lengthen(sub, prefix); err == nil {
				err = e
			}
		})
		f.edit(m, func(name string) string {
			if f.names == nil || !f.names.MatchString(name) {
				err = fault.Invalid(string(f.fd.Name()), "REFERENCE_FOREIGN", "must name a resource of the same person, below the person")
			}
			return prefix + name
		})
	}
	return err
}

// each calls do with every message that a field of messages holds.
func (f reference) each(m protoreflect.Message, do func(protoreflect.Message)) {
	switch {
	case f.below == nil || !m.Has(f.fd):
	case f.fd.IsList():
		list := m.Mutable(f.fd).List()
		for i := range list.Len() {
			do(list.Get(i).Message())
		}
	default:
		do(m.Mutable(f.fd).Message())
	}
}

// edit changes every name that a reference holds; an empty one goes away.
func (f reference) edit(m protoreflect.Message, change func(string) string) {
	switch {
	case f.below != nil || !m.Has(f.fd):
	case f.fd.IsList():
		list := m.Mutable(f.fd).List()
		kept := 0
		for i := range list.Len() {
			if name := change(list.Get(i).String()); name != "" {
				list.Set(kept, protoreflect.ValueOfString(name))
				kept++
			}
		}
		list.Truncate(kept)
	default:
		if name := change(m.Get(f.fd).String()); name != "" {
			m.Set(f.fd, protoreflect.ValueOfString(name))
			return
		}
		m.Clear(f.fd)
	}
}
