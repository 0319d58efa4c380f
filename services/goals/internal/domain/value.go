package domain

import (
	"context"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// lowestRank is the rank of the least important values, as the proto has it.
const lowestRank = 1000

func (d *Domain) values() resource.Type[*goalsv1.Value] {
	return resource.Type[*goalsv1.Value]{
		Filter:    []string{"rank"},
		Order:     []string{"rank", "create_time"},
		Ascending: true,
		Decide:    d.decideValue,
	}
}

func (d *Domain) decideValue(ctx context.Context, c resource.Change[*goalsv1.Value]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("added", nil), nil
	}
	if c.New.GetRank() == 0 {
		last, err := d.Values.Latest(ctx, c.Owner, "rank", nil, nil, 1)
		if err != nil {
			return nil, err
		}
		c.New.Rank = 1
		if len(last) > 0 {
			c.New.Rank = min(last[0].GetRank()+1, lowestRank)
		}
	}
	return c.Event("added", &eventsv1.Event{Data: &eventsv1.Event_Value{Value: &eventsv1.ValueFacts{Rank: c.New.GetRank()}}}), nil
}
