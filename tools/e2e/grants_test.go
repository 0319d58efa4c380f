package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
)

// grantTo is a grant to a person of acme, as JSON.
func grantTo(reader, scope string) string {
	return `{"reader":"tenants/acme/people/` + reader + `","scope":{` + scope + `},"until":{"year":2999,"month":12,"day":31}}`
}

// written is a resource that a person has written, as the oracle of grants knows it.
type written struct {
	name, kind string
	tags       []string
	created    time.Time
	texts      int // canaries of its own, by number
	first      int
}

// world is a person with some of everything, in all services.
type world struct {
	t     *testing.T
	rig   *rig
	conns map[string]*grpc.ClientConn
	all   []written
	texts int
	asked map[protoreflect.FullName][]string // what each RPC is asked about
}

const me = "tenants/acme/people/ada"

// newWorld writes a few of every kind that can be created, as descriptors tell.
func newWorld(t *testing.T, each int) *world {
	t.Helper()
	r := newRig(t)
	w := &world{t: t, rig: r, asked: map[protoreflect.FullName][]string{}, conns: map[string]*grpc.ClientConn{
		"rebound.journal.v1": dial(t, r.at.Journal), "rebound.goals.v1": dial(t, r.at.Goals), "rebound.insights.v1": dial(t, r.at.Insights),
	}}
	parents := map[string][]string{"tenants/{tenant}/people/{person}": {me}}
	for range 3 { // a round per level
		for pkg, conn := range w.conns {
			for _, md := range methods(pkg) {
				doc, pattern := createdBy(md)
				if doc == nil || len(parents[pattern]) > 0 || !sharedKind(pattern) {
					continue
				}
				above := parents[pattern[:strings.LastIndexByte(pattern[:strings.LastIndexByte(pattern, '/')], '/')]]
				for i := range each * min(1, len(above)) {
					parents[pattern] = append(parents[pattern], w.create(conn, md, doc, above[i%len(above)], i))
				}
			}
		}
	}
	c := r.as("acme", "ada", "person")
	for _, s := range parents["tenants/{tenant}/people/{person}/setbacks/{setback}"] {
		c.must("POST", "/v1/"+s+":recover", `{}`)
	}
	var insights []string
	for deadline := time.Now().Add(10 * time.Second); len(insights) < each && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		insights = namesIn(c.do("GET", ada+"/insights", "").raw, "insights")
	}
	for _, name := range insights {
		w.all = append(w.all, written{name: name, kind: "insights", created: time.Now()})
	}
	w.all = append(w.all, written{name: me + "/summary", kind: "summary"})
	return w
}

// sharedKind tells of a pattern whether its kind can be shared at all.
func sharedKind(pattern string) bool {
	return !strings.Contains(pattern, "/grants/") && !strings.Contains(pattern, "/comments/")
}

// create writes one resource with canaries, tags of a small set, and references to
// what was written before.
func (w *world) create(conn *grpc.ClientConn, md protoreflect.MethodDescriptor, doc protoreflect.FieldDescriptor, parent string, i int) string {
	w.t.Helper()
	f := &canaryFiller{n: w.texts}
	req := newMessage(w.t, md.Input())
	setPath(req, "parent", parent)
	m := req.Mutable(doc).Message()
	f.fill(m)
	if fd := req.Descriptor().Fields().ByName("gratitude_id"); fd != nil { // one a day
		req.Set(fd, protoreflect.ValueOfString(fmt.Sprintf("2026-01-%02d", i+1)))
	}
	x := written{first: w.texts, texts: f.n - w.texts}
	if fd := m.Descriptor().Fields().ByName("tags"); fd != nil {
		m.Clear(fd)
		x.tags = [][]string{{"work"}, {"home"}, {"work", "home"}, nil}[i%4]
		for _, tag := range x.tags {
			m.Mutable(fd).List().Append(protoreflect.ValueOfString(tag))
		}
	}
	if fd := m.Descriptor().Fields().ByName("setback"); fd != nil && fd.Kind() == protoreflect.StringKind {
		for _, other := range w.all {
			if other.kind == "setbacks" {
				m.Set(fd, protoreflect.ValueOfString(other.name))
			}
		}
	}
	res := newMessage(w.t, md.Output())
	if err := conn.Invoke(w.as("ada", "person"), "/"+string(md.Parent().FullName())+"/"+string(md.Name()), req.Interface(), res.Interface()); err != nil {
		w.t.Fatalf("%s: %v", md.Name(), err)
	}
	w.texts = f.n
	x.name = res.Get(res.Descriptor().Fields().ByName("name")).String()
	segments := strings.Split(x.name, "/")
	x.kind = segments[len(segments)-2]
	created := res.Get(res.Descriptor().Fields().ByName("create_time")).Message()
	x.created = time.Unix(created.Get(created.Descriptor().Fields().ByName("seconds")).Int(), created.Get(created.Descriptor().Fields().ByName("nanos")).Int())
	w.all = append(w.all, x)
	return x.name
}

func (w *world) as(person, role string) context.Context {
	return metadata.AppendToOutgoingContext(w.t.Context(), "authorization", "Bearer "+w.rig.token("acme", person, role))
}

// scope is a grant as the oracle knows it.
type scope struct{ resource, kind, tag string }

func (s scope) covers(x written) bool {
	switch {
	case s.resource != "":
		return x.name == s.resource || strings.HasPrefix(x.name, s.resource+"/")
	case s.kind != "":
		return x.kind == s.kind
	}
	return slices.Contains(x.tags, s.tag)
}

func (s scope) json() string {
	switch {
	case s.resource != "":
		return `"resource":"` + s.resource + `"`
	case s.kind != "":
		return `"kind":"` + s.kind + `"`
	}
	return `"tag":"` + s.tag + `"`
}

func (w *world) randomScope(r *rand.Rand) scope {
	x := pick(r, w.all...)
	switch r.IntN(4) {
	case 0:
		return scope{tag: pick(r, "work", "home", "nothing")}
	case 1:
		return scope{kind: x.kind}
	}
	return scope{resource: x.name}
}

var (
	anyName   = regexp.MustCompile(`tenants/acme/people/ada/[A-Za-z]+(?:/[a-z0-9-]+(?:/[A-Za-z]+/[a-z0-9-]+)*)?`)
	anyCanary = regexp.MustCompile(canary + `-(\d+)-`)
)

func namesIn(text, kind string) []string {
	var out []string
	for _, name := range anyName.FindAllString(text, -1) {
		if segments := strings.Split(name, "/"); segments[len(segments)-2] == kind && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// TestGrantsShowNothingElse: whatever is granted, no RPC that readers may call ever
// answers with a word or a name from outside of it, as a walk through the descriptors
// of all services shows; what is granted it shows whole; each answer is in the access
// log; and when the grants are revoked nothing is shown any more.
func TestGrantsShowNothingElse(t *testing.T) {
	w := newWorld(t, 3)
	if len(w.all) < 45 {
		t.Fatalf("only %d resources", len(w.all))
	}
	c := w.rig.as("acme", "ada", "person")
	r := rand.New(rand.NewPCG(3, 14))
	for round := range 12 {
		scopes := []scope{w.randomScope(r)}
		if round%3 == 0 {
			scopes = append(scopes, w.randomScope(r))
		}
		var grants []string
		for _, s := range scopes {
			grants = append(grants, c.must("POST", ada+"/grants", grantTo("cara", s.json()))["name"].(string))
		}
		covered := map[string]bool{}
		texts := map[string]bool{}
		for _, x := range w.all {
			if slices.ContainsFunc(scopes, func(s scope) bool { return s.covers(x) }) {
				covered[x.name] = true
				for n := range x.texts {
					texts[fmt.Sprint(x.first+n)] = true
				}
			}
		}
		shown := w.readAll(pick(r, "person", "coach"), scopes, covered, texts)
		for name := range covered {
			if !shown[name] {
				t.Errorf("%v: %s is not shown", scopes, name)
			}
		}
		for _, g := range grants {
			c.must("POST", "/v1/"+g+":revoke", `{}`)
		}
		if round%4 > 0 {
			continue
		}
		if shown := w.readAll("person", nil, nil, nil); len(shown) > 0 {
			t.Errorf("after revoking, %d resources are shown", len(shown))
		}
	}
}

// readAll calls every RPC that readers may call about everything there is, checks
// that nothing else is shown, and gives the names that are.
func (w *world) readAll(role string, scopes []scope, covered, texts map[string]bool) map[string]bool {
	w.t.Helper()
	ctx := w.as("cara", role)
	shown := map[string]bool{}
	for pkg, conn := range w.conns {
		for _, md := range methods(pkg) {
			rule, _ := proto.GetExtension(md.Options(), policyv1.E_Rule).(*policyv1.Rule)
			if !slices.ContainsFunc(rule.GetAllow(), func(a *policyv1.Allow) bool { return a.GetRelation() == policyv1.Relation_RELATION_GRANTED }) ||
				rule.GetRate() == policyv1.Rate_RATE_WRITE || md.IsStreamingServer() {
				continue
			}
			for _, target := range w.targets(md) {
				req, res := newMessage(w.t, md.Input()), newMessage(w.t, md.Output())
				setPath(req, rule.GetResource(), target)
				if fd := md.Input().Fields().ByName("page_size"); fd != nil {
					req.Set(fd, protoreflect.ValueOfInt32(1000))
				}
				err := conn.Invoke(ctx, "/"+string(md.Parent().FullName())+"/"+string(md.Name()), req.Interface(), res.Interface())
				if code := status.Code(err); code != codes.OK && code != codes.PermissionDenied {
					w.t.Fatalf("%s of %s: %v", md.Name(), target, err)
				}
				text, err := protojson.Marshal(res.Interface())
				if err != nil {
					w.t.Fatal(err)
				}
				for _, name := range anyName.FindAllString(string(text), -1) {
					if shown[name] = true; !covered[name] {
						w.t.Errorf("%v: %s of %s tells of %s", scopes, md.Name(), target, name)
					}
				}
				for _, number := range anyCanary.FindAllStringSubmatch(string(text), -1) {
					if !texts[number[1]] {
						w.t.Errorf("%v: %s of %s tells what is not shared", scopes, md.Name(), target)
					}
				}
			}
		}
	}
	return shown
}

// targets are the names that a reading RPC can be asked about: all that are there,
// and one that is not.
func (w *world) targets(md protoreflect.MethodDescriptor) []string {
	if w.asked[md.FullName()] == nil {
		w.asked[md.FullName()] = w.fitting(md, w.candidates(md))
	}
	return w.asked[md.FullName()]
}

func (w *world) candidates(md protoreflect.MethodDescriptor) []string {
	if strings.HasPrefix(string(md.Name()), "List") {
		out := []string{me}
		for _, x := range w.all {
			if strings.Count(x.name, "/") == 5 {
				out = append(out, x.name)
			}
		}
		for _, kind := range []string{"setbacks", "stories", "connections", "goals"} {
			out = append(out, me+"/"+kind+"/-", me+"/"+kind+"/nothing")
		}
		return out
	}
	out := []string{me + "/setbacks/nothing", me + "/goals/nothing", me + "/lessons/nothing"}
	for _, x := range w.all {
		out = append(out, x.name)
	}
	return out
}

// fitting leaves the names that have the form a method's resource has, by asking: a
// name of another form is refused as such.
func (w *world) fitting(md protoreflect.MethodDescriptor, names []string) []string {
	kind := func(name string) string {
		segments := strings.Split(name, "/")
		for i := 3; i < len(segments); i += 2 {
			segments[i] = "*"
		}
		return strings.Join(segments, "/")
	}
	rule, _ := proto.GetExtension(md.Options(), policyv1.E_Rule).(*policyv1.Rule)
	good := map[string]bool{}
	asked := map[string]bool{}
	var out []string
	for _, name := range names {
		k := kind(name)
		if !asked[k] {
			asked[k] = true
			req, res := newMessage(w.t, md.Input()), newMessage(w.t, md.Output())
			setPath(req, rule.GetResource(), name)
			err := w.conns[string(md.ParentFile().Package())].Invoke(w.as("ada", "person"), "/"+string(md.Parent().FullName())+"/"+string(md.Name()), req.Interface(), res.Interface())
			good[k] = status.Code(err) != codes.InvalidArgument
		}
		if good[k] {
			out = append(out, name)
		}
	}
	return out
}
