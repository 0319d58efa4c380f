package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

var now = clock.NewManual(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))

func setUp(t testing.TB, tenants ...string) (*auth.Issuer, *auth.Verifier) {
	t.Helper()
	issuer, err := auth.OpenIssuer(t.TempDir(), now.Now)
	if err != nil {
		t.Fatal(err)
	}
	v, err := auth.NewVerifier(t.Context(), auth.Config{
		Issuer: auth.DevIssuer, Audience: auth.DevAudience, JWKSFile: issuer.JWKSFile(), Clock: now.Now, Tenants: tenants,
	})
	if err != nil {
		t.Fatal(err)
	}
	return issuer, v
}

func person() auth.Claims {
	return auth.Claims{Subject: "ada", Tenant: "acme", Person: "ada", Roles: []string{"person"}, TTL: time.Hour}
}

func reason(err error) string {
	if f, ok := fault.As(err); ok {
		return f.Reason
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestVerify(t *testing.T) {
	issuer, v := setUp(t, "acme")
	token, err := issuer.Mint(person())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time out of the cache
		p, err := v.Verify(t.Context(), token)
		if err != nil || p.Owner() != "tenants/acme/people/ada" || p.ID() != "acme/ada/ada" {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	later := clock.NewManual(now.Now().Add(time.Hour + time.Minute))
	expired, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: auth.DevIssuer, Audience: auth.DevAudience, JWKSFile: issuer.JWKSFile(), Clock: later.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := expired.Verify(t.Context(), token); reason(err) != "TOKEN_EXPIRED" {
		t.Errorf("expired: %v", err)
	}
	foreign, err := auth.OpenIssuer(t.TempDir(), now.Now)
	if err != nil {
		t.Fatal(err)
	}
	if token, err = foreign.Mint(person()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); reason(err) != "TOKEN_SIGNATURE" {
		t.Errorf("foreign key: %v", err)
	}
}

func TestVerifyClaims(t *testing.T) {
	issuer, v := setUp(t, "acme")
	for want, change := range map[string]func(*auth.Claims){
		"":               func(*auth.Claims) {},
		"TOKEN_TENANT":   func(c *auth.Claims) { c.Tenant = "" },
		"TENANT_UNKNOWN": func(c *auth.Claims) { c.Tenant = "nobody" },
		"TOKEN_PERSON":   func(c *auth.Claims) { c.Person = "Not An Id" },
		"TOKEN_ROLES":    func(c *auth.Claims) { c.Roles = []string{"emperor"} },
		"TOKEN_EXPIRED":  func(c *auth.Claims) { c.TTL = -time.Hour },
	} {
		c := person()
		change(&c)
		token, err := issuer.Mint(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), token); reason(err) != want {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	service := auth.Claims{Subject: "insights", Roles: []string{"service"}, TTL: time.Hour}
	token, err := issuer.Mint(service)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("service: %v", err)
	}
	for _, bad := range []string{"", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", strings.Repeat("a", auth.MaxTokenBytes+1)} {
		if _, err := v.Verify(t.Context(), bad); reason(err) != "TOKEN_MALFORMED" {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// TestDiscovery signs with a key that is found by OIDC discovery.
func TestDiscovery(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(v); err != nil {
				t.Error(err)
			}
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", answer(map[string]any{"issuer": server.URL, "jwks_uri": server.URL + "/keys"}))
	mux.HandleFunc("/keys", answer(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}))
	v, err := auth.NewVerifier(t.Context(), auth.Config{Issuer: server.URL, Audience: "rebound", Clock: now.Now, TenantClaim: "org"})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mint := func(issuer, audience string, notBefore time.Time) string {
		token, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: issuer, Audience: jwt.Audience{audience}, Subject: "x", Expiry: jwt.NewNumericDate(now.Now().Add(2 * time.Hour)),
			NotBefore: jwt.NewNumericDate(notBefore),
		}).Claims(map[string]any{"org": "acme", "person": "ada", "roles": "person coach"}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for want, token := range map[string]string{
		"":               mint(server.URL, "rebound", now.Now()),
		"TOKEN_ISSUER":   mint("https://else.invalid", "rebound", now.Now()),
		"TOKEN_AUDIENCE": mint(server.URL, "else", now.Now()),
		"TOKEN_NOT_YET":  mint(server.URL, "rebound", now.Now().Add(time.Hour)),
	} {
		if _, err := v.Verify(t.Context(), token); reason(err) != want {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestAuthorise(t *testing.T) {
	setbacks := journalv1.File_rebound_journal_v1_setback_proto.Services().Get(0)
	affiliations := journalv1.File_rebound_journal_v1_affiliation_proto.Services().Get(0)
	questions := journalv1.File_rebound_journal_v1_debrief_question_proto.Services().Get(0)
	events := eventsv1.File_rebound_events_v1_event_service_proto.Services().Get(0)
	rules, err := auth.LoadRules(setbacks, affiliations, questions, events)
	if err != nil {
		t.Fatal(err)
	}
	who := func(tenant, person string, roles ...string) *auth.Principal {
		p := &auth.Principal{Subject: person, Tenant: tenant, Person: person}
		for _, r := range roles {
			role, _ := auth.ParseRole(r)
			p.Roles = append(p.Roles, role)
		}
		return p
	}
	ada, admin, service := who("acme", "ada", "person"), who("acme", "", "admin"), who("", "", "service")
	coach := who("acme", "cara", "coach")
	const granted = "granted" // let in, if grace has given a grant
	get := func(name string) proto.Message { return &journalv1.GetSetbackRequest{Name: name} }
	patch := func(name string) proto.Message {
		return &journalv1.UpdateAffiliationRequest{Affiliation: &journalv1.Affiliation{Name: name}}
	}
	const getSetback, updateAffiliation = "/rebound.journal.v1.SetbackService/GetSetback", "/rebound.journal.v1.AffiliationService/UpdateAffiliation"
	for _, c := range []struct {
		who    *auth.Principal
		method string
		req    proto.Message
		want   string
	}{
		{ada, getSetback, get("tenants/acme/people/ada/setbacks/a"), ""},
		{ada, getSetback, get("tenants/acme/people/grace/setbacks/a"), granted},
		{coach, getSetback, get("tenants/acme/people/grace/setbacks/a"), granted},
		{who("acme", "", "coach"), getSetback, get("tenants/acme/people/grace/setbacks/a"), "ACCESS_DENIED"},
		{coach, getSetback, get("tenants/other/people/grace/setbacks/a"), "ACCESS_DENIED"},
		{coach, "/rebound.journal.v1.SetbackService/CloseSetback", &journalv1.CloseSetbackRequest{Name: "tenants/acme/people/grace/setbacks/a"}, "ROLE_REQUIRED"},
		{ada, getSetback, get("tenants/other/people/ada/setbacks/a"), "ACCESS_DENIED"},
		{ada, getSetback, get("tenants/acme"), "ACCESS_DENIED"},
		{ada, getSetback, get("people/ada"), "NAME_INVALID"},
		{ada, getSetback, get(""), "NAME_INVALID"},
		{ada, getSetback, get("tenants/acme/people/ada/../grace"), ""}, // the owner's; the name itself fails later
		{admin, getSetback, get("tenants/acme/people/ada/setbacks/a"), "ROLE_REQUIRED"},
		{who("acme", "ada", "coach"), getSetback, get("tenants/acme/people/ada/setbacks/a"), "ACCESS_DENIED"},
		{admin, updateAffiliation, patch("tenants/acme/people/ada/affiliation"), ""},
		{admin, updateAffiliation, patch("tenants/other/people/ada/affiliation"), "ACCESS_DENIED"},
		{ada, updateAffiliation, patch("tenants/acme/people/ada/affiliation"), "ROLE_REQUIRED"},
		{admin, updateAffiliation, &journalv1.UpdateAffiliationRequest{}, "NAME_INVALID"},
		{admin, "/rebound.journal.v1.DebriefQuestionService/ListDebriefQuestions", &journalv1.ListDebriefQuestionsRequest{}, ""},
		{nil, "/rebound.journal.v1.DebriefQuestionService/ListDebriefQuestions", &journalv1.ListDebriefQuestionsRequest{}, "TOKEN_MISSING"},
		{service, "/rebound.events.v1.EventService/StreamEvents", &eventsv1.StreamEventsRequest{}, ""},
		{ada, "/rebound.events.v1.EventService/StreamEvents", &eventsv1.StreamEventsRequest{}, "ROLE_REQUIRED"},
		{ada, "/rebound.journal.v1.Nothing/Nothing", &eventsv1.StreamEventsRequest{}, "METHOD_UNKNOWN"},
	} {
		decision, err := rules.Authorise(c.who, c.method, c.req)
		if reason(err) != strings.TrimPrefix(c.want, granted) {
			t.Errorf("%v %s %v: want %q, got %v", c.who, c.method, c.req, c.want, err)
		}
		if (decision.Relation == policyv1.Relation_RELATION_GRANTED) != (c.want == granted) || c.want == granted && decision.Owner != "tenants/acme/people/grace" {
			t.Errorf("%v %s %v: let in by %v about %s", c.who, c.method, c.req, decision.Relation, decision.Owner)
		}
	}
}

// TestRulesAreRequired: a service of ours without rules does not start.
func TestRulesAreRequired(t *testing.T) {
	health := healthpb.File_grpc_health_v1_health_proto.Services().Get(0)
	if _, err := auth.LoadRules(health); err == nil {
		t.Fatal("methods without a rule were accepted")
	}
}

// TestItemsAreAList: a rule that charges for the elements of what is no list does not start.
func TestItemsAreAList(t *testing.T) {
	avenues := goalsv1.File_rebound_goals_v1_avenue_proto
	if _, err := auth.LoadRules(avenues.Services().Get(0)); err != nil {
		t.Fatal(err)
	}
	for _, items := range []string{"parent", "absent"} {
		file := protodesc.ToFileDescriptorProto(avenues)
		for _, m := range file.GetService()[0].GetMethod() {
			if m.GetName() == "BatchCreateAvenues" {
				rule := proto.GetExtension(m.GetOptions(), policyv1.E_Rule).(*policyv1.Rule)
				rule.Items = items
			}
		}
		changed, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := auth.LoadRules(changed.Services().Get(0)); err == nil || !strings.Contains(err.Error(), items) {
			t.Errorf("%s was accepted as a list: %v", items, err)
		}
	}
}

func TestSources(t *testing.T) {
	issuer, v := setUp(t)
	src := auth.PerRPC{Source: issuer.Source(auth.Claims{Subject: "insights", Roles: []string{"service"}, TTL: time.Hour})}
	md, err := src.GetRequestMetadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), strings.TrimPrefix(md["authorization"], "Bearer ")); err != nil {
		t.Fatal(err)
	}
}

func FuzzVerify(f *testing.F) {
	issuer, v := setUp(f)
	token, err := issuer.Mint(person())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := v.Verify(t.Context(), text); err != nil {
			if fl, ok := fault.As(err); !ok || fl.Code.String() != "Unauthenticated" {
				t.Fatal(err)
			}
		}
	})
}
