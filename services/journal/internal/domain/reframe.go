package domain

import (
	"context"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

func (d *Domain) reframes() resource.Type[*journalv1.Reframe] {
	return resource.Type[*journalv1.Reframe]{
		Filter: []string{"kind", "belief_before", "belief_after", "setback", "tags"},
		Order:  []string{"create_time"},
		Decide: d.decideReframe,
	}
}

func (d *Domain) decideReframe(ctx context.Context, c resource.Change[*journalv1.Reframe]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("made", nil), nil
	}
	if c.Created() || c.Old.GetSetback() != c.New.GetSetback() {
		if err := d.Setbacks.CheckReference(ctx, "reframe.setback", c.Owner, c.New.GetSetback()); err != nil {
			return nil, err
		}
	}
	return c.Event("made", &eventsv1.Event{Data: &eventsv1.Event_Reframe{Reframe: &eventsv1.ReframeFacts{
		Kind: c.New.GetKind(), BeliefBefore: c.New.BeliefBefore, BeliefAfter: c.New.BeliefAfter,
		Setback: c.New.GetSetback(), Reframed: c.New.GetReframed() != "",
	}}}), nil
}

// SuggestReframe asks questions where the original's wording closes it off.
func (d *Domain) SuggestReframe(ctx context.Context, req *journalv1.SuggestReframeRequest) (*journalv1.SuggestReframeResponse, error) {
	r, err := d.Reframes.Fetch(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return &journalv1.SuggestReframeResponse{Suggestions: suggestions(r.GetOriginal()), RulesVersion: reframeRulesVersion}, nil
}
