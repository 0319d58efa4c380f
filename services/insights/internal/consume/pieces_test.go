package consume

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
)

// TestPieces: every event lies in one piece, those of an owner in the same and in
// order, and no piece has too many owners.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(rt, "owners")
		var events []*eventsv1.Event
		for i := range rapid.IntRange(0, 40).Draw(rt, "events") {
			events = append(events, &eventsv1.Event{Owner: fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "owner")), Position: int64(i + 1)})
		}
		in, last, n := map[string]int{}, map[string]int64{}, 0
		for i, piece := range pieces(events, most) {
			owners := map[string]bool{}
			for _, e := range piece {
				owners[e.GetOwner()] = true
				if at, ok := in[e.GetOwner()]; ok && at != i || e.GetPosition() <= last[e.GetOwner()] {
					rt.Fatalf("%s lies in pieces %d and %d, or out of order", e.GetOwner(), at, i)
				}
				in[e.GetOwner()], last[e.GetOwner()] = i, e.GetPosition()
				n++
			}
			if len(owners) > most {
				rt.Fatalf("a piece has %d owners, of at most %d", len(owners), most)
			}
		}
		if n != len(events) {
			rt.Fatalf("%d events of %d", n, len(events))
		}
	})
}
