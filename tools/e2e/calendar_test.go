package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// today stays the same when a test runs into the next day.
var today = time.Now().UTC()

// in is a date so many days from today, as JSON; on is the same as calendars have it.
func in(days int) string {
	d := today.AddDate(0, 0, days)
	return fmt.Sprintf(`{"year":%d,"month":%d,"day":%d}`, d.Year(), d.Month(), d.Day())
}

func on(days int) string { return today.AddDate(0, 0, days).Format("20060102") }

// planAhead is what a person writes that has a place in a calendar.
func planAhead(c client, words string) {
	c.must("PATCH", ada+"/profile", `{"timeZone":"Europe/Berlin"}`)
	c.must("POST", ada+"/setbacks?setbackId=launch", `{"title":"`+words+` launch"}`)
	slot := today.AddDate(0, 0, 3).Format("2006-01-02") + "T17:00:00Z"
	c.must("POST", ada+"/setbacks/launch/debriefs?debriefId=d", `{"scheduledTime":"`+slot+`","duration":"5400s","moments":[{"what":"x"}]}`)
	c.must("POST", ada+"/setbacks/launch/debriefs/d:complete", `{}`)
	c.must("POST", ada+"/setbacks/launch/debriefs/d:scheduleRevisits", `{"dates":[`+in(20)+`]}`)
	c.must("POST", ada+"/lessons?lessonId=l", `{"statement":"`+words+` lesson","reviewOn":`+in(30)+`}`)
	c.must("POST", ada+"/goals?goalId=g", `{"title":"x"}`)
	c.must("POST", ada+"/goals/g/steps?stepId=a", `{"title":"`+words+` step","dueDate":`+in(10)+`}`)
	c.must("POST", ada+"/goals/g/steps?stepId=b", `{"title":"`+words+` habit","recurrence":"FREQ=DAILY;COUNT=3","startDate":`+in(5)+`}`)
	c.must("POST", ada+"/goals/g/steps?stepId=c", `{"title":"`+words+` done","dueDate":`+in(11)+`}`)
	c.must("POST", ada+"/goals/g/steps/c:complete", `{}`)
	c.must("POST", ada+"/goals?goalId=dropped", `{"title":"x"}`)
	c.must("POST", ada+"/goals/dropped/steps", `{"title":"`+words+` dropped","dueDate":`+in(12)+`}`)
	c.must("POST", ada+"/goals/dropped:drop", `{}`)
}

// inCalendar reads a calendar, an entry a line: first day, rule, summary.
func inCalendar(t *testing.T, text string) []string {
	t.Helper()
	c, err := ics.ParseCalendar(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var out []string
	for _, e := range c.Events() {
		words := []string{}
		for _, p := range []ics.ComponentProperty{ics.ComponentPropertyDtStart, ics.ComponentPropertyRrule, ics.ComponentPropertySummary} {
			if v := e.GetProperty(p); v != nil {
				words = append(words, v.Value)
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

// planned is what planAhead has put there, with words or without.
func planned(words string) []string {
	title := func(of string) string {
		if words == "" {
			return ""
		}
		return ": " + words + " " + of
	}
	return []string{
		on(3) + "T170000Z Debrief" + title("launch"), on(5) + " FREQ=DAILY;COUNT=3 Step" + title("habit"), on(10) + " Step" + title("step"),
		on(20) + " Debrief revisit" + title("launch"), on(30) + " Lesson review" + title("lesson"),
	}
}

// TestCalendar: a person's calendar over REST, by token and by link, until the link
// is revoked or the person erased.
func TestCalendar(t *testing.T) {
	r := newRig(t)
	c, nobody := r.as("acme", "ada", "person"), client{r: r}
	planAhead(c, "My")
	own := c.do("GET", ada+"/calendar.ics", "", "Accept", "text/calendar")
	if got := inCalendar(t, own.raw); !slices.Equal(got, planned("My")) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(planned("My"), "\n"))
	}
	etag := own.header.Get("ETag")
	if own.header.Get("Content-Type") != "text/calendar; charset=utf-8" || own.header.Get("Cache-Control") != "private, no-cache" || !strings.HasPrefix(etag, `W/"`) {
		t.Errorf("%v", own.header)
	}
	if a := c.do("GET", ada+"/calendar.ics", "", "If-None-Match", etag); a.status != 304 || a.raw != "" {
		t.Errorf("unchanged, it is %d with %d bytes", a.status, len(a.raw))
	}
	if a := c.do("HEAD", ada+"/calendar.ics", ""); a.status != 200 || a.raw != "" || a.header.Get("ETag") != etag {
		t.Errorf("HEAD: %d %q %v", a.status, a.raw, a.header)
	}
	c.must("PATCH", ada+"/goals/g/steps/a", `{"title":"My better step"}`)
	if a := c.do("GET", ada+"/calendar.ics", "", "If-None-Match", etag); a.status != 200 || !strings.Contains(a.raw, "Step: My better step") {
		t.Errorf("changed, it is %d", a.status)
	}
	c.refused("GET", ada+"/calendar.ics", "", 406, "NOT_ACCEPTABLE", "Accept", "application/json")
	nobody.refused("GET", ada+"/calendar.ics", "", 401, "TOKEN_MISSING")
	r.as("acme", "grace", "person").refused("GET", ada+"/calendar.ics", "", 403, "ACCESS_DENIED")
	c.refused("POST", ada+"/calendar.ics", "{}", 405, "METHOD_NOT_ALLOWED")

	read := func(path, want string) {
		t.Helper()
		a := nobody.do("GET", path, "")
		if a.status != 200 || !slices.Equal(inCalendar(t, a.raw), planned(want)) || want == "" && strings.Contains(a.raw, "My") {
			t.Errorf("by link, with the words %q: %d %s", want, a.status, a.raw)
		}
	}
	c.must("PATCH", ada+"/goals/g/steps/a", `{"title":"My step"}`)
	made := c.must("POST", ada+"/calendarLink:replace", `{}`)
	first := made["path"].(string)
	read(first, "")
	c.must("PATCH", ada+"/calendarLink", `{"includeTitles":true}`)
	read(first, "My")
	second := c.must("POST", ada+"/calendarLink:replace", `{"includeTitles":false}`)["path"].(string)
	read(second, "")
	gone := nobody.refused("GET", first, "", 404, "NOT_FOUND")
	for _, path := range []string{"/v1/calendars/x/calendar.ics", first[:len(first)-20] + "AAAA/calendar.ics", "/v1/calendars/" + strings.Repeat("A", 5000) + "/calendar.ics"} {
		wrong := nobody.refused("GET", path, "", 404, "NOT_FOUND")
		delete(wrong, "requestId")
		delete(gone, "requestId")
		if fmt.Sprint(wrong) != fmt.Sprint(gone) {
			t.Errorf("%v tells apart from %v", wrong, gone)
		}
	}
	if l := c.must("GET", ada+"/calendarLink", ""); l["issueTime"] == nil || strings.Contains(fmt.Sprint(l), strings.Split(second, "/")[3]) {
		t.Errorf("%v", l)
	}
	if l := c.must("POST", ada+"/calendarLink:revoke", `{}`); l["issueTime"] != nil || l["fingerprint"] != "" {
		t.Errorf("%v", l)
	}
	nobody.refused("GET", second, "", 404, "NOT_FOUND")

	third := c.must("POST", ada+"/calendarLink:replace", `{}`)["path"].(string)
	read(third, "")
	token := c.must("POST", ada+":erase", `{}`)["confirmationToken"].(string)
	c.must("POST", ada+":erase", `{"confirmationToken":"`+token+`"}`)
	eventually(t, []string{"404"}, func() []string { return []string{fmt.Sprint(nobody.do("GET", third, "").status)} })
	c.refused("POST", ada+"/calendarLink:replace", `{}`, 404, "NOT_FOUND")
}

// TestCalendarOverGRPC: the same, on the journal's port and on the edge's.
func TestCalendarOverGRPC(t *testing.T) {
	r := newRig(t)
	planAhead(r.as("acme", "ada", "person"), "My")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	for _, target := range []string{r.at.Journal, r.at.HTTP} {
		calendars, links := journalv1.NewCalendarServiceClient(dial(t, target)), journalv1.NewCalendarLinkServiceClient(dial(t, target))
		own, err := calendars.GetCalendar(ctx, &journalv1.GetCalendarRequest{Parent: "tenants/acme/people/ada"})
		if err != nil || own.GetContentType() != "text/calendar; charset=utf-8" || !slices.Equal(inCalendar(t, string(own.GetData())), planned("My")) {
			t.Fatalf("%v, %v", own, err)
		}
		const name = "tenants/acme/people/ada/calendarLink"
		made, err := links.ReplaceCalendarLink(ctx, &journalv1.ReplaceCalendarLinkRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		linked, err := calendars.GetLinkedCalendar(t.Context(), &journalv1.GetLinkedCalendarRequest{Secret: made.GetSecret()})
		if err != nil || !slices.Equal(inCalendar(t, string(linked.GetData())), planned("")) {
			t.Fatalf("%v, %v", linked, err)
		}
		if _, err := links.RevokeCalendarLink(ctx, &journalv1.RevokeCalendarLinkRequest{Name: name, Etag: made.GetCalendarLink().GetEtag()}); err != nil {
			t.Fatal(err)
		}
		if _, err := calendars.GetLinkedCalendar(t.Context(), &journalv1.GetLinkedCalendarRequest{Secret: made.GetSecret()}); status.Code(err) != codes.NotFound {
			t.Errorf("revoked: %v", err)
		}
	}
}

// TestCalendarSecrets: neither secrets nor titles are in a store, a log or a metric,
// whether they lead somewhere or not.
func TestCalendarSecrets(t *testing.T) {
	r := newRig(t)
	c, nobody := r.as("acme", "ada", "person"), client{r: r}
	planAhead(c, canary)
	hidden := []string{canary}
	for range 2 {
		made := c.must("POST", ada+"/calendarLink:replace", `{"includeTitles":true}`)
		hidden = append(hidden, made["secret"].(string), made["calendarLink"].(map[string]any)["fingerprint"].(string))
		if a := nobody.do("GET", made["path"].(string), ""); a.status != 200 || !strings.Contains(a.raw, canary) {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	nobody.do("GET", "/v1/calendars/"+hidden[1]+"/calendar.ics", "")
	nobody.do("GET", "/v1/calendars/"+hidden[1]+"/calendar.ics?x="+hidden[1], "")
	nobody.do("POST", "/v1/calendars/"+hidden[1]+"/calendar.ics", "{}")
	nobody.do("GET", "/v1/calendars/"+hidden[1]+"/else", "")
	metrics := nobody.do("GET", "/metrics", "").raw
	if !strings.Contains(metrics, `route="/v1/calendars/*/calendar.ics"`) {
		t.Error("links are not measured")
	}
	r.stop()
	places := r.stored()
	places["metrics"], places["logs"] = []byte(metrics), []byte(r.logs.String())
	for place, raw := range places {
		for i, secret := range hidden {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds the secret number %d", place, i)
			}
		}
	}
}

// TestCalendarCommand: the CLI saves a calendar, makes a link and ends it.
func TestCalendarCommand(t *testing.T) {
	r := newRig(t)
	planAhead(r.as("acme", "ada", "person"), "My")
	dir, binary := t.TempDir(), program(t, "rebound")
	rebound := func(args ...string) string {
		t.Helper()
		args = append([]string{"calendar", "--tenant", "acme", "--person", "ada", "--url", "http://" + r.at.HTTP, "--data", r.data}, args...)
		out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	file := filepath.Join(dir, "mine.ics")
	printed, said := rebound(), rebound("--out", file)
	saved, err := os.ReadFile(file)
	if err != nil || said != "" || string(saved) != printed || !slices.Equal(inCalendar(t, printed), planned("My")) {
		t.Errorf("%v, %q\n%s", err, said, printed)
	}
	link := strings.TrimSpace(rebound("--new-link"))
	path, found := strings.CutPrefix(link, "http://"+r.at.HTTP)
	nobody := client{r: r}
	if a := nobody.do("GET", path, ""); !found || !slices.Equal(inCalendar(t, a.raw), planned("")) {
		t.Errorf("%s: %d %s", link, a.status, a.raw)
	}
	titled := strings.TrimPrefix(strings.TrimSpace(rebound("--new-link", "--titles")), "http://"+r.at.HTTP)
	nobody.refused("GET", path, "", 404, "NOT_FOUND")
	if a := nobody.do("GET", titled, ""); !slices.Equal(inCalendar(t, a.raw), planned("My")) {
		t.Errorf("%d %s", a.status, a.raw)
	}
	rebound("--revoke-link")
	nobody.refused("GET", titled, "", 404, "NOT_FOUND")
}
