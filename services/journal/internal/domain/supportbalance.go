package domain

import (
	"context"
	"slices"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// maxOverdue is how many names a support balance gives.
const maxOverdue = 50

// GetSupportBalance counts a person's connections.
func (d *Domain) GetSupportBalance(ctx context.Context, req *journalv1.GetSupportBalanceRequest) (*journalv1.SupportBalance, error) {
	owner := resource.Owner(req.GetName())
	if req.GetName() != owner+"/supportBalance" {
		return nil, fault.Invalid("name", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}/supportBalance")
	}
	connections, err := d.Connections.All(ctx, owner)
	if err != nil {
		return nil, err
	}
	cal, err := d.Calendar(ctx, owner)
	if err != nil {
		return nil, err
	}
	b := &journalv1.SupportBalance{Name: req.GetName(), Connections: int32(len(connections)), Date: cal.Date(d.now())}
	if len(connections) == 0 {
		return b, nil
	}
	if err := d.deriveContacts(ctx, connections); err != nil {
		return nil, err
	}
	weigh(b, connections)
	var overdue []*journalv1.Connection
	for _, c := range connections {
		if c.GetContactDueOn() != nil && !localdate.After(c.GetContactDueOn(), b.GetDate()) {
			overdue = append(overdue, c)
		}
	}
	slices.SortStableFunc(overdue, func(x, y *journalv1.Connection) int {
		return localdate.Between(y.GetContactDueOn(), x.GetContactDueOn())
	})
	for _, c := range overdue[:min(len(overdue), maxOverdue)] {
		b.Overdue = append(b.Overdue, c.GetName())
	}
	return b, nil
}

// weigh counts by relation and energy.
func weigh(b *journalv1.SupportBalance, connections []*journalv1.Connection) {
	relations := map[typev1.ConnectionRelation]int32{}
	sum, n := 0, 0
	for _, c := range connections {
		relations[c.GetRelation()]++
		if c.Energy == nil {
			continue
		}
		sum, n = sum+int(c.GetEnergy()), n+1
		switch e := c.GetEnergy(); {
		case e > 0:
			b.Filling++
		case e < 0:
			b.Draining++
		default:
			b.Neutral++
		}
	}
	for number := range int32(len(typev1.ConnectionRelation_name)) {
		if relation := typev1.ConnectionRelation(number); relations[relation] > 0 {
			b.Relations = append(b.Relations, &journalv1.RelationCount{Relation: relation, Count: relations[relation]})
		}
	}
	if n > 0 {
		mean := float64(sum) / float64(n)
		b.MeanEnergy = &mean
	}
}
