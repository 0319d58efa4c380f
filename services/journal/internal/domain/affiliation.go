package domain

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// maxHistory is how many earlier affiliations are kept; the oldest go first.
const maxHistory = 200

func (d *Domain) affiliations() resource.Type[*journalv1.Affiliation] {
	return resource.Type[*journalv1.Affiliation]{
		Defaults: func(_ context.Context, _ string, a *journalv1.Affiliation, now time.Time) error {
			if a.GetEffectiveFrom() == nil {
				a.EffectiveFrom = localdate.Of(now, time.UTC)
			}
			return nil
		},
		Decide: d.decideAffiliation,
	}
}

// decideAffiliation keeps what was: a new date adds the one before to the history.
// Attributes that change without a new date correct what holds since.
func (d *Domain) decideAffiliation(_ context.Context, c resource.Change[*journalv1.Affiliation]) ([]*eventsv1.Event, error) {
	a := c.New
	if err := localdate.CheckWhole("affiliation.effective_from", a.GetEffectiveFrom()); err != nil {
		return nil, err
	}
	if !c.Created() {
		if localdate.After(c.Old.GetEffectiveFrom(), a.GetEffectiveFrom()) {
			return nil, fault.Invalid("affiliation.effective_from", "DATE_BEFORE_CURRENT", "must not be before the current one, which is %s", localdate.Text(c.Old.GetEffectiveFrom()))
		}
		if !proto.Equal(c.Old.GetEffectiveFrom(), a.GetEffectiveFrom()) {
			a.History = append(a.History, &journalv1.PastAffiliation{
				Attributes: c.Old.GetAttributes(), EffectiveFrom: c.Old.GetEffectiveFrom(), EffectiveUntil: a.GetEffectiveFrom(),
			})
			a.History = a.History[max(0, len(a.History)-maxHistory):]
		}
	}
	return c.Event("updated", &eventsv1.Event{Data: &eventsv1.Event_Affiliation{Affiliation: &eventsv1.AffiliationFacts{
		Attributes: a.GetAttributes(), EffectiveFrom: a.GetEffectiveFrom(),
	}}}), nil
}
