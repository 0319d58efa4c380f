package domain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/graph"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	// maxDependencies is how many dependencies a roadmap has at most.
	maxDependencies = 1000
	// maxItems is how many milestones and steps a roadmap shows at most.
	maxItems = 2000
)

// roadmaps keep all dependencies of a goal in one document: whoever changes one
// of them has seen all of them, so that no two changes make a circle together.
func (d *Domain) roadmaps() resource.Type[*goalsv1.Roadmap] {
	return resource.Type[*goalsv1.Roadmap]{
		Derive: d.deriveRoadmaps,
		Decide: d.decideRoadmap,
	}
}

// roadmapOf is the name of a goal's roadmap.
func roadmapOf(goal string) string { return goal + "/roadmap" }

// decideRoadmap checks what is new among the dependencies, and drops those
// whose ends are gone. A roadmap publishes nothing: what moves says so itself.
func (d *Domain) decideRoadmap(ctx context.Context, c resource.Change[*goalsv1.Roadmap]) ([]*eventsv1.Event, error) {
	goal := goalOf(c.Name)
	seen := map[edge]bool{}
	for i, dep := range c.New.GetDependencies() {
		if err := checkDependency(fmt.Sprintf("roadmap.dependencies[%d].", i), goal, dep); err != nil {
			return nil, err
		}
		if seen[edgeOf(dep)] {
			return nil, fault.Invalid(fmt.Sprintf("roadmap.dependencies[%d]", i), "DEPENDENCY_REPEATED", "must not be there twice")
		}
		seen[edgeOf(dep)] = true
	}
	if c.Created() || !slices.EqualFunc(c.Old.GetDependencies(), c.New.GetDependencies(), func(a, b *goalsv1.Dependency) bool { return proto.Equal(a, b) }) {
		if err := d.checkEnds(ctx, c); err != nil {
			return nil, err
		}
	}
	if circle := edgesOf(c.New).Circle(); circle != nil {
		return nil, fault.Invalid("roadmap.dependencies", "DEPENDENCY_CYCLE", "must not go in a circle: one goes through %d milestones or steps", len(circle))
	}
	return nil, nil
}

// checkDependency checks the names of a dependency; prefix is where it is.
func checkDependency(prefix, goal string, dep *goalsv1.Dependency) error {
	for _, e := range endsOf(dep) {
		if !isPart(goal, e.name) {
			return fault.Invalid(prefix+e.field, "REFERENCE_FOREIGN", "must name a milestone or a step of the same goal")
		}
	}
	if dep.GetItem() == dep.GetRequires() {
		return fault.Invalid(prefix+"requires", "REFERENCE_SELF", "must not be the item itself")
	}
	return nil
}

// end is one end of a dependency, and the field that names it.
type end struct{ field, name string }

func endsOf(dep *goalsv1.Dependency) []end {
	return []end{{"item", dep.GetItem()}, {"requires", dep.GetRequires()}}
}

// isPart tells whether a name could be a milestone's or step's of a goal.
func isPart(goal, name string) bool {
	rest, below := strings.CutPrefix(name, goal+"/")
	collection, id, _ := strings.Cut(rest, "/")
	return below && (collection == "milestones" || collection == "steps") && id != "" && !strings.Contains(id, "/")
}

func isMilestone(name string) bool { return strings.Contains(name, "/milestones/") }

// edge is a dependency, to compare.
type edge struct{ item, requires string }

func edgeOf(dep *goalsv1.Dependency) edge { return edge{dep.GetItem(), dep.GetRequires()} }

// checkEnds refuses new dependencies whose ends do not exist, and drops old ones.
func (d *Domain) checkEnds(ctx context.Context, c resource.Change[*goalsv1.Roadmap]) error {
	there, err := d.existing(ctx, c.New.GetDependencies())
	if err != nil {
		return err
	}
	was := map[edge]bool{}
	for _, dep := range c.Old.GetDependencies() {
		was[edgeOf(dep)] = true
	}
	var kept []*goalsv1.Dependency
	for i, dep := range c.New.GetDependencies() {
		for _, e := range endsOf(dep) {
			if !there[e.name] && !was[edgeOf(dep)] {
				return fault.Invalid(fmt.Sprintf("roadmap.dependencies[%d].%s", i, e.field), "REFERENCE_UNKNOWN", "names a resource that does not exist")
			}
		}
		if there[dep.GetItem()] && there[dep.GetRequires()] {
			kept = append(kept, dep)
		}
	}
	c.New.Dependencies = kept
	return nil
}

// existing tells which of the ends of dependencies exist.
func (d *Domain) existing(ctx context.Context, deps []*goalsv1.Dependency) (map[string]bool, error) {
	var milestones, steps []string
	seen, there := map[string]bool{}, map[string]bool{}
	for _, dep := range deps {
		for _, e := range endsOf(dep) {
			switch {
			case seen[e.name]:
			case isMilestone(e.name):
				milestones = append(milestones, e.name)
			default:
				steps = append(steps, e.name)
			}
			seen[e.name] = true
		}
	}
	foundMilestones, err := d.Milestones.Batch(ctx, milestones)
	if err != nil {
		return nil, err
	}
	for name := range foundMilestones {
		there[name] = true
	}
	foundSteps, err := d.Steps.Batch(ctx, steps)
	for name := range foundSteps {
		there[name] = true
	}
	return there, err
}

// edgesOf gives a roadmap's dependencies by item.
func edgesOf(r *goalsv1.Roadmap) graph.Edges {
	edges := graph.Edges{}
	for _, dep := range r.GetDependencies() {
		edges[dep.GetItem()] = append(edges[dep.GetItem()], dep.GetRequires())
	}
	return edges
}

// LinkRoadmap adds a dependency.
func (d *Domain) LinkRoadmap(ctx context.Context, req *goalsv1.LinkRoadmapRequest) (*goalsv1.Roadmap, error) {
	dep := &goalsv1.Dependency{Item: req.GetItem(), Requires: req.GetRequires()}
	if err := checkDependency("", goalOf(req.GetName()), dep); err != nil {
		return nil, err
	}
	there, err := d.existing(ctx, []*goalsv1.Dependency{dep})
	if err != nil {
		return nil, err
	}
	for _, e := range endsOf(dep) {
		if !there[e.name] {
			return nil, fault.Invalid(e.field, "REFERENCE_UNKNOWN", "names a resource that does not exist")
		}
	}
	return d.Roadmaps.Mutate(ctx, "linked", req.GetName(), req.GetEtag(), func(r *goalsv1.Roadmap, _ time.Time) error {
		if slices.ContainsFunc(r.GetDependencies(), func(x *goalsv1.Dependency) bool { return edgeOf(x) == edgeOf(dep) }) {
			return nil
		}
		if len(r.GetDependencies()) >= maxDependencies {
			return fault.Precondition("TOO_MANY_DEPENDENCIES", "a roadmap has at most %d dependencies", maxDependencies)
		}
		r.Dependencies = append(r.Dependencies, dep)
		if edgesOf(r).Reaches(dep.GetItem(), dep.GetItem()) {
			return fault.Invalid("requires", "DEPENDENCY_CYCLE", "must not require the item, directly or not")
		}
		return nil
	})
}

// UnlinkRoadmap takes a dependency away.
func (d *Domain) UnlinkRoadmap(ctx context.Context, req *goalsv1.UnlinkRoadmapRequest) (*goalsv1.Roadmap, error) {
	dep := &goalsv1.Dependency{Item: req.GetItem(), Requires: req.GetRequires()}
	if err := checkDependency("", goalOf(req.GetName()), dep); err != nil {
		return nil, err
	}
	return d.Roadmaps.Mutate(ctx, "unlinked", req.GetName(), req.GetEtag(), func(r *goalsv1.Roadmap, _ time.Time) error {
		r.Dependencies = slices.DeleteFunc(r.Dependencies, func(x *goalsv1.Dependency) bool { return proto.Equal(x, dep) })
		return nil
	})
}

// part is a milestone or a step of a goal.
type part struct {
	name, title, milestone string
	due                    *datepb.Date
	done                   bool
	weight                 int32
	parts                  []string // of a step that was split
}

// parts gives a goal's milestones and steps, by milestone: first the steps that
// belong to it, then the milestone itself; last the steps that belong to none.
func (d *Domain) parts(ctx context.Context, goal string) ([]part, error) {
	milestones, err := d.Milestones.All(ctx, goal)
	if err != nil {
		return nil, err
	}
	steps, err := d.Steps.All(ctx, goal)
	if err != nil {
		return nil, err
	}
	sortMilestones(milestones)
	sortSteps(steps)
	below := map[string][]part{}
	for _, p := range stepParts(steps) {
		below[p.milestone] = append(below[p.milestone], p)
	}
	var out []part
	for _, m := range milestones {
		out = append(out, below[m.GetName()]...)
		out = append(out, part{
			name: m.GetName(), title: m.GetTitle(), due: m.GetDueDate(), done: m.GetState() != ahead, weight: milestoneWeight(m),
		})
		delete(below, m.GetName())
	}
	loose := below[""]
	delete(below, "")
	for _, s := range steps { // whose milestone was deleted
		if _, lost := below[s.GetMilestone()]; lost {
			loose = append(loose, below[s.GetMilestone()]...)
			delete(below, s.GetMilestone())
		}
	}
	return append(out, loose...), nil
}

// stepParts are the steps of a goal. One that was split is done when its parts are,
// and has no date but theirs.
func stepParts(steps []*goalsv1.Step) []part {
	byName := make(map[string]*goalsv1.Step, len(steps))
	for _, s := range steps {
		byName[s.GetName()] = s
	}
	var isDone func(s *goalsv1.Step) bool
	isDone = func(s *goalsv1.Step) bool {
		if s.GetState() != split {
			return met(s)
		}
		return !slices.ContainsFunc(partsOf(s), func(name string) bool { return byName[name] != nil && !isDone(byName[name]) })
	}
	out := make([]part, len(steps))
	for i, s := range steps {
		out[i] = part{
			name: s.GetName(), title: s.GetTitle(), milestone: s.GetMilestone(), due: s.GetDueDate(), done: isDone(s), weight: stepWeight(s), parts: partsOf(s),
		}
		if s.GetState() == split {
			out[i].due = nil
		}
	}
	return out
}

// edgesWith gives a roadmap's dependencies, those of steps that were split handed on
// to their parts.
func edgesWith(r *goalsv1.Roadmap, parts []part) graph.Edges {
	splits := map[string][]string{}
	for _, p := range parts {
		if len(p.parts) > 0 {
			splits[p.name] = p.parts
		}
	}
	return withParts(edgesOf(r), splits)
}

// sortMilestones puts milestones in the order a person gave them.
func sortMilestones(milestones []*goalsv1.Milestone) {
	slices.SortStableFunc(milestones, func(a, b *goalsv1.Milestone) int {
		if a.GetOrder() != b.GetOrder() {
			return int(a.GetOrder()) - int(b.GetOrder())
		}
		return a.GetCreateTime().AsTime().Compare(b.GetCreateTime().AsTime())
	})
}

// sortSteps puts steps in the order a person gave them.
func sortSteps(steps []*goalsv1.Step) {
	slices.SortStableFunc(steps, func(a, b *goalsv1.Step) int {
		if a.GetOrder() != b.GetOrder() {
			return int(a.GetOrder()) - int(b.GetOrder())
		}
		return a.GetCreateTime().AsTime().Compare(b.GetCreateTime().AsTime())
	})
}

// deriveRoadmaps shows the items of roadmaps in order, and what is in their way.
func (d *Domain) deriveRoadmaps(ctx context.Context, roadmaps []*goalsv1.Roadmap) error {
	for _, r := range roadmaps { // they are got one by one: there is no list of them
		goal := goalOf(r.GetName())
		parts, err := d.parts(ctx, goal)
		if err != nil {
			return err
		}
		goals, err := d.Goals.Batch(ctx, []string{goal})
		if err != nil {
			return err
		}
		var t tally
		for _, p := range parts {
			t.count(p.weight, p.done)
		}
		r.Progress = t.progress(goals[goal])
		r.Items = itemsOf(parts, edgesWith(r, parts))
	}
	return nil
}

// itemsOf shows parts in the order of a roadmap.
func itemsOf(parts []part, edges graph.Edges) []*goalsv1.RoadmapItem {
	byName := make(map[string]part, len(parts))
	names := make([]string, len(parts))
	for i, p := range parts {
		byName[p.name], names[i] = p, p.name
	}
	var items []*goalsv1.RoadmapItem
	for _, name := range edges.Order(names) {
		if len(items) == maxItems {
			break
		}
		p := byName[name]
		item := &goalsv1.RoadmapItem{Item: name, Title: p.title, Milestone: p.milestone, Done: p.done, DueDate: p.due, Weight: p.weight}
		for _, required := range edges[name] {
			r, there := byName[required]
			if !there {
				continue // it was deleted
			}
			item.Requires = append(item.Requires, required)
			if !r.done {
				item.Open = append(item.Open, required)
			}
		}
		items = append(items, item)
	}
	return items
}

// todayOf is the date where a person is, as they count days.
func (d *Domain) todayOf(ctx context.Context, owner string) (*datepb.Date, error) {
	calendar, err := d.calendar(ctx, owner)
	return calendar.Date(d.now()), err
}
