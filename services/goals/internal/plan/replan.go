// Package plan is the arithmetic of a roadmap: new dates for what slipped, and
// what speaks for a step today. It is pure; days count from 1970-01-01.
package plan

import (
	"cmp"
	"slices"

	"github.com/rebound-hq/rebound/services/goals/internal/graph"
)

// Item is a milestone or step that is not done yet.
type Item struct {
	Name string
	// Milestone is the one that a step belongs to; empty for none.
	Milestone string
	// IsMilestone tells a milestone from a step.
	IsMilestone bool
	// Due is the day it is due on; meaningless unless Dated.
	Due   int
	Dated bool
}

// Why is why a date moves.
type Why int

const (
	// Overdue is a date that has passed.
	Overdue Why = iota + 1
	// Depends is a date that moves with one that it depends on.
	Depends
	// Order is a date that would come before what it followed.
	Order
)

// Change is a new date.
type Change struct {
	Name     string
	From, To int
	Why      Why
}

// maxGap is how many days lie at most between two overdue dates when they are
// planned anew: what was left lying for long is not put off as long again.
const maxGap = 7

// Replan gives new dates for what is overdue on a day, and for what follows from
// that. Items are in the order of the roadmap; requires is what each requires.
//
//   - The overdue is due from that day on, in the order of its dates, with the
//     gaps between them, but at most 7 days each.
//   - What requires something that moves, directly or not, moves by as many days:
//     the gap stays.
//   - A milestone does not come before a step of it, nor before the milestone in
//     front of it, unless it did already: it moves just as far as needed.
//
// Planned once more, nothing moves. The changes come in the order of their dates.
func Replan(items []Item, requires graph.Edges, day int) []Change {
	r := &replan{items: map[string]Item{}, requires: requires, order: graph.Edges{}, spread: spread(items, day), moved: map[string]moved{}}
	names := make([]string, len(items))
	for i, item := range items {
		names[i], r.items[item.Name] = item.Name, item
	}
	if len(r.spread) == 0 {
		return nil
	}
	for item, required := range requires {
		r.order[item] = slices.Clone(required)
	}
	r.keepOrder(items)
	place := map[string]int{}
	var changes []Change
	for i, name := range r.order.Order(names) {
		place[name] = i
		if c, changed := r.date(name); changed {
			changes = append(changes, c)
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(place[a.Name], place[b.Name]))
	})
	return changes
}

// spread gives the overdue its days.
func spread(items []Item, day int) map[string]int {
	var late []Item
	for _, item := range items {
		if item.Dated && item.Due < day {
			late = append(late, item)
		}
	}
	slices.SortStableFunc(late, func(a, b Item) int { return cmp.Compare(a.Due, b.Due) })
	out := make(map[string]int, len(late))
	for i, item := range late {
		if i > 0 {
			day += min(item.Due-late[i-1].Due, maxGap)
		}
		out[item.Name] = day
	}
	return out
}

// replan is new dates on their way.
type replan struct {
	items map[string]Item
	// requires is what each item requires, order that and what else it follows.
	requires, order graph.Edges
	spread          map[string]int
	moved           map[string]moved
}

// moved is how far something moves, and the day before which nothing that
// follows it may come.
type moved struct{ by, to int }

// keepOrder adds what else keeps its order: milestones after their steps, and
// after the milestone in front of them. A dependency that says otherwise goes first.
func (r *replan) keepOrder(items []Item) {
	follow := func(item, earlier Item) {
		if item.Dated && earlier.Dated && earlier.Due <= item.Due && !r.order.Reaches(earlier.Name, item.Name) {
			r.order[item.Name] = append(r.order[item.Name], earlier.Name)
		}
	}
	var before Item
	for _, item := range items {
		switch {
		case item.IsMilestone && item.Dated:
			follow(item, before)
			before = item
		case !item.IsMilestone && item.Milestone != "":
			follow(r.items[item.Milestone], item)
		}
	}
}

// date finds the new date of an item; those that it follows have theirs.
func (r *replan) date(name string) (Change, bool) {
	item := r.items[name]
	var by, floor int
	for _, earlier := range r.order[name] {
		floor = max(floor, r.moved[earlier].to)
	}
	for _, required := range r.requires[name] {
		by = max(by, r.moved[required].by)
	}
	if !item.Dated { // it passes on what it follows
		r.moved[name] = moved{by, floor}
		return Change{}, false
	}
	c := Change{Name: name, From: item.Due}
	if day, late := r.spread[name]; late {
		c.To, c.Why = max(day, floor), Overdue
	} else {
		c.To, c.Why = max(item.Due+by, floor), Order
		if by > 0 {
			c.Why = Depends
		}
	}
	if c.To == c.From {
		return c, false
	}
	r.moved[name] = moved{c.To - c.From, c.To}
	return c, true
}
