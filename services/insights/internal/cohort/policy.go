package cohort

import (
	"context"
	"time"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// The minimums of a tenant that has not raised them.
const (
	minimumPeople       = 5
	minimumPeopleStrict = 10
)

func defaultPolicy(_ context.Context, _ string, p *insightsv1.CohortPolicy, _ time.Time) error {
	if p.MinimumPeople == 0 {
		p.MinimumPeople = minimumPeople
	}
	if p.MinimumPeopleStrict == 0 {
		p.MinimumPeopleStrict = max(minimumPeopleStrict, p.GetMinimumPeople())
	}
	return nil
}

// decidePolicy lets minimums be raised only. Cleared ones are as they were; a strict
// one that is not named goes up with the other.
func decidePolicy(_ context.Context, c resource.Change[*insightsv1.CohortPolicy]) ([]*eventsv1.Event, error) {
	least := &insightsv1.CohortPolicy{MinimumPeople: minimumPeople, MinimumPeopleStrict: minimumPeopleStrict}
	if !c.Created() {
		least = c.Old
	}
	p := c.New
	if p.MinimumPeople == 0 {
		p.MinimumPeople = least.GetMinimumPeople()
	}
	if p.MinimumPeopleStrict == 0 || p.MinimumPeopleStrict == least.GetMinimumPeopleStrict() {
		p.MinimumPeopleStrict = max(least.GetMinimumPeopleStrict(), p.GetMinimumPeople())
	}
	switch {
	case p.GetMinimumPeople() < least.GetMinimumPeople():
		return nil, fault.Invalid("cohort_policy.minimum_people", "MINIMUM_LOWERED", "may be raised only, and is %d", least.GetMinimumPeople())
	case p.GetMinimumPeopleStrict() < least.GetMinimumPeopleStrict():
		return nil, fault.Invalid("cohort_policy.minimum_people_strict", "MINIMUM_LOWERED", "may be raised only, and is %d", least.GetMinimumPeopleStrict())
	case p.GetMinimumPeopleStrict() < p.GetMinimumPeople():
		return nil, fault.Invalid("cohort_policy.minimum_people_strict", "MINIMUM_STRICT_LOWER", "must not be below minimum_people")
	}
	return nil, nil
}
