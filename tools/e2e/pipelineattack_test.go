package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// history reads a stream up to where its history ends.
func history(t *testing.T, lines <-chan line) []line {
	t.Helper()
	var out []line
	timeout := time.After(10 * time.Second)
	for {
		select {
		case l, ok := <-lines:
			switch {
			case !ok:
				t.Fatal("the stream ended before its history")
			case l.insight != nil:
				out = append(out, l)
			}
			if l.end {
				return out
			}
		case <-timeout:
			t.Fatal("the history does not end")
		}
	}
}

// TestPipelineLearnsNobody: a pipeline that knows the names of people, and of what is
// theirs, cannot find out which pseudonym is whose, nor sees anybody who did not
// consent.
func TestPipelineLearnsNobody(t *testing.T) {
	r := newRig(t)
	own := upAgain(r.as("acme", "ada", "person"))
	for _, tenant := range []string{"acme", "other"} { // grace does not consent; ada of the other tenant does
		id := map[string]string{"acme": "grace", "other": "ada"}[tenant]
		c, me := r.as(tenant, id, "person"), "/v1/tenants/"+tenant+"/people/"+id
		if tenant == "other" {
			c.must("PATCH", me+"/profile", `{"consents":{"shareWithPipeline":true}}`)
		}
		c.must("POST", me+"/setbacks?setbackId=launch", `{"title":"It failed","area":"PROJECT"}`)
		c.must("POST", me+"/setbacks/launch:recover", `{}`)
		lines, closeStream := c.follow(me + "/insights:stream")
		collect(t, lines, 1)
		closeStream()
	}
	pipeline := r.as("acme", "", "pipeline")
	read := func(parent, query string) []line {
		lines, closeStream := pipeline.follow(parent + "/insights:stream?" + query)
		defer closeStream()
		return history(t, lines)
	}
	all := read("/v1/tenants/acme", "")
	people := map[string]bool{}
	for _, l := range all {
		text := asText(t, l.insight)
		for _, known := range []string{"/ada", "grace", "launch", "/g1", "/l1"} {
			if strings.Contains(text, known) {
				t.Errorf("%s is told: %s", known, text)
			}
		}
		people[strings.Join(strings.Split(l.name, "/")[:4], "/")] = true
	}
	if len(all) != len(own) || len(people) != 1 {
		t.Fatalf("%d insights of %d people, not %d of one", len(all), len(people), len(own))
	}
	for _, guess := range []string{"/v1/tenants/acme/people/ada", "/v1/tenants/acme/people/grace"} {
		if got := read(guess, ""); len(got) != 0 {
			t.Errorf("%s is told by name: %v", guess, got)
		}
	}
	for _, filter := range []string{
		`subjects:"tenants/acme/people/ada/setbacks/launch"`, `subjects:"tenants/acme/people/grace/setbacks/launch"`,
		`subjects:"` + own[0].name + `"`,
	} {
		if got := read("/v1/tenants/acme", "filter="+url.QueryEscape(filter)); len(got) != 0 {
			t.Errorf("%s finds %d insights", filter, len(got))
		}
	}
	for _, start := range []string{"EARLIEST", "2000-01-01T00:00:00Z"} {
		if got := read("/v1/tenants/acme", "start="+start); len(got) != len(all) {
			t.Errorf("from %s there are %d insights, not %d", start, len(got), len(all))
		}
	}
	// A token of one scope is none of another; an insight has no other way in.
	for token := range map[string]bool{own[0].token: true, all[len(all)-1].token: true} {
		for _, parent := range []string{"/v1/tenants/acme/people/ada", "/v1/tenants/other"} {
			if token == "" {
				continue
			}
			if a := pipeline.do("GET", parent+"/insights:stream?resumeToken="+url.QueryEscape(token), ""); a.status != 400 && a.status != 403 {
				t.Errorf("%s goes on from a foreign token: %d", parent, a.status)
			}
		}
	}
	pipeline.refused("GET", "/v1/"+all[0].name, "", 403, "ROLE_REQUIRED")
	pipeline.refused("GET", "/v1/"+own[0].name, "", 403, "ROLE_REQUIRED")
	// The same id in another tenant is another pseudonym.
	lines, closeStream := r.as("other", "", "pipeline").follow("/v1/tenants/other/insights:stream")
	defer closeStream()
	for _, l := range history(t, lines) {
		if people["tenants/acme/"+strings.Join(strings.Split(l.name, "/")[2:4], "/")] {
			t.Error("a pseudonym is the same in two tenants")
		}
	}
}
