package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	privacyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/privacy/v1"
)

// TestEveryTextFieldIsEncrypted creates one resource of every type that can be
// created, with a canary in every field that may hold a person's words, as the
// descriptors tell. They come back to the person and are in no file, database,
// log, event or insight.
func TestEveryTextFieldIsEncrypted(t *testing.T) {
	r := newRig(t)
	made, written := r.makeEverything("tenants/acme/people/ada", r.token("acme", "ada", "person"))
	if len(made) < 16 || written < 50 {
		t.Fatalf("%d resources with %d texts were made", len(made), written)
	}
	c := r.as("acme", "ada", "person")
	c.must("POST", ada+"/grants", grantTo("cara", `"kind":"setbacks"`))
	r.as("acme", "cara", "coach").must("POST", ada+"/comments", `{"subject":"`+made["tenants/{tenant}/people/{person}/setbacks/{setback}"]+`","text":"`+canary+`"}`)
	if a := c.do("GET", ada+"/comments", ""); !strings.Contains(a.raw, canary) {
		t.Error("a comment does not reach the person whom it is for")
	}
	r.stop()
	if strings.Contains(r.logs.String(), canary) {
		t.Error("logs hold a person's words")
	}
	for place, raw := range r.stored() {
		if bytes.Contains(raw, []byte(canary)) {
			t.Errorf("%s holds a person's words", place)
		}
	}
}

// makeEverything creates one resource of every type that can be created, with a
// canary in every field that may hold a person's words, and gives them by their
// patterns, with the number of canaries.
func (r *rig) makeEverything(me, token string) (made map[string]string, written int) {
	t := r.t
	t.Helper()
	conns := map[string]*grpc.ClientConn{"rebound.journal.v1": dial(t, r.at.Journal), "rebound.goals.v1": dial(t, r.at.Goals)}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	made = map[string]string{}
	// Those whose parents are made first come first: one round per level.
	for range 3 {
		for pkg, conn := range conns {
			for _, md := range methods(pkg) {
				doc, pattern := createdBy(md)
				if doc == nil || made[pattern] != "" || md.Name() == "CreateComment" { // that is for readers
					continue
				}
				parent := me
				if p := pattern[:strings.LastIndexByte(pattern[:strings.LastIndexByte(pattern, '/')], '/')]; strings.Count(p, "/") > 3 {
					if parent = made[p]; parent == "" {
						continue
					}
				}
				f := &canaryFiller{}
				req := newMessage(t, md.Input())
				setPath(req, "parent", parent)
				f.fill(req.Mutable(doc).Message())
				res := newMessage(t, md.Output())
				if err := conn.Invoke(ctx, "/"+string(md.Parent().FullName())+"/"+string(md.Name()), req.Interface(), res.Interface()); err != nil {
					t.Fatalf("%s: %v", md.Name(), err)
				}
				made[pattern] = res.Get(res.Descriptor().Fields().ByName("name")).String()
				shown, err := protojson.Marshal(res.Interface())
				if err != nil {
					t.Fatal(err)
				}
				for n := range f.n {
					if !strings.Contains(string(shown), fmt.Sprintf("%s-%d-", canary, n)) {
						t.Errorf("%s does not give back what was written", md.Name())
					}
				}
				written += f.n
			}
		}
	}
	return made, written
}

// createdBy gives the field of a Create request that holds the resource, and the
// resource's pattern; nil for other methods.
func createdBy(md protoreflect.MethodDescriptor) (protoreflect.FieldDescriptor, string) {
	opt, _ := proto.GetExtension(md.Output().Options(), annotations.E_Resource).(*annotations.ResourceDescriptor)
	if !strings.HasPrefix(string(md.Name()), "Create") || opt == nil {
		return nil, ""
	}
	fields := md.Input().Fields()
	for i := range fields.Len() {
		if fields.Get(i).Message() == md.Output() {
			return fields.Get(i), opt.GetPattern()[0]
		}
	}
	return nil, ""
}

func newMessage(t *testing.T, md protoreflect.MessageDescriptor) protoreflect.Message {
	t.Helper()
	typ, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return typ.New()
}

// canaryFiller writes a canary into every text field, and something fitting into
// what else has to be there.
type canaryFiller struct{ n int }

func (f *canaryFiller) canary() protoreflect.Value {
	f.n++
	return protoreflect.ValueOfString(fmt.Sprintf("%s-%d-", canary, f.n-1))
}

func (f *canaryFiller) fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if outputOnly(fd) || fd.IsMap() {
			continue
		}
		text, _ := proto.GetExtension(fd.Options(), privacyv1.E_Text).(bool)
		ours := fd.Message() != nil && strings.HasPrefix(string(fd.Message().FullName()), "rebound.")
		switch {
		case text && fd.IsList():
			m.Mutable(fd).List().Append(f.canary())
		case text:
			m.Set(fd, f.canary())
		case ours && fd.Message() == m.Descriptor(): // a tree needs no second level
		case ours && fd.IsList():
			f.fill(m.Mutable(fd).List().AppendMutable().Message())
		case ours:
			f.fill(m.Mutable(fd).Message())
		case fd.Enum() != nil && !fd.IsList():
			m.Set(fd, protoreflect.ValueOfEnum(1))
		case fd.Kind() == protoreflect.Int32Kind && !fd.IsList():
			m.Set(fd, protoreflect.ValueOfInt32(1))
		case fd.Name() == "target" && fd.Kind() == protoreflect.DoubleKind:
			m.Set(fd, protoreflect.ValueOfFloat64(1))
		case fd.Name() == "question":
			m.Set(fd, protoreflect.ValueOfString("why"))
		case fd.Name() == "reader":
			m.Set(fd, protoreflect.ValueOfString("tenants/acme/people/cara"))
		case fd.Name() == "until" && fd.Message() != nil && fd.Message().FullName() == "google.type.Date":
			m.Set(fd, protoreflect.ValueOfMessage((&datepb.Date{Year: 2999, Month: 12, Day: 31}).ProtoReflect()))
		}
	}
}

func outputOnly(fd protoreflect.FieldDescriptor) bool {
	behaviors, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	for _, b := range behaviors {
		if b == annotations.FieldBehavior_OUTPUT_ONLY || b == annotations.FieldBehavior_IDENTIFIER {
			return true
		}
	}
	return false
}
