package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// finished waits until an operation is done.
func (c client) finished(op object) object {
	c.r.t.Helper()
	var last object
	eventually(c.r.t, []string{"done"}, func() []string {
		if last = c.must("GET", "/v1/"+op["name"].(string), ""); last["done"] == true {
			return []string{"done"}
		}
		return nil
	})
	return last
}

// export gives the archive of a person, and the operation.
func (c client) export(person string) ([]byte, object) {
	c.r.t.Helper()
	op := c.finished(c.must("POST", person+":export", "{}"))
	if op["state"] != "OPERATION_STATE_SUCCEEDED" {
		c.r.t.Fatalf("%v", op)
	}
	a := c.do("GET", "/v1/"+op["name"].(string)+":download", "")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/zip" || fmt.Sprint(len(a.raw)) != op["archiveBytes"] ||
		a.header.Get("Content-Disposition") != "attachment; filename=rebound-export.zip" {
		c.r.t.Fatalf("%d %v of %v bytes", a.status, a.header, op["archiveBytes"])
	}
	return []byte(a.raw), op
}

// bring imports an archive.
func (c client) bring(person string, archive []byte) object {
	c.r.t.Helper()
	a := c.do("POST", person+":import", string(archive), "Content-Type", "application/zip")
	if a.status != http.StatusOK {
		c.r.t.Fatalf("%d %s", a.status, a.raw)
	}
	return c.finished(a.body)
}

// sum adds up one count of an operation over all kinds.
func sum(op object, count string) int {
	n := 0
	for _, k := range op["counts"].([]any) {
		var v int
		_, _ = fmt.Sscan(k.(map[string]any)[count].(string), &v)
		n += v
	}
	return n
}

// unpack gives the files of an archive.
func unpack(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

// stays are the kinds that people make and do not take along: permissions and
// secrets, which are good for here only.
var stays = []string{"grants"}

// TestTakeAlong exports one resource of every type, and a life, imports them into
// another tenant, and exports them again: it is the same archive. Nothing of it lies
// anywhere in clear.
func TestTakeAlong(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	const bos = "/v1/tenants/other/people/bo"
	bo := r.as("other", "bo", "person")
	c.must("PATCH", ada+"/profile", `{"timeZone":"Pacific/Auckland","locale":"de-CH","consents":{"aggregateInsights":true}}`)
	made, _ := r.makeEverything("tenants/acme/people/ada", c.token)
	getUpAgain(c)
	c.must("POST", ada+"/lessons/l1:apply", `{"evidence":"Done"}`)
	c.must("POST", ada+"/setbacks/launch:recover", `{"note":"Up again"}`)
	c.must("POST", ada+"/stories?storyId=st", `{"situation":"s"}`)
	c.must("POST", ada+"/stories/st/versions?storyVersionId=v", `{"audience":"PUBLIC","text":"What I learned"}`)
	c.must("POST", ada+"/stories/st/versions/v:publish", `{"confirmedText":"What I learned"}`)

	// What comes of what is done: a celebration, and a roadmap.
	c.must("POST", ada+"/goals?goalId=g2", `{"title":"Out again"}`)
	c.must("POST", ada+"/goals/g2/milestones?milestoneId=m", `{"title":"On stage","reward":"A day off"}`)
	c.must("POST", ada+"/goals/g2/steps?stepId=s", `{"title":"Write the opening"}`)
	c.must("POST", ada+"/goals/g2/roadmap:link", `{"item":"`+me+`/goals/g2/milestones/m","requires":"`+me+`/goals/g2/steps/s"}`)
	c.must("POST", ada+"/goals/g2/milestones/m:reach", `{}`)
	c.must("POST", ada+"/goals/g2/milestones/m:celebrate", `{"how":"By the sea"}`)
	const more = 14 // besides what was made of every type

	first, op := c.export(ada)
	files := unpack(t, first)
	for _, kind := range stays {
		for pattern := range made {
			if strings.Contains(pattern, "/"+kind+"/") {
				delete(made, pattern)
			}
		}
	}
	if n := sum(op, "exported"); n != len(made)+more || op["progress"].(map[string]any)["entriesDone"] != fmt.Sprint(2*n) || op["progress"].(map[string]any)["entriesTotal"] != fmt.Sprint(2*n) {
		t.Errorf("%d exported, %d made: %v", n, len(made), op)
	}
	for pattern := range made {
		segments := strings.Split(pattern, "/")
		if kind := segments[len(segments)-2]; files[kind+".ndjson"] == "" {
			t.Errorf("no %s were exported", kind)
		}
	}
	guide, err := os.ReadFile(filepath.Join(root, "docs", "export.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| `rebound\\.").FindAllStringSubmatch(string(guide), -1) {
		if files[m[1]+".ndjson"] == "" {
			t.Errorf("the guide tells of %s, which are not in the archive", m[1])
		}
	}
	for name, text := range files {
		if kind, is := strings.CutSuffix(name, ".ndjson"); is && !strings.Contains(string(guide), "| `"+kind+"` | ") {
			t.Errorf("the guide does not tell of %s", kind)
		}
		if strings.Contains(text, "tenants/") || strings.Contains(text, `"etag"`) || strings.Contains(text, "libraryStor") {
			t.Errorf("%s says where it comes from", name)
		}
	}
	for _, want := range []string{`"name":"goals/g1","createTime":`, `"origins":["lessons/l1"]`} {
		if !strings.Contains(files["goals.ndjson"], want) {
			t.Errorf("goals.ndjson lacks %s: %s", want, files["goals.ndjson"])
		}
	}
	if page := files["journal/2026.md"]; !strings.HasPrefix(page, "# 2026\n\n## ") || !strings.Contains(page, "### Setback: The launch failed\n") ||
		!strings.Contains(page, "- **State**: recovered\n") || !strings.Contains(page, "### Step: Write one test\n") {
		t.Errorf("%v: %s", len(files), page)
	}

	op = bo.bring(bos, first)
	if n := sum(op, "created"); op["state"] != "OPERATION_STATE_SUCCEEDED" || n != len(made)+more || sum(op, "conflicts")+sum(op, "refused")+sum(op, "unchanged") != 0 {
		t.Errorf("%v", op)
	}
	second, _ := bo.export(bos)
	if !bytes.Equal(first, second) {
		again := unpack(t, second)
		for name, text := range files {
			if again[name] != text {
				t.Errorf("%s was\n%s and is\n%s", name, text, again[name])
			}
		}
	}
	// The person finds all of it, as it was.
	if s := bo.must("GET", bos+"/setbacks/launch", ""); s["state"] != "SETBACK_STATE_RECOVERED" || s["recoveryNote"] != "Up again" {
		t.Errorf("%v", s)
	}
	if g := bo.must("GET", bos+"/goals/g1", ""); g["progress"] != 0.5 || g["origins"].([]any)[0] != "tenants/other/people/bo/lessons/l1" {
		t.Errorf("%v", g)
	}
	sameSummary(t, c.must("GET", ada+"/summary", ""), func() object { return bo.must("GET", bos+"/summary", "") })

	// Brought in again it changes nothing; what differs is kept and told.
	bo.must("PATCH", bos+"/setbacks/launch", `{"title":"My own words"}`)
	op = bo.bring(bos, first)
	issues := op["issues"].([]any)
	if sum(op, "created") != 0 || sum(op, "conflicts") != 1 || sum(op, "unchanged") != len(made)+more-1 || len(issues) != 1 ||
		issues[0].(map[string]any)["entry"] != "setbacks/launch" || issues[0].(map[string]any)["reason"] != "CONFLICT" {
		t.Errorf("%v", op)
	}
	if s := bo.must("GET", bos+"/setbacks/launch", ""); s["title"] != "My own words" {
		t.Errorf("%v", s)
	}
	r.stop()
	if strings.Contains(r.logs.String(), canary) {
		t.Error("logs hold a person's words")
	}
	for place, raw := range r.stored() {
		if bytes.Contains(raw, []byte(canary)) || bytes.Contains(raw, []byte(".ndjson")) {
			t.Errorf("%s holds a person's words", place)
		}
	}
}

// sameSummary waits until a summary is the one of another person, but for the name
// and the time.
func sameSummary(t *testing.T, want object, ask func() object) {
	t.Helper()
	plain := func(s object) []string {
		var out []string
		for k, v := range s {
			if text, err := json.Marshal(v); err == nil && k != "name" && k != "asOf" {
				out = append(out, k+string(text))
			}
		}
		slices.Sort(out)
		return out
	}
	eventually(t, plain(want), func() []string { return plain(ask()) })
}

// TestOperations: who may, what is refused, and what becomes of operations.
func TestOperations(t *testing.T) {
	r := newRig(t)
	c, grace := r.as("acme", "ada", "person"), r.as("acme", "grace", "person")
	const graces = "/v1/tenants/acme/people/grace"
	c.must("POST", ada+"/setbacks?setbackId=a", `{"title":"A"}`)
	archive, op := c.export(ada)
	name := "/v1/" + op["name"].(string)
	grace.refused("POST", ada+":export", "{}", 403, "ACCESS_DENIED")
	grace.refused("GET", name, "", 403, "ACCESS_DENIED")
	grace.refused("GET", name+":download", "", 403, "ACCESS_DENIED")
	grace.refused("POST", ada+":import", string(archive), 403, "ACCESS_DENIED", "Content-Type", "application/zip")
	r.as("acme", "", "admin").refused("POST", ada+":export", "{}", 403, "ROLE_REQUIRED")
	c.refused("POST", ada+"/setbacks:export", "{}", 404, "ROUTE_NOT_FOUND")
	c.refused("POST", ada+":export", `{"requestId":"x"}`, 400, "STRING_UUID")
	c.refused("POST", ada+":import", string(archive), 415, "CONTENT_TYPE_UNSUPPORTED", "Content-Type", "application/x-tar")
	c.refused("GET", name+":download", "", 406, "NOT_ACCEPTABLE", "Accept", "application/json")
	c.refused("GET", name+":download?offset=x", "", 400, "PARAMETER_INVALID")
	c.refused("GET", name+":download?offset=99999999", "", 400, "ARCHIVE_OFFSET")
	for reason, body := range map[string]string{
		"ARCHIVE_INVALID": string(archive[:len(archive)-1]), "REQUIRED": "",
	} {
		grace.refused("POST", graces+":import", body, 400, reason, "Content-Type", "application/zip")
	}
	if left := grace.must("GET", graces+"/operations", "")["operations"].([]any); len(left) != 0 {
		t.Errorf("what was refused is kept: %v", left)
	}
	// Sent again it is the same operation; a range goes on where it ended.
	const again = `{"requestId":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}`
	if x, y := c.must("POST", ada+":export", again), c.must("POST", ada+":export", again); x["name"] != y["name"] {
		t.Errorf("%v is not %v", x["name"], y["name"])
	}
	if a := c.do("GET", name+":download", "", "Range", fmt.Sprintf("bytes=%d-", len(archive))); a.status != http.StatusRequestedRangeNotSatisfiable ||
		a.header.Get("Content-Range") != fmt.Sprintf("bytes */%d", len(archive)) {
		t.Errorf("beyond the end: %d %v", a.status, a.header)
	}
	if a := c.do("GET", name+":download", "", "Range", "bytes=100-"); a.status != http.StatusPartialContent || a.raw != string(archive[100:]) ||
		a.header.Get("Content-Range") != fmt.Sprintf("bytes 100-%d/%d", len(archive)-1, len(archive)) {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := c.do("GET", name+":download?offset=100", ""); a.status != http.StatusOK || a.raw != string(archive[100:]) {
		t.Errorf("%d %v", a.status, a.header)
	}
	if all := c.must("GET", ada+"/operations?pageSize=1", ""); len(all["operations"].([]any)) != 1 || all["nextPageToken"] == "" {
		t.Errorf("%v", all)
	}
	if done := c.must("POST", name+":cancel", "{}"); done["state"] != "OPERATION_STATE_SUCCEEDED" {
		t.Errorf("%v", done)
	}
	c.must("DELETE", name, "")
	c.refused("GET", name, "", 404, "NOT_FOUND")
	c.refused("GET", name+":download", "", 404, "NOT_FOUND")
	imported := grace.bring(graces, archive)
	grace.refused("GET", "/v1/"+imported["name"].(string)+":download", "", 400, "ARCHIVE_NOT_READY")
	for range 9 {
		grace.must("POST", graces+":export", "{}")
	}
	grace.refused("POST", graces+":export", "{}", 400, "TOO_MANY_OPERATIONS")
}

// TestEraseTakesArchives: an archive that waits to be downloaded goes with its person.
func TestEraseTakesArchives(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	c.must("POST", ada+"/setbacks", `{"title":"A"}`)
	_, op := c.export(ada)
	asked := c.must("POST", ada+":erase", `{}`)
	e := c.must("POST", ada+":erase", `{"confirmationToken":"`+asked["confirmationToken"].(string)+`"}`)["erasure"].(map[string]any)
	// The setback, the operation and its one chunk.
	eventually(t, []string{"DONE", "journal 3"}, func() []string {
		done := parts(c.must("GET", "/v1/"+e["name"].(string), ""))
		return []string{done[0], done[len(done)-1]}
	})
	c.refused("GET", "/v1/"+op["name"].(string)+":download", "", 404, "NOT_FOUND")
	c.refused("POST", ada+":export", "{}", 404, "NOT_FOUND")
}

// TestOperationsOverGRPC sends an archive in parts, some of them twice, across a
// restart in the middle.
func TestOperationsOverGRPC(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	for i := range 50 { // words that do not pack well, for more than one part
		c.must("POST", fmt.Sprintf("%s/reflections?reflectionId=r%d", ada, i), `{"text":"`+noise(20_000, uint64(i))+`"}`)
	}
	archive, _ := c.export(ada)
	const part = 1 << 20
	if len(archive) <= part || len(archive) > 2*part {
		t.Fatalf("the archive has %d bytes", len(archive))
	}
	const grace = "tenants/acme/people/grace"
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "grace", "person"))
	operations := journalv1.NewOperationServiceClient(dial(t, r.at.Journal))
	send := func(operation string, offset int64, data []byte, last bool) (*journalv1.Operation, error) {
		return operations.ImportPerson(ctx, &journalv1.ImportPersonRequest{Name: grace, Operation: operation, Offset: offset, Data: data, Last: last})
	}
	if _, err := send("", 0, archive[:10], false); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	op, err := send("", 0, archive[:part], false)
	if err != nil || op.GetState() != journalv1.OperationState_OPERATION_STATE_RECEIVING || op.GetArchiveBytes() != part {
		t.Fatal(op, err)
	}
	if _, err := operations.DeleteOperation(ctx, &journalv1.DeleteOperationRequest{Name: op.GetName()}); status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	if again, err := send(op.GetName(), 0, archive[:part], false); err != nil || again.GetArchiveBytes() != part {
		t.Error(again, err)
	}
	if _, err := send(op.GetName(), 2*part, archive[part:], true); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	r.stop()
	r.start()
	ctx = metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "grace", "person"))
	operations = journalv1.NewOperationServiceClient(dial(t, r.at.Journal))
	for range 2 {
		if op, err = send(op.GetName(), part, archive[part:], true); err != nil {
			t.Fatal(err)
		}
	}
	r.stop() // whatever it has done by now, it goes on
	r.start()
	g := r.as("acme", "grace", "person")
	done := g.finished(object{"name": op.GetName()})
	if done["state"] != "OPERATION_STATE_SUCCEEDED" || sum(done, "created") != 50 || sum(done, "unchanged") != 0 {
		t.Errorf("%v", done)
	}
	second, _ := g.export("/v1/" + grace)
	if !bytes.Equal(archive, second) {
		t.Error("what was exported again is not what was imported")
	}
}

// noise is text of n characters that a zip file can do little about.
func noise(n int, seed uint64) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	out := make([]byte, n)
	x := seed*0x9e3779b97f4a7c15 + 1
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = letters[x%64]
	}
	return string(out)
}

// TestTakeAlongInTheTerminal: the commands write an archive, bring it in for somebody
// else, and say what was left out.
func TestTakeAlongInTheTerminal(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	rebound := func(args ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program(t, "rebound"), append(args, "--url", "http://"+r.at.HTTP, "--data", r.data, "--tenant", "acme")...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	getUpAgain(r.as("acme", "ada", "person"))
	archive := filepath.Join(dir, "ada.zip")
	if out, err := rebound("export", "--person", "ada", "--out", archive); err != nil || !strings.Contains(out, "1 setbacks") || !strings.Contains(out, "1 steps") {
		t.Fatalf("%v\n%s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".rebound-export-*")); err != nil || len(left) != 0 {
		t.Errorf("%v is left: %v", left, err)
	}
	if out, err := rebound("import", archive, "--person", "grace"); err != nil || !strings.Contains(out, "1 goals added, 0 there already") {
		t.Fatalf("%v\n%s", err, out)
	}
	grace := r.as("acme", "grace", "person")
	const graces = "/v1/tenants/acme/people/grace"
	grace.must("PATCH", graces+"/goals/g1", `{"title":"Another one"}`)
	if out, err := rebound("import", archive, "--person", "grace"); err == nil || !strings.Contains(out, "goals/g1: CONFLICT") || !strings.Contains(out, "0 setbacks added, 1 there already") {
		t.Errorf("%v\n%s", err, out)
	}
	if kept := grace.must("GET", graces+"/operations", "")["operations"].([]any); len(kept) != 0 {
		t.Errorf("%v are kept", kept)
	}
	if out, err := rebound("import", archive); err == nil || !strings.Contains(out, "--person") {
		t.Errorf("%v\n%s", err, out)
	}
}
