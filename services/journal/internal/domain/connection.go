package domain

import (
	"context"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// maxEnergies is how many earlier values of a connection's energy are kept.
const maxEnergies = 200

func (d *Domain) connections() resource.Type[*journalv1.Connection] {
	return resource.Type[*journalv1.Connection]{
		Filter:   []string{"relation", "energy", "cadence_days", "next_contact_on", "tags"},
		Order:    []string{"create_time", "next_contact_on"},
		Children: []string{"outreaches"},
		Decide:   decideConnection,
		Derive:   d.deriveContacts,
	}
}

func decideConnection(_ context.Context, c resource.Change[*journalv1.Connection]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("made", nil), nil
	}
	n := c.New
	if err := localdate.CheckWhole("connection.next_contact_on", n.GetNextContactOn()); err != nil {
		return nil, err
	}
	if was := c.Old; !c.Created() && was.Energy != nil && (n.Energy == nil || was.GetEnergy() != n.GetEnergy()) {
		n.EnergyHistory = append(n.EnergyHistory, &journalv1.PastEnergy{Energy: was.GetEnergy(), Until: timestamppb.New(c.Now)})
		n.EnergyHistory = n.EnergyHistory[max(0, len(n.EnergyHistory)-maxEnergies):]
	}
	// What follows from outreaches is told when it is read.
	n.LastContactOn, n.ContactDueOn = nil, nil
	return c.Event("made", &eventsv1.Event{Data: &eventsv1.Event_Connection{Connection: &eventsv1.ConnectionFacts{
		Relation: n.GetRelation(), Energy: n.Energy,
	}}}), nil
}

// deriveContacts tells of the last contact and the next one. For several
// connections it reads all of the person's outreaches at once.
func (d *Domain) deriveContacts(ctx context.Context, connections []*journalv1.Connection) error {
	parent := connections[0].GetName()
	owner := resource.Owner(parent)
	if len(connections) > 1 {
		parent = owner + "/connections/-"
	}
	outreaches, err := d.Outreaches.All(ctx, parent)
	if err != nil {
		return err
	}
	cal, err := d.Calendar(ctx, owner)
	if err != nil {
		return err
	}
	last := map[string]*datepb.Date{}
	for _, o := range outreaches {
		for _, on := range []*datepb.Date{o.GetSentOn(), o.GetAnsweredOn()} {
			name := parentName(o.GetName())
			if on != nil && (last[name] == nil || localdate.After(on, last[name])) {
				last[name] = on
			}
		}
	}
	for _, c := range connections {
		c.LastContactOn = last[c.GetName()]
		c.ContactDueOn = contactDue(c, cal)
	}
	return nil
}

// contactDue is the date by which to be in touch; nil where none follows.
func contactDue(c *journalv1.Connection, cal localdate.Calendar) *datepb.Date {
	switch {
	case c.GetNextContactOn() != nil:
		return c.GetNextContactOn()
	case c.GetCadenceDays() == 0:
		return nil
	}
	from := c.GetLastContactOn()
	if from == nil {
		from = cal.Date(c.GetCreateTime().AsTime())
	}
	return localdate.FromDays(localdate.Days(from) + int(c.GetCadenceDays()))
}
