package transfer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

// TestMergeFails: an error comes before anything else, and ends it.
func TestMergeFails(t *testing.T) {
	broken := errors.New("broken")
	good := func(yield func(transfer.Record, error) bool) {
		for i := range 3 {
			if !yield(transfer.Record{CreateTime: time.Unix(int64(i), 0)}, nil) {
				return
			}
		}
	}
	bad := func(yield func(transfer.Record, error) bool) { yield(transfer.Record{}, broken) }
	n := 0
	for _, err := range transfer.Merge(good, bad) {
		if n++; !errors.Is(err, broken) {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d were read", n)
	}
}

// TestText: what a record looks like to a person.
func TestText(t *testing.T) {
	r := newRig(t)
	rec := transfer.Record{Kind: "setbacks", Name: "setbacks/launch", Data: `{"name":"setbacks/launch","createTime":"2026-01-01T23:30:00Z","updateTime":"2026-01-01T23:30:00Z",
		"title":"The launch failed","account":"It crashed\n# in front of everybody","area":"AREA_PROJECT","factors":[{"kind":"FACTOR_KIND_OVERLOAD","note":"three weeks"}],
		"occurredOn":{"year":2026,"month":1,"day":1},"intensity":7,"feelings":["FEELING_SHAME","FEELING_FEAR"],"muted":true}`}
	lesson := transfer.Record{Kind: "lessons", Name: "lessons/l", Data: `{"name":"lessons/l","createTime":"2026-01-02T00:00:00Z","updateTime":"2026-01-02T00:00:00Z",
		"statement":"Try it there","setback":"setbacks/launch","applyTime":"2026-06-01T12:00:00Z"}`}
	if _, err := r.records.Restore(t.Context(), transfer.Batch{Owner: ada, Records: []transfer.Record{lesson, rec}}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"### Setback: The launch failed\n\n00:30 · setbacks/launch\n\n- **Account**\n\n  > It crashed\n  > # in front of everybody\n\n- **Area**: project\n" +
			"- **Factors 1**\n  - **Kind**: overload\n  - **Note**: three weeks\n- **Occurred on**: 2026-01-01\n- **Intensity**: 7\n- **Feelings**: shame, fear\n- **Muted**: yes\n",
		"### Lesson: Try it there\n\n01:00 · lessons/l\n\n- **Setback**: setbacks/launch\n- **Apply time**: 2026-06-01 14:00\n",
	}
	for i, got := range all(t, r.records.Texts(t.Context(), ada, "Europe/Berlin")) {
		if got.Data != want[i] {
			t.Errorf("got\n%s\nwant\n%s", got.Data, want[i])
		}
	}
}

// TestImpossible: an instant that does not exist does not keep the rest from being
// read.
func TestImpossible(t *testing.T) {
	r := newRig(t)
	made := timestamppb.New(time.Unix(1, 0))
	setback := &journalv1.Setback{Name: ada + "/setbacks/a", Title: "t", CreateTime: made, UpdateTime: made}
	debrief := &journalv1.Debrief{
		Name: ada + "/setbacks/a/debriefs/d", CreateTime: made, UpdateTime: made, ScheduledTime: made,
		Duration: &durationpb.Duration{Seconds: 1 << 60}, Moments: []*journalv1.Moment{{What: "w", OccurTime: &timestamppb.Timestamp{Seconds: 1 << 60}}},
	}
	for _, p := range r.Deps.Portable() {
		for kind, doc := range map[string]proto.Message{"setbacks": setback, "debriefs": debrief} {
			if p.Kind().Name == kind {
				if err := p.Restore(t.Context(), []proto.Message{doc}, []string{""})[0]; err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	got := all(t, r.records.Lines(t.Context(), ada, "debriefs"))
	const want = `"scheduledTime":"1970-01-01T00:00:01Z","moments":[{"what":"w"}]}`
	if len(got) != 1 || !strings.HasSuffix(got[0].Data, want) {
		t.Errorf("%v", got)
	}
}
