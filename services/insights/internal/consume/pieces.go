package consume

import (
	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
)

// pieces cuts events into pieces with at most so many owners each, in order per owner:
// however often somebody comes, what is kept of them is read and written once. What
// follows a profile lies in a later piece: whether pipelines may read it depends on the
// profile, which has to be written when it is told.
func pieces(events []*eventsv1.Event, owners int) [][]*eventsv1.Event {
	var out [][]*eventsv1.Event
	var size []int              // in owners, by piece
	next := map[string]int{}    // the first piece that somebody may come into
	inside := map[string]bool{} // they are in it
	for _, e := range events {
		owner := e.GetOwner()
		if !inside[owner] {
			for next[owner] < len(out) && size[next[owner]] == owners {
				next[owner]++
			}
			if next[owner] == len(out) {
				out, size = append(out, nil), append(size, 0)
			}
			size[next[owner]]++
			inside[owner] = true
		}
		out[next[owner]] = append(out[next[owner]], e)
		if e.GetProfile() != nil {
			next[owner]++
			inside[owner] = false
		}
	}
	return out
}
