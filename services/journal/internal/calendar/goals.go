package calendar

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

const (
	// goalsPatience is how long the goals service may take for all of it.
	goalsPatience = 10 * time.Second
	// stepsPage is how many steps are asked for at once. Steps keep their
	// completions: where so many make too large an answer, fewer are asked for.
	stepsPage = 100
	// maxLooked is how many steps are looked at, in each order.
	maxLooked = 5000
	// maxRepeating is how many repeating steps a calendar has.
	maxRepeating = 200
)

// Goals reads steps from the goals service.
type Goals struct {
	goals goalsv1.GoalServiceClient
	all   goalsv1.StepServiceClient
}

// NewGoals reads over a connection that carries a service token.
func NewGoals(conn grpc.ClientConnInterface) *Goals {
	return &Goals{goalsv1.NewGoalServiceClient(conn), goalsv1.NewStepServiceClient(conn)}
}

// steps gives what is to be done of a person's active goals: steps that are due
// within the window, and those that repeat. Without the goals service there is no
// calendar (UNAVAILABLE): one in which steps are missing would pass for the whole.
func (g *Goals) steps(ctx context.Context, owner string, w window) ([]entry, error) {
	ctx, cancel := context.WithTimeout(ctx, goalsPatience)
	defer cancel()
	active, err := g.active(ctx, owner)
	if err != nil || len(active) == 0 {
		return nil, err
	}
	open := func(s *goalsv1.Step) bool {
		return s.GetState() != typev1.StepState_STEP_STATE_DONE && s.GetState() != typev1.StepState_STEP_STATE_SPLIT && active[goalOf(s)]
	}
	var due, repeating []entry
	err = g.each(ctx, owner, "due_date desc", func(s *goalsv1.Step) bool {
		if s.GetDueDate() == nil || localdate.After(w.from, s.GetDueDate()) {
			return false
		}
		if open(s) && w.has(s.GetDueDate()) {
			due = append(due, dated(stepDue, s, s.GetName(), s.GetTitle()).on(s.GetDueDate()))
		}
		return len(due) < maxEach
	})
	if err != nil {
		return nil, err
	}
	err = g.each(ctx, owner, "start_date desc", func(s *goalsv1.Step) bool {
		if s.GetStartDate() == nil {
			return false
		}
		if s.GetRecurrence() != "" && open(s) {
			if e, ok := dated(stepDue, s, s.GetName(), s.GetTitle()).repeating(s, w); ok {
				repeating = append(repeating, e)
			}
		}
		return len(repeating) < maxRepeating
	})
	return append(due, repeating...), err
}

// goalOf is the name of a step's goal.
func goalOf(s *goalsv1.Step) string {
	name, _, _ := strings.Cut(s.GetName(), "/steps/")
	return name
}

// active are the names of the goals that are being worked on.
func (g *Goals) active(ctx context.Context, owner string) (map[string]bool, error) {
	out := map[string]bool{}
	req := &goalsv1.ListGoalsRequest{Parent: owner, PageSize: maxEach, Filter: "state = ACTIVE"}
	for {
		res, err := g.goals.ListGoals(ctx, req)
		if err != nil {
			return nil, away(err)
		}
		for _, goal := range res.GetGoals() {
			out[goal.GetName()] = true
		}
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

// each shows steps in an order, until see has enough.
func (g *Goals) each(ctx context.Context, owner, order string, see func(*goalsv1.Step) bool) error {
	req := &goalsv1.ListStepsRequest{Parent: owner + "/goals/-", OrderBy: order, PageSize: stepsPage}
	for looked := 0; looked < maxLooked; {
		res, err := g.all.ListSteps(ctx, req)
		if tooLarge(err) && req.PageSize > 1 {
			req.PageSize = max(1, req.PageSize/4)
			continue
		}
		if err != nil {
			return away(err)
		}
		for _, s := range res.GetSteps() {
			if !see(s) {
				return nil
			}
		}
		looked += len(res.GetSteps())
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			return nil
		}
	}
	return nil
}

// tooLarge tells an answer that no message holds from a rate limit, which has
// details.
func tooLarge(err error) bool {
	st := status.Convert(err)
	return st.Code() == codes.ResourceExhausted && len(st.Details()) == 0
}

// away is what becomes of whatever goes wrong with the goals service: calendar
// programs keep what they have, and come again.
func away(err error) error { return fault.Unavailable(fmt.Errorf("goals: %w", err)) }
