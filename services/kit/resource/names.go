package resource

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

// idRule is the rule for the ids in names: what AIP-122 asks for, lower case.
var idRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// pattern is a resource name pattern, cut at the slashes. A person's resources
// begin with tenants/{tenant}/people/{person}; a tenant's are one level below
// tenants/{tenant}, singletons included, and each owns itself.
type pattern struct {
	text     string
	segments []string
}

const ownerSegments = 4

func parsePattern(text string) (pattern, error) {
	p := pattern{text: text, segments: strings.Split(text, "/")}
	persons := len(p.segments) > ownerSegments && strings.HasPrefix(text, "tenants/{tenant}/people/{person}/")
	tenants := strings.HasPrefix(text, "tenants/{tenant}/") && p.segments[2] != "people" &&
		(len(p.segments) == ownerSegments || len(p.segments) == ownerSegments-1 && p.singleton())
	if !persons && !tenants {
		return p, fmt.Errorf("pattern %q is neither below tenants/{tenant}/people/{person} nor one level below tenants/{tenant}", text)
	}
	return p, nil
}

// singleton tells whether the name ends in a fixed word.
func (p pattern) singleton() bool { return !isVariable(p.segments[len(p.segments)-1]) }

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }

// kind is the store's kind: the collection segment or the singleton's word.
func (p pattern) kind() string {
	n := len(p.segments)
	if p.singleton() {
		return p.segments[n-1]
	}
	return p.segments[n-2]
}

// parentKind is the kind of the resource above; "" when that is the person.
func (p pattern) parentKind() string {
	n := len(p.segments) - 2
	if p.singleton() {
		n++
	}
	if n <= ownerSegments {
		return ""
	}
	return p.segments[n-2]
}

// parentOf cuts collection and id (or the singleton's word) off a name.
func (p pattern) parentOf(name string) string {
	cut := strings.LastIndexByte(name, '/')
	if !p.singleton() {
		cut = strings.LastIndexByte(name[:cut], '/')
	}
	return name[:cut]
}

// ownerOf is the tenants/{tenant}/people/{person} of a checked name; the name
// itself where it is a tenant's.
func ownerOf(name string) string {
	slashes := 0
	for i := range len(name) {
		if name[i] == '/' {
			if slashes++; slashes == ownerSegments {
				return name[:i]
			}
		}
	}
	return name
}

// checkName says whether a name fits the pattern; field is what to blame.
func (p pattern) checkName(field, name string) error {
	return matchSegments(field, name, p.segments, p.text, false)
}

// checkParent says whether a parent fits; with wide, its last id may be "-".
func (p pattern) checkParent(field, parent string, wide bool) error {
	segments := p.segments[:len(p.segments)-2]
	return matchSegments(field, parent, segments, strings.Join(segments, "/"), wide && len(segments) > ownerSegments)
}

func matchSegments(field, name string, want []string, text string, wide bool) error {
	if name == "" {
		return fault.Invalid(field, "REQUIRED", "is required, in the form %s", text)
	}
	got := strings.Split(name, "/")
	if len(got) != len(want) {
		return fault.Invalid(field, "NAME_INVALID", "must have the form %s", text)
	}
	for i, w := range want {
		switch {
		case !isVariable(w):
			if got[i] != w {
				return fault.Invalid(field, "NAME_INVALID", "must have the form %s", text)
			}
		case wide && i == len(want)-1 && got[i] == wildcard:
		case !validID(got[i]):
			return fault.Invalid(field, "NAME_INVALID", "must have the form %s, each id of 1 to 63 lower-case letters, digits and inner hyphens", text)
		}
	}
	return nil
}

// wildcard in place of the last id of a parent means all of them (AIP-159).
const wildcard = "-"

func validID(id string) bool { return len(id) <= 63 && idRule.MatchString(id) }

// join makes a resource name of its parent and id.
func (p pattern) join(parent, id string) string {
	return parent + "/" + p.kind() + "/" + id
}

// LastSegment is the part of a name after the last slash: the id.
func LastSegment(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// Owner is the tenants/{tenant}/people/{person} that a resource name begins with.
func Owner(name string) string { return ownerOf(name) }
