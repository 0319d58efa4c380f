package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

const canary = "xylophone-canary-phrase"

// TestCanaries: what a person writes is found in no file, log, metric, event or
// insight.
func TestCanaries(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	c.must("POST", ada+"/setbacks?setbackId=a", `{"title":"`+canary+`1","account":"`+canary+`2","factors":[{"kind":"FACTOR_KIND_OTHER","note":"`+canary+`3"}]}`)
	c.must("POST", ada+"/setbacks/a/debriefs?debriefId=b", `{"moments":[{"what":"`+canary+`4","who":["`+canary+`5"],"thought":"`+canary+`6"}],
		"answers":[{"question":"why","text":"`+canary+`7"}],"blindSpots":["`+canary+`8"],"warningSigns":["`+canary+`9"]}`)
	c.must("POST", ada+"/setbacks/a/debriefs/b:complete", `{}`)
	c.must("POST", ada+"/lessons?lessonId=l", `{"statement":"`+canary+`10","nextTime":"`+canary+`11","setback":"tenants/acme/people/ada/setbacks/a"}`)
	c.must("POST", ada+"/lessons/l:apply", `{"evidence":"`+canary+`12"}`)
	c.must("POST", ada+"/checkIns", `{"pleasantness":-3,"energy":0,"note":"`+canary+`13"}`)
	c.must("POST", ada+"/gratitudes", `{"items":["`+canary+`14","`+canary+`15"]}`)
	c.must("POST", ada+"/goals?goalId=g", `{"title":"`+canary+`16","why":"`+canary+`17"}`)
	c.must("POST", ada+"/goals/g/milestones?milestoneId=m", `{"title":"`+canary+`18","reward":"`+canary+`19"}`)
	c.must("POST", ada+"/goals/g/milestones/m:reach", `{}`)
	c.must("POST", ada+"/goals/g/milestones/m:celebrate", `{"how":"`+canary+`20"}`)
	c.must("POST", ada+"/goals/g/steps?stepId=s", `{"title":"`+canary+`21","unit":"`+canary+`22"}`)
	c.must("POST", ada+"/goals/g/steps/s:complete", `{"note":"`+canary+`23"}`)
	c.must("POST", ada+"/setbacks/a:recover", `{"note":"`+canary+`24"}`)
	c.must("POST", ada+"/goals/g:drop", `{"reason":"`+canary+`25"}`)
	c.must("POST", ada+"/values?valueId=v", `{"displayName":"`+canary+`30","meaning":"`+canary+`31"}`)
	brainstorm := c.must("POST", ada+"/avenues:batchCreate", `{"lines":["`+canary+`32","`+strings.Repeat(canary, 20)+`"]}`)["results"].([]any)
	c.must("PATCH", "/v1/"+brainstorm[0].(map[string]any)["avenue"].(map[string]any)["name"].(string), `{"notes":"`+canary+`33","ratings":{"joy":5},
		"values":["tenants/acme/people/ada/values/v"],"experiments":[{"what":"`+canary+`34","learned":"`+canary+`35"}]}`)
	if table := c.do("POST", ada+"/avenues:compare", `{}`); !strings.Contains(table.raw, "your values: "+canary+"30") {
		t.Errorf("the comparison does not name the value: %s", table.raw)
	}
	c.must("POST", ada+"/avenues?avenueId=x", `{"title":"`+canary+`36"}`)
	c.must("POST", ada+"/avenues/x:reject", `{"reason":"`+canary+`37"}`)
	c.must("PATCH", ada+"/goals/g", `{"keyResults":[{"id":"k","title":"`+canary+`38","target":1,"unit":"`+canary+`"}],"preMortem":[{"cause":"`+canary+`39","prevention":"`+canary+`40"}],
		"obstacles":[{"id":"o","obstacle":"`+canary+`41","when":"`+canary+`42","then":"`+canary+`43"}]}`)
	c.must("POST", ada+"/goals/g:checkInKeyResult", `{"keyResult":"k","current":1,"note":"`+canary+`44"}`)
	c.must("POST", ada+"/goals/g:meetObstacle", `{"obstacle":"o","followed":true}`)
	c.do("POST", ada+"/goals/g:checkInKeyResult", `{"keyResult":"`+canary+`"}`)
	// Mistakes with words in them, too.
	c.do("POST", ada+"/setbacks", `{"title":"`+canary+`26","unknown":"`+canary+`"}`)
	c.do("POST", ada+"/setbacks", `{"title":"`+strings.Repeat(canary, 20)+`"}`)
	c.do("GET", ada+"/setbacks?filter=title="+canary, "")
	c.do("GET", ada+"/"+canary, "")

	for path, want := range map[string]string{
		"/setbacks/a": canary + "24", "/setbacks/a/debriefs/b": canary + "5", "/lessons/l": canary + "12",
		"/goals/g": canary + "44", "/values/v": canary + "31", "/avenues/x": canary + "37", "/goals/g/milestones/m": canary + "20", "/goals/g/steps/s": canary + "23",
	} {
		if a := c.do("GET", ada+path, ""); !strings.Contains(a.raw, want) {
			t.Errorf("the person does not get back what they wrote at %s", path)
		}
	}
	lines, _ := c.follow(ada + "/insights:stream")
	insights, _ := collect(t, lines, 4)
	for _, l := range insights {
		for k, v := range l.insight {
			if s, ok := v.(string); ok && strings.Contains(s, canary) {
				t.Errorf("an insight's %s holds a person's words", k)
			}
		}
	}
	res, err := http.Get("http://" + r.at.HTTP + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	metrics, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(metrics, []byte("http_server_request_duration")) {
		t.Fatalf("no metrics: %v", err)
	}
	if bytes.Contains(metrics, []byte(canary)) || bytes.Contains(metrics, []byte("people/ada")) {
		t.Error("metrics name a person or hold their words")
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

// TestPipeline: a pipeline sees only people who consent, only under pseudonyms,
// and no more of them once they withdraw.
func TestPipeline(t *testing.T) {
	r := newRig(t)
	c, grace := r.as("acme", "ada", "person"), r.as("acme", "grace", "person")
	const graces = "/v1/tenants/acme/people/grace"
	c.must("PATCH", ada+"/profile", `{"consents":{"shareWithPipeline":true}}`)
	getUpAgain(c)
	grace.must("POST", graces+"/setbacks?setbackId=s", `{"title":"x"}`)
	grace.must("POST", graces+"/setbacks/s:recover", `{}`)
	mine, _ := c.follow(ada + "/insights:stream")
	collect(t, mine, 1)
	theirs, _ := grace.follow(graces + "/insights:stream")
	collect(t, theirs, 1)

	pipeline := r.as("acme", "", "pipeline")
	lines, closeStream := pipeline.follow("/v1/tenants/acme/insights:stream")
	c.must("POST", ada+"/setbacks/launch:recover", `{}`)
	got, token := collect(t, lines, 2)
	closeStream()
	for _, l := range got {
		if strings.Contains(l.name, "ada") || strings.Contains(l.name, "grace") || !strings.HasPrefix(l.name, "tenants/acme/people/p-") {
			t.Errorf("the name %s is no pseudonym", l.name)
		}
		for _, s := range l.insight["subjects"].([]any) {
			if text := s.(string); strings.Contains(text, "ada") || strings.Contains(text, "launch") || strings.Contains(text, "g1") {
				t.Errorf("the subject %s says too much", text)
			}
		}
	}
	pseudonym := strings.Split(got[0].name, "/")[3]
	if other := strings.Split(got[1].name, "/")[3]; other != pseudonym {
		t.Errorf("one person has two pseudonyms: %s and %s", pseudonym, other)
	}
	// Nobody can find out a pseudonym by asking for the name behind it.
	probe, closeProbe := pipeline.follow("/v1/tenants/acme/insights:stream?filter=subjects:%22tenants/acme/people/ada/setbacks/launch%22")
	for l := range probe {
		if l.insight != nil {
			t.Errorf("a filter by real name answers %v", l.insight)
		}
		if l.end {
			break
		}
	}
	closeProbe()
	// One person by pseudonym.
	one, closeOne := pipeline.follow("/v1/tenants/acme/people/" + pseudonym + "/insights:stream")
	if narrowed, _ := collect(t, one, 2); len(narrowed) != 2 {
		t.Errorf("%d insights of one person", len(narrowed))
	}
	closeOne()
	// Tokens are good for the same view only.
	c.refused("GET", ada+"/insights:stream?resumeToken="+token, "", 400, "RESUME_TOKEN_FOREIGN")
	pipeline.refused("GET", "/v1/tenants/other/insights:stream", "", 403, "ACCESS_DENIED")
	pipeline.refused("GET", ada+"/insights", "", 403, "ROLE_REQUIRED")
	c.refused("GET", "/v1/tenants/acme/insights:stream", "", 403, "ACCESS_DENIED")
}
