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
	"github.com/rebound-hq/rebound/services/kit/reference"
)

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

// forms remembers what namesOf gives.
var forms sync.Map // resource type -> *regexp.Regexp

// formOf is namesOf of what a field refers to.
func formOf(fd protoreflect.FieldDescriptor) *regexp.Regexp {
	resourceType := reference.TypeOf(fd)
	if form, ok := forms.Load(resourceType); ok {
		return form.(*regexp.Regexp)
	}
	form := namesOf(resourceType)
	forms.Store(resourceType, form)
	return form
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
func shorten(m protoreflect.Message, prefix string) {
	reference.Edit(m, func(fd protoreflect.FieldDescriptor, name string) string {
		if rest, ok := strings.CutPrefix(name, prefix); ok && formOf(fd) != nil {
			return rest
		}
		return ""
	})
}

// lengthen makes references to resources of a person out of those below one.
func lengthen(m protoreflect.Message, prefix string) error {
	var err error
	reference.Edit(m, func(fd protoreflect.FieldDescriptor, name string) string {
		if form := formOf(fd); form == nil || !form.MatchString(name) {
			err = fault.Invalid(string(fd.Name()), "REFERENCE_FOREIGN", "must name a resource of the same person, below the person")
		}
		return prefix + name
	})
	return err
}
