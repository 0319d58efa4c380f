package edge

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// route is one REST binding of an RPC.
type route struct {
	method string
	// template is the path with {name} for each id, for metrics.
	template string
	path     *regexp.Regexp
	rpc      protoreflect.FullName
	// input and output are its messages.
	input, output protoreflect.MessageDescriptor
	// whole is true for answers that are no JSON but a document of a media type of
	// its own (google.api.HttpBody).
	whole bool
}

// routes are all REST bindings, read from the descriptors.
type routes struct{ all []route }

func loadRoutes() (*routes, error) {
	r := &routes{}
	var err error
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(fd.Package()), "rebound.") {
			return true
		}
		for i := range fd.Services().Len() {
			methods := fd.Services().Get(i).Methods()
			for j := range methods.Len() {
				if err = r.add(methods.Get(j)); err != nil {
					return false
				}
			}
		}
		return true
	})
	return r, err
}

func (r *routes) add(md protoreflect.MethodDescriptor) error {
	rule, _ := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil
	}
	for _, b := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		method, path := bindingOf(b)
		template, pattern := compilePath(path)
		re, err := regexp.Compile(pattern)
		if err != nil {
			return err
		}
		r.all = append(r.all, route{
			method: method, template: template, path: re, rpc: md.FullName(),
			input: md.Input(), output: md.Output(), whole: md.Output().FullName() == "google.api.HttpBody",
		})
	}
	return nil
}

func bindingOf(rule *annotations.HttpRule) (method, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	}
	return "", ""
}

var capture = regexp.MustCompile(`\{[a-z_.]+=([^}]*)\}`)

// compilePath turns "/v1/{name=tenants/*/people/*}:verb" into a template and a
// pattern.
func compilePath(path string) (template, pattern string) {
	template = capture.ReplaceAllString(path, "$1")
	return template, "^" + strings.ReplaceAll(regexp.QuoteMeta(template), `\*`, `[^/:]+`) + "$"
}

// methods are those that a path has routes for.
func (r *routes) methods(path string) []string {
	var out []string
	for _, x := range r.all {
		if x.path.MatchString(path) && !slices.Contains(out, x.method) {
			out = append(out, x.method)
		}
	}
	slices.Sort(out)
	return out
}

// find gives a request's route; the zero route when there is none. Documents can
// be asked for by HEAD too.
func (r *routes) find(method, path string) route {
	for _, x := range r.all {
		fits := x.method == method || x.whole && x.method == http.MethodGet && method == http.MethodHead
		if fits && x.path.MatchString(path) {
			return x
		}
	}
	return route{}
}
