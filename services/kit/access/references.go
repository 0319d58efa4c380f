package access

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// Hide takes out of documents the names of what the view does not cover: a name
// would tell that it exists. What cannot be told from a name is looked up in the
// store, all at once; what does not lie in this store is hidden then.
func (v *View) Hide(ctx context.Context, docs store.Documents, messages ...proto.Message) error {
	byKind := map[string]map[string]bool{}
	if v.dependsOnContent() {
		for _, m := range messages {
			editReferences(m.ProtoReflect(), func(name string) bool {
				if _, ok := v.CoversName(name); !ok && docs != nil {
					kind := KindOf(name)
					if byKind[kind] == nil {
						byKind[kind] = map[string]bool{}
					}
					byKind[kind][name] = false
				}
				return true
			})
		}
	}
	for kind, names := range byKind {
		if err := v.lookUp(ctx, docs, kind, names); err != nil {
			return err
		}
	}
	for _, m := range messages {
		editReferences(m.ProtoReflect(), func(name string) bool {
			_, ok := v.CoversName(name)
			return ok || byKind[KindOf(name)][name]
		})
	}
	return nil
}

// lookUp says of names of one kind whether what they name is covered.
func (v *View) lookUp(ctx context.Context, docs store.Documents, kind string, names map[string]bool) error {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	for len(list) > 0 {
		n := min(len(list), store.MaxPage)
		found, err := docs.GetBatch(ctx, kind, list[:n])
		if errors.Is(err, store.ErrInvalid) {
			return nil // another service's
		}
		if err != nil {
			return err
		}
		for name, r := range found {
			_, names[name] = v.Covers(r)
		}
		list = list[n:]
	}
	return nil
}

// referencePlan is where messages of one type name other resources.
type referencePlan struct {
	fields []protoreflect.FieldDescriptor // references
	below  []protoreflect.FieldDescriptor // messages of ours
}

var referencePlans sync.Map // protoreflect.FullName -> *referencePlan

func referencesOf(md protoreflect.MessageDescriptor) *referencePlan {
	if p, ok := referencePlans.Load(md.FullName()); ok {
		return p.(*referencePlan)
	}
	p := &referencePlan{}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		switch {
		case fd.Message() != nil && !fd.IsMap() && fd.Message().ParentFile().Package() != "google.protobuf":
			p.below = append(p.below, fd)
		case fd.Kind() == protoreflect.StringKind && proto.HasExtension(fd.Options(), annotations.E_ResourceReference):
			p.fields = append(p.fields, fd)
		}
	}
	referencePlans.Store(md.FullName(), p)
	return p
}

// editReferences calls keep with every reference in m and drops those that it says
// no to.
func editReferences(m protoreflect.Message, keep func(name string) bool) {
	p := referencesOf(m.Descriptor())
	for _, fd := range p.fields {
		switch {
		case !m.Has(fd):
		case fd.IsList():
			list := m.Mutable(fd).List()
			kept := 0
			for i := range list.Len() {
				if keep(list.Get(i).String()) {
					list.Set(kept, list.Get(i))
					kept++
				}
			}
			list.Truncate(kept)
		case !keep(m.Get(fd).String()):
			m.Clear(fd)
		}
	}
	for _, fd := range p.below {
		switch {
		case !m.Has(fd):
		case fd.IsList():
			list := m.Mutable(fd).List()
			for i := range list.Len() {
				editReferences(list.Get(i).Message(), keep)
			}
		default:
			editReferences(m.Mutable(fd).Message(), keep)
		}
	}
}
