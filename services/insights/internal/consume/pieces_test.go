package consume

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
)

// TestPieces: every event lies in one piece, those of an owner in order and, up to a
// profile, in the same, what follows that in a later one; no piece has too many owners.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(rt, "owners")
		var events []*eventsv1.Event
		profiles := map[string]int{} // by owner and position: how many there are before it
		seen := map[string]int{}
		for i := range rapid.IntRange(0, 40).Draw(rt, "events") {
			e := &eventsv1.Event{Owner: fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "owner")), Position: int64(i + 1)}
			profiles[key(e)] = seen[e.GetOwner()]
			if rapid.IntRange(0, 5).Draw(rt, "profile") == 0 {
				e.Data = &eventsv1.Event_Profile{Profile: &eventsv1.ProfileFacts{}}
				seen[e.GetOwner()]++
			}
			events = append(events, e)
		}
		last, in, n := map[string]*eventsv1.Event{}, map[string]int{}, 0
		for i, piece := range pieces(events, most) {
			owners := map[string]bool{}
			for _, e := range piece {
				owners[e.GetOwner()] = true
				if before := last[e.GetOwner()]; before != nil {
					same := profiles[key(before)] == profiles[key(e)]
					if e.GetPosition() < before.GetPosition() || same != (in[e.GetOwner()] == i) {
						rt.Fatalf("%s: position %d after %d, in pieces %d and %d", e.GetOwner(), e.GetPosition(), before.GetPosition(), in[e.GetOwner()], i)
					}
				}
				last[e.GetOwner()], in[e.GetOwner()] = e, i
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

func key(e *eventsv1.Event) string { return fmt.Sprint(e.GetOwner(), " ", e.GetPosition()) }
