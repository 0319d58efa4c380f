package domain

import (
	"context"
	"slices"
	"strings"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// Where an outreach may go from where it stands.
var outreachWays = map[typev1.OutreachState][]typev1.OutreachState{
	typev1.OutreachState_OUTREACH_STATE_PLANNED: {typev1.OutreachState_OUTREACH_STATE_SENT},
	typev1.OutreachState_OUTREACH_STATE_SENT: {
		typev1.OutreachState_OUTREACH_STATE_ANSWERED, typev1.OutreachState_OUTREACH_STATE_DECLINED, typev1.OutreachState_OUTREACH_STATE_NO_ANSWER,
	},
	typev1.OutreachState_OUTREACH_STATE_NO_ANSWER: {
		typev1.OutreachState_OUTREACH_STATE_ANSWERED, typev1.OutreachState_OUTREACH_STATE_DECLINED,
	},
}

func (d *Domain) outreaches() resource.Type[*journalv1.Outreach] {
	return resource.Type[*journalv1.Outreach]{
		Filter: []string{"state", "channel", "sent_on", "answered_on", "tags"},
		Order:  []string{"create_time"},
		Decide: d.decideOutreach,
	}
}

func (d *Domain) decideOutreach(ctx context.Context, c resource.Change[*journalv1.Outreach]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("planned", nil), nil
	}
	o := c.New
	was := c.Old.GetState()
	if c.Created() {
		was = typev1.OutreachState_OUTREACH_STATE_PLANNED
	}
	if o.GetState() == typev1.OutreachState_OUTREACH_STATE_UNSPECIFIED {
		o.State = was
	}
	// What is recorded only afterwards may begin anywhere.
	if !c.Created() && o.GetState() != was && !slices.Contains(outreachWays[was], o.GetState()) {
		return nil, fault.Precondition("OUTREACH_STATE", "an outreach that is %s cannot become %s", shortState(was), shortState(o.GetState()))
	}
	if err := d.dateOutreach(ctx, c); err != nil {
		return nil, err
	}
	return c.Event("planned", &eventsv1.Event{Data: &eventsv1.Event_Outreach{Outreach: &eventsv1.OutreachFacts{
		Connection: parentName(c.Name), State: o.GetState(), Channel: o.GetChannel(), Opportunity: o.GetOpportunity() != "",
	}}}), nil
}

// dateOutreach notes the local date on which it was sent, and answered.
func (d *Domain) dateOutreach(ctx context.Context, c resource.Change[*journalv1.Outreach]) error {
	o := c.New
	sent := o.GetState() != typev1.OutreachState_OUTREACH_STATE_PLANNED
	answered := o.GetState() == typev1.OutreachState_OUTREACH_STATE_ANSWERED || o.GetState() == typev1.OutreachState_OUTREACH_STATE_DECLINED
	if (!sent || o.SentOn != nil) && (!answered || o.AnsweredOn != nil) {
		return nil
	}
	cal, err := d.Calendar(ctx, c.Owner)
	if err != nil {
		return err
	}
	today := cal.Date(c.Now)
	if sent && o.SentOn == nil {
		o.SentOn = today
	}
	if answered && o.AnsweredOn == nil {
		o.AnsweredOn = today
	}
	return nil
}

func shortState(s typev1.OutreachState) string {
	return strings.TrimPrefix(s.String(), "OUTREACH_STATE_")
}
