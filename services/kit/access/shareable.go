package access

import (
	"cmp"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
)

// Shareable gives the kinds that grants can be about, with the pattern of their
// names: those of the resources which some Get lets readers in to, as its rule says.
// What readers write themselves is not shared by a grant.
var Shareable = sync.OnceValue(func() map[string]string {
	kinds := map[string]string{}
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			methods := fd.Services().Get(i).Methods()
			readersWrite := false
			got := ""
			for j := range methods.Len() {
				md := methods.Get(j)
				rule, _ := proto.GetExtension(md.Options(), policyv1.E_Rule).(*policyv1.Rule)
				if !lets(rule) {
					continue
				}
				readersWrite = readersWrite || rule.GetRate() == policyv1.Rate_RATE_WRITE
				if strings.HasPrefix(string(md.Name()), "Get") {
					got = cmp.Or(patternOf(md), got)
				}
			}
			if got != "" && !readersWrite {
				kinds[KindOf(got)] = got
			}
		}
		return true
	})
	return kinds
})

// patternOf is the pattern of what a Get gets: a resource, or a document that the
// file of the Get defines a name for; "": neither.
func patternOf(md protoreflect.MethodDescriptor) string {
	if r, _ := proto.GetExtension(md.Output().Options(), annotations.E_Resource).(*annotations.ResourceDescriptor); r != nil {
		return r.GetPattern()[0]
	}
	name := md.Input().Fields().ByName("name")
	if name == nil {
		return ""
	}
	reference, _ := proto.GetExtension(name.Options(), annotations.E_ResourceReference).(*annotations.ResourceReference)
	defined, _ := proto.GetExtension(md.ParentFile().Options(), annotations.E_ResourceDefinition).([]*annotations.ResourceDescriptor)
	for _, d := range defined {
		if d.GetType() == reference.GetType() {
			return d.GetPattern()[0]
		}
	}
	return ""
}

// lets tells whether a rule lets readers in by a grant.
func lets(rule *policyv1.Rule) bool {
	for _, a := range rule.GetAllow() {
		if a.GetRelation() == policyv1.Relation_RELATION_GRANTED {
			return true
		}
	}
	return false
}

// Fits tells whether a name has the form of a pattern.
func Fits(name, pattern string) bool {
	got, want := strings.Split(name, "/"), strings.Split(pattern, "/")
	if len(got) != len(want) {
		return false
	}
	for i, w := range want {
		if !strings.HasPrefix(w, "{") && got[i] != w || got[i] == "" {
			return false
		}
	}
	return true
}
