package consume_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// BenchmarkCatchUp applies the lives of many people, taking turns, in batches as they
// come: of one response of the stream, and of what queues up while it is busy.
func BenchmarkCatchUp(b *testing.B) {
	for _, c := range []struct{ people, events, batch int }{{500, 50_000, 500}, {500, 50_000, 10_000}, {10_000, 100_000, 10_000}} {
		events := lives(c.people, c.events)
		b.Run(fmt.Sprintf("people=%d/batch=%d", c.people, c.batch), func(b *testing.B) {
			for b.Loop() {
				consumer, _ := open(b)
				for batch := range slices.Chunk(events, c.batch) {
					if err := consumer.Apply(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(len(events)*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// lives gives check-ins of people.
func lives(people, n int) []*eventsv1.Event {
	var events []*eventsv1.Event
	for i := range n {
		owner := fmt.Sprintf("tenants/acme/people/p%d", i%people)
		at := begin.Add(time.Duration(i/people) * 5 * time.Hour)
		events = append(events, &eventsv1.Event{
			Id: ids.Derived(fmt.Sprint(i)), Owner: owner, Time: timestamppb.New(at), Source: "rebound/journal", Position: int64(i + 1),
			Subject: fmt.Sprintf("%s/checkIns/c%d", owner, i), Type: "checkIn.recorded",
			Data: &eventsv1.Event_CheckIn{CheckIn: &eventsv1.CheckInFacts{Pleasantness: int32(i%11 - 5), Time: timestamppb.New(at), LocalDate: localdate.Of(at, time.UTC)}},
		})
	}
	return events
}
