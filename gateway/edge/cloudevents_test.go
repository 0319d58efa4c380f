package edge

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// TestAsEvents: CloudEvents go to who asks for them by name, in the formats that fit
// what is answered.
func TestAsEvents(t *testing.T) {
	for _, c := range []struct {
		output proto.Message
		accept string
		want   string
	}{
		{&insightsv1.Insight{}, "application/cloudevents+json", eventJSON},
		{&insightsv1.Insight{}, "application/cloudevents+protobuf; q=0.5", eventProto},
		{&insightsv1.Insight{}, "application/cloudevents-batch+json", ""},
		{&insightsv1.ListInsightsResponse{}, "application/cloudevents-batch+json", batchJSON},
		{&insightsv1.ListInsightsResponse{}, "text/plain, application/cloudevents-batch+protobuf", batchProto},
		{&insightsv1.ListInsightsResponse{}, "application/cloudevents-batch+protobuf;q=0", ""},
		{&insightsv1.ListInsightsResponse{}, "application/cloudevents+json", ""},
		{&insightsv1.ListInsightsResponse{}, "*/*", ""},
		{&insightsv1.ListInsightsResponse{}, "application/json", ""},
		{&goalsv1.Reminder{}, "application/cloudevents+json", eventJSON},
		{&goalsv1.ListRemindersResponse{}, "application/cloudevents-batch+json", batchJSON},
		{&journalv1.Setback{}, "application/cloudevents+json", ""},
		{&journalv1.ListSetbacksResponse{}, "application/cloudevents-batch+json", ""},
	} {
		a, ok := asEvents([]string{c.accept}, route{output: c.output.ProtoReflect().Descriptor()})
		if ok != (c.want != "") || ok && a.mediaType != c.want {
			t.Errorf("%T as %s: %v %s", c.output, c.accept, ok, a.mediaType)
		}
	}
	if _, ok := asEvents(nil, route{output: (&insightsv1.Insight{}).ProtoReflect().Descriptor()}); ok {
		t.Error("who asks for nothing gets CloudEvents")
	}
	if _, ok := asEvents([]string{eventJSON}, route{}); ok {
		t.Error("what is no route gives CloudEvents")
	}
}

// TestStreamFormats: what a client accepts decides on frames and items.
func TestStreamFormats(t *testing.T) {
	in := &insightsv1.Insight{Name: "tenants/acme/people/ada/insights/i", Kind: insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT}
	for accept, want := range map[string]struct{ contentType, begins string }{
		"":                                 {ndjsonType, `{"insight":{`},
		"*/*":                              {ndjsonType, `{"insight":{`},
		"application/json":                 {ndjsonType, `{"insight":{`},
		"text/event-stream":                {sseType, "id: t\nevent: insight\ndata: {\"name\""},
		"application/cloudevents+json":     {ndjsonType, `{"specversion":"1.0"`},
		"application/*":                    {ndjsonType, `{"insight":{`},
		"text/plain":                       {"", ""},
		"application/cloudevents+json;q=0": {"", ""},
		"text/event-stream, application/cloudevents+json":    {sseType, "id: t\nevent: insight\ndata: {\"specversion\":\"1.0\""},
		"application/x-ndjson, application/cloudevents+json": {ndjsonType, `{"specversion":"1.0"`},
	} {
		r := httptest.NewRequest("GET", "/v1/tenants/acme/insights:stream", nil)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		f, ok := chooseFrames(r, feeds[0])
		if ok != (want.contentType != "") {
			t.Errorf("%q: %v", accept, ok)
		}
		if !ok {
			continue
		}
		var buf bytes.Buffer
		if err := f.batch(&buf, batch{items: []proto.Message{in}, token: "t"}); err != nil || f.contentType() != want.contentType {
			t.Errorf("%q: %s, %v", accept, f.contentType(), err)
		}
		// protojson puts spaces where it likes.
		if got := bytes.ReplaceAll(buf.Bytes(), []byte(`:{ "`), []byte(`:{"`)); !bytes.HasPrefix(got, []byte(want.begins)) {
			t.Errorf("%q: %s", accept, got)
		}
	}
}

// TestEventAttributes: what an item is as a CloudEvent, and where its schema lies.
func TestEventAttributes(t *testing.T) {
	at := time.Date(2026, 11, 25, 9, 0, 0, 120e6, time.UTC)
	r := httptest.NewRequest("GET", "http://rebound.example:8080/v1/tenants/acme/insights:stream", nil)
	event := func(f feed, item proto.Message) structured {
		t.Helper()
		var buf bytes.Buffer
		var out structured
		if err := appendEvent(&buf, f.attributes(item), origin(r), item); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(buf.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	insight := &insightsv1.Insight{Name: "tenants/acme/people/ada/insights/i", Kind: insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT, Time: timestamppb.New(at)}
	e := event(feeds[0], insight)
	if e.Type != "dev.rebound.insight.mood_shift.v1" || e.Subject != insight.GetName() || e.Time != "2026-11-25T09:00:00.12Z" ||
		e.DataSchema != "http://rebound.example:8080/v1/insightSchemas/mood-shift-v1" {
		t.Errorf("%+v", e)
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	if e := event(feeds[0], insight); e.DataSchema != "https://rebound.example:8080/v1/insightSchemas/mood-shift-v1" {
		t.Errorf("behind an ingress the schema is %s", e.DataSchema)
	}
	r.Header.Del("X-Forwarded-Proto")
	if r.TLS = (&tls.ConnectionState{}); origin(r).Scheme != "https" {
		t.Error("over TLS the schema is over http")
	}
	// A kind of a later release is an insight all the same.
	if e := event(feeds[0], &insightsv1.Insight{Name: "n", Kind: 999, Time: timestamppb.New(at)}); e.Type != "dev.rebound.insight" || e.DataSchema != "" {
		t.Errorf("%+v", e)
	}
	reminder := &goalsv1.Reminder{Name: "tenants/acme/people/ada/reminders/r", Etag: "1", FireTime: timestamppb.New(at)}
	first := event(feeds[1], reminder)
	if first.Source != "rebound/goals" || first.Type != "dev.rebound.reminder.v1" || first.DataSchema != "" || first.Time != "2026-11-25T09:00:00.12Z" {
		t.Errorf("%+v", first)
	}
	if reminder.Etag = "2"; event(feeds[1], reminder).ID == first.ID {
		t.Error("a reminder that comes again has the id of the time before")
	}
	if again := event(feeds[0], insight); again.ID != e.ID || e.ID == first.ID {
		t.Errorf("ids %s, %s", again.ID, e.ID)
	}
}

// BenchmarkAppendEvent writes insights as CloudEvents in the JSON format.
func BenchmarkAppendEvent(b *testing.B) {
	f, _ := eventsOf((&insightsv1.Insight{}).ProtoReflect().Descriptor())
	at, err := url.Parse("https://rebound.example")
	if err != nil {
		b.Fatal(err)
	}
	in := &insightsv1.Insight{
		Name: "tenants/acme/people/3f2504e0-4f89-41d3-9a0c/insights/0305e82c-3301-4f89-9a0c", Kind: insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT,
		Subjects: []string{"tenants/acme/people/3f2504e0-4f89-41d3-9a0c/checkIns/0305e82c-3301-4f89-9a0c"}, Time: timestamppb.New(time.Unix(1_790_000_000, 0)),
		N: 12, Method: "ewma", MethodVersion: "1", Data: &insightsv1.Insight_MoodShift{MoodShift: &insightsv1.MoodShift{Before: -1.25, After: 0.5}},
	}
	var buf bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		buf.Reset()
		if err := appendEvent(&buf, f.attributes(in), at, in); err != nil {
			b.Fatal(err)
		}
	}
}
