// Package stream serves the stream of reminders: to people theirs.
package stream

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/domain"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// Server serves StreamReminders.
type Server struct {
	Hub       *eventlog.Hub
	Bookmarks *eventlog.Bookmarks
	Heartbeat time.Duration
	Fields    *filter.Fields
	// Reminders reads reminders by name, in order; those that are gone are left out.
	Reminders func(ctx context.Context, names []string) ([]*goalsv1.Reminder, error)
}

// NewFields are the fields that filters of the stream may name.
func NewFields() (*filter.Fields, error) {
	return filter.New((&goalsv1.Reminder{}).ProtoReflect().Descriptor(), domain.ReminderFields...)
}

// StreamReminders implements the RPC. That the caller may see parent was decided
// by the method's rule. The log says which reminders came; it holds no words, so
// that they are read, a batch at a time, as they are now.
func (s *Server) StreamReminders(req *goalsv1.StreamRemindersRequest, stream grpc.ServerStreamingServer[goalsv1.StreamRemindersResponse]) error {
	ctx, owner := stream.Context(), req.GetParent()
	if resource.Owner(owner) != owner {
		return fault.Invalid("parent", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}")
	}
	match, err := s.Fields.Compile(req.GetFilter())
	if err != nil {
		return err
	}
	scope := eventlog.NewScope("reminders", owner, req.GetFilter())
	positions, err := s.Bookmarks.Start(ctx, scope, req.GetStart(), req.GetResumeToken())
	if err != nil {
		return err
	}
	q := eventlog.Query{
		Positions: positions, Partitions: eventlog.PartitionsOf(owner, len(positions)), Heartbeat: s.Heartbeat,
		Match: func(e *eventsv1.Event) bool { return e.GetOwner() == owner && e.GetType() == domain.ReminderFired },
	}
	return s.Hub.Follow(ctx, q, func(b eventlog.Batch) error {
		names := make([]string, len(b.Events))
		for i, e := range b.Events {
			names[i] = e.GetSubject()
		}
		reminders, err := s.Reminders(ctx, names)
		if err != nil {
			return err
		}
		if match != nil {
			reminders = slices.DeleteFunc(reminders, func(r *goalsv1.Reminder) bool { return !match(r.ProtoReflect()) })
		}
		token, err := s.Bookmarks.Token(scope, b.Positions)
		if err != nil {
			return err
		}
		return stream.Send(&goalsv1.StreamRemindersResponse{Reminders: reminders, NextToken: token, HistoryEnd: b.HistoryEnd})
	})
}
