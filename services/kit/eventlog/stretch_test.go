package eventlog_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
)

// stretch reads what lies between positions.
func (r *rig) stretch(t rapid.TB, from, until []int64) []*eventsv1.Event {
	t.Helper()
	var out []*eventsv1.Event
	err := r.hub.Stretch(r.t.Context(), eventlog.Query{Positions: from, Heartbeat: time.Minute}, until, func(b eventlog.Batch) error {
		out = append(out, b.Events...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// before gives the positions before what happened n seconds after the start.
func (r *rig) before(t rapid.TB, n int) []int64 {
	t.Helper()
	positions, err := r.bookmarks.Before(r.t.Context(), start.Add(time.Duration(n)*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return positions
}

// TestStretchesJoin: cut at any times, a log comes in pieces that hold every event
// once, each piece those of its time and no others.
func TestStretchesJoin(t *testing.T) {
	r := newRig(t)
	const n = 2500
	r.publish(n)
	rapid.Check(t, func(rt *rapid.T) {
		cuts := rapid.SliceOfN(rapid.IntRange(0, n+10), 0, 5).Draw(rt, "cuts")
		slices.Sort(cuts)
		seen := map[string]bool{}
		from, earliest := make([]int64, 4), 0
		for _, cut := range append(cuts, n+10) {
			until := r.before(rt, cut)
			for _, e := range r.stretch(rt, from, until) {
				second := int(e.GetTime().AsTime().Sub(start) / time.Second)
				if seen[e.GetId()] || second < earliest || second >= cut {
					rt.Fatalf("event %s lies in the stretch from %d to %d, or came before", e.GetId(), earliest, cut)
				}
				seen[e.GetId()] = true
			}
			from, earliest = until, cut
		}
		if len(seen) != n {
			rt.Fatalf("%d events in all", len(seen))
		}
	})
}

// TestBeforeLateEvents: an event that comes late lies where it was written, behind
// the place that its time stands for.
func TestBeforeLateEvents(t *testing.T) {
	r := newRig(t)
	r.publish(20)
	r.n = 1000
	r.publish(20)
	r.n = 500 // late
	r.publish(20)
	early := r.stretch(t, make([]int64, 4), r.before(t, 900))
	if len(early) < 20 || len(early) > 40 {
		t.Errorf("%d events before anything of that time", len(early))
	}
	for _, e := range early {
		if !e.GetTime().AsTime().Before(start.Add(900 * time.Second)) {
			t.Errorf("event %s is too late", e.GetId())
		}
	}
	rest := r.stretch(t, r.before(t, 900), r.before(t, 1_000_000))
	if len(early)+len(rest) != 60 {
		t.Errorf("%d events before, %d after", len(early), len(rest))
	}
	if got := r.stretch(t, r.before(t, 900), r.before(t, 5)); got != nil {
		t.Errorf("%d events lie between a place and an earlier one", len(got))
	}
}
