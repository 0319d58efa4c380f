// Package access is how somebody else reads a person's data: what a grant lets
// them see, that nothing else shows, and that the person can see who read what.
//
// A call that a grant lets in carries a View in its context. The resource engine
// shows nothing past it, whatever the handler asks for.
package access

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// View is what one reader may see of one person's data: the sum of the grants
// that hold now.
type View struct {
	// Owner is whose data, Reader who reads: tenants/{tenant}/people/{person}.
	Owner, Reader string
	grants        []*journalv1.Grant
}

// NewView gives the view of grants that hold. There is at least one.
func NewView(owner, reader string, grants []*journalv1.Grant) *View {
	return &View{Owner: owner, Reader: reader, grants: grants}
}

// Covers tells whether a record may be seen, and by which grant.
func (v *View) Covers(r store.Record) (grant string, ok bool) {
	if r.Owner != v.Owner {
		return "", false
	}
	for _, g := range v.grants {
		if within(g, r.CreateTime) && (inScope(g.GetScope(), r.Name) || tagged(r, g.GetScope().GetTag())) {
			return g.GetName(), true
		}
	}
	return "", false
}

// CoversName tells whether everything by a name may be seen, whatever it holds and
// whenever it was written: for what is no record here.
func (v *View) CoversName(name string) (grant string, ok bool) {
	if !strings.HasPrefix(name, v.Owner+"/") {
		return "", false
	}
	for _, g := range v.grants {
		if g.GetSharedFrom() == nil && g.GetSharedUntil() == nil && inScope(g.GetScope(), name) {
			return g.GetName(), true
		}
	}
	return "", false
}

// Reaches tells whether some grant is about a kind, or about one resource of it.
func (v *View) Reaches(kind string) bool {
	return slices.ContainsFunc(v.grants, func(g *journalv1.Grant) bool {
		return g.GetScope().GetKind() == kind || KindOf(g.GetScope().GetResource()) == kind
	})
}

// dependsOnContent tells whether some grant's reach cannot be told from a name.
func (v *View) dependsOnContent() bool {
	return slices.ContainsFunc(v.grants, func(g *journalv1.Grant) bool {
		return g.GetScope().GetTag() != "" || g.GetSharedFrom() != nil || g.GetSharedUntil() != nil
	})
}

// within tells whether something was written in the time that a grant shares.
func within(g *journalv1.Grant, written time.Time) bool {
	from, until := g.GetSharedFrom(), g.GetSharedUntil()
	return (from == nil || !written.Before(from.AsTime())) && (until == nil || written.Before(until.AsTime()))
}

// inScope tells by its name whether something is the resource that a scope names,
// lies below it, or is of the kind that it names.
func inScope(s *journalv1.GrantScope, name string) bool {
	switch {
	case s.GetResource() != "":
		return name == s.GetResource() || strings.HasPrefix(name, s.GetResource()+"/")
	case s.GetKind() != "":
		return KindOf(name) == s.GetKind()
	}
	return false
}

// tagged tells whether a document bears a tag.
func tagged(r store.Record, tag string) bool {
	if tag == "" || r.Body == nil {
		return false
	}
	m := r.Body.ProtoReflect()
	fd := m.Descriptor().Fields().ByName("tags")
	if fd == nil || !fd.IsList() || fd.Kind() != protoreflect.StringKind {
		return false
	}
	list := m.Get(fd).List()
	for i := range list.Len() {
		if list.Get(i).String() == tag {
			return true
		}
	}
	return false
}

// KindOf is the kind in a resource name: its last collection, or the word of a
// singleton.
func KindOf(name string) string {
	segments := strings.Split(name, "/")
	n := len(segments)
	switch {
	case n%2 == 1:
		return segments[n-1]
	case n < 2:
		return ""
	}
	return segments[n-2]
}

// Denied is what a reader is told of everything a view does not cover, whether it
// exists or not: the same words as for those without a grant.
func Denied() error {
	return fault.Denied("ACCESS_DENIED", "there is nothing by that name that the caller may reach")
}
