package stream

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// How a caller sees the log.
const (
	own          = "own"
	granted      = "granted"
	pseudonymous = "pseudonymous"
)

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
	if g := access.ViewOf(ctx); g != nil {
		r := &reader{authority: s.Authority, owner: g.Owner, name: g.Reader}
		return &view{mode: granted, under: parent, reader: r, server: s}
	}
	if p, ok := auth.FromContext(ctx); ok && p.Owner() == parent {
		return &view{mode: own, under: parent, server: s}
	}
	segments := strings.Split(parent, "/")
	v := &view{mode: pseudonymous, under: strings.Join(segments[:2], "/"), server: s}
	if len(segments) > 2 {
		v.pseudonym = segments[len(segments)-1]
	}
	return v
}

// scope is what tokens of this view are good for.
func (v *view) scope(parent, filter string) eventlog.Scope {
	return eventlog.NewScope("insights", v.mode, parent, filter)
}

// match tells what of the log the caller may be concerned with.
func (v *view) match(e *eventsv1.Event) bool {
	wanted := e.GetInsight() != nil || v.mode == pseudonymous && e.GetPersonErased() != nil
	return wanted && eventlog.Under(e.GetOwner(), v.under)
}

// show gives insights as the caller may see them, in the same places; nil in the place
// of one that they may not see. JustNow: they were told while the caller was looking.
func (v *view) show(ctx context.Context, insights []*insightsv1.Insight, justNow bool) ([]*insightsv1.Insight, error) {
	if len(insights) == 0 {
		return nil, nil
	}
	if v.reader != nil {
		return v.reader.show(ctx, v.server.Docs, insights)
	}
	owners := make([]string, len(insights))
	for i, in := range insights {
		owners[i] = resource.Owner(in.GetName())
	}
	people, err := v.server.People.of(ctx, owners, justNow)
	if err != nil {
		return nil, err
	}
	out := make([]*insightsv1.Insight, len(insights))
	for i, in := range insights {
		switch person := people[owners[i]]; {
		case person.erased:
		case v.mode == own:
			out[i] = in
		case person.consents:
			if out[i], err = v.hidden(in); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// hidden gives an insight under pseudonyms; nil when it is about another person than
// the caller asks for.
func (v *view) hidden(in *insightsv1.Insight) (*insightsv1.Insight, error) {
	in = proto.CloneOf(in) // events are shared
	if err := pseudonyms(v.server.Names).hide(in); err != nil {
		return nil, err
	}
	if v.pseudonym != "" && strings.Split(in.GetName(), "/")[3] != v.pseudonym {
		return nil, nil
	}
	return in, nil
}

// tombstone gives the tombstone that an event brings the caller; nil for none.
func (v *view) tombstone(e *eventsv1.Event) (*insightsv1.Tombstone, error) {
	person, err := pseudonyms(v.server.Names).name(e.GetOwner())
	if err != nil || v.pseudonym != "" && resource.LastSegment(person) != v.pseudonym {
		return nil, err
	}
	return &insightsv1.Tombstone{Person: person, Time: e.GetTime()}, nil
}
