package domain

import (
	"context"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/plan"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

var moveReasons = map[plan.Why]goalsv1.MoveReason{
	plan.Overdue: goalsv1.MoveReason_MOVE_REASON_OVERDUE, plan.Depends: goalsv1.MoveReason_MOVE_REASON_DEPENDS,
	plan.Order: goalsv1.MoveReason_MOVE_REASON_ORDER,
}

// ReplanGoal gives new dates to what slipped and to what follows from that. These
// are several documents: the roadmap remembers all new dates first, so that
// calling again finishes what was cut short. A date that somebody has changed in
// between is left alone.
func (d *Domain) ReplanGoal(ctx context.Context, req *goalsv1.ReplanGoalRequest) (*goalsv1.ReplanGoalResponse, error) {
	goal, err := d.Goals.Fetch(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if goal.GetState() != active && goal.GetState() != onHold {
		return nil, fault.Precondition("GOAL_STATE", "a goal that is achieved or dropped is not planned anew")
	}
	from, err := d.replanFrom(ctx, req)
	if err != nil {
		return nil, err
	}
	roadmaps, err := d.Roadmaps.Batch(ctx, []string{roadmapOf(goal.GetName())})
	if err != nil {
		return nil, err
	}
	roadmap := roadmaps[roadmapOf(goal.GetName())]
	changes, err := d.newDates(ctx, goal.GetName(), roadmap, from)
	if err != nil {
		return nil, err
	}
	if !req.GetValidateOnly() && len(changes)+len(roadmap.GetPending()) > 0 {
		if err := d.writeDates(ctx, goal.GetName(), changes); err != nil {
			return nil, err
		}
	}
	out := &goalsv1.ReplanGoalResponse{Changes: changes}
	for _, c := range changes {
		if goal.GetTargetDate() != nil && localdate.After(c.GetTo(), goal.GetTargetDate()) {
			out.BeyondTargetDate = true
		}
	}
	return out, nil
}

// replanFrom is the day from which the overdue is due anew.
func (d *Domain) replanFrom(ctx context.Context, req *goalsv1.ReplanGoalRequest) (*datepb.Date, error) {
	today, err := d.todayOf(ctx, resource.Owner(req.GetName()))
	if err != nil || req.GetFrom() == nil {
		return today, err
	}
	if err := localdate.CheckWhole("from", req.GetFrom()); err != nil {
		return nil, err
	}
	if localdate.After(today, req.GetFrom()) {
		return nil, fault.Invalid("from", "DATE_IN_PAST", "must not lie in the past")
	}
	return req.GetFrom(), nil
}

// newDates gives all dates that change: what is left of a replan that was cut
// short, and what is overdue after that.
func (d *Domain) newDates(ctx context.Context, goal string, roadmap *goalsv1.Roadmap, from *datepb.Date) ([]*goalsv1.DateChange, error) {
	parts, err := d.parts(ctx, goal)
	if err != nil {
		return nil, err
	}
	pending := map[string]*goalsv1.DateChange{}
	for _, c := range roadmap.GetPending() {
		pending[c.GetItem()] = c
	}
	edges := edgesWith(roadmap, parts)
	names := make([]string, len(parts))
	byName := make(map[string]part, len(parts))
	for i, p := range parts {
		names[i], byName[p.name] = p.name, p
	}
	var items []plan.Item
	var left []*goalsv1.DateChange
	for _, name := range edges.Order(names) {
		p := byName[name]
		if p.done {
			continue
		}
		if c := pending[name]; c != nil && proto.Equal(c.GetFrom(), p.due) {
			p.due = c.GetTo()
			left = append(left, c)
		}
		item := plan.Item{Name: name, Milestone: p.milestone, IsMilestone: isMilestone(name), Dated: p.due != nil}
		if item.Dated {
			item.Due = localdate.Days(p.due)
		}
		items = append(items, item)
	}
	return together(left, plan.Replan(items, edges, localdate.Days(from))), nil
}

// together joins what is left of an earlier replan and what comes on top of it.
func together(left []*goalsv1.DateChange, changes []plan.Change) []*goalsv1.DateChange {
	was := map[string]*datepb.Date{}
	for _, c := range left {
		was[c.GetItem()] = c.GetFrom()
	}
	var out []*goalsv1.DateChange
	moved := map[string]bool{}
	for _, c := range changes {
		change := &goalsv1.DateChange{Item: c.Name, From: localdate.FromDays(c.From), To: localdate.FromDays(c.To), Reason: moveReasons[c.Why]}
		if first := was[c.Name]; first != nil {
			change.From = first
		}
		moved[c.Name] = true
		out = append(out, change)
	}
	for _, c := range left {
		if !moved[c.GetItem()] {
			out = append(out, c)
		}
	}
	return out
}

// writeDates writes new dates, in a way that can be taken up again.
func (d *Domain) writeDates(ctx context.Context, goal string, changes []*goalsv1.DateChange) error {
	if len(changes) > 0 {
		if err := d.setPending(ctx, goal, changes); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if err := d.writeDate(ctx, c); err != nil && !isGone(err) {
			return err
		}
	}
	return d.setPending(ctx, goal, nil)
}

func (d *Domain) setPending(ctx context.Context, goal string, changes []*goalsv1.DateChange) error {
	_, err := d.Roadmaps.Mutate(ctx, "replanned", roadmapOf(goal), "", func(r *goalsv1.Roadmap, _ time.Time) error {
		r.Pending = changes
		return nil
	})
	return err
}

func (d *Domain) writeDate(ctx context.Context, c *goalsv1.DateChange) error {
	if isMilestone(c.GetItem()) {
		_, err := d.Milestones.Mutate(ctx, "replanned", c.GetItem(), "", func(m *goalsv1.Milestone, _ time.Time) error {
			if proto.Equal(m.GetDueDate(), c.GetFrom()) {
				m.DueDate = c.GetTo()
			}
			return nil
		})
		return err
	}
	_, err := d.Steps.Mutate(ctx, "replanned", c.GetItem(), "", func(s *goalsv1.Step, _ time.Time) error {
		if proto.Equal(s.GetDueDate(), c.GetFrom()) {
			s.DueDate = c.GetTo()
		}
		return nil
	})
	return err
}

// isGone tells a resource that was deleted meanwhile from other failures.
func isGone(err error) bool {
	f, ok := fault.As(err)
	return ok && f.Reason == "NOT_FOUND"
}
