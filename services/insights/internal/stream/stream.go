// Package stream serves the insight stream: to people theirs, to pipelines the
// tenant's, under pseudonyms.
package stream

import (
	"context"
	"time"

	"google.golang.org/grpc"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/keys"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Filterable are the fields of an insight that filters may name.
var Filterable = []string{"kind", "subjects", "time", "n", "correction"}

// Server serves StreamInsights.
type Server struct {
	Hub       *eventlog.Hub
	Bookmarks *eventlog.Bookmarks
	Heartbeat time.Duration
	// Docs holds the insights; what it knows of their kind is what Kind made of it.
	Docs      store.Documents
	People    *People
	Names     keys.Pseudonymiser
	Fields    *filter.Fields
	Authority access.Authority
	Clock     clock.Clock
	// Partitions of the log.
	Partitions int

	page int // of a snapshot; 0: snapshotPage
}

// StreamInsights implements the RPC. That the caller may see parent was decided
// by the method's rule.
func (s *Server) StreamInsights(req *insightsv1.StreamInsightsRequest, stream grpc.ServerStreamingServer[insightsv1.StreamInsightsResponse]) error {
	ctx := stream.Context()
	match, err := s.Fields.Compile(req.GetFilter())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	v := s.view(ctx, req.GetParent())
	if v.reader != nil {
		if _, err := v.reader.view(ctx); err != nil {
			return err
		}
		go v.reader.watch(ctx, stop)
	}
	r := &run{server: s, view: v, match: match, send: stream.Send, scope: v.scope(req.GetParent(), req.GetFilter())}
	err = r.run(ctx, req.GetStart(), req.GetResumeToken())
	if f, ok := fault.As(context.Cause(ctx)); ok && err != nil {
		return f
	}
	return err
}

// run is one stream on its way.
type run struct {
	server *Server
	view   *view
	match  filter.Matcher
	scope  eventlog.Scope
	send   func(*insightsv1.StreamInsightsResponse) error

	positions []int64
	snapshot  *storagev1.Snapshot // nil: none, or it does not matter any more
	recent    recent
	last      time.Time // of the last response in the snapshot
	live      bool      // history has ended
}

func (r *run) run(ctx context.Context, start, token string) error {
	if err := r.begin(ctx, start, token); err != nil {
		return err
	}
	if err := r.endSnapshot(ctx); err != nil {
		return err
	}
	return r.server.Hub.Follow(ctx, r.query(), func(b eventlog.Batch) error { return r.sendBatch(ctx, b) })
}

// endSnapshot sends what is left of the snapshot, if there is one.
func (r *run) endSnapshot(ctx context.Context) error {
	if r.snapshot == nil || r.snapshot.GetEnded() {
		return nil
	}
	return r.sendSnapshot(ctx)
}

// query is what of the log comes after the snapshot.
func (r *run) query() eventlog.Query {
	return eventlog.Query{Positions: r.positions, Partitions: r.partitions(), Match: r.view.match, Heartbeat: r.server.Heartbeat}
}

// partitions are those that the view is in; nil: all.
func (r *run) partitions() []int { return eventlog.PartitionsOf(r.view.under, r.server.Partitions) }

// begin finds out where to start.
func (r *run) begin(ctx context.Context, start, token string) (err error) {
	if token == "" && start == fromSnapshot {
		return r.beginSnapshot(ctx)
	}
	if token == "" {
		r.positions, err = r.server.Bookmarks.Start(ctx, r.scope, start, "", r.partitions()...)
		return err
	}
	t, err := r.server.Bookmarks.Resume(ctx, r.scope, token, r.partitions()...)
	if err != nil {
		return err
	}
	r.positions, r.snapshot = t.GetPositions(), t.GetSnapshot()
	r.recent.restore(r.snapshot.GetSent())
	return nil
}

// token makes the token for what was sent up to now.
func (r *run) token() (string, error) {
	if r.snapshot != nil {
		r.snapshot.Sent = r.recent.latest(len(r.positions))
	}
	return r.server.Bookmarks.Seal(r.scope, &storagev1.ResumeToken{Positions: r.positions, Snapshot: r.snapshot})
}

// sendBatch sends what a batch of the log brings the caller.
func (r *run) sendBatch(ctx context.Context, b eventlog.Batch) error {
	res := &insightsv1.StreamInsightsResponse{HistoryEnd: b.HistoryEnd}
	insights, err := r.told(b.Events, res)
	if err != nil {
		return err
	}
	if insights, err = r.view.show(ctx, insights, r.live); err != nil {
		return err
	}
	res.Insights = r.matching(insights)
	r.positions, r.live = b.Positions, r.live || b.HistoryEnd
	r.forgetSnapshot()
	return r.respond(ctx, res)
}

// told gives the insights that events tell and the snapshot did not hold, and puts
// tombstones into a response.
func (r *run) told(events []*eventsv1.Event, into *insightsv1.StreamInsightsResponse) ([]*insightsv1.Insight, error) {
	insights := make([]*insightsv1.Insight, 0, len(events))
	for _, e := range events {
		in := e.GetInsight()
		if in == nil {
			tombstone, err := r.view.tombstone(e)
			if err != nil {
				return nil, err
			}
			if r.server.People.erased(e.GetOwner()); tombstone != nil {
				into.Tombstones = append(into.Tombstones, tombstone)
			}
			continue
		}
		if !r.recent.take(in.GetName()) {
			insights = append(insights, in)
		}
	}
	return insights, nil
}

// matching gives those that are there and fit the filter.
func (r *run) matching(insights []*insightsv1.Insight) []*insightsv1.Insight {
	kept := insights[:0]
	for _, in := range insights {
		if in != nil && (r.match == nil || r.match(in.ProtoReflect())) {
			kept = append(kept, in)
		}
	}
	return kept
}

// respond sends a response with the token after it, once the owner's access log
// knows.
func (r *run) respond(ctx context.Context, res *insightsv1.StreamInsightsResponse) (err error) {
	if res.NextToken, err = r.token(); err != nil {
		return err
	}
	if err := r.view.log(ctx, res.GetInsights()); err != nil {
		return err
	}
	return r.send(res)
}
