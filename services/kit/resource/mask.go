package resource

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

// MaxMaskPaths is the most paths an update mask may have.
const MaxMaskPaths = 100

// merge applies an update to a clone of old, as AIP-134 says: without a mask,
// the fields that are set in src; with "*", all of src; else the named paths.
// What only the server sets stays as it was, named or not.
func (b *behaviors) merge(old, src proto.Message, mask *fieldmaskpb.FieldMask) (proto.Message, error) {
	merged := proto.Clone(old)
	paths := mask.GetPaths()
	switch {
	case len(paths) > MaxMaskPaths:
		return nil, fault.Invalid("update_mask", "MASK_TOO_LONG", "has more than %d paths", MaxMaskPaths)
	case len(paths) == 0:
		copyPresent(merged.ProtoReflect(), proto.Clone(src).ProtoReflect())
	case len(paths) == 1 && paths[0] == "*":
		merged = proto.Clone(src)
	default:
		from := proto.Clone(src).ProtoReflect()
		for _, path := range paths {
			if err := copyPath(merged.ProtoReflect(), from, path); err != nil {
				return nil, err
			}
		}
	}
	b.keepOutput(merged.ProtoReflect(), proto.Clone(old).ProtoReflect())
	return merged, nil
}

func copyPresent(dst, src protoreflect.Message) {
	src.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		dst.Set(fd, v)
		return true
	})
}

func copyPath(dst, src protoreflect.Message, path string) error {
	segments := strings.Split(path, ".")
	for i, segment := range segments {
		fd := dst.Descriptor().Fields().ByName(protoreflect.Name(segment))
		if fd == nil {
			return fault.Invalid("update_mask", "MASK_PATH_UNKNOWN", "names a field that does not exist")
		}
		if i == len(segments)-1 {
			if src.Has(fd) {
				dst.Set(fd, src.Get(fd))
			} else {
				dst.Clear(fd)
			}
			return nil
		}
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return fault.Invalid("update_mask", "MASK_PATH_UNKNOWN", "goes below a field that has no fields of its own")
		}
		if !src.Has(fd) && !dst.Has(fd) {
			// Both lack the message, so there is nothing to copy; the rest of the
			// path is still checked, on an empty one.
			src, dst = src.Get(fd).Message(), dst.Get(fd).Message().New()
			continue
		}
		src, dst = src.Get(fd).Message(), dst.Mutable(fd).Message()
	}
	return nil
}
