package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestServeDocument: a document goes out with its ETag, unless the client has it
// already, takes none of its kind, or there is none.
func TestServeDocument(t *testing.T) {
	const text = "BEGIN:VCALENDAR\r\n"
	calendar := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("it is asked for by %s", r.Method)
		}
		w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
		_, _ = io.WriteString(w, text)
	}
	problem := func(w http.ResponseWriter, r *http.Request) {
		newProblem(r.Context(), http.StatusNotFound, 5, "NOT_FOUND", "gone").write(w)
	}
	get := func(h http.HandlerFunc, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		serveDocument(w, r, h)
		return w
	}
	etag := get(calendar).Header().Get("ETag")
	if !strings.HasPrefix(etag, `W/"`) || len(etag) != len(`W/""`)+24 {
		t.Fatalf("ETag %q", etag)
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		headers []string
		status  int
		body    string
	}{
		{"anything", calendar, nil, 200, text},
		{"its kind", calendar, []string{"Accept", "text/calendar, */*;q=0.1"}, 200, text},
		{"any text", calendar, []string{"Accept", "text/*"}, 200, text},
		{"another kind", calendar, []string{"Accept", "application/json"}, 406, "NOT_ACCEPTABLE"},
		{"unchanged", calendar, []string{"If-None-Match", `"other", ` + etag}, 304, ""},
		{"unchanged, compared strongly", calendar, []string{"If-None-Match", strings.TrimPrefix(etag, "W/")}, 304, ""},
		{"changed", calendar, []string{"If-None-Match", `W/"other"`}, 200, text},
		{"a problem", problem, []string{"Accept", "text/calendar", "If-None-Match", etag}, 404, "NOT_FOUND"},
	} {
		w := get(c.handler, c.headers...)
		if w.Code != c.status || c.body == "" && w.Body.Len() > 0 || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s: %d %q", c.name, w.Code, w.Body)
		}
		if isProblem := w.Header().Get("Content-Type") == "application/problem+json"; isProblem != (c.status > 400) {
			t.Errorf("%s: %s", c.name, w.Header().Get("Content-Type"))
		}
		if tagged := w.Header().Get("ETag") != ""; tagged == (c.status > 400) {
			t.Errorf("%s: ETag %q", c.name, w.Header().Get("ETag"))
		}
	}
	if policy := get(calendar).Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") {
		t.Errorf("a document may do what %q lets it", policy)
	}
	w := httptest.NewRecorder()
	serveDocument(w, httptest.NewRequest(http.MethodHead, "/", nil), http.HandlerFunc(calendar))
	if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("ETag") != etag || w.Header().Get("Content-Length") != "17" {
		t.Errorf("HEAD: %d %q %v", w.Code, w.Body, w.Header())
	}
}
