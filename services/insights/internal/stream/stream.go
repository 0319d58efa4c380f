// Package stream serves the insight stream: to people theirs, to pipelines the
// tenant's, under pseudonyms.
package stream

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
)

// Filterable are the fields of an insight that filters may name.
var Filterable = []string{"kind", "subjects", "time", "n"}

// Server serves StreamInsights.
type Server struct {
	Hub       *eventlog.Hub
	Bookmarks *eventlog.Bookmarks
	Heartbeat time.Duration
	Consents  *Consents
	Names     Pseudonymiser
	Fields    *filter.Fields
	Authority access.Authority
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
	scope := v.scope(req.GetParent(), req.GetFilter())
	positions, err := s.Bookmarks.Start(ctx, scope, req.GetStart(), req.GetResumeToken())
	if err != nil {
		return err
	}
	q := eventlog.Query{Positions: positions, Partitions: v.partitions(len(positions)), Match: v.match, Heartbeat: s.Heartbeat}
	err = s.Hub.Follow(ctx, q, func(b eventlog.Batch) error {
		insights, err := v.show(ctx, b.Events)
		if err != nil {
			return err
		}
		if match != nil {
			insights = matching(insights, match)
		}
		token, err := s.Bookmarks.Token(scope, b.Positions)
		if err != nil {
			return err
		}
		if err := v.log(ctx, insights); err != nil {
			return err
		}
		return stream.Send(&insightsv1.StreamInsightsResponse{Insights: insights, NextToken: token, HistoryEnd: b.HistoryEnd})
	})
	if f, ok := fault.As(context.Cause(ctx)); ok && err != nil {
		return f
	}
	return err
}

func matching(insights []*insightsv1.Insight, match filter.Matcher) []*insightsv1.Insight {
	kept := insights[:0]
	for _, in := range insights {
		if match(in.ProtoReflect()) {
			kept = append(kept, in)
		}
	}
	return kept
}

// view is how one caller sees the log.
type view struct {
	mode string
	// under is whose insights: an owner or a tenant.
	under string
	// pseudonym narrows a pipeline's view to one person.
	pseudonym string
	// reader sees what another person's grants cover; nil for all others.
	reader *reader
	server *Server
}

// view decides how the caller sees parent: a person sees their own as it is, a reader
// as far as a grant covers it, a pipeline a tenant under pseudonyms.
func (s *Server) view(ctx context.Context, parent string) *view {
	if granted := access.ViewOf(ctx); granted != nil {
		r := &reader{authority: s.Authority, owner: granted.Owner, name: granted.Reader}
		return &view{mode: "granted", under: parent, reader: r, server: s}
	}
	if p, ok := auth.FromContext(ctx); ok && p.Owner() == parent {
		return &view{mode: "own", under: parent, server: s}
	}
	segments := strings.Split(parent, "/")
	v := &view{mode: "pseudonymous", under: strings.Join(segments[:2], "/"), server: s}
	if len(segments) > 2 {
		v.pseudonym = segments[len(segments)-1]
	}
	return v
}

// scope is what tokens of this view are good for.
func (v *view) scope(parent, filter string) eventlog.Scope {
	return eventlog.NewScope("insights", v.mode, parent, filter)
}

func (v *view) partitions(n int) []int { return eventlog.PartitionsOf(v.under, n) }

func (v *view) match(e *eventsv1.Event) bool {
	return e.GetInsight() != nil && eventlog.Under(e.GetOwner(), v.under)
}

// show gives the insights of events as the caller may see them.
func (v *view) show(ctx context.Context, events []*eventsv1.Event) ([]*insightsv1.Insight, error) {
	out := make([]*insightsv1.Insight, 0, len(events))
	if v.reader != nil {
		return v.reader.show(ctx, events)
	}
	if v.mode == "own" {
		for _, e := range events {
			out = append(out, e.GetInsight())
		}
		return out, nil
	}
	consent, err := v.server.Consents.Of(ctx, events)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if !consent[e.GetOwner()] {
			continue
		}
		in := proto.CloneOf(e.GetInsight()) // events are shared
		if err := v.server.Names.hide(in); err != nil {
			return nil, err
		}
		if v.pseudonym == "" || strings.Split(in.GetName(), "/")[3] == v.pseudonym {
			out = append(out, in)
		}
	}
	return out, nil
}
