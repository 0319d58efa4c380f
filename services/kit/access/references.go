package access

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rebound-hq/rebound/services/kit/reference"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Hide takes out of documents the names of what the view does not cover: a name
// would tell that it exists. What cannot be told from a name is looked up in the
// store, all at once; what does not lie in this store is hidden then.
func (v *View) Hide(ctx context.Context, docs store.Documents, messages ...proto.Message) error {
	byKind := map[string]map[string]bool{}
	if v.dependsOnContent() {
		for _, m := range messages {
			reference.Edit(m.ProtoReflect(), func(_ protoreflect.FieldDescriptor, name string) string {
				if _, ok := v.CoversName(name); !ok && docs != nil {
					kind := KindOf(name)
					if byKind[kind] == nil {
						byKind[kind] = map[string]bool{}
					}
					byKind[kind][name] = false
				}
				return name
			})
		}
	}
	for kind, names := range byKind {
		if err := v.lookUp(ctx, docs, kind, names); err != nil {
			return err
		}
	}
	for _, m := range messages {
		reference.Edit(m.ProtoReflect(), func(_ protoreflect.FieldDescriptor, name string) string {
			if _, ok := v.CoversName(name); ok || byKind[KindOf(name)][name] {
				return name
			}
			return ""
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
