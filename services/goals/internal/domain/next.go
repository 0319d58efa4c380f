package domain

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/graph"
	"github.com/rebound-hq/rebound/services/goals/internal/plan"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	// defaultNext is how many steps there are when nobody says.
	defaultNext = 5
	// momentumTime is how long something that was done counts as momentum.
	momentumTime = 7 * 24 * time.Hour
)

var nextReasons = map[plan.Reason]goalsv1.NextReason{
	plan.PastDue: goalsv1.NextReason_NEXT_REASON_OVERDUE, plan.DueToday: goalsv1.NextReason_NEXT_REASON_DUE_TODAY,
	plan.Occurs: goalsv1.NextReason_NEXT_REASON_OCCURS, plan.DueSoon: goalsv1.NextReason_NEXT_REASON_DUE_SOON,
	plan.Small: goalsv1.NextReason_NEXT_REASON_SMALL, plan.Unblocks: goalsv1.NextReason_NEXT_REASON_UNBLOCKS,
	plan.Momentum: goalsv1.NextReason_NEXT_REASON_MOMENTUM, plan.Ready: goalsv1.NextReason_NEXT_REASON_READY,
}

// GetNext gives the few steps that matter on a day. It takes the same few reads
// however many goals there are.
func (d *Domain) GetNext(ctx context.Context, req *goalsv1.GetNextRequest) (*goalsv1.Next, error) {
	owner := resource.Owner(req.GetName())
	if req.GetName() != owner+"/next" {
		return nil, fault.Invalid("name", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}/next")
	}
	if err := localdate.CheckWhole("date", req.GetDate()); err != nil {
		return nil, err
	}
	today := req.GetDate()
	if today == nil {
		var err error
		if today, err = d.todayOf(ctx, owner); err != nil {
			return nil, err
		}
	}
	w, err := d.look(ctx, owner)
	if err != nil {
		return nil, err
	}
	out := &goalsv1.Next{Name: req.GetName(), Date: today}
	limit := int(req.GetLimit())
	if limit == 0 {
		limit = defaultNext
	}
	var shown []*goalsv1.Step
	for _, c := range w.candidates(today) {
		if len(out.Steps) == limit {
			break
		}
		next := c.shown()
		out.Steps, shown = append(out.Steps, next), append(shown, next.GetStep())
	}
	if len(shown) == 0 {
		return out, nil
	}
	return out, d.deriveSteps(ctx, shown)
}

// work is what a person has open, all goals together.
type work struct {
	goals      map[string]*goalsv1.Goal // active ones
	milestones map[string]*goalsv1.Milestone
	places     map[string]int // of milestones, in the order of their goal
	steps      []*goalsv1.Step
	open       map[string]bool // milestones and steps that others may have to wait for
	requires   graph.Edges
	waiting    map[string]int // by item, how many open ones wait for it
	recent     map[string]int // by goal, what was completed lately
}

// look reads a person's open work: the open steps, and what they belong to.
func (d *Domain) look(ctx context.Context, owner string) (*work, error) {
	w := &work{
		goals: map[string]*goalsv1.Goal{}, milestones: map[string]*goalsv1.Milestone{}, places: map[string]int{},
		open: map[string]bool{}, requires: graph.Edges{}, recent: map[string]int{},
	}
	goals, err := d.Goals.All(ctx, owner)
	if err != nil {
		return nil, err
	}
	for _, g := range goals {
		if g.GetState() == active {
			w.goals[g.GetName()] = g
		}
	}
	everywhere := owner + "/goals/-"
	milestones, err := d.Milestones.All(ctx, everywhere)
	if err != nil {
		return nil, err
	}
	w.addMilestones(milestones)
	if w.steps, err = d.Steps.AllBetween(ctx, everywhere, "state", int64(toDo), int64(toDo)+1); err != nil {
		return nil, err
	}
	for _, s := range w.steps {
		w.open[s.GetName()] = !met(s)
	}
	roadmaps, err := d.Roadmaps.All(ctx, everywhere)
	if err != nil {
		return nil, err
	}
	for _, r := range roadmaps {
		for item, required := range edgesOf(r) {
			w.requires[item] = required
		}
	}
	if err := d.lookFurther(ctx, w); err != nil {
		return nil, err
	}
	w.waiting = w.requires.Dependents(w.open)
	since := d.now().Add(-momentumTime)
	lately, err := d.Steps.AllBetween(ctx, everywhere, store.KeyUpdateTime, since.UnixMilli(), int64(math.MaxInt64))
	if err != nil {
		return nil, err
	}
	for _, s := range lately {
		for _, c := range s.GetCompletions() {
			if c.GetCompleteTime().AsTime().After(since) {
				w.recent[goalOf(s.GetName())]++
			}
		}
	}
	return w, nil
}

// lookFurther reads the steps of dependencies that were not among the open ones: of
// those that were split, the parts take their place; others may be open, too, when
// there are more open steps than were read.
func (d *Domain) lookFurther(ctx context.Context, w *work) error {
	var names []string
	add := func(name string) {
		if _, seen := w.open[name]; !seen && !isMilestone(name) {
			w.open[name] = false
			names = append(names, name)
		}
	}
	for item, required := range w.requires {
		add(item)
		for _, name := range required {
			add(name)
		}
	}
	splits := map[string][]string{}
	for len(names) > 0 {
		steps, err := d.Steps.Batch(ctx, names)
		if err != nil {
			return err
		}
		names = nil
		for name, s := range steps {
			if w.open[name] = !met(s) && s.GetState() != split; s.GetState() != split {
				continue
			}
			splits[name] = partsOf(s)
			for _, p := range splits[name] {
				add(p)
			}
		}
	}
	w.requires = withParts(w.requires, splits)
	for name := range splits {
		w.open[name] = w.anyOpen(splits, name)
	}
	return nil
}

// anyOpen tells whether any of the parts of a step is open, or of their parts.
func (w *work) anyOpen(splits map[string][]string, name string) bool {
	parts, split := splits[name]
	if !split {
		return w.open[name]
	}
	return slices.ContainsFunc(parts, func(p string) bool { return w.anyOpen(splits, p) })
}

func (w *work) addMilestones(milestones []*goalsv1.Milestone) {
	sortMilestones(milestones)
	for i, m := range milestones {
		w.milestones[m.GetName()], w.places[m.GetName()] = m, i
		w.open[m.GetName()] = m.GetState() == ahead
	}
}

// candidate is a step that can be done, and what speaks for it.
type candidate struct {
	step  *goalsv1.Step
	due   *datepb.Date
	place int // of its milestone; after all of them when it has none
	plan.Candidate
	score float64
	why   plan.Reason
}

// candidates are the steps of active goals of which nothing is in the way, the
// best first.
func (w *work) candidates(today *datepb.Date) []candidate {
	var out []candidate
	for _, s := range w.steps {
		if w.goals[goalOf(s.GetName())] == nil || w.blocked(s.GetName()) {
			continue
		}
		if c, ok := w.weigh(s, today); ok {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(dueDay(a), dueDay(b)), cmp.Compare(a.place, b.place),
			cmp.Compare(a.step.GetOrder(), b.step.GetOrder()), a.step.GetCreateTime().AsTime().Compare(b.step.GetCreateTime().AsTime()),
			cmp.Compare(a.step.GetName(), b.step.GetName()))
	})
	return out
}

func dueDay(c candidate) int {
	if c.due == nil {
		return math.MaxInt
	}
	return localdate.Days(c.due)
}

// blocked tells whether a step requires something that is not done. What is
// gone is in nobody's way.
func (w *work) blocked(step string) bool {
	return slices.ContainsFunc(w.requires[step], func(required string) bool { return w.open[required] })
}

// weigh looks at what speaks for a step; false: it is not its turn.
func (w *work) weigh(s *goalsv1.Step, today *datepb.Date) (candidate, bool) {
	goal := goalOf(s.GetName())
	c := candidate{step: s, place: math.MaxInt, Candidate: plan.Candidate{Waiting: w.waiting[s.GetName()], Recent: w.recent[goal]}}
	if s.GetDuration() != nil {
		c.Minutes = int(math.Ceil(s.GetDuration().AsDuration().Minutes()))
	}
	m, belongs := w.milestones[s.GetMilestone()]
	if belongs {
		c.place = w.places[m.GetName()]
	}
	switch {
	case repeats(s):
		if c.due = turnOf(s, today); c.due == nil {
			return c, false
		}
		c.Repeats = true
	case s.GetDueDate() != nil:
		c.due = s.GetDueDate()
	case m.GetDueDate() != nil:
		c.due = m.GetDueDate()
	default:
		c.due = w.goals[goal].GetTargetDate()
	}
	if c.due != nil {
		c.Dated, c.Days = true, localdate.Between(today, c.due)
	}
	c.score, c.why = c.Score()
	return c, true
}

func (c candidate) shown() *goalsv1.NextStep {
	return &goalsv1.NextStep{
		Step: c.step, Reason: nextReasons[c.why], Text: c.Text(c.why), Score: math.Round(c.score*1000) / 1000, DueDate: c.due,
	}
}
