package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1" // registers its services
)

// TestOpenAPI: the document is valid, has every REST binding and none besides,
// and every operation tells what it does and how it fails.
func TestOpenAPI(t *testing.T) {
	r := newRig(t)
	doc, err := openapi3.NewLoader().LoadFromData([]byte(client{r: r}.do("GET", "/openapi.json", "").raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	parameter := regexp.MustCompile(`\{[^}]+\}`)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			described[method+" "+parameter.ReplaceAllString(path, "*")] = true
			if op.Summary+op.Description == "" || op.Responses.Default() == nil && op.Responses.Value("default") == nil {
				t.Errorf("%s %s does not say what it does, or how it fails", method, path)
			}
		}
	}
	for _, binding := range bindings() {
		if !described[binding] {
			t.Errorf("%s is not described", binding)
		}
		delete(described, binding)
	}
	for extra := range described {
		t.Errorf("%s is described and not served", extra)
	}
}

// bindings are the method and path of all REST bindings, ids replaced by stars.
func bindings() []string {
	var out []string
	variable := regexp.MustCompile(`\{[a-z_.]+=([^}]*)\}`)
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			methods := fd.Services().Get(i).Methods()
			for j := range methods.Len() {
				rule, _ := proto.GetExtension(methods.Get(j).Options(), annotations.E_Http).(*annotations.HttpRule)
				if rule == nil || !strings.HasPrefix(string(fd.Package()), "rebound.") {
					continue
				}
				for _, b := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
					for method, path := range map[string]string{"GET": b.GetGet(), "POST": b.GetPost(), "PATCH": b.GetPatch(), "DELETE": b.GetDelete()} {
						if path != "" {
							out = append(out, method+" "+variable.ReplaceAllString(path, "$1"))
						}
					}
				}
			}
		}
		return true
	})
	return out
}

// TestReference: the API reference needs nothing from elsewhere.
func TestReference(t *testing.T) {
	r := newRig(t)
	page := client{r: r}.do("GET", "/docs/", "")
	if page.status != http.StatusOK || !strings.Contains(page.raw, "/openapi.json") {
		t.Fatalf("%d %.200s", page.status, page.raw)
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") {
		t.Errorf("policy %q", policy)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.raw, -1) {
		if strings.Contains(m[1], "//") {
			t.Errorf("it takes %s from elsewhere", m[1])
			continue
		}
		if strings.HasPrefix(m[1], "/docs/") {
			if a := (client{r: r}).do("GET", m[1], ""); a.status != http.StatusOK {
				t.Errorf("%s: %d", m[1], a.status)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/"} {
		eventually(t, []string{path + " 200"}, func() []string { // services say a moment after the start that they can serve
			return []string{fmt.Sprint(path, " ", (client{r: r}).do("GET", path, "").status)}
		})
	}
}

// TestCORS: only the origins of the list may call from a browser.
func TestCORS(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	preflight := func(origin string) answer {
		return client{r: r}.do("OPTIONS", ada+"/setbacks", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	}
	if a := preflight(allowedOrigin); a.header.Get("Access-Control-Allow-Origin") != allowedOrigin || !strings.Contains(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), "authorization") {
		t.Errorf("%v", a.header)
	}
	if a := c.do("GET", ada+"/setbacks", "", "Origin", allowedOrigin); a.header.Get("Access-Control-Allow-Origin") != allowedOrigin {
		t.Errorf("%v", a.header)
	}
	for _, origin := range []string{"https://elsewhere.example", "null", allowedOrigin + ".elsewhere.example"} {
		if a := preflight(origin); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may call", origin)
		}
	}
}

// TestCompression: long answers are compressed where the client takes it,
// streams never.
func TestCompression(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	for range 30 {
		c.must("POST", ada+"/setbacks", `{"title":"The same again and again"}`)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.at.HTTP+ada+"/setbacks", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept-Encoding", "gzip") // set by hand, it is not undone by the client
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", res.Header)
	}
	unzip, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Setbacks []object }
	if err := json.NewDecoder(unzip).Decode(&list); err != nil || len(list.Setbacks) != 30 {
		t.Fatalf("%d setbacks, %v", len(list.Setbacks), err)
	}
}

// TestBodyLimit: a body of the limit passes, one more byte does not, whether its
// length is told or not.
func TestBodyLimit(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	const limit = 2 << 20
	body := `{"title":"x"}`
	fits := body + strings.Repeat(" ", limit-len(body))
	if a := c.do("POST", ada+"/setbacks", fits); a.status != http.StatusOK {
		t.Errorf("a body of the limit: %d %s", a.status, a.raw)
	}
	c.refused("POST", ada+"/setbacks", fits+" ", 413, "BODY_TOO_LARGE")
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.at.HTTP+ada+"/setbacks", io.MultiReader(strings.NewReader(fits), strings.NewReader(" ")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body without a length: %d", res.StatusCode)
	}
}

// TestStreamEndsWithTheServer: a stream ends soon and in order when the system
// stops, and its last token is good afterwards.
func TestStreamEndsWithTheServer(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	getUpAgain(c)
	lines, _ := c.follow(ada + "/insights:stream")
	_, token := collect(t, lines, 1)
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.stop() }()
	timeout := time.After(8 * time.Second)
	for open := true; open; {
		select {
		case l, ok := <-lines:
			if open = ok; ok && l.token != "" {
				token = l.token
			}
		case <-timeout:
			t.Fatal("the stream does not end")
		}
	}
	<-stopped
	r.start()
	c.must("POST", ada+"/goals/g1:achieve", `{}`)
	again, _ := c.follow(ada + "/insights:stream?resumeToken=" + token)
	if got, _ := collect(t, again, 1); got[0].kind != "INSIGHT_KIND_GOAL_ACHIEVED" {
		t.Errorf("it goes on with %v", kinds(got))
	}
}

// TestImportAndDemo: the CLI's way in, twice: the second time adds nothing.
func TestImportAndDemo(t *testing.T) {
	r := newRig(t)
	dir, binary := t.TempDir(), program(t, "rebound")
	rebound := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), binary, append(args, "--url", "http://"+r.at.HTTP, "--data", r.data)...).CombinedOutput()
		return string(out), err
	}
	file := dir + "/setbacks.csv"
	const rows = "respondent,text,emotion,intensity_1_to_4\n11,I failed the exam.,shame,4\n12,I lost the client.,sadness,2\n11,I failed again.,bliss,1\n"
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	columns := []string{"import", file, "--tenant", "acme", "--column", "person=respondent", "--column", "account=text", "--column", "feeling=emotion", "--column", "intensity=intensity_1_to_4"}
	for _, want := range []string{"2", "0"} {
		out, err := rebound(columns...)
		if err == nil || !strings.Contains(out, "line 4") || !strings.Contains(out, "feeling") || !regexp.MustCompile(`\b`+want+` added`).MatchString(out) {
			t.Errorf("want %s added and line 4 refused: %v\n%s", want, err, out)
		}
		if strings.Contains(out, "I failed") {
			t.Errorf("a person's words are printed:\n%s", out)
		}
	}
	person := r.as("acme", "11", "person")
	list := person.must("GET", "/v1/tenants/acme/people/11/setbacks", "")["setbacks"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["intensity"] != 10.0 {
		t.Errorf("%v", list)
	}
	lives := func() string {
		p := r.as("demo", "demo-001", "person")
		var all bytes.Buffer
		for _, kind := range []string{"setbacks", "lessons", "checkIns", "gratitudes", "goals", "values", "avenues"} {
			all.WriteString(p.do("GET", "/v1/tenants/demo/people/demo-001/"+kind+"?orderBy=name&pageSize=1000", "").raw)
		}
		return regexp.MustCompile(`"progress":[0-9.]+`).ReplaceAllString(all.String(), "")
	}
	demo := []string{"demo", "--tenant", "demo", "--people", "2", "--days", "10", "--seed", "7"}
	out, err := rebound(demo...)
	if err != nil || !strings.Contains(out, "2 people lived 10 days") {
		t.Fatalf("%v\n%s", err, out)
	}
	first := lives()
	if out, err = rebound(demo...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if again := lives(); again != first || len(first) < 1000 {
		t.Errorf("playing again with the same seed adds something: %d and %d bytes", len(first), len(again))
	}
	if out, err = rebound("goals", "--tenant", "demo", "--person", "demo-001", "--all"); err != nil || !strings.Contains(out, "Calmer work") || !strings.Contains(out, "Questions asked in time") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWatchComesBack: a watcher goes on by itself after the server was away.
func TestWatchComesBack(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	binary := program(t, "rebound")
	getUpAgain(c)
	cmd := exec.CommandContext(t.Context(), binary, "watch", "--tenant", "acme", "--person", "ada", "--url", "http://"+r.at.HTTP, "--data", r.data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 100)
	go func() {
		defer close(seen)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			seen <- scanner.Text()
		}
	}()
	await := func(want string) {
		t.Helper()
		timeout := time.After(20 * time.Second)
		for {
			select {
			case line, ok := <-seen:
				if !ok {
					t.Fatalf("it ended before it said %q", want)
				}
				if strings.Contains(line, want) {
					return
				}
			case <-timeout:
				t.Fatalf("it does not say %q", want)
			}
		}
	}
	await("STEP_MOMENTUM")
	address := r.at.HTTP
	r.stop()
	r.http = address // where the watcher looks
	r.start()
	c.must("POST", ada+"/goals/g1:achieve", `{}`)
	await("GOAL_ACHIEVED")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}
