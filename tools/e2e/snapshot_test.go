package e2e

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
)

const (
	grace  = "/v1/tenants/acme/people/grace"
	acme   = "/v1/tenants/acme/insights:stream"
	shares = `{"consents":{"shareWithPipeline":true}}`
)

// upFrom records a setback and a recovery from it.
func (c client) upFrom(person, id string) {
	c.r.t.Helper()
	c.must("POST", person+"/setbacks?setbackId="+id, `{"title":"x","occurredOn":{"year":2026,"month":1,"day":5}}`)
	c.must("POST", person+"/setbacks/"+id+":recover", `{"recoveredOn":{"year":2026,"month":1,"day":9}}`)
}

// until reads lines until one is what is looked for, and gives all of them.
func until(t *testing.T, lines <-chan line, is func(line) bool) []line {
	t.Helper()
	var out []line
	timeout := time.After(10 * time.Second)
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				t.Fatalf("the stream ended after %d lines", len(out))
			}
			if out = append(out, l); is(l) {
				return out
			}
		case <-timeout:
			t.Fatalf("it did not come in %d lines", len(out))
		}
	}
}

func isEnd(l line) bool { return l.end }

func insightsIn(lines []line) []line {
	return slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return l.insight == nil })
}

func marksIn(lines []line) (n int) {
	for _, l := range lines {
		if l.snapshotEnd {
			n++
		}
	}
	return n
}

// once reads a stream to the end of its history.
func (c client) once(path string) []line {
	c.r.t.Helper()
	lines, closeStream := c.follow(path)
	defer closeStream()
	return until(c.r.t, lines, isEnd)
}

// TestSnapshotThenTail: a pipeline that comes first gets what stands, a mark, and then
// what comes; cut off in the middle, it goes on there, in every format.
func TestSnapshotThenTail(t *testing.T) {
	r := newRig(t)
	a, g, pipeline := r.as("acme", "ada", "person"), r.as("acme", "grace", "person"), r.as("acme", "", "pipeline")
	a.must("PATCH", ada+"/profile", shares)
	g.must("PATCH", grace+"/profile", shares)
	for _, id := range []string{"s1", "s2", "gone"} {
		a.upFrom(ada, id)
	}
	g.upFrom(grace, "s3")
	eventually(t, []string{"4"}, func() []string { return []string{count(pipeline.once(acme))} })
	a.must("DELETE", ada+"/setbacks/gone", "")
	eventually(t, []string{"5"}, func() []string { return []string{count(pipeline.once(acme))} })

	lines, _ := pipeline.follow(acme + "?start=SNAPSHOT")
	got := until(t, lines, isEnd)
	if n := len(insightsIn(got)); n != 3 || marksIn(got) != 1 {
		t.Errorf("%d insights, %d marks", n, marksIn(got))
	}
	if mark := slices.IndexFunc(got, func(l line) bool { return l.snapshotEnd }); mark < 0 || len(insightsIn(got[mark:])) > 0 {
		t.Errorf("what was there comes after the mark: %v", got)
	}
	g.upFrom(grace, "s4")
	tail := until(t, lines, func(l line) bool { return l.insight != nil })
	if marksIn(tail) > 0 {
		t.Error("the mark comes again")
	}
	// The first token lies in the middle: all was sent, the mark was not.
	middle := got[slices.IndexFunc(got, func(l line) bool { return l.token != "" })].token
	if again := pipeline.once(acme + "?start=SNAPSHOT&resumeToken=" + middle); len(insightsIn(again)) != 1 || marksIn(again) != 1 || insightsIn(again)[0].name != tail[len(tail)-1].name {
		t.Errorf("from the middle: %v", again)
	}
	if text := pipeline.events(acme+"?start=SNAPSHOT", "Last-Event-Id", middle); strings.Count(text, "event: insight") != 1 || strings.Count(text, "event: snapshot-end\n") != 1 {
		t.Errorf("from the middle over SSE: %s", text)
	}
	a.must("POST", ada+"/grants", grantTo("grace", `"kind":"insights"`))
	if hers := g.once(ada + "/insights:stream?start=SNAPSHOT"); len(insightsIn(hers)) != 2 || marksIn(hers) != 1 || strings.Contains(hers[0].name, "/p-") {
		t.Errorf("what a reader sees: %v", hers)
	}
	if mine := a.once(ada + "/insights:stream?start=SNAPSHOT&filter=n=1"); len(insightsIn(mine)) != 2 || marksIn(mine) != 1 {
		t.Errorf("her own: %v", mine)
	}
	pipeline.refused("GET", acme+"?start=SNAPSHOTS", "", 400, "START_INVALID")
	pipeline.refused("GET", acme+"?filter=n=1&resumeToken="+middle, "", 400, "RESUME_TOKEN_FOREIGN")
	for token, want := range map[string]int{"": 4, middle: 1} {
		insights, marks := r.overGRPC(&insightsv1.StreamInsightsRequest{Parent: "tenants/acme", Start: "SNAPSHOT", ResumeToken: token})
		if len(insights) != want || marks != 1 {
			t.Errorf("over gRPC %d insights, %d marks, want %d", len(insights), marks, want)
		}
	}
}

func count(lines []line) string { return string(rune('0' + len(insightsIn(lines)))) }

// events reads a stream of server-sent events to the end of its history.
func (c client) events(path string, headers ...string) string {
	c.r.t.Helper()
	ctx, cancel := context.WithTimeout(c.r.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.r.at.HTTP+path, nil)
	if err != nil {
		c.r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var text strings.Builder
	for scanner := bufio.NewScanner(res.Body); scanner.Scan(); {
		text.WriteString(scanner.Text() + "\n")
		if scanner.Text() == "event: history-end" {
			return text.String()
		}
	}
	c.r.t.Fatalf("the stream ended: %s", text.String())
	return ""
}

// overGRPC reads the tenant's stream to the end of its history.
func (r *rig) overGRPC(req *insightsv1.StreamInsightsRequest) (insights []*insightsv1.Insight, marks int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(r.t.Context(), "authorization", "Bearer "+r.token("acme", "", "pipeline")), 10*time.Second)
	defer cancel()
	stream, err := insightsv1.NewInsightServiceClient(dial(r.t, r.at.HTTP)).StreamInsights(ctx, req)
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		res, err := stream.Recv()
		if err != nil {
			r.t.Fatal(err)
		}
		insights = append(insights, res.GetInsights()...)
		if res.GetSnapshotEnd() {
			marks++
		}
		if res.GetHistoryEnd() {
			return insights, marks
		}
	}
}

// TestCorrections: who changes or deletes a setback changes what was concluded from it,
// for the pipeline, over the API and as CloudEvents.
func TestCorrections(t *testing.T) {
	r := newRig(t)
	c, pipeline := r.as("acme", "ada", "person"), r.as("acme", "", "pipeline")
	c.must("PATCH", ada+"/profile", shares)
	c.upFrom(ada, "s")
	eventually(t, []string{"1"}, func() []string { return []string{count(pipeline.once(acme))} })
	lines, _ := pipeline.follow(acme)
	told := until(t, lines, func(l line) bool { return l.insight != nil })
	c.must("PATCH", ada+"/setbacks/s?updateMask=occurredOn", `{"occurredOn":{"year":2026,"month":1,"day":2}}`)
	restated := until(t, lines, func(l line) bool { return l.insight != nil })
	c.must("DELETE", ada+"/setbacks/s", "")
	retracted := until(t, lines, func(l line) bool { return l.insight != nil })
	first, second, third := told[len(told)-1], restated[len(restated)-1], retracted[len(retracted)-1]
	if second.insight["correction"] != "INSIGHT_CORRECTION_RESTATED" || second.insight["corrects"] != first.name ||
		second.insight["setbackRecovered"].(map[string]any)["days"] != 7.0 || second.insight["correctedBy"] != "" {
		t.Errorf("%v", second.insight)
	}
	if third.insight["correction"] != "INSIGHT_CORRECTION_RETRACTED" || third.insight["corrects"] != second.name || third.insight["setbackRecovered"] != nil {
		t.Errorf("%v", third.insight)
	}
	list := c.must("GET", ada+"/insights?orderBy=time", "")["insights"].([]any)
	names := []string{""}
	for i := len(list) - 1; i >= 0; i-- { // each is corrected by the next
		in := list[i].(map[string]any)
		if in["correctedBy"] != names[len(names)-1] {
			t.Errorf("%v, want %s", in["correctedBy"], names[len(names)-1])
		}
		if got := c.must("GET", "/v1/"+in["name"].(string), ""); got["correctedBy"] != in["correctedBy"] {
			t.Errorf("got alone it is %v", got)
		}
		names = append(names, in["name"].(string))
	}
	if only := pipeline.once(acme + "?filter=correction=RETRACTED"); len(insightsIn(only)) != 1 {
		t.Errorf("%v", only)
	}
	if snapshot := pipeline.once(acme + "?start=SNAPSHOT"); len(insightsIn(snapshot)) != 0 {
		t.Errorf("%v stand", insightsIn(snapshot))
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("s", c.must("GET", "/v1/insightSchemas/setback-recovered-v1", "")["jsonSchema"]); err != nil {
		t.Fatal(err)
	}
	schema := compiler.MustCompile("s")
	for _, l := range []line{first, second, third} {
		if err := schema.Validate(map[string]any(l.insight)); err != nil {
			t.Errorf("%v: %v", l.insight["correction"], err)
		}
	}
	events := pipeline.streamed(acme, "application/cloudevents+json", "application/x-ndjson")
	if len(events) != 3 || len(events[0].Extensions()) != 0 || events[2].Type() != events[0].Type() ||
		events[2].Extensions()["correction"] != "RETRACTED" || events[2].Extensions()["corrects"] != events[1].Subject() {
		t.Errorf("as CloudEvents: %v", events)
	}
}

// TestTombstones: pipelines learn of a person who was erased, and get nothing of theirs
// any more.
func TestTombstones(t *testing.T) {
	r := newRig(t)
	c, g, pipeline, admin := r.as("acme", "ada", "person"), r.as("acme", "grace", "person"), r.as("acme", "", "pipeline"), r.as("acme", "", "admin")
	c.must("PATCH", ada+"/profile", shares)
	c.upFrom(ada, "s")
	eventually(t, []string{"1"}, func() []string { return []string{count(pipeline.once(acme))} })
	lines, _ := pipeline.follow(acme)
	in := until(t, lines, func(l line) bool { return l.insight != nil })
	g.upFrom(grace, "s") // she never shared
	for _, person := range []string{grace, ada} {
		asked := admin.must("POST", person+":erase", `{}`)
		admin.must("POST", person+":erase", `{"confirmationToken":"`+asked["confirmationToken"].(string)+`"}`)
	}
	gone := until(t, lines, func(l line) bool { return l.gone != "" })
	who := gone[len(gone)-1].gone
	if !strings.HasPrefix(in[len(in)-1].name, who+"/insights/") || strings.Contains(who, "ada") {
		t.Errorf("%s was erased, of %s", who, in[len(in)-1].name)
	}
	tombstones := func(lines []line) []string {
		var out []string
		for _, l := range lines {
			if l.gone != "" {
				out = append(out, l.gone)
			}
		}
		return out
	}
	eventually(t, []string{who, "0"}, func() []string {
		all := pipeline.once(acme)
		return append(tombstones(all), count(all))
	})
	if all := pipeline.once(acme + "?start=SNAPSHOT"); len(tombstones(all)) != 0 || count(all) != "0" {
		t.Errorf("in a snapshot: %v", all)
	}
	if text := pipeline.events(acme); strings.Count(text, "event: tombstone\ndata: {") != 1 || !strings.Contains(text, who) {
		t.Errorf("over SSE: %s", text)
	}
	events := pipeline.streamed(acme, "application/cloudevents+json", "application/x-ndjson")
	if len(events) != 1 || events[0].Type() != "dev.rebound.tombstone.v1" || events[0].Subject() != who || events[0].Validate() != nil {
		t.Errorf("as CloudEvents: %v", events)
	}
	eventually(t, []string{"tenants/acme/people/ada"}, r.betweenServices)
	if mine := c.once(ada + "/insights:stream"); count(mine) != "0" || len(tombstones(mine)) != 0 {
		t.Errorf("her own: %v", mine)
	}
}

// betweenServices gives the subjects of the events that other services get from the
// insights service.
func (r *rig) betweenServices() (subjects []string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(r.t.Context(), "authorization", "Bearer "+r.token("", "", "service")), 10*time.Second)
	defer cancel()
	stream, err := eventsv1.NewEventServiceClient(dial(r.t, r.at.Insights)).StreamEvents(ctx, &eventsv1.StreamEventsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		res, err := stream.Recv()
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range res.GetEvents() {
			subjects = append(subjects, e.GetSubject())
		}
		if res.GetHistoryEnd() {
			return subjects
		}
	}
}

// TestHistoryGone: what is older than the stream is kept for can be read as a snapshot
// only; who comes back too late is told where to go on.
func TestHistoryGone(t *testing.T) {
	now := clock.NewManual(time.Now().Truncate(time.Second))
	r := newRigAt(t, now.Now)
	c := r.as("acme", "ada", "person")
	c.must("PATCH", ada+"/profile", shares)
	stream := r.as("acme", "", "pipeline")
	before := stream.once(acme + "?start=LATEST")
	c.upFrom(ada, "old")
	eventually(t, []string{"1"}, func() []string { return []string{count(stream.once(acme))} })
	after := stream.once(acme)
	began := now.Now()

	now.Advance(50 * time.Hour)
	c = r.as("acme", "ada", "person")
	c.upFrom(ada, "new")
	c.upFrom(ada, "newest")
	stream = r.as("acme", "", "pipeline")
	eventually(t, []string{"3"}, func() []string { return []string{count(stream.once(acme))} })
	r.stop()
	r.retention = 1
	r.start()
	stream = r.as("acme", "", "pipeline")
	at := began.Add(-time.Hour).UTC().Format(time.RFC3339)
	var gone *errdetails.ErrorInfo
	eventually(t, []string{"HISTORY_GONE"}, func() []string {
		gone = r.refusedOverGRPC(&insightsv1.StreamInsightsRequest{Parent: "tenants/acme", Start: at})
		return []string{gone.GetReason()}
	})
	if n := count(stream.once(acme + "?start=EARLIEST")); n != "2" {
		t.Errorf("from the earliest, %s came", n)
	}
	if n := count(stream.once(acme + "?resumeToken=" + after[len(after)-1].token)); n != "2" {
		t.Errorf("from a place that is kept, just, %s came", n)
	}
	stream.refused("GET", acme+"?resumeToken="+before[len(before)-1].token, "", 410, "HISTORY_GONE")
	told := stream.refused("GET", acme+"?start="+at, "", 410, "HISTORY_GONE")
	earliest, _ := told["metadata"].(map[string]any)["earliest_token"].(string)
	if got := stream.once(acme + "?resumeToken=" + earliest); count(got) != "2" {
		t.Errorf("from the earliest token: %v", got)
	}
	if got := stream.once(acme + "?start=SNAPSHOT"); count(got) != "3" {
		t.Errorf("in a snapshot: %v", got)
	}
	if got := stream.once(acme + "?start=" + began.Add(time.Hour).UTC().Format(time.RFC3339)); count(got) != "2" {
		t.Errorf("from a time that is kept: %v", got)
	}
	insights, _ := r.overGRPC(&insightsv1.StreamInsightsRequest{Parent: "tenants/acme", ResumeToken: gone.GetMetadata()["earliest_token"]})
	if len(insights) != 2 {
		t.Errorf("over gRPC, from the earliest token: %v", insights)
	}
}

// refusedOverGRPC tells why a stream is refused as out of range; nil when it is not.
func (r *rig) refusedOverGRPC(req *insightsv1.StreamInsightsRequest) *errdetails.ErrorInfo {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(r.t.Context(), "authorization", "Bearer "+r.token("acme", "", "pipeline")), 10*time.Second)
	defer cancel()
	stream, err := insightsv1.NewInsightServiceClient(dial(r.t, r.at.Insights)).StreamInsights(ctx, req)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = stream.Recv()
	st := status.Convert(err)
	if st.Code() != codes.OutOfRange || len(st.Details()) == 0 {
		return nil
	}
	info, _ := st.Details()[0].(*errdetails.ErrorInfo)
	return info
}
