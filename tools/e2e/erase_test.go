package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// parts tells what a certificate says.
func parts(e object) []string {
	out := []string{strings.TrimPrefix(fmt.Sprint(e["state"]), "ERASURE_STATE_")}
	list, _ := e["parts"].([]any)
	var done []string
	for _, p := range list {
		done = append(done, fmt.Sprint(p.(map[string]any)["service"], " ", p.(map[string]any)["records"]))
	}
	slices.Sort(done)
	return append(out, done...)
}

// TestErase erases a person in two steps: nothing of theirs is left in any
// service, nobody else is touched, and the certificate says so.
func TestErase(t *testing.T) {
	r := newRig(t)
	c, grace, admin := r.as("acme", "ada", "person"), r.as("acme", "grace", "person"), r.as("acme", "", "admin")
	const graces = "/v1/tenants/acme/people/grace"
	getUpAgain(c)
	c.must("POST", ada+"/stories?storyId=st", `{"situation":"s"}`)
	c.must("POST", ada+"/stories/st/versions?storyVersionId=v", `{"audience":"PUBLIC","text":"What I learned"}`)
	c.must("POST", ada+"/stories/st/versions/v:publish", `{"confirmedText":"What I learned"}`)
	c.must("PATCH", ada+"/profile", `{"timeZone":"Europe/Berlin"}`)
	grace.must("POST", graces+"/setbacks?setbackId=s", `{"title":"Grace's own"}`)
	grace.must("POST", graces+"/setbacks/s:recover", `{}`)
	grace.must("POST", graces+"/grants", grantTo("ada", `"kind":"setbacks"`))
	c.must("POST", graces+"/comments", `{"subject":"tenants/acme/people/grace/setbacks/s","text":"I know that"}`)
	lines, closeStream := c.follow(ada + "/insights:stream")
	collect(t, lines, 1)
	closeStream()

	asked := c.must("POST", ada+":erase", `{}`)
	token := asked["confirmationToken"].(string)
	if asked["records"] != "6" || token == "" { // setback, debrief, lesson, story, version, profile
		t.Errorf("%v", asked)
	}
	grace.refused("POST", ada+":erase", `{}`, 403, "ACCESS_DENIED")
	grace.refused("POST", graces+":erase", `{"confirmationToken":"`+token+`"}`, 400, "CONFIRMATION_INVALID")
	admin.refused("POST", ada+":erase", `{"confirmationToken":"`+token+`"}`, 400, "CONFIRMATION_INVALID")
	c.refused("POST", ada+":erase", `{"confirmationToken":"nonsense"}`, 400, "CONFIRMATION_INVALID")
	c.refused("POST", ada+"/setbacks:erase", `{}`, 404, "ROUTE_NOT_FOUND")
	c.must("GET", ada+"/setbacks/launch", "") // asking erases nothing

	e := c.must("POST", ada+":erase", `{"confirmationToken":"`+token+`"}`)["erasure"].(map[string]any)
	certificate := "/v1/" + e["name"].(string)
	// It is cut short at once, and goes on after the restart.
	r.stop()
	r.start()
	// goals: goal, milestone, step, and what is known of her from the journal
	want := []string{"DONE", "goals 4", "insights 1", "journal 6"}
	eventually(t, want, func() []string { return parts(admin.must("GET", certificate, "")) })
	if again := c.must("POST", ada+":erase", `{"confirmationToken":"`+token+`"}`)["erasure"].(map[string]any); again["name"] != e["name"] || !slices.Equal(parts(again), want) {
		t.Errorf("confirming twice: %v", again)
	}
	if own := c.must("GET", certificate, ""); own["person"] != "tenants/acme/people/ada" || own["finishTime"] == nil {
		t.Errorf("%v", own)
	}
	grace.refused("GET", certificate, "", 404, "NOT_FOUND")
	r.as("other", "", "admin").refused("GET", certificate, "", 403, "ACCESS_DENIED")

	// What they said to others is gone with them.
	if left := grace.must("GET", graces+"/comments", "")["comments"].([]any); len(left) != 0 {
		t.Errorf("%v", left)
	}
	for _, path := range []string{"/setbacks/launch", "/setbacks/launch/debriefs/d1", "/lessons/l1", "/goals/g1", "/goals/g1/steps/s1", "/stories/st/versions/v"} {
		c.refused("GET", ada+path, "", 404, "NOT_FOUND")
	}
	for path, field := range map[string]string{"/setbacks": "setbacks", "/goals": "goals", "/insights": "insights"} {
		if left := c.must("GET", ada+path, "")[field].([]any); len(left) != 0 {
			t.Errorf("%s: %v", path, left)
		}
	}
	if left := grace.must("GET", "/v1/tenants/acme/libraryStories", "")["libraryStories"].([]any); len(left) != 0 {
		t.Errorf("what she published is still there: %v", left)
	}
	if s := c.must("GET", ada+"/summary", ""); s["stepsCompletedLast28"] != 0.0 || s["lessonsCaptured"] != 0.0 {
		t.Errorf("%v", s)
	}
	// Nothing is written to her any more, with words or without.
	c.refused("POST", ada+"/setbacks", `{"title":"x"}`, 404, "NOT_FOUND")
	c.refused("POST", ada+"/checkIns", `{"pleasantness":1,"energy":1}`, 404, "NOT_FOUND")
	c.refused("POST", ada+"/goals", `{"title":"x"}`, 404, "NOT_FOUND")
	if left := grace.must("GET", graces+"/setbacks", "")["setbacks"].([]any); len(left) != 1 || left[0].(map[string]any)["title"] != "Grace's own" {
		t.Errorf("somebody else lost something: %v", left)
	}
	if left := grace.must("GET", graces+"/insights", "")["insights"].([]any); len(left) != 1 {
		t.Errorf("somebody else lost something: %v", left)
	}
}

// TestEraseOverGRPC does it as an admin, for somebody who never wrote a thing.
func TestEraseOverGRPC(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "", "admin"))
	erasures := journalv1.NewErasureServiceClient(dial(t, r.at.Journal))
	const name = "tenants/acme/people/nobody"
	asked, err := erasures.ErasePerson(ctx, &journalv1.ErasePersonRequest{Name: name})
	if err != nil || asked.GetRecords() != 0 {
		t.Fatal(asked, err)
	}
	begun, err := erasures.ErasePerson(ctx, &journalv1.ErasePersonRequest{Name: name, ConfirmationToken: asked.GetConfirmationToken()})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, []string{"done"}, func() []string {
		e, err := erasures.GetErasure(ctx, &journalv1.GetErasureRequest{Name: begun.GetErasure().GetName()})
		if err != nil {
			t.Fatal(err)
		}
		if e.GetState() == journalv1.Erasure_ERASURE_STATE_DONE && len(e.GetParts()) == 3 {
			return []string{"done"}
		}
		return nil
	})
	r.stop()
	for place, raw := range r.stored() {
		if strings.HasPrefix(place, "journal.records") && bytes.Contains(raw, []byte("people/nobody/setbacks")) {
			t.Errorf("%s holds something of them", place)
		}
	}
}
