package e2e

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// longText is a string field with a limit, where it is in a message.
type longText struct {
	path string
	max  uint64
	set  func(text string)
}

// longTexts finds the limited strings of a message that is filled: fields that
// are empty in it are taken too, elements of lists that are not.
func longTexts(m protoreflect.Message, prefix string) []longText {
	var out []longText
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		rules, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
		path := prefix + string(fd.Name())
		switch {
		case outputOnly(fd) || fd.IsMap():
		case fd.Kind() == protoreflect.StringKind && fd.IsList():
			if limit := rules.GetRepeated().GetItems().GetString().GetMaxLen(); limit > 0 && m.Get(fd).List().Len() > 0 {
				list := m.Mutable(fd).List()
				out = append(out, longText{path + "[0]", limit, func(text string) { list.Set(0, protoreflect.ValueOfString(text)) }})
			}
		case fd.Kind() == protoreflect.StringKind:
			if limit := rules.GetString().GetMaxLen(); limit > 0 {
				out = append(out, longText{path, limit, func(text string) { m.Set(fd, protoreflect.ValueOfString(text)) }})
			}
		case fd.Message() == nil || !m.Has(fd):
		case fd.IsList():
			out = append(out, longTexts(m.Mutable(fd).List().Get(0).Message(), path+"[0].")...)
		default:
			out = append(out, longTexts(m.Mutable(fd).Message(), path+".")...)
		}
	}
	return out
}

// TestLengths: every text of every resource is taken at its greatest length, in
// characters and not in bytes, and refused by name at one more.
func TestLengths(t *testing.T) {
	r := newRig(t)
	conns := map[string]*grpc.ClientConn{"rebound.journal.v1": dial(t, r.at.Journal), "rebound.goals.v1": dial(t, r.at.Goals)}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	tried := 0
	for pkg, conn := range conns {
		for _, md := range methods(pkg) {
			field, pattern := createdBy(md)
			if field == nil || strings.Count(pattern, "/") > 5 || md.Name() == "CreateComment" {
				continue // what lies deeper has the same kinds of fields; comments are for readers
			}
			for n := 0; ; n++ {
				req := newMessage(t, md.Input())
				setPath(req, "parent", "tenants/acme/people/ada")
				(&canaryFiller{}).fill(req.Mutable(field).Message())
				texts := longTexts(req.Mutable(field).Message(), string(field.Name())+".")
				if n == len(texts) {
					break
				}
				tried++
				x := texts[n]
				x.set(strings.Repeat("ü", int(x.max)))
				if got := tooLong(ctx, conn, md, req); len(got) != 0 {
					t.Errorf("%s with %d characters: %v are too long", x.path, x.max, got)
				}
				x.set(strings.Repeat("ü", int(x.max)+1))
				if got := tooLong(ctx, conn, md, req); !slices.Equal(got, []string{x.path}) {
					t.Errorf("%s with %d characters: %v are too long", x.path, x.max+1, got)
				}
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d texts were tried", tried)
	}
}

// longList is a list with a limit, where it is in a message.
type longList struct {
	path string
	max  uint64
	set  func(n int)
}

// longLists finds the limited lists of a message that is filled; in lists, those of the
// first element.
func longLists(m protoreflect.Message, prefix string) []longList {
	var out []longList
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if outputOnly(fd) || fd.IsMap() {
			continue
		}
		rules, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
		if limit := rules.GetRepeated().GetMaxItems(); fd.IsList() && limit > 0 && fd.Enum() == nil {
			out = append(out, longList{prefix + string(fd.Name()), limit, func(n int) { m.Set(fd, ofLength(m, fd, n)) }})
		}
		switch {
		case fd.Message() == nil || !m.Has(fd):
		case fd.IsList():
			out = append(out, longLists(m.Mutable(fd).List().Get(0).Message(), prefix+string(fd.Name())+"[0].")...)
		default:
			out = append(out, longLists(m.Mutable(fd).Message(), prefix+string(fd.Name())+".")...)
		}
	}
	return out
}

// ofLength gives a list of different strings, or of the first element again and again.
func ofLength(m protoreflect.Message, fd protoreflect.FieldDescriptor, n int) protoreflect.Value {
	v := m.NewField(fd)
	for i := range n {
		switch {
		case fd.Message() == nil:
			v.List().Append(protoreflect.ValueOfString(fmt.Sprint("x", i)))
		case m.Get(fd).List().Len() > 0:
			v.List().Append(protoreflect.ValueOfMessage(proto.Clone(m.Get(fd).List().Get(0).Message().Interface()).ProtoReflect()))
		default:
			v.List().AppendMutable()
		}
	}
	return v
}

// TestListLengths: every list of every resource is not too long at its greatest length,
// and refused by name with one element more.
func TestListLengths(t *testing.T) {
	r := newRig(t)
	conns := map[string]*grpc.ClientConn{"rebound.journal.v1": dial(t, r.at.Journal), "rebound.goals.v1": dial(t, r.at.Goals)}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	tried := 0
	for pkg, conn := range conns {
		for _, md := range methods(pkg) {
			field, _ := createdBy(md)
			if field == nil {
				continue
			}
			for n := 0; ; n++ {
				req := newMessage(t, md.Input())
				setPath(req, "parent", "tenants/acme/people/ada")
				(&canaryFiller{}).fill(req.Mutable(field).Message())
				lists := longLists(req.Mutable(field).Message(), string(field.Name())+".")
				if n == len(lists) {
					break
				}
				tried++
				for _, c := range []struct {
					length int
					want   []string
				}{{int(lists[n].max), nil}, {int(lists[n].max) + 1, []string{lists[n].path}}} {
					lists[n].set(c.length)
					if got := tooMany(ctx, conn, md, req); !slices.Equal(got, c.want) {
						t.Errorf("%s with %d elements: %v have too many", lists[n].path, c.length, got)
					}
				}
			}
		}
	}
	if tried < 25 {
		t.Errorf("only %d lists were tried", tried)
	}
}

// tooLong gives the fields that a call is refused for as too long.
func tooLong(ctx context.Context, conn *grpc.ClientConn, md protoreflect.MethodDescriptor, req protoreflect.Message) []string {
	return refusedFor(ctx, conn, md, req, "STRING_MAX_LEN")
}

// tooMany gives the fields that a call is refused for as having too many elements.
func tooMany(ctx context.Context, conn *grpc.ClientConn, md protoreflect.MethodDescriptor, req protoreflect.Message) []string {
	return refusedFor(ctx, conn, md, req, "REPEATED_MAX_ITEMS")
}

// refusedFor gives the fields that a call is refused for with a reason.
func refusedFor(ctx context.Context, conn *grpc.ClientConn, md protoreflect.MethodDescriptor, req protoreflect.Message, reason string) []string {
	err := conn.Invoke(ctx, "/"+string(md.Parent().FullName())+"/"+string(md.Name()), req.Interface(), &empty{})
	var out []string
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				if v.GetReason() == reason {
					out = append(out, v.GetField())
				}
			}
		}
	}
	return out
}

// empty takes any answer: nobody looks at it.
type empty = errdetails.DebugInfo

// TestRequestLimits: what a list or an update may ask for, at its limit and one
// beyond.
func TestRequestLimits(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	const setbacks = ada + "/setbacks"
	c.must("POST", setbacks+"?setbackId=a", `{"title":"A"}`)
	list := func(parameter, value string) string { return setbacks + "?" + parameter + "=" + url.QueryEscape(value) }
	nested := func(n int) string { return strings.Repeat("(", n) + "intensity = 1" + strings.Repeat(")", n) }
	padded := func(n int) string { return "intensity = 1" + strings.Repeat(" ", n-len("intensity = 1")) }
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("a ", n)) }
	for _, l := range []struct{ fits, beyond, reason string }{
		{list("filter", padded(2048)), list("filter", padded(2049)), "FILTER_TOO_LONG"},
		{list("filter", nested(32)), list("filter", nested(33)), "FILTER_TOO_DEEP"},
		{list("query", words(20)), list("query", words(21)), "QUERY_TOO_LONG"},
		{list("query", strings.Repeat("ü", 200)), list("query", strings.Repeat("ü", 201)), "STRING_MAX_LEN"},
	} {
		c.must("GET", l.fits, "")
		c.refused("GET", l.beyond, "", 400, l.reason)
	}
	mask := func(n int) string {
		return setbacks + "/a?updateMask=" + strings.TrimSuffix(strings.Repeat("title,", n), ",")
	}
	c.must("PATCH", mask(100), `{"title":"B"}`)
	c.refused("PATCH", mask(101), `{"title":"B"}`, 400, "MASK_TOO_LONG")
	// A page is brought down to the greatest.
	if a := c.must("GET", list("pageSize", fmt.Sprint(1<<30)), ""); len(a["setbacks"].([]any)) != 1 {
		t.Errorf("%v", a)
	}
	tags := func(n int) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(`"t%d"`, i))
		}
		return `{"tags":[` + strings.Join(out, ",") + `]}`
	}
	c.must("PATCH", setbacks+"/a", tags(20))
	c.refused("PATCH", setbacks+"/a", tags(21), 400, "REPEATED_MAX_ITEMS")
	id := strings.Repeat("a", 63)
	c.must("POST", setbacks+"?setbackId="+id, `{"title":"A"}`)
	c.refused("POST", setbacks+"?setbackId="+id+"a", `{"title":"A"}`, 400, "ID_INVALID")
}
