// Package graph answers two questions about what requires what: whether it goes
// in a circle, and in what order it lets things be done. It is pure.
package graph

import "slices"

// Edges give for each item what it requires.
type Edges map[string][]string

// Circle gives the items of a circle, each requiring the next and the last the
// first; nil when there is none.
func (e Edges) Circle() []string {
	items := make([]string, 0, len(e))
	for item := range e {
		items = append(items, item)
	}
	slices.Sort(items) // the same circle is found each time
	w := walk{edges: e, state: map[string]int{}}
	for _, item := range items {
		if circle := w.visit(item); circle != nil {
			return circle
		}
	}
	return nil
}

// States of an item during a walk.
const (
	onPath = iota + 1
	settled
)

// walk goes along requirements, depth first.
type walk struct {
	edges Edges
	state map[string]int
	path  []string
}

func (w *walk) visit(item string) []string {
	switch w.state[item] {
	case settled:
		return nil
	case onPath:
		return slices.Clone(w.path[slices.Index(w.path, item):])
	}
	w.state[item] = onPath
	w.path = append(w.path, item)
	for _, next := range w.edges[item] {
		if circle := w.visit(next); circle != nil {
			return circle
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.state[item] = settled
	return nil
}

// Reaches tells whether an item requires another, directly or not.
func (e Edges) Reaches(from, to string) bool {
	seen := map[string]bool{}
	open := []string{from}
	for len(open) > 0 {
		item := open[len(open)-1]
		open = open[:len(open)-1]
		for _, next := range e[item] {
			if next == to {
				return true
			}
			if !seen[next] {
				seen[next] = true
				open = append(open, next)
			}
		}
	}
	return false
}

// Order puts items in an order in which none comes before what it requires, and
// which otherwise is that of items: what is required is drawn forward. In a
// circle, the first in items comes last.
func (e Edges) Order(items []string) []string {
	place := make(map[string]int, len(items))
	for i, item := range items {
		place[item] = i
	}
	placed := make(map[string]bool, len(items))
	out := make([]string, 0, len(items))
	var put func(item string)
	put = func(item string) {
		if placed[item] {
			return
		}
		placed[item] = true
		required := slices.DeleteFunc(slices.Clone(e[item]), func(r string) bool { _, there := place[r]; return !there })
		slices.SortFunc(required, func(a, b string) int { return place[a] - place[b] })
		for _, r := range required {
			put(r)
		}
		out = append(out, item)
	}
	for _, item := range items {
		put(item)
	}
	return out
}

// Dependents counts for each item how many of those in open require it, directly
// or not.
func (e Edges) Dependents(open map[string]bool) map[string]int {
	back := Edges{}
	for item, required := range e {
		for _, r := range required {
			back[r] = append(back[r], item)
		}
	}
	out := make(map[string]int, len(back))
	for item := range back {
		seen := map[string]bool{item: true}
		waiting := []string{item}
		for len(waiting) > 0 {
			next := waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			for _, b := range back[next] {
				if seen[b] {
					continue
				}
				seen[b] = true
				waiting = append(waiting, b)
				if open[b] {
					out[item]++
				}
			}
		}
	}
	return out
}
