package stream

import (
	"context"
	"strings"
	"time"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// Stretch is a part of the insight stream that has an end, as its caller sees it.
type Stretch struct {
	// First is a resume token of StreamInsights: the place before the stretch. Empty
	// when it begins with a snapshot.
	First string

	run   *run
	until []int64
}

// Stretch gives the part of a stream from where StreamInsights would start for the
// request, or right before the first insight of the time start, to right before the
// first one of the time end, or to what is there now. That the caller may see parent
// was decided by the method's rule. Errors are faults on the request's fields.
func (s *Server) Stretch(ctx context.Context, req *insightsv1.ExportInsightsRequest) (*Stretch, error) {
	if n := strings.Count(req.GetParent(), "/"); n != 1 && n != 3 {
		return nil, fault.Invalid("parent", "NAME_INVALID", "must have the form tenants/{tenant} or tenants/{tenant}/people/{person}")
	}
	match, err := s.Fields.Compile(req.GetFilter())
	if err != nil {
		return nil, err
	}
	start, end, err := times(req)
	if err != nil {
		return nil, err
	}
	v := s.view(ctx, req.GetParent())
	out := &Stretch{run: &run{server: s, view: v, match: match, scope: v.scope(req.GetParent(), req.GetFilter())}}
	if err := out.run.begin(ctx, req.GetStart(), req.GetResumeToken()); err != nil {
		return nil, err
	}
	if !start.IsZero() {
		if out.run.positions, err = s.Bookmarks.Before(ctx, start); err != nil {
			return nil, err
		}
	}
	if out.until, err = s.Bookmarks.Before(ctx, end); err != nil {
		return nil, err
	}
	for p, from := range out.run.positions {
		out.until[p] = max(out.until[p], from) // a token may lie behind the end that is asked for
	}
	if req.GetResumeToken() != "" || req.GetStart() != fromSnapshot {
		out.First, err = out.run.token()
	}
	return out, err
}

// forever is later than any insight.
var forever = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)

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
	case req.GetResumeToken() == "" && req.GetStart() == fromSnapshot:
		err = fault.Invalid("end", "END_WITH_SNAPSHOT", "must not be set with SNAPSHOT, which is of now")
	case err != nil:
		err = fault.Invalid("end", "END_INVALID", "must be an RFC 3339 time")
	case !start.IsZero() && !end.After(start):
		err = fault.Invalid("end", "END_NOT_AFTER_START", "must be later than start")
	}
	return start, end, err
}

// Each gives emit the responses of the stream, up to its end, and then the resume token
// of StreamInsights that goes on right after it. What a response holds is good until
// emit returns; nobody may change it.
func (s *Stretch) Each(ctx context.Context, emit func(*insightsv1.StreamInsightsResponse) error) (last string, err error) {
	r := s.run
	r.send = emit
	if err := r.endSnapshot(ctx); err != nil {
		return "", err
	}
	if err := r.server.Hub.Stretch(ctx, r.query(), s.until, func(b eventlog.Batch) error { return r.sendBatch(ctx, b) }); err != nil {
		return "", err
	}
	r.positions = s.until // what the caller is not concerned with may lie before it
	return r.token()
}
