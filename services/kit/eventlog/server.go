package eventlog

import (
	"context"
	"slices"
	"sort"
	"strings"
	"time"

	"google.golang.org/grpc"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// DefaultHeartbeat is how often a quiet stream shows that it lives.
const DefaultHeartbeat = 15 * time.Second

// Server implements EventService over a hub.
type Server struct {
	eventsv1.UnsafeEventServiceServer
	hub       *Hub
	bookmarks *Bookmarks
	heartbeat time.Duration
	screen    Screen
}

// Screen takes out of events what is not to be shown any more. It may not change the
// list, nor the events.
type Screen func(ctx context.Context, events []*eventsv1.Event) ([]*eventsv1.Event, error)

var _ eventsv1.EventServiceServer = (*Server)(nil)

// NewServer serves what a hub reads.
func NewServer(hub *Hub, bookmarks *Bookmarks, heartbeat time.Duration) *Server {
	return &Server{hub: hub, bookmarks: bookmarks, heartbeat: heartbeat}
}

// Screened has what is served go through a screen; nil: none.
func (s *Server) Screened(by Screen) *Server {
	s.screen = by
	return s
}

// StreamEvents implements EventServiceServer.
func (s *Server) StreamEvents(req *eventsv1.StreamEventsRequest, stream grpc.ServerStreamingServer[eventsv1.StreamEventsResponse]) error {
	if err := checkPrefix(req.GetOwnerPrefix()); err != nil {
		return err
	}
	if req.GetShare() < 0 || req.GetShare() >= max(req.GetShares(), 1) {
		return fault.Invalid("share", "SHARE_OUT_OF_RANGE", "must be at least 0 and below shares")
	}
	types := append([]string(nil), req.GetTypes()...)
	sort.Strings(types)
	scope := NewScope(append([]string{"events", req.GetOwnerPrefix()}, types...)...)
	partitions := shareOf(req, s.hub.log.Partitions())
	positions, err := s.bookmarks.Start(stream.Context(), scope, req.GetStart(), req.GetResumeToken(), partitions...)
	if err != nil {
		return err
	}
	q := Query{
		Positions:  positions,
		Partitions: partitions,
		Match:      matcher(req.GetOwnerPrefix(), types),
		Heartbeat:  s.heartbeat,
	}
	return s.hub.Follow(stream.Context(), q, func(b Batch) error {
		token, err := s.bookmarks.Token(scope, b.Positions)
		if err != nil {
			return err
		}
		events := b.Events
		if s.screen != nil {
			if events, err = s.screen(stream.Context(), events); err != nil {
				return err
			}
		}
		return stream.Send(&eventsv1.StreamEventsResponse{Events: events, NextToken: token, HistoryEnd: b.HistoryEnd})
	})
}

func checkPrefix(prefix string) error {
	n := strings.Count(prefix, "/")
	if prefix != "" && (!strings.HasPrefix(prefix, "tenants/") || n != 1 && n != 3) {
		return fault.Invalid("owner_prefix", "NAME_INVALID", "must be tenants/{tenant} or tenants/{tenant}/people/{person}")
	}
	return nil
}

// PartitionsOf gives the partitions to follow for an owner or a tenant: a
// person's events lie in one, a tenant's (or everybody's) in all: nil.
func PartitionsOf(prefix string, n int) []int {
	if strings.Count(prefix, "/") == 3 {
		return []int{store.PartitionOf(prefix, n)}
	}
	return nil
}

// shareOf gives the partitions to follow for a request, of n: those that its share
// has of those it asks for. A share may have none.
func shareOf(req *eventsv1.StreamEventsRequest, n int) []int {
	asked := PartitionsOf(req.GetOwnerPrefix(), n)
	if req.GetShares() == 0 {
		return asked
	}
	share := []int{}
	for p := int(req.GetShare()); p < n; p += int(req.GetShares()) {
		if asked == nil || slices.Contains(asked, p) {
			share = append(share, p)
		}
	}
	return share
}

// Under tells whether an owner is prefix itself or lies below it.
func Under(owner, prefix string) bool {
	return strings.HasPrefix(owner, prefix) && (len(owner) == len(prefix) || owner[len(prefix)] == '/')
}

func matcher(prefix string, types []string) func(*eventsv1.Event) bool {
	if prefix == "" && len(types) == 0 {
		return nil
	}
	wanted := map[string]bool{}
	for _, t := range types {
		wanted[t] = true
	}
	return func(e *eventsv1.Event) bool {
		return (prefix == "" || Under(e.GetOwner(), prefix)) && (len(wanted) == 0 || wanted[e.GetType()])
	}
}
