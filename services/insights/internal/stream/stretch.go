package stream

import (
	"context"
	"strings"
	"time"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
)

// Stretch is a part of the insight stream that has an end, as its caller sees it.
type Stretch struct {
	// First and Last are resume tokens of StreamInsights: the places before the
	// stretch and right after it.
	First, Last string

	server *Server
	view   *view
	match  filter.Matcher
	query  eventlog.Query
	until  []int64
}

// Stretch gives the part of a stream from where StreamInsights would start for the
// request to the first insight that is of the time end or later, or to what is there
// now. That the caller may see parent was decided by the method's rule. Errors are
// faults on the request's fields.
func (s *Server) Stretch(ctx context.Context, req *insightsv1.ExportInsightsRequest) (*Stretch, error) {
	if n := strings.Count(req.GetParent(), "/"); n != 1 && n != 3 {
		return nil, fault.Invalid("parent", "NAME_INVALID", "must have the form tenants/{tenant} or tenants/{tenant}/people/{person}")
	}
	match, err := s.Fields.Compile(req.GetFilter())
	if err != nil {
		return nil, err
	}
	v := s.view(ctx, req.GetParent())
	scope := v.scope(req.GetParent(), req.GetFilter())
	positions, until, err := s.bounds(ctx, scope, req)
	if err != nil {
		return nil, err
	}
	out := &Stretch{server: s, view: v, match: match, until: until, query: eventlog.Query{
		Positions: positions, Partitions: v.partitions(len(positions)), Match: v.match, Heartbeat: s.Heartbeat,
	}}
	if out.First, err = s.Bookmarks.Token(scope, positions); err != nil {
		return nil, err
	}
	out.Last, err = s.Bookmarks.Token(scope, until)
	return out, err
}

// forever is later than any insight.
var forever = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)

// bounds gives the positions to start after, and those to end with. A time stands for
// the place right before the first event of that time or later, so that what one
// stretch ends with is where the next one starts.
func (s *Server) bounds(ctx context.Context, scope eventlog.Scope, req *insightsv1.ExportInsightsRequest) (from, until []int64, err error) {
	start, end, err := times(req)
	if err != nil {
		return nil, nil, err
	}
	from, err = s.Bookmarks.Start(ctx, scope, req.GetStart(), req.GetResumeToken())
	if err == nil && !start.IsZero() {
		from, err = s.Bookmarks.Before(ctx, start)
	}
	if err != nil {
		return nil, nil, err
	}
	if until, err = s.Bookmarks.Before(ctx, end); err != nil {
		return nil, nil, err
	}
	for p := range until {
		until[p] = max(until[p], from[p]) // a token may lie behind the end that is asked for
	}
	return from, until, nil
}

// times are the start, if it is a time that counts, and the end. An end that is no
// time, or not later than the start, is refused.
func times(req *insightsv1.ExportInsightsRequest) (start, end time.Time, err error) {
	if req.GetResumeToken() == "" {
		if start, err = time.Parse(time.RFC3339Nano, req.GetStart()); err != nil {
			start = time.Time{} // a word, or for Start to refuse
		}
	}
	if req.GetEnd() == "" {
		return start, forever, nil
	}
	end, err = time.Parse(time.RFC3339Nano, req.GetEnd())
	switch {
	case err != nil:
		err = fault.Invalid("end", "END_INVALID", "must be an RFC 3339 time")
	case !start.IsZero() && !end.After(start):
		err = fault.Invalid("end", "END_NOT_AFTER_START", "must be later than start")
	}
	return start, end, err
}

// Each gives emit the insights of the stretch in batches, in the order of the
// stream. They are good until emit returns; nobody may change them.
func (s *Stretch) Each(ctx context.Context, emit func([]*insightsv1.Insight) error) error {
	return s.server.Hub.Stretch(ctx, s.query, s.until, func(b eventlog.Batch) error {
		insights, err := s.view.show(ctx, b.Events)
		if err != nil {
			return err
		}
		if s.match != nil {
			insights = matching(insights, s.match)
		}
		return emit(insights)
	})
}
