package stream

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// lookAgain is how often a silent stream asks whether its reader may still read.
const lookAgain = time.Second

// reader sees another person's insights as far as that person's grants cover them.
// They are asked for again before anything is shown: what is revoked is not shown
// any more.
type reader struct {
	authority   access.Authority
	owner, name string
}

func (r *reader) view(ctx context.Context) (*access.View, error) {
	grants, err := r.authority.Grants(ctx, r.owner, r.name)
	if err != nil {
		return nil, err
	}
	view := access.NewView(r.owner, r.name, grants)
	if !view.Reaches(consume.Insights) {
		return nil, access.Denied()
	}
	return view, nil
}

// show gives those insights that are covered now; nil in the place of each other one.
func (r *reader) show(ctx context.Context, docs store.Documents, insights []*insightsv1.Insight) ([]*insightsv1.Insight, error) {
	view, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	access.FromContext(ctx).Restrict(view)
	out := make([]*insightsv1.Insight, len(insights))
	var shown []proto.Message
	for i, in := range insights {
		if _, ok := view.Covers(recordOf(in)); ok {
			out[i] = proto.CloneOf(in) // events are shared
			shown = append(shown, out[i])
		}
	}
	return out, view.Hide(ctx, docs, shown...)
}

// recordOf is an insight as grants judge it.
func recordOf(in *insightsv1.Insight) store.Record {
	return store.Record{Name: in.GetName(), Owner: resource.Owner(in.GetName()), CreateTime: in.GetTime().AsTime(), Body: in}
}

// watch ends the stream when no grant lets its reader in any more.
func (r *reader) watch(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if _, err := r.view(ctx); err != nil && ctx.Err() == nil {
				stop(err)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// log writes what a reader is about to be shown into the owner's access log.
func (v *view) log(ctx context.Context, insights []*insightsv1.Insight) error {
	if v.reader == nil || len(insights) == 0 {
		return nil
	}
	for _, in := range insights {
		access.Saw(ctx, recordOf(in))
	}
	return access.FromContext(ctx).Flush(ctx)
}
