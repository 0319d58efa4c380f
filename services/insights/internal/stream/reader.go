package stream

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
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

// show gives the insights of events that are covered now.
func (r *reader) show(ctx context.Context, events []*eventsv1.Event) ([]*insightsv1.Insight, error) {
	if len(events) == 0 {
		return nil, nil
	}
	view, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	access.FromContext(ctx).Restrict(view)
	var out []*insightsv1.Insight
	for _, e := range events {
		in := proto.CloneOf(e.GetInsight()) // events are shared
		if _, ok := view.Covers(recordOf(in)); !ok {
			continue
		}
		if err := view.Hide(ctx, nil, in); err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
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
