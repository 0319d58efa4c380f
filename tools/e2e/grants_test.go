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

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
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

// TestSharing is a person with their coach: sharing, reading, commenting, looking who
// has read what, and taking it back.
func TestSharing(t *testing.T) {
	r := newRig(t)
	c, coach := r.as("acme", "ada", "person"), r.as("acme", "cara", "coach")
	getUpAgain(c)
	coach.refused("GET", ada+"/setbacks/launch", "", 403, "ACCESS_DENIED")
	coach.refused("GET", ada+"/setbacks", "", 403, "ACCESS_DENIED")
	for body, reason := range map[string]string{
		grantTo("ada", `"kind":"setbacks"`):                                                                        "REFERENCE_SELF",
		grantTo("cara", `"kind":"accessLog"`):                                                                      "KIND_UNKNOWN",
		grantTo("cara", `"kind":"grants"`):                                                                         "KIND_UNKNOWN",
		grantTo("cara", ``):                                                                                        "REQUIRED",
		grantTo("cara", `"resource":"`+me+`/setbacks/nothing"`):                                                    "REFERENCE_UNKNOWN",
		grantTo("cara", `"resource":"`+me+`"`):                                                                     "NAME_INVALID",
		grantTo("cara", `"resource":"`+me+`/profile"`):                                                             "NAME_INVALID",
		grantTo("cara", `"resource":"tenants/acme/people/grace/setbacks/launch"`):                                  "REFERENCE_FOREIGN",
		strings.Replace(grantTo("cara", `"kind":"setbacks"`), "acme", "other", 1):                                  "REFERENCE_FOREIGN",
		strings.Replace(grantTo("cara", `"kind":"setbacks"`), "2999", "2001", 1):                                   "DATE_IN_PAST",
		strings.Replace(grantTo("cara", `"kind":"setbacks"`), `"day":31`, `"day":32`, 1):                           "DATE_INVALID",
		strings.Replace(grantTo("cara", `"kind":"setbacks"`), `,"until":{"year":2999,"month":12,"day":31}`, "", 1): "REQUIRED",
	} {
		c.refused("POST", ada+"/grants", body, 400, reason)
	}
	given := c.must("POST", ada+"/grants?grantId=coaching", grantTo("cara", `"resource":"`+me+`/setbacks/launch"`))
	if given["state"] != "STATE_ACTIVE" || given["endTime"] != "3000-01-01T00:00:00Z" {
		t.Errorf("%v", given)
	}
	received := coach.must("GET", "/v1/tenants/acme/people/cara/receivedGrants", "")["grants"].([]any)
	if len(received) != 1 || received[0].(map[string]any)["name"] != me+"/grants/coaching" {
		t.Errorf("%v", received)
	}
	coach.must("GET", ada+"/setbacks/launch", "")
	if d := coach.must("GET", ada+"/setbacks/launch/debriefs", "")["debriefs"].([]any); len(d) != 1 {
		t.Errorf("%v", d)
	}
	coach.refused("GET", ada+"/lessons/l1", "", 403, "ACCESS_DENIED")
	coach.refused("GET", ada+"/lessons/nothing", "", 403, "ACCESS_DENIED")
	coach.refused("GET", ada+"/profile", "", 403, "ROLE_REQUIRED")
	coach.refused("PATCH", ada+"/setbacks/launch", `{"title":"x"}`, 403, "ROLE_REQUIRED")
	coach.refused("GET", ada+"/summary", "", 403, "ACCESS_DENIED")
	coach.refused("GET", ada+"/insights:stream", "", 403, "ACCESS_DENIED")
	r.as("other", "cara", "coach").refused("GET", ada+"/setbacks/launch", "", 403, "ACCESS_DENIED")

	// Comments: seen by the person and by their author.
	comment := coach.must("POST", ada+"/comments", `{"subject":"`+me+`/setbacks/launch","text":"That took courage."}`)
	coach.refused("POST", ada+"/comments", `{"subject":"`+me+`/lessons/l1","text":"x"}`, 403, "ACCESS_DENIED")
	coach.refused("POST", ada+"/comments", `{"subject":"`+me+`/lessons/nothing","text":"x"}`, 403, "ACCESS_DENIED")
	coach.refused("POST", ada+"/comments", `{"subject":"`+me+`/setbacks/launch","text":"`+strings.Repeat("ü", 5001)+`"}`, 400, "STRING_MAX_LEN")
	c.refused("POST", ada+"/comments", `{"subject":"`+me+`/setbacks/launch","text":"x"}`, 403, "ACCESS_DENIED")
	c.must("POST", ada+"/grants", grantTo("hedy", `"kind":"setbacks"`))
	hedy := r.as("acme", "hedy", "person")
	if l := hedy.must("GET", ada+"/comments", "")["comments"].([]any); len(l) != 0 {
		t.Errorf("another reader sees %v", l)
	}
	path := "/v1/" + comment["name"].(string)
	hedy.refused("GET", path, "", 403, "ACCESS_DENIED")
	hedy.refused("DELETE", path, "", 403, "ACCESS_DENIED")
	coach.must("PATCH", path, `{"text":"That took a lot of courage."}`)
	c.refused("PATCH", path, `{"text":"x"}`, 403, "ACCESS_DENIED")
	if l := c.must("GET", ada+"/comments", "")["comments"].([]any); len(l) != 1 || l[0].(map[string]any)["text"] != "That took a lot of courage." || l[0].(map[string]any)["author"] != "tenants/acme/people/cara" {
		t.Errorf("%v", l)
	}

	// Who has read what, by which grant. Nobody else sees that, nobody changes it.
	entries := c.must("GET", ada+"/accessLog?orderBy=time&filter="+`reader%20%3D%20%22tenants/acme/people/cara%22`, "")["accessLogEntries"].([]any)
	var methods []string
	for _, e := range entries {
		e := e.(map[string]any)
		methods = append(methods, e["method"].(string))
		if !slices.Equal(e["grants"].([]any), []any{me + "/grants/coaching"}) {
			t.Errorf("%v", e)
		}
	}
	if !slices.Equal(methods, []string{"GetSetback", "ListDebriefs"}) {
		t.Errorf("%v", methods)
	}
	if names := entries[1].(map[string]any)["resources"].([]any); len(names) != 1 || names[0] != me+"/setbacks/launch/debriefs/d1" {
		t.Errorf("%v", names)
	}
	coach.refused("GET", ada+"/accessLog", "", 403, "ROLE_REQUIRED")
	c.refused("DELETE", "/v1/"+entries[0].(map[string]any)["name"].(string), "", 405, "METHOD_NOT_ALLOWED")
	// An admin who looks at somebody's affiliation is in it, too.
	r.as("acme", "", "admin").must("GET", ada+"/affiliation", "")
	last := c.must("GET", ada+"/accessLog?pageSize=1", "")["accessLogEntries"].([]any)[0].(map[string]any)
	if last["method"] != "GetAffiliation" || last["reader"] != "admin" {
		t.Errorf("%v", last)
	}

	// A page token ends with its grant.
	for _, id := range []string{"x", "y"} {
		c.must("POST", ada+"/lessons?lessonId="+id, `{"statement":"s"}`)
	}
	lessons := c.must("POST", ada+"/grants", grantTo("cara", `"kind":"lessons"`))["name"].(string)
	page := coach.must("GET", ada+"/lessons?pageSize=1", "")
	for _, l := range page["lessons"].([]any) {
		if l := l.(map[string]any); l["setback"] != "" && l["setback"] != me+"/setbacks/launch" {
			t.Errorf("%v", l)
		}
	}
	c.must("POST", "/v1/"+lessons+":revoke", `{}`)
	c.must("POST", ada+"/grants/coaching:revoke", `{}`)
	coach.refused("GET", ada+"/lessons?pageSize=1&pageToken="+page["nextPageToken"].(string), "", 403, "ACCESS_DENIED")
	coach.refused("GET", ada+"/setbacks/launch", "", 403, "ACCESS_DENIED")
	coach.refused("GET", path, "", 403, "ACCESS_DENIED")
	if left := coach.must("GET", "/v1/tenants/acme/people/cara/receivedGrants", "")["grants"].([]any); len(left) != 0 {
		t.Errorf("%v", left)
	}
	if g := c.must("GET", ada+"/grants/coaching", ""); g["state"] != "STATE_REVOKED" || g["revokeTime"] == nil {
		t.Errorf("%v", g)
	}
	c.must("DELETE", path, "")
}

// TestSharedStream: a coach follows the insights of a person until the grant is
// revoked; nothing that comes after is shown, and what was shown is in the log.
func TestSharedStream(t *testing.T) {
	r := newRig(t)
	c, coach := r.as("acme", "ada", "person"), r.as("acme", "cara", "coach")
	grant := c.must("POST", ada+"/grants", grantTo("cara", `"kind":"insights"`))["name"].(string)
	lines, _ := coach.follow(ada + "/insights:stream")
	c.must("POST", ada+"/setbacks?setbackId=a", `{"title":"A"}`)
	c.must("POST", ada+"/setbacks/a:recover", `{}`)
	got, _ := collect(t, lines, 1)
	if subjects := got[0].insight["subjects"].([]any); len(subjects) != 0 {
		t.Errorf("the insight names %v, which is not shared", subjects)
	}
	entries := c.must("GET", ada+"/accessLog", "")["accessLogEntries"].([]any)
	if e := entries[0].(map[string]any); len(entries) != 1 || e["method"] != "StreamInsights" || !slices.Equal(e["resources"].([]any), []any{got[0].name}) {
		t.Errorf("%v", entries)
	}
	c.must("POST", "/v1/"+grant+":revoke", `{}`)
	c.must("POST", ada+"/setbacks?setbackId=b", `{"title":"B"}`)
	c.must("POST", ada+"/setbacks/b:recover", `{}`)
	timeout := time.After(10 * time.Second)
	for open := true; open; {
		select {
		case l, ok := <-lines:
			if open = ok; l.insight != nil {
				t.Fatalf("after revoking, %s is shown", l.name)
			}
		case <-timeout:
			t.Fatal("the stream does not end with its grant")
		}
	}
}

// TestSharingOverGRPC does the main part of it over gRPC.
func TestSharingOverGRPC(t *testing.T) {
	r := newRig(t)
	getUpAgain(r.as("acme", "ada", "person"))
	as := func(person, role string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", person, role))
	}
	conn := dial(t, r.at.Journal)
	grants, setbacks := journalv1.NewGrantServiceClient(conn), journalv1.NewSetbackServiceClient(conn)
	g, err := grants.CreateGrant(as("ada", "person"), &journalv1.CreateGrantRequest{Parent: me, Grant: &journalv1.Grant{
		Reader: "tenants/acme/people/cara", Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Kind{Kind: "setbacks"}}, Until: &datepb.Date{Year: 2999, Month: 12, Day: 31},
	}})
	if err != nil || g.GetState() != journalv1.Grant_STATE_ACTIVE {
		t.Fatal(g, err)
	}
	if list, err := setbacks.ListSetbacks(as("cara", "coach"), &journalv1.ListSetbacksRequest{Parent: me}); err != nil || len(list.GetSetbacks()) != 1 {
		t.Fatal(list, err)
	}
	if _, err := journalv1.NewCommentServiceClient(conn).CreateComment(as("cara", "coach"), &journalv1.CreateCommentRequest{
		Parent: me, Comment: &journalv1.Comment{Subject: me + "/setbacks/launch", Text: "Well told"},
	}); err != nil {
		t.Fatal(err)
	}
	log, err := journalv1.NewAccessLogServiceClient(conn).ListAccessLogEntries(as("ada", "person"), &journalv1.ListAccessLogEntriesRequest{Parent: me})
	if err != nil || len(log.GetAccessLogEntries()) != 1 || log.GetAccessLogEntries()[0].GetMethod() != "ListSetbacks" {
		t.Fatal(log, err)
	}
	if _, err := grants.RevokeGrant(as("ada", "person"), &journalv1.RevokeGrantRequest{Name: g.GetName()}); err != nil {
		t.Fatal(err)
	}
	if _, err := setbacks.ListSetbacks(as("cara", "coach"), &journalv1.ListSetbacksRequest{Parent: me}); status.Code(err) != codes.PermissionDenied {
		t.Fatal(err)
	}
}
