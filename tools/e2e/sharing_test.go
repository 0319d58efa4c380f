package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

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
