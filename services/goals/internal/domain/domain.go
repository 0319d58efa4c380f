// Package domain is what the goals service knows about getting somewhere: the
// rules of its resource types. How they are stored and served is the kit's
// matter.
package domain

import (
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
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

	Roadmaps     *resource.Resource[*goalsv1.Roadmap]
	Celebrations *resource.Resource[*goalsv1.Celebration]

	now   clock.Clock
	newID ids.Source
}

// New declares the resource types of the goals service.
func New(deps *resource.Deps) *Domain {
	d := &Domain{now: deps.Clock, newID: deps.NewID}
	d.Goals = resource.Must(deps, d.goals())
	d.Milestones = resource.Must(deps, d.milestones())
	d.Steps = resource.Must(deps, d.steps())
	d.Roadmaps = resource.Must(deps, d.roadmaps())
	d.Celebrations = resource.Must(deps, d.celebrations())
	return d
}

// Kinds is what the store must know.
func (d *Domain) Kinds() []store.Kind {
	return []store.Kind{
		d.Goals.Kind(), d.Milestones.Kind(), d.Steps.Kind(), d.Roadmaps.Kind(), d.Celebrations.Kind(),
	}
}
