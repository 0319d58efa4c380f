package e2e

import (
	"context"
	"regexp"
	"strings"
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

// relations are who a call is about, seen from ada of acme.
var relations = map[string]string{
	"own":          "tenants/acme/people/ada",
	"other person": "tenants/acme/people/grace",
	"other tenant": "tenants/other/people/ada",
	"own tenant":   "tenants/acme",
	"granted":      "tenants/acme/people/hedy",
}

// shared is what a grant lets a reader read, and readers may do about it.
var shared = regexp.MustCompile(`^(Get|List)(Setback|Debrief|Lesson|CheckIn|Gratitude|Strength|Reframe|Reflection|Visualization|Connection|` +
	`Story|StoryVersion|Value|Avenue|Goal|Milestone|Step|Celebration|Insight|Comment)s?$|^(ListOutreaches|GetOutreach|ListStories|GetSummary|GetChart|GetDigest|GetDigestPage|StreamInsights)$|^(Create|Update|Delete)Comment$`)

// allowed says who may call what, independently of what the protos declare.
func allowed(method, role, relation string) bool {
	inTenant := relation != "other tenant"
	if relation == "granted" && (role == "person" || role == "coach") && shared.MatchString(method) {
		return true
	}
	if method == "GetLinkedCalendar" { // its secret is what lets one in
		return true
	}
	if role == "stranger" {
		return false
	}
	switch method {
	case "CreateComment", "UpdateComment":
		return false
	case "ListReceivedGrants":
		return (role == "person" || role == "coach") && relation == "own"
	case "ListDebriefQuestions", "ListInsightSchemas", "GetInsightSchema":
		return true
	case "ErasePerson":
		return role == "admin" && inTenant || role == "person" && relation == "own"
	case "GetErasure":
		return (role == "admin" || role == "person") && inTenant
	case "StreamEvents", "AcknowledgeErasure", "ResolveGrants", "RecordAccesses", "ListKinds", "CountRecords", "ReadRecords", "RestoreRecords":
		return role == "service"
	case "ListGoals", "ListSteps":
		return role == "service" || role == "person" && relation == "own"
	case "UpdateAffiliation":
		return role == "admin" && inTenant
	case "GetAffiliation":
		return role == "admin" && inTenant || role == "person" && relation == "own"
	case "ExportCohortReport", "GetCohortChart":
		return role == "analyst" && inTenant
	case "StreamInsights", "ExportInsights":
		return role == "pipeline" && inTenant || role == "person" && relation == "own"
	case "CreateCohortReport", "GetCohortReport", "ListCohortReports":
		return role == "analyst" && inTenant
	case "GetCohortPolicy":
		return (role == "analyst" || role == "admin") && inTenant
	case "UpdateCohortPolicy":
		return role == "admin" && inTenant
	case "GetLibraryStory", "ListLibraryStories", "MarkLibraryStoryHelpful", "MarkLibraryStoryMeToo":
		return role == "person" && inTenant
	}
	return role == "person" && relation == "own"
}

// TestAuthorizationMatrix calls every RPC in every role about everybody.
func TestAuthorizationMatrix(t *testing.T) {
	r := newRig(t)
	r.as("acme", "hedy", "person").must("POST", "/v1/tenants/acme/people/hedy/grants", grantTo("ada", `"kind":"insights"`))
	conns := map[string]*grpc.ClientConn{
		"rebound.journal.v1": dial(t, r.at.Journal), "rebound.goals.v1": dial(t, r.at.Goals),
		"rebound.insights.v1": dial(t, r.at.Insights), "rebound.events.v1": dial(t, r.at.Journal),
		"rebound.transfer.v1": dial(t, r.at.Goals),
	}
	tokens := map[string]string{"stranger": ""}
	for _, role := range []string{"person", "coach", "analyst", "pipeline", "admin", "service"} {
		person := ""
		if role == "person" || role == "coach" {
			person = "ada"
		}
		tokens[role] = r.token("acme", person, role)
	}
	calls := 0
	for pkg, conn := range conns {
		for _, md := range methods(pkg) {
			for role, token := range tokens {
				for relation, target := range relations {
					calls++
					got := status.Code(invoke(t, conn, md, token, target))
					denied := got == codes.PermissionDenied || got == codes.Unauthenticated
					if allowed(string(md.Name()), role, relation) == denied {
						t.Errorf("%s by %s about %s: %s", md.Name(), role, relation, got)
					}
					if got == codes.Internal || got == codes.Unknown {
						t.Errorf("%s by %s about %s: %s", md.Name(), role, relation, got)
					}
				}
			}
		}
	}
	if calls < 1000 {
		t.Errorf("only %d calls were made", calls)
	}
}

// methods are all methods of a package's services.
func methods(pkg string) []protoreflect.MethodDescriptor {
	var out []protoreflect.MethodDescriptor
	protoregistry.GlobalFiles.RangeFilesByPackage(protoreflect.FullName(pkg), func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			sd := fd.Services().Get(i)
			for j := range sd.Methods().Len() {
				out = append(out, sd.Methods().Get(j))
			}
		}
		return true
	})
	return out
}

// invoke calls a method about a target: with nothing else in the request, so
// that what is let in fails for other reasons, at the latest where it would
// change something.
func invoke(t *testing.T, conn *grpc.ClientConn, md protoreflect.MethodDescriptor, token, target string) error {
	t.Helper()
	in, err := protoregistry.GlobalTypes.FindMessageByName(md.Input().FullName())
	if err != nil {
		t.Fatal(err)
	}
	out, err := protoregistry.GlobalTypes.FindMessageByName(md.Output().FullName())
	if err != nil {
		t.Fatal(err)
	}
	req := in.New()
	rule, _ := proto.GetExtension(md.Options(), policyv1.E_Rule).(*policyv1.Rule)
	setPath(req, rule.GetResource(), target)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	method := "/" + string(md.Parent().FullName()) + "/" + string(md.Name())
	if !md.IsStreamingServer() {
		return conn.Invoke(ctx, method, req.Interface(), out.New().Interface())
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(req.Interface()); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(out.New().Interface())
}

func setPath(m protoreflect.Message, path, value string) {
	if path == "" {
		return
	}
	segments := strings.Split(path, ".")
	for _, s := range segments[:len(segments)-1] {
		m = m.Mutable(m.Descriptor().Fields().ByName(protoreflect.Name(s))).Message()
	}
	m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(segments[len(segments)-1])), protoreflect.ValueOfString(value))
}
