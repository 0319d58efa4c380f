// Package domain is what the goals service knows about getting somewhere: the
// rules of its resource types. How they are stored and served is the kit's
// matter.
package domain

import (
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// SchemaVersion grows when stored documents change in a way that older
// releases cannot read.
const SchemaVersion = 2

// Domain is all resource types of the goals service.
type Domain struct {
	Goals      *resource.Resource[*goalsv1.Goal]
	Milestones *resource.Resource[*goalsv1.Milestone]
	Steps      *resource.Resource[*goalsv1.Step]
	Values     *resource.Resource[*goalsv1.Value]
	Avenues    *resource.Resource[*goalsv1.Avenue]
	// Trees guard which goals are parts of which.
	Trees *resource.Resource[*storagev1.GoalTree]

	newID ids.Source
}

// New declares the resource types of the goals service.
func New(deps *resource.Deps) *Domain {
	d := &Domain{newID: deps.NewID}
	d.Goals = resource.Must(deps, d.goals())
	d.Milestones = resource.Must(deps, d.milestones())
	d.Steps = resource.Must(deps, d.steps())
	d.Values = resource.Must(deps, d.values())
	d.Avenues = resource.Must(deps, d.avenues())
	d.Trees = resource.Must(deps, resource.Type[*storagev1.GoalTree]{ReadOnly: true, Order: []string{"name"}})
	return d
}

// Kinds is what the store must know.
func (d *Domain) Kinds() []store.Kind {
	return []store.Kind{
		d.Goals.Kind(), d.Milestones.Kind(), d.Steps.Kind(), d.Values.Kind(), d.Avenues.Kind(), d.Trees.Kind(),
	}
}
