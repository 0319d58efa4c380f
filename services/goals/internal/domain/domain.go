// Package domain is what the goals service knows about getting somewhere: the
// rules of its resource types. How they are stored and served is the kit's
// matter.
package domain

import (
	"context"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/follow"
	"github.com/rebound-hq/rebound/services/goals/internal/size"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// SchemaVersion grows when stored documents change in a way that older
// releases cannot read.
const SchemaVersion = 3

// Domain is all resource types of the goals service.
type Domain struct {
	Goals      *resource.Resource[*goalsv1.Goal]
	Milestones *resource.Resource[*goalsv1.Milestone]
	Steps      *resource.Resource[*goalsv1.Step]
	Values     *resource.Resource[*goalsv1.Value]
	Avenues    *resource.Resource[*goalsv1.Avenue]
	// Trees guard which goals are parts of which.
	Trees *resource.Resource[*storagev1.GoalTree]
	// People is what is known of people from the journal.
	People *resource.Resource[*storagev1.KnownPerson]

	Roadmaps     *resource.Resource[*goalsv1.Roadmap]
	Celebrations *resource.Resource[*goalsv1.Celebration]

	ReminderRules *resource.Resource[*goalsv1.ReminderRule]
	Reminders     *resource.Resource[*goalsv1.Reminder]

	newID ids.Source
	now   clock.Clock
	size  *size.Rules
}

// New declares the resource types of the goals service.
func New(deps *resource.Deps) *Domain {
	d := &Domain{newID: deps.NewID, now: deps.Clock, size: size.Must(size.Load())}
	d.Goals = resource.Must(deps, d.goals())
	d.Milestones = resource.Must(deps, d.milestones())
	d.Steps = resource.Must(deps, d.steps())
	d.Values = resource.Must(deps, d.values())
	d.Avenues = resource.Must(deps, d.avenues())
	d.Trees = resource.Must(deps, resource.Type[*storagev1.GoalTree]{ReadOnly: true, Order: []string{"name"}})
	d.People = resource.Must(deps, resource.Type[*storagev1.KnownPerson]{ReadOnly: true})
	d.Roadmaps = resource.Must(deps, d.roadmaps())
	d.Celebrations = resource.Must(deps, d.celebrations())
	d.ReminderRules = resource.Must(deps, d.reminderRules())
	d.Reminders = resource.Must(deps, d.reminders())
	return d
}

// Kinds is what the store must know.
func (d *Domain) Kinds() []store.Kind {
	return []store.Kind{
		d.Goals.Kind(), d.Milestones.Kind(), d.Steps.Kind(), d.Values.Kind(), d.Avenues.Kind(), d.Trees.Kind(),
		d.People.Kind(), d.Roadmaps.Kind(), d.Celebrations.Kind(), d.ReminderRules.Kind(), d.Reminders.Kind(),
	}
}

// known is what is known of a person from the journal; nothing until it has told.
func (d *Domain) known(ctx context.Context, owner string) (*storagev1.KnownPerson, error) {
	return d.People.Fetch(access.AsOwner(ctx), follow.Name(owner))
}

// calendar is how a person counts days; in UTC and from midnight until it is
// known.
func (d *Domain) calendar(ctx context.Context, owner string) (localdate.Calendar, error) {
	p, err := d.known(ctx, owner)
	return calendarOf(p), err
}

func calendarOf(p *storagev1.KnownPerson) localdate.Calendar {
	return localdate.CalendarOf(p.GetTimeZone(), p.GetDayStartMinutes())
}
