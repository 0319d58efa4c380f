package e2e

import (
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
)

// TestRandomRequests sends every RPC random messages: whatever a client sends,
// no answer is INTERNAL, and nothing panics.
func TestRandomRequests(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	getUpAgain(c)
	c.must("POST", ada+"/values?valueId=v1", `{"displayName":"Candor"}`)
	c.must("POST", ada+"/avenues?avenueId=a1", `{"title":"Teach","values":["tenants/acme/people/ada/values/v1"],"ratings":{"joy":4}}`)
	conns := map[string]*grpc.ClientConn{
		"rebound.journal.v1": dial(t, r.at.Journal), "rebound.goals.v1": dial(t, r.at.Goals), "rebound.insights.v1": dial(t, r.at.Insights),
	}
	c.must("POST", ada+"/grants", grantTo("cara", `"kind":"setbacks"`))
	c.must("POST", ada+"/grants", grantTo("cara", `"tag":"x"`))
	tokens := []string{r.token("acme", "ada", "person"), r.token("acme", "", "admin"), r.token("acme", "cara", "coach"), r.token("acme", "", "analyst")}
	const each = 40
	g := generator{rand.New(rand.NewPCG(7, 7))}
	answers := map[codes.Code]int{}
	for pkg, conn := range conns {
		for _, md := range methods(pkg) {
			if md.IsStreamingServer() {
				continue // its request is four strings, and each has a fuzz test
			}
			in, err := protoregistry.GlobalTypes.FindMessageByName(md.Input().FullName())
			if err != nil {
				t.Fatal(err)
			}
			out, err := protoregistry.GlobalTypes.FindMessageByName(md.Output().FullName())
			if err != nil {
				t.Fatal(err)
			}
			rule, _ := proto.GetExtension(md.Options(), policyv1.E_Rule).(*policyv1.Rule)
			for i := range each {
				req := in.New()
				g.fill(req, 3)
				if i%4 > 0 {
					setPath(req, rule.GetResource(), g.name())
				}
				ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+tokens[i/4%len(tokens)])
				code := status.Code(conn.Invoke(ctx, "/"+string(md.Parent().FullName())+"/"+string(md.Name()), req.Interface(), out.New().Interface()))
				answers[code]++
				if code == codes.Internal || code == codes.Unknown || code == codes.DataLoss {
					t.Errorf("%s answers %s to %v", md.Name(), code, req.Interface())
				}
			}
		}
	}
	if answers[codes.OK] == 0 || answers[codes.InvalidArgument] == 0 {
		t.Errorf("the requests are not varied: %v", answers)
	}
}

// generator makes random messages.
type generator struct{ r *rand.Rand }

// name is a resource name that exists, nearly exists, or does not.
func (g generator) name() string {
	const me = "tenants/acme/people/ada"
	return pick(g.r, me, me+"/setbacks/launch", me+"/setbacks/launch/debriefs/d1", me+"/lessons/l1", me+"/goals/g1", me+"/goals/g1/steps/s1",
		me+"/goals/g1/milestones/m1", me+"/profile", me+"/affiliation", me+"/summary", me+"/setbacks/-", me+"/gratitudes/2026-01-02", me+"/checkIns/x", me+"/values/v1",
		me+"/avenues/a1", me+"/")
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (g generator) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if g.r.IntN(3) == 0 || fd.Message() != nil && depth == 0 {
			continue
		}
		switch {
		case fd.IsMap():
			for range g.r.IntN(4) {
				m.Mutable(fd).Map().Set(g.scalar(fd.MapKey()).MapKey(), g.scalar(fd.MapValue()))
			}
		case fd.IsList():
			for range g.r.IntN(4) {
				if fd.Message() == nil {
					m.Mutable(fd).List().Append(g.scalar(fd))
					continue
				}
				g.fill(m.Mutable(fd).List().AppendMutable().Message(), depth-1)
			}
		case fd.Message() != nil:
			g.fill(m.Mutable(fd).Message(), depth-1)
		default:
			m.Set(fd, g.scalar(fd))
		}
	}
}

func (g generator) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(pick(g.r, "", "x", "A b", "\x00", "🧗", "2026-11-23", "-", "FREQ=DAILY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;COUNT=3;UNTIL=20260101",
			"Europe/Berlin", "Local", "../..", "intensity > 3", "name desc", "name,name", "title", "*", "occurred_on.year", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "why", g.name()))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.r.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(pick(g.r, int32(0), 1, 2, 3, 99, -1, math.MaxInt32)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(pick(g.r, int32(0), 1, -1, 2, 7, 12, 2026, math.MaxInt32, math.MinInt32))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(pick(g.r, int64(0), 1, -1, 1_790_000_000, math.MaxInt64, math.MinInt64))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(pick(g.r, 0, 1.5, -1, math.Inf(1), math.NaN(), math.MaxFloat64))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 255})
	}
	return fd.Default()
}
