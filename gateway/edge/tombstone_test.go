package edge

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// TestMarksAndTombstones: tombstones come after items, marks after both, and the token
// stands for all of a batch.
func TestMarksAndTombstones(t *testing.T) {
	at := timestamppb.New(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC))
	item := &insightsv1.Insight{
		Name: "n", Kind: insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT, Time: at,
		Correction: insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED, Corrects: "o",
	}
	whole := batch{items: []proto.Message{item}, gone: []proto.Message{&insightsv1.Tombstone{Person: "p", Time: at}}, snapshotEnd: true, end: true, token: "t"}
	for _, c := range []struct {
		accept string
		b      batch
		want   []string // in that order
		tokens int
	}{
		{"text/event-stream", whole, []string{"event: insight\n", "event: tombstone\ndata: {\"person\"", "event: snapshot-end\ndata: {}\n\n", "id: t\nevent: history-end\n"}, 1},
		{"text/event-stream", batch{gone: whole.gone, token: "t"}, []string{"id: t\nevent: tombstone\n"}, 1},
		{"text/event-stream", batch{snapshotEnd: true, token: "t"}, []string{"id: t\nevent: snapshot-end\n"}, 1},
		{"text/event-stream", batch{token: "t"}, []string{"id: t\n\n"}, 1},
		{"text/event-stream, application/cloudevents+json", whole, []string{`"correction":"RETRACTED","corrects":"o"`, `"type":"dev.rebound.tombstone.v1"`}, 1},
		{"application/x-ndjson", whole, []string{`{"insight":{`, `{"tombstone":{"person":"p"`, `{"nextToken":"t","snapshotEnd":true,"historyEnd":true}`}, 1},
		{"application/x-ndjson", batch{token: "t"}, []string{`{"nextToken":"t"}`}, 1},
		{"application/cloudevents+json", whole, []string{
			`"type":"dev.rebound.insight.mood_shift.v1"`, `"correction":"RETRACTED","corrects":"o"`, `"type":"dev.rebound.tombstone.v1","subject":"p"`, `"snapshotEnd":true`,
		}, 1},
	} {
		r := httptest.NewRequest("GET", "/v1/tenants/acme/insights:stream", nil)
		r.Header.Set("Accept", c.accept)
		f, ok := chooseFrames(r, feeds[0])
		if !ok {
			t.Fatal(c.accept)
		}
		var buf bytes.Buffer
		if err := f.batch(&buf, c.b); err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(strings.ReplaceAll(buf.String(), `{ "`, `{"`), `": "`, `":"`) // protojson puts spaces where it likes
		rest := got
		for _, want := range c.want {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("%s lacks %s in its place:\n%s", c.accept, want, got)
			}
			rest = after
		}
		if n := strings.Count(got, "id: t\n") + strings.Count(got, `"nextToken":"t"`); n != c.tokens {
			t.Errorf("%s has %d tokens:\n%s", c.accept, n, got)
		}
	}
}
