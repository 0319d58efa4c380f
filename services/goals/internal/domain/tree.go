package domain

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	// maxEdges is how many of a person's goals may be parts of others.
	maxEdges = 10_000
	// abandoned is after what time a write that an edge was added for is over: longer
	// than any call lasts, and than clocks of instances differ.
	abandoned = 2 * time.Minute
)

// placeGoal makes sure that a goal which is about to become a part of another does not
// become a part of itself, whoever else changes the person's goals meanwhile.
//
// Stores keep single documents whole, and a cycle takes two. So all edges go through one
// document of the person first, the tree: an edge is added to it before the goal is
// written, and only if the tree then has no cycle. Edges whose goal was not written after
// all, or has another parent by now, are taken out when they are in somebody's way.
func (d *Domain) placeGoal(ctx context.Context, c resource.Change[*goalsv1.Goal]) error {
	parent := c.New.GetParentGoal()
	imported := c.Verb == resource.ImportedVerb // its parent may come after it
	if parent == "" || !c.Created() && !imported && parent == c.Old.GetParentGoal() {
		return nil
	}
	if parent == c.Name {
		return fault.Invalid("goal.parent_goal", "REFERENCE_SELF", "must be another goal")
	}
	if !imported {
		if err := d.Goals.CheckReference(ctx, "goal.parent_goal", c.Owner, parent); err != nil {
			return err
		}
	}
	edge := &storagev1.GoalEdge{Goal: c.Name, ParentGoal: parent, AddTime: timestamppb.New(c.Now)}
	if !c.Created() && !imported {
		edge.Etag = resource.Etag(c.Revision)
	}
	_, err := d.Trees.Mutate(ctx, "placed", treeOf(c.Owner), "", func(t *storagev1.GoalTree, now time.Time) error {
		return d.addEdge(ctx, t, edge, now)
	})
	return err
}

// treeOf is the name of a person's tree.
func treeOf(owner string) string { return owner + "/goalTree" }

// settleEdges ties the edge that a goal was made with to the revision that is about to be
// deleted: then it is over as soon as the goal is gone. Before, it looks like that of a
// goal which is about to be made.
func (d *Domain) settleEdges(ctx context.Context, c resource.Change[*goalsv1.Goal]) error {
	made := func(e *storagev1.GoalEdge) bool {
		return e.GetGoal() == c.Name && e.GetEtag() == "" && madeWith(e, c.Old)
	}
	tree, err := d.Trees.Fetch(ctx, treeOf(c.Owner))
	if err != nil || !slices.ContainsFunc(tree.GetEdges(), made) {
		return err
	}
	_, err = d.Trees.Mutate(ctx, "placed", treeOf(c.Owner), "", func(t *storagev1.GoalTree, _ time.Time) error {
		for _, e := range t.GetEdges() {
			if made(e) {
				e.Etag = resource.Etag(c.Revision)
			}
		}
		return nil
	})
	return err
}

// madeWith tells whether a goal was made when the edge was added.
func madeWith(e *storagev1.GoalEdge, goal *goalsv1.Goal) bool {
	return goal != nil && proto.Equal(goal.GetCreateTime(), e.GetAddTime())
}

// addEdge adds an edge to a tree, or says that it would close a cycle.
func (d *Domain) addEdge(ctx context.Context, t *storagev1.GoalTree, edge *storagev1.GoalEdge, now time.Time) error {
	if err := d.prune(ctx, t, []string{edge.GetGoal()}, now); err != nil {
		return err
	}
	if len(t.Edges) >= maxEdges {
		if err := d.prune(ctx, t, goalsIn(t), now); err != nil {
			return err
		}
		if len(t.Edges) >= maxEdges {
			return fault.Precondition("TOO_MANY_SUB_GOALS", "at most %d goals may be parts of others", maxEdges)
		}
	}
	for {
		way := findWay(t.Edges, edge.GetParentGoal(), edge.GetGoal())
		if way == nil {
			t.Edges = append(slices.DeleteFunc(t.Edges, func(e *storagev1.GoalEdge) bool { return sameEdge(e, edge) }), edge)
			return nil
		}
		before := len(t.Edges)
		if err := d.prune(ctx, t, way, now); err != nil {
			return err
		}
		if len(t.Edges) == before {
			return fault.Invalid("goal.parent_goal", "GOAL_CYCLE", "must not be a part of this goal itself, at any level")
		}
	}
}

// sameEdge tells whether two edges were added for the same change, tried again.
func sameEdge(a, b *storagev1.GoalEdge) bool {
	return a.GetGoal() == b.GetGoal() && a.GetParentGoal() == b.GetParentGoal() && a.GetEtag() == b.GetEtag()
}

// goalsIn are the goals that edges of a tree begin at, each once.
func goalsIn(t *storagev1.GoalTree) []string {
	names := make([]string, len(t.GetEdges()))
	for i, e := range t.GetEdges() {
		names[i] = e.GetGoal()
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// findWay finds a way along edges from one goal up to another, and gives the goals that its
// edges begin at; nil when there is none.
func findWay(edges []*storagev1.GoalEdge, from, to string) []string {
	parents := map[string][]string{}
	for _, e := range edges {
		parents[e.GetGoal()] = append(parents[e.GetGoal()], e.GetParentGoal())
	}
	reachedFrom := map[string]string{from: ""}
	for next := []string{from}; len(next) > 0; {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		for _, p := range parents[at] {
			if _, seen := reachedFrom[p]; seen {
				continue
			}
			reachedFrom[p] = at
			if p == to {
				var way []string
				for ; at != ""; at = reachedFrom[at] {
					way = append(way, at)
				}
				return way
			}
			next = append(next, p)
		}
	}
	return nil
}

// prune takes those edges out of a tree that begin at the named goals and are over. The
// goals are read after the tree was, so what an edge was added for is in them if it was
// written.
func (d *Domain) prune(ctx context.Context, t *storagev1.GoalTree, names []string, now time.Time) error {
	suspect := map[string]bool{}
	for _, n := range names {
		suspect[n] = true
	}
	if !slices.ContainsFunc(t.GetEdges(), func(e *storagev1.GoalEdge) bool { return suspect[e.GetGoal()] }) {
		return nil
	}
	goals, err := d.Goals.Batch(ctx, names)
	if err != nil {
		return err
	}
	t.Edges = slices.DeleteFunc(t.Edges, func(e *storagev1.GoalEdge) bool {
		return suspect[e.GetGoal()] && over(e, goals[e.GetGoal()], now)
	})
	return nil
}

// over tells whether an edge is neither in the goal that it begins at, nil for one that
// does not exist, nor can get there any more. A change is written only to the revision
// that it was decided on, which the etag stands for, and no revision comes again; a goal
// is made once, at the time that its edge was added. What may still be under way is over
// when it has been abandoned.
func over(e *storagev1.GoalEdge, goal *goalsv1.Goal, now time.Time) bool {
	switch {
	case goal.GetParentGoal() == e.GetParentGoal():
		return false
	case e.GetEtag() == "" && !madeWith(e, goal), e.GetEtag() == goal.GetEtag():
		return now.Sub(e.GetAddTime().AsTime()) > abandoned
	}
	return true
}
