package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestBadInput: each mistake gets its own clear answer, and changes nothing.
func TestBadInput(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	const setbacks = ada + "/setbacks"
	made := c.must("POST", setbacks+"?setbackId=a", `{"title":"A","intensity":3}`)
	for range 3 {
		c.must("POST", setbacks, `{"title":"more"}`)
	}
	before := c.do("GET", setbacks+"?orderBy=name", "").raw
	page := c.must("GET", setbacks+"?pageSize=2", "")["nextPageToken"].(string)

	type mistake struct {
		method, path, body string
		status             int
		reason, field      string
	}
	for _, m := range []mistake{
		{"GET", ada + "/nothing", "", 404, "ROUTE_NOT_FOUND", ""},
		{"PUT", setbacks + "/a", "{}", 405, "METHOD_NOT_ALLOWED", ""},
		{"GET", setbacks + "/absent", "", 404, "NOT_FOUND", ""},
		{"GET", setbacks + "/NotAnId", "", 400, "NAME_INVALID", "name"},
		{"GET", "/v1/tenants/acme/people/grace/setbacks/a", "", 403, "ACCESS_DENIED", ""},
		{"GET", "/v1/tenants/other/people/ada/setbacks", "", 403, "ACCESS_DENIED", ""},
		{"GET", "/v1/tenants/acme/people/Ada/setbacks", "", 400, "NAME_INVALID", "parent"},
		{"POST", setbacks, `{"title":`, 400, "JSON_INVALID", ""},
		{"POST", setbacks, `{"titel":"x"}`, 400, "JSON_INVALID", "titel"},
		{"POST", setbacks, `[]`, 400, "JSON_INVALID", ""},
		{"POST", setbacks, `{"title":7}`, 400, "JSON_INVALID", ""},
		{"POST", setbacks, `{"area":"AREA_MOON","title":"x"}`, 400, "JSON_INVALID", ""},
		{"POST", setbacks, `{}`, 400, "REQUIRED", "setback.title"},
		{"POST", setbacks, `{"title":"  "}`, 400, "REQUIRED", "setback.title"},
		{"POST", setbacks, `{"title":"` + strings.Repeat("x", 201) + `"}`, 400, "STRING_MAX_LEN", "setback.title"},
		{"POST", setbacks, `{"title":"x","account":"` + strings.Repeat("x", 20001) + `"}`, 400, "STRING_MAX_LEN", "setback.account"},
		{"POST", setbacks, `{"title":"x","intensity":11}`, 400, "INT32_GTE_LTE", "setback.intensity"},
		{"POST", setbacks, `{"title":"x","feelings":["FEELING_FEAR","FEELING_FEAR"]}`, 400, "REPEATED_UNIQUE", "setback.feelings"},
		{"POST", setbacks, `{"title":"x","factors":[{"note":"y"}]}`, 400, "ENUM_NOT_IN", "setback.factors[0].kind"},
		{"POST", setbacks, `{"title":"x","occurredOn":{"year":2026,"month":2,"day":30}}`, 400, "DATE_INVALID", "setback.occurredOn"},
		{"POST", setbacks, `{"title":"x","occurredOn":{"year":2999,"month":1,"day":1}}`, 400, "DATE_IN_FUTURE", "setback.occurredOn"},
		{"POST", setbacks + "?setbackId=a", `{"title":"x"}`, 409, "ALREADY_EXISTS", ""},
		{"POST", setbacks + "?setbackId=Not_An_Id", `{"title":"x"}`, 400, "ID_INVALID", "setbackId"},
		{"POST", setbacks + "?requestId=not-a-uuid", `{"title":"x"}`, 400, "STRING_UUID", "requestId"},
		{"PATCH", setbacks + "/a?updateMask=nothing", `{"title":"x"}`, 400, "MASK_PATH_UNKNOWN", "updateMask"},
		{"PATCH", setbacks + "/a?updateMask=title.length", `{"title":"x"}`, 400, "MASK_PATH_UNKNOWN", "updateMask"},
		{"PATCH", setbacks + "/a?updateMask=title", `{"intensity":4}`, 400, "REQUIRED", "setback.title"},
		{"PATCH", setbacks + "/a", `{"title":"x","etag":"stale"}`, 409, "ETAG_MISMATCH", ""},
		{"DELETE", setbacks + "/a?etag=stale", "", 409, "ETAG_MISMATCH", ""},
		{"PATCH", setbacks + "/absent", `{"title":"x"}`, 404, "NOT_FOUND", ""},
		{"GET", setbacks + "?filter=intensity+%3E", "", 400, "FILTER_INVALID", "filter"},
		{"GET", setbacks + "?filter=title+%3D+%22x%22", "", 400, "FILTER_FIELD_UNKNOWN", "filter"},
		{"GET", setbacks + "?filter=intensity+%3D+%22x%22", "", 400, "FILTER_INVALID", "filter"},
		{"GET", setbacks + "?filter=state+%3D+MOON", "", 400, "FILTER_INVALID", "filter"},
		{"GET", setbacks + "?filter=" + strings.Repeat("(", 100) + "intensity%3D1" + strings.Repeat(")", 100), "", 400, "FILTER_TOO_DEEP", "filter"},
		{"GET", setbacks + "?filter=" + strings.Repeat("x", 3000), "", 400, "FILTER_TOO_LONG", "filter"},
		{"GET", setbacks + "?orderBy=title", "", 400, "ORDER_FIELD_UNKNOWN", "orderBy"},
		{"GET", setbacks + "?pageSize=-1", "", 400, "PAGE_SIZE_INVALID", "pageSize"},
		{"GET", setbacks + "?pageSize=many", "", 400, "PARAMETER_INVALID", ""},
		{"GET", setbacks + "?pageToken=garbage", "", 400, "PAGE_TOKEN_INVALID", "pageToken"},
		{"GET", setbacks + "?pageToken=" + page[:len(page)-4] + "AAAA", "", 400, "PAGE_TOKEN_INVALID", "pageToken"},
		{"GET", setbacks + "?orderBy=name&pageToken=" + page, "", 400, "PAGE_TOKEN_MISMATCH", "pageToken"},
		{"GET", ada + "/lessons?pageToken=" + page, "", 400, "PAGE_TOKEN_MISMATCH", "pageToken"},
		{"GET", ada + "/insights:stream?resumeToken=garbage", "", 400, "RESUME_TOKEN_INVALID", "resumeToken"},
		{"GET", ada + "/insights:stream?resumeToken=" + page, "", 400, "RESUME_TOKEN_INVALID", "resumeToken"},
		{"GET", ada + "/insights:stream?start=yesterday", "", 400, "START_INVALID", "start"},
		{"GET", ada + "/insights:stream?filter=kind+%3D+MOON", "", 400, "FILTER_INVALID", "filter"},
		{"GET", ada + "/summary?asOf=2999-01-01T00:00:00Z", "", 400, "TIME_IN_FUTURE", "asOf"},
		{"POST", setbacks + "/a:reopen", `{}`, 400, "SETBACK_NOT_CLOSED", ""},
		{"POST", setbacks + "/a:recover", `{"recoveredOn":{"year":2999,"month":1,"day":1}}`, 400, "DATE_IN_FUTURE", "recoveredOn"},
		{"POST", setbacks + "/absent/debriefs", `{"moments":[{"what":"x"}]}`, 404, "NOT_FOUND", ""},
		{"POST", setbacks + "/a/debriefs", `{"answers":[{"question":"no-such","text":"x"}]}`, 400, "QUESTION_UNKNOWN", "debrief.answers[0].question"},
		{"POST", ada + "/lessons", `{"statement":"x","setback":"tenants/acme/people/grace/setbacks/a"}`, 400, "REFERENCE_FOREIGN", "lesson.setback"},
		{"POST", ada + "/lessons", `{"statement":"x","setback":"tenants/acme/people/ada/setbacks/absent"}`, 400, "REFERENCE_UNKNOWN", "lesson.setback"},
		{"POST", ada + "/checkIns", `{"energy":0}`, 400, "REQUIRED", "checkIn.pleasantness"},
		{"POST", ada + "/checkIns", `{"pleasantness":6,"energy":0}`, 400, "INT32_GTE_LTE", "checkIn.pleasantness"},
		{"POST", ada + "/checkIns", `{"pleasantness":1,"energy":0,"timeZone":"Moon/Base"}`, 400, "TIME_ZONE_UNKNOWN", "checkIn.timeZone"},
		{"PATCH", ada + "/gratitudes/2999-01-01?allowMissing=true", `{"items":["x"]}`, 400, "DATE_IN_FUTURE", "gratitudeId"},
		{"POST", ada + "/gratitudes?gratitudeId=today", `{"items":["x"]}`, 400, "DATE_INVALID", "gratitudeId"},
		{"POST", ada + "/gratitudes", `{"items":["a","b","c","d"]}`, 400, "REPEATED_MAX_ITEMS", "gratitude.items"},
		{"PATCH", ada + "/profile", `{"timeZone":"Moon/Base"}`, 400, "TIME_ZONE_UNKNOWN", "profile.timeZone"},
		{"PATCH", ada + "/affiliation", `{"attributes":{"department":"x"}}`, 403, "ROLE_REQUIRED", ""},
		{"POST", ada + "/goals", `{"title":"x","origins":["nonsense"]}`, 400, "NAME_INVALID", "goal.origins[0]"},
		{"POST", ada + "/goals", `{"title":"x","parentGoal":"tenants/acme/people/grace/goals/g"}`, 400, "REFERENCE_FOREIGN", "goal.parentGoal"},
		{"POST", ada + "/goals", `{"title":"x","parentGoal":"tenants/acme/people/ada/goals/absent"}`, 400, "REFERENCE_UNKNOWN", "goal.parentGoal"},
		{"POST", ada + "/goals", `{"title":"x","horizon":"ETERNITY"}`, 400, "JSON_INVALID", ""},
		{"POST", ada + "/goals", `{"title":"x","keyResults":[{"title":"y"}]}`, 400, "TARGET_IS_START", "goal.keyResults[0].target"},
		{"POST", ada + "/goals", `{"title":"x","keyResults":[{"title":"y","target":"NaN"}]}`, 400, "DOUBLE_FINITE", "goal.keyResults[0].target"},
		{"POST", ada + "/goals", `{"title":"x","keyResults":[{"title":"y","target":1,"confidence":1.1}]}`, 400, "DOUBLE_GTE_LTE", "goal.keyResults[0].confidence"},
		{"POST", ada + "/goals", `{"title":"x","obstacles":[{"then":"y"}]}`, 400, "REQUIRED", "goal.obstacles[0].obstacle"},
		{"POST", ada + "/values", `{"meaning":"y"}`, 400, "REQUIRED", "value.displayName"},
		{"POST", ada + "/values", `{"displayName":"x","rank":1001}`, 400, "INT32_GTE_LTE", "value.rank"},
		{"POST", ada + "/avenues", `{"title":"x","ratings":{"joy":6}}`, 400, "INT32_GTE_LTE", "avenue.ratings.joy"},
		{"POST", ada + "/avenues", `{"title":"x","values":["tenants/acme/people/ada/values/absent"]}`, 400, "REFERENCE_UNKNOWN", "avenue.values[0]"},
		{"POST", ada + "/avenues", `{"title":"x","experiments":[{"what":"y","by":{"year":2026,"month":2,"day":30}}]}`, 400, "DATE_INVALID", "avenue.experiments[0].by"},
		{"POST", ada + "/avenues:batchCreate", `{"lines":[]}`, 400, "REQUIRED", "lines"},
		{"POST", ada + "/avenues:batchCreate", `{"lines":["x"],"requestId":"again"}`, 400, "STRING_UUID", "requestId"},
		{"POST", ada + "/avenues:compare", `{"weights":{"joy":0,"realistic":0,"valuesFit":0}}`, 400, "WEIGHTS_ZERO", "weights"},
		{"POST", ada + "/avenues:compare", `{"weights":{"joy":-1}}`, 400, "DOUBLE_GTE_LTE", "weights.joy"},
		{"POST", ada + "/avenues:compare", `{"avenues":["tenants/acme/people/grace/avenues/a"]}`, 400, "REFERENCE_FOREIGN", "avenues[0]"},
		{"POST", ada + "/avenues/absent:choose", `{}`, 404, "NOT_FOUND", ""},
		{"POST", ada + "/avenues?filter=ratings.joy+%3E+3", `{}`, 400, "REQUIRED", "avenue.title"},
		{"GET", ada + "/avenues?filter=title+%3D+%22x%22", "", 400, "FILTER_FIELD_UNKNOWN", "filter"},
	} {
		p := c.refused(m.method, m.path, m.body, m.status, m.reason)
		if m.field != "" {
			vs, _ := p["violations"].([]any)
			if len(vs) == 0 || vs[0].(map[string]any)["field"] != m.field {
				t.Errorf("%s %.100s: want the field %s named: %v", m.method, m.path, m.field, p["violations"])
			}
		}
	}
	c.refused("POST", setbacks, `{"title":"x"}`, 415, "CONTENT_TYPE_UNSUPPORTED", "Content-Type", "text/plain")
	c.refused("POST", setbacks, `{"title":"`+strings.Repeat("x", 3<<20)+`"}`, 413, "BODY_TOO_LARGE")
	c.refused("GET", setbacks, "", 406, "NOT_ACCEPTABLE", "Accept", "text/html")
	client{r, ""}.refused("GET", setbacks, "", 401, "TOKEN_MISSING")
	client{r, "a.b.c"}.refused("GET", setbacks, "", 401, "TOKEN_MALFORMED")
	// A page token is good for who was given it only.
	other := r.as("acme", "grace", "person")
	other.must("POST", "/v1/tenants/acme/people/grace/setbacks", `{"title":"x"}`)
	other.refused("GET", "/v1/tenants/acme/people/grace/setbacks?pageToken="+page, "", 400, "PAGE_TOKEN_FOREIGN")

	if after := c.do("GET", setbacks+"?orderBy=name", "").raw; after != before {
		t.Errorf("a refused request changed something:\n%s\n%s", before, after)
	}
	if again := c.must("PATCH", setbacks+"/a", `{"intensity":5,"etag":"`+made["etag"].(string)+`"}`); again["intensity"] != 5.0 {
		t.Error("the current etag was refused")
	}
	if a := c.do("GET", setbacks, "", "X-Request-Id", "mine-1"); a.header.Get("X-Request-Id") != "mine-1" || a.status != http.StatusOK {
		t.Errorf("request id %q", a.header.Get("X-Request-Id"))
	}
}
