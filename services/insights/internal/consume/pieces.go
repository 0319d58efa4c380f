package consume

import (
	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
)

// pieces cuts events into pieces with at most so many owners each, every owner in one
// of them, in order per owner: however often somebody comes, what is kept of them is
// read and written once.
func pieces(events []*eventsv1.Event, owners int) [][]*eventsv1.Event {
	var out [][]*eventsv1.Event
	of := map[string]int{}
	for _, e := range events {
		i, known := of[e.GetOwner()]
		if !known {
			if i = len(of) / owners; i == len(out) {
				out = append(out, nil)
			}
			of[e.GetOwner()] = i
		}
		out[i] = append(out[i], e)
	}
	return out
}
