package erasure

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"google.golang.org/grpc"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// acknowledged gathers what a journal was told.
type acknowledged struct {
	journalv1.ErasureServiceClient
	names []string
}

func (a *acknowledged) AcknowledgeErasure(_ context.Context, req *journalv1.AcknowledgeErasureRequest, _ ...grpc.CallOption) (*journalv1.Erasure, error) {
	a.names = append(a.names, req.GetName())
	return &journalv1.Erasure{}, nil
}

// TestInOrder: what is told besides erasures is handed on between them, in order,
// and again when it fails.
func TestInOrder(t *testing.T) {
	event := func(eventType, id string) *eventsv1.Event {
		e := &eventsv1.Event{Type: eventType, Id: id, Owner: id}
		if eventType == EventType {
			e.Data = &eventsv1.Event_PersonErased{PersonErased: &eventsv1.PersonErasedFacts{Erasure: "erasures/" + id}}
		}
		return e
	}
	var log []string
	fails := 1
	journal := &acknowledged{}
	f := &Follower{
		Service: "goals", Journal: journal, Log: slog.New(slog.DiscardHandler),
		Erase: func(_ context.Context, owner string) (int64, error) {
			log = append(log, "erase "+owner)
			return 1, nil
		},
		Also: Also{Apply: func(_ context.Context, events []*eventsv1.Event) error {
			if fails--; fails >= 0 {
				return errors.New("not now")
			}
			for _, e := range events {
				log = append(log, "apply "+e.GetId())
			}
			return nil
		}},
	}
	events := []*eventsv1.Event{event("x", "a"), event("x", "b"), event(EventType, "c"), event(EventType, "d"), event("x", "e")}
	if err := f.take(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if want := []string{"apply a", "apply b", "erase c", "erase d", "apply e"}; !slices.Equal(log, want) {
		t.Errorf("%v, want %v", log, want)
	}
	if !slices.Equal(journal.names, []string{"erasures/c", "erasures/d"}) {
		t.Errorf("acknowledged %v", journal.names)
	}
}
