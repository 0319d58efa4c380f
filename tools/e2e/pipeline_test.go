package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	pbformat "github.com/cloudevents/sdk-go/binding/format/protobuf/v2"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cloudeventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/cloudevents/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/conformance"
)

// upAgain is getUpAgain to its end: a person who lets pipelines read, and has five
// insights.
func upAgain(c client) []line {
	c.r.t.Helper()
	c.must("PATCH", ada+"/profile", `{"consents":{"shareWithPipeline":true}}`)
	getUpAgain(c)
	c.must("POST", ada+"/goals/g1/milestones/m1:reach", `{}`)
	c.must("POST", ada+"/lessons/l1:apply", `{}`)
	c.must("POST", ada+"/setbacks/launch:recover", `{}`)
	c.must("POST", ada+"/goals/g1:achieve", `{}`)
	lines, closeStream := c.follow(ada + "/insights:stream")
	defer closeStream()
	got, _ := collect(c.r.t, lines, 5)
	return got
}

// TestInsightSchemas: every insight fits the schema of its kind, its method is the
// one that the schema tells, and over gRPC the schemas are the same.
func TestInsightSchemas(t *testing.T) {
	r := newRig(t)
	insights := upAgain(r.as("acme", "ada", "person"))
	pipeline := r.as("acme", "", "pipeline")
	var list struct{ InsightSchemas []object }
	if err := json.Unmarshal([]byte(pipeline.do("GET", "/v1/insightSchemas", "").raw), &list); err != nil || len(list.InsightSchemas) != len(insightsv1.InsightKind_name)-1 {
		t.Fatalf("%d schemas, %v", len(list.InsightSchemas), err)
	}
	byKind := map[string]object{}
	compiled := map[string]*jsonschema.Schema{}
	for _, s := range list.InsightSchemas {
		kind := s["kind"].(string)
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		if err := compiler.AddResource(kind, s["jsonSchema"]); err != nil {
			t.Fatal(err)
		}
		byKind[kind], compiled[kind] = s, compiler.MustCompile(kind)
		if one := pipeline.must("GET", "/v1/"+s["name"].(string), ""); one["kind"] != kind || one["version"] != 1.0 {
			t.Errorf("%v is %v", s["name"], one)
		}
	}
	for _, l := range insights {
		if err := compiled[l.kind].Validate(map[string]any(l.insight)); err != nil {
			t.Errorf("%s: %v", l.kind, err)
		}
		if s := byKind[l.kind]; s["method"] != l.insight["method"] || s["methodVersion"] != l.insight["methodVersion"] {
			t.Errorf("%s was concluded by %v %v, its schema says %v %v", l.kind, l.insight["method"], l.insight["methodVersion"], s["method"], s["methodVersion"])
		}
		for _, field := range []string{"n", "time", "subjects", strings.ReplaceAll(dataOf(l.kind), "_", "")} {
			broken := map[string]any{}
			for k, v := range l.insight {
				if !strings.EqualFold(k, field) {
					broken[k] = v
				}
			}
			if compiled[l.kind].Validate(broken) == nil {
				t.Errorf("%s without %s fits its schema", l.kind, field)
			}
		}
	}
	pipeline.refused("GET", "/v1/insightSchemas/no-such-v1", "", 404, "NOT_FOUND")
	client{r, ""}.refused("GET", "/v1/insightSchemas", "", 401, "TOKEN_MISSING")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+pipeline.token)
	schemas, err := insightsv1.NewInsightSchemaServiceClient(dial(t, r.at.HTTP)).ListInsightSchemas(ctx, &insightsv1.ListInsightSchemasRequest{})
	if err != nil || len(schemas.GetInsightSchemas()) != len(list.InsightSchemas) {
		t.Fatalf("%v, %v", schemas, err)
	}
	for i, s := range schemas.GetInsightSchemas() {
		if s.GetName() != list.InsightSchemas[i]["name"] || s.GetEventType() != list.InsightSchemas[i]["eventType"] {
			t.Errorf("over gRPC %s, over REST %v", s.GetName(), list.InsightSchemas[i]["name"])
		}
	}
}

// dataOf is the field that holds what an insight of a kind says.
func dataOf(kind string) string { return strings.ToLower(strings.TrimPrefix(kind, "INSIGHT_KIND_")) }

// get asks for an answer in a media type; the caller closes its body.
func (c client) get(path, accept string) *http.Response {
	c.r.t.Helper()
	req, err := http.NewRequestWithContext(c.r.t.Context(), http.MethodGet, "http://"+c.r.at.HTTP+path, nil)
	if err != nil {
		c.r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.r.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		c.r.t.Fatalf("%s as %s: %d %s", path, accept, res.StatusCode, text)
	}
	return res
}

// streamed reads the history of a stream of CloudEvents with the SDK.
func (c client) streamed(path, accept, contentType string) []event.Event {
	t := c.r.t
	t.Helper()
	res := c.get(path, accept)
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Content-Type"); got != contentType {
		t.Errorf("the stream is %s, want %s", got, contentType)
	}
	var out []event.Event
	for scanner := bufio.NewScanner(res.Body); scanner.Scan(); {
		text, isData := strings.CutPrefix(scanner.Text(), "data: ")
		switch {
		case strings.Contains(scanner.Text(), "historyEnd") || strings.Contains(scanner.Text(), "history-end"):
			return out
		case !isData && !strings.HasPrefix(text, `{"specversion"`):
			continue
		}
		var e event.Event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	t.Fatal("the stream ended before its history")
	return nil
}

// TestCloudEvents: what streams, lists and gets give as CloudEvents, the SDK reads,
// and everywhere it is the same.
func TestCloudEvents(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	insights := upAgain(c)
	got := c.streamed(ada+"/insights:stream", "application/cloudevents+json", "application/x-ndjson")
	if len(got) != len(insights) {
		t.Fatalf("%d events for %d insights", len(got), len(insights))
	}
	for i, e := range got {
		l := insights[i]
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", l.kind, err)
		}
		if e.Source() != "rebound/insights" || e.Subject() != l.name || e.Type() != "dev.rebound.insight."+dataOf(l.kind)+".v1" || e.DataContentType() != "application/json" {
			t.Errorf("%s is %v", l.kind, e)
		}
		if told, err := time.Parse(time.RFC3339Nano, l.insight["time"].(string)); err != nil || !told.Equal(e.Time()) {
			t.Errorf("time %v, want %v", e.Time(), l.insight["time"])
		}
		var data object
		if err := json.Unmarshal(e.Data(), &data); err != nil || data["name"] != l.name || data[jsonName(dataOf(l.kind))] == nil {
			t.Errorf("%s says %s: %v", l.kind, e.Data(), err)
		}
		schema := c.must("GET", strings.TrimPrefix(e.DataSchema(), "http://"+r.at.HTTP), "")
		if schema["eventType"] != e.Type() || schema["kind"] != l.kind {
			t.Errorf("the schema of %s is %v", e.Type(), schema["name"])
		}
	}
	sse := c.streamed(ada+"/insights:stream", "text/event-stream, application/cloudevents+json", "text/event-stream")
	if !slices.EqualFunc(got, sse, sameEvent) {
		t.Errorf("SSE gives other events:\n%v\n%v", sse, got)
	}
	byID := map[string]event.Event{}
	for _, e := range got {
		byID[e.ID()] = e
	}
	if len(byID) != len(got) {
		t.Errorf("%d ids for %d events", len(byID), len(got))
	}
	c.batches(byID)
	c.singles(insights[0].name, got[0])
	pseudonymous := r.as("acme", "", "pipeline").streamed("/v1/tenants/acme/insights:stream", "application/cloudevents+json", "application/x-ndjson")
	for i, e := range pseudonymous {
		if strings.Contains(e.String(), "people/ada") || e.ID() == got[i].ID() || e.Type() != got[i].Type() || e.DataSchema() != got[i].DataSchema() {
			t.Errorf("a pipeline sees %v", e)
		}
	}
	if len(pseudonymous) != len(got) {
		t.Errorf("a pipeline sees %d events of %d", len(pseudonymous), len(got))
	}
	c.refused("GET", ada+"/insights", "", 406, "NOT_ACCEPTABLE", "Accept", "application/cloudevents+json")
	c.refused("GET", ada+"/setbacks", "", 406, "NOT_ACCEPTABLE", "Accept", "application/cloudevents-batch+json")
	c.refused("GET", ada+"/insights:stream", "", 406, "NOT_ACCEPTABLE", "Accept", "application/cloudevents+protobuf")
	r.as("acme", "grace", "person").refused("GET", ada+"/insights", "", 403, "ACCESS_DENIED", "Accept", "application/cloudevents-batch+json")
	if a := c.do("GET", ada+"/insights", "", "Accept", "application/*"); a.body["insights"] == nil {
		t.Errorf("who takes anything gets CloudEvents: %.200s", a.raw)
	}
}

func jsonName(field string) string {
	return (&insightsv1.Insight{}).ProtoReflect().Descriptor().Fields().ByTextName(field).JSONName()
}

func sameEvent(a, b event.Event) bool {
	return a.ID() == b.ID() && a.Type() == b.Type() && a.Source() == b.Source() && a.Subject() == b.Subject() && a.Time().Equal(b.Time()) &&
		a.DataSchema() == b.DataSchema() && sameJSON(a.Data(), b.Data())
}

// sameJSON compares insights: protojson may put a space here and there.
func sameJSON(a, b []byte) bool {
	var x, y insightsv1.Insight
	return protojson.Unmarshal(a, &x) == nil && protojson.Unmarshal(b, &y) == nil && proto.Equal(&x, &y)
}

// batches reads the list, page by page, in both batch formats.
func (c client) batches(want map[string]event.Event) {
	t := c.r.t
	t.Helper()
	seen := 0
	for path := ada + "/insights?pageSize=2"; path != ""; {
		res := c.get(path, "application/cloudevents-batch+json")
		events, err := cehttp.NewEventsFromHTTPResponse(res)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if seen++; !sameEvent(e, want[e.ID()]) {
				t.Errorf("the list gives %v", e)
			}
		}
		path = ""
		if link, ok := strings.CutSuffix(res.Header.Get("Link"), `>; rel="next"`); ok {
			path = ada + "/insights" + strings.TrimPrefix(link, "<")
		}
	}
	if seen != len(want) {
		t.Errorf("the pages hold %d of %d events", seen, len(want))
	}
	res := c.get(ada+"/insights", "application/cloudevents-batch+protobuf")
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	var batch cloudeventsv1.CloudEventBatch // the SDK has no batches in this format, but their events
	if err != nil || proto.Unmarshal(text, &batch) != nil || len(batch.GetEvents()) != len(want) {
		t.Fatalf("%d events in the batch, %v", len(batch.GetEvents()), err)
	}
	for _, message := range batch.GetEvents() {
		one, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		var e event.Event
		if err := pbformat.Protobuf.Unmarshal(one, &e); err != nil {
			t.Fatal(err)
		}
		sameInProto(t, e, want[e.ID()])
	}
}

// singles reads one insight in both formats.
func (c client) singles(name string, want event.Event) {
	t := c.r.t
	t.Helper()
	for _, accept := range []string{"application/cloudevents+json", "application/cloudevents+protobuf"} {
		res := c.get("/v1/"+name, accept)
		e, err := cehttp.NewEventFromHTTPResponse(res)
		_ = res.Body.Close()
		if err != nil {
			t.Fatalf("%s: %v", accept, err)
		}
		if strings.HasSuffix(accept, "protobuf") {
			sameInProto(t, *e, want)
		} else if !sameEvent(*e, want) {
			t.Errorf("%s gives %v", accept, e)
		}
	}
}

// sameInProto compares an event in the protobuf format with one in JSON.
func sameInProto(t *testing.T, e, want event.Event) {
	t.Helper()
	var a, b insightsv1.Insight
	if proto.Unmarshal(e.Data(), &a) != nil || protojson.Unmarshal(want.Data(), &b) != nil || !proto.Equal(&a, &b) {
		t.Errorf("in protobuf it says other things than in JSON:\n%v\n%v", &a, &b)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	if e.ID() != want.ID() || e.Type() != want.Type() || e.Subject() != want.Subject() || e.DataSchema() != want.DataSchema() || !e.Time().Equal(want.Time()) ||
		e.DataContentType() != "application/protobuf" {
		t.Errorf("in protobuf it is %v, in JSON %v", e, want)
	}
}

// TestConformance: the stream keeps its guarantees, as the suite that customers run
// judges, for a person who has been there before too.
func TestConformance(t *testing.T) {
	r := newRig(t)
	client, err := api.New(api.Target{URL: "http://" + r.at.HTTP, Data: r.data})
	if err != nil {
		t.Fatal(err)
	}
	system, err := conformance.NewRemote(client, dial(t, r.at.HTTP), "acme", "conformance", "")
	if err != nil {
		t.Fatal(err)
	}
	for run := range 2 {
		results, err := conformance.Suite{
			System: system, Run: fmt.Sprint("run-", run), Insights: 25, Seed: uint64(run), Patience: 10 * time.Second,
		}.Execute(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(results) != 10 {
			t.Errorf("%d guarantees were looked at", len(results))
		}
		for _, result := range results {
			if result.Verdict != conformance.Pass {
				t.Errorf("%s: %s", result.Guarantee, result.Found)
			}
		}
	}
}

// TestConformanceCommand: the report is printed, and a system that refuses the caller
// is no success.
func TestConformanceCommand(t *testing.T) {
	r := newRig(t)
	binary := t.TempDir() + "/rebound"
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/rebound").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rebound := func(args ...string) (string, error) {
		args = append([]string{"conformance", "--url", "http://" + r.at.HTTP, "--data", r.data, "--tenant", "acme", "--insights", "12"}, args...)
		out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
		return string(out), err
	}
	out, err := rebound()
	if err != nil || strings.Count(out, "pass  ") != 10 || !strings.Contains(out, "12 insights in order") {
		t.Errorf("%v\n%s", err, out)
	}
	// A token of one person is no pipeline's.
	out, err = rebound("--token", r.token("acme", "grace", "person"), "--person", "grace")
	if err != nil || strings.Count(out, "skip  pseudonymous") != 1 || strings.Count(out, "pass  ") != 9 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = rebound("--token", r.token("acme", "grace", "person"), "--person", "grace", "--pipeline-token", r.token("acme", "", "pipeline")); err != nil || strings.Count(out, "pass  ") != 10 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = rebound("--token", r.token("acme", "grace", "person")); err == nil || !strings.Contains(out, "ACCESS_DENIED") {
		t.Errorf("%v\n%s", err, out)
	}
}
