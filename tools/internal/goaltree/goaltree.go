// Package goaltree shows a person's goals in the terminal: a tree of goals, sub-goals,
// milestones and steps, and how far each has come.
package goaltree

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/list"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/terminal"
)

// View is what to show, and where.
type View struct {
	Person api.Caller
	// All shows goals that were achieved or dropped too.
	All bool
	Out io.Writer
}

// pageSize is how many documents one request asks for.
const pageSize = 1000

type goal struct {
	Name, Title, State, ParentGoal string
	Progress                       float64
	TargetDate                     *api.Date
	KeyResults                     []keyResult
}

type keyResult struct {
	Title, Unit                   string
	Start, Target, Current, Score float64
	Confidence                    *float64
}

type milestone struct {
	Name, Title, State, Reward string
	DueDate                    *api.Date
}

type step struct {
	Name, Title, State, Milestone, Recurrence string
	DueDate                                   *api.Date
	Strength                                  *float64
	Completions                               []struct{}
}

// tree is all of a person's goals, by what they lie below.
type tree struct {
	goals      map[string][]goal      // by parent goal; "" for those that are no part of another
	milestones map[string][]milestone // by goal
	steps      map[string][]step      // by milestone, or else by goal
	hidden     int                    // how many goals are not to be seen
}

// Show prints the tree.
func (v View) Show(ctx context.Context) error {
	t, err := v.load(ctx)
	if err != nil {
		return err
	}
	if len(t.goals) == 0 {
		say := "No goals yet. An avenue that is chosen becomes one."
		if t.hidden > 0 {
			say = fmt.Sprintf("No goals under way. --all shows the %d that ended.", t.hidden)
		}
		_, err = fmt.Fprintln(v.Out, say)
		return err
	}
	w := list.NewWriter()
	w.SetStyle(list.StyleConnectedLight)
	t.add(w, "")
	_, err = fmt.Fprintln(v.Out, w.Render())
	return err
}

func (v View) load(ctx context.Context) (*tree, error) {
	goals, err := all[goal](ctx, v.Person, "/goals", "create_time")
	if err != nil {
		return nil, err
	}
	milestones, err := all[milestone](ctx, v.Person, "/goals/-/milestones", "order")
	if err != nil {
		return nil, err
	}
	steps, err := all[step](ctx, v.Person, "/goals/-/steps", "create_time")
	if err != nil {
		return nil, err
	}
	there := len(goals)
	if !v.All {
		goals = slices.DeleteFunc(goals, func(g goal) bool { return ended(g.State) })
	}
	t := &tree{goals: map[string][]goal{}, milestones: map[string][]milestone{}, steps: map[string][]step{}, hidden: there - len(goals)}
	shown := map[string]bool{}
	for _, g := range goals {
		shown[g.Name] = true
	}
	for _, g := range goals {
		under := g.ParentGoal
		if !shown[under] {
			under = "" // it is no part of anything that is to be seen
		}
		t.goals[under] = append(t.goals[under], g)
	}
	known := map[string]bool{}
	for _, m := range milestones {
		t.milestones[goalOf(m.Name)] = append(t.milestones[goalOf(m.Name)], m)
		known[m.Name] = true
	}
	for _, s := range steps {
		under := s.Milestone
		if !known[under] {
			under = goalOf(s.Name)
		}
		t.steps[under] = append(t.steps[under], s)
	}
	return t, nil
}

// all reads a collection page by page.
func all[T any](ctx context.Context, p api.Caller, path, order string) ([]T, error) {
	q := url.Values{"pageSize": {fmt.Sprint(pageSize)}, "orderBy": {order}}
	var out []T
	for {
		var page struct {
			Goals, Milestones, Steps []T
			NextPageToken            string
		}
		if err := p.Do(ctx, "GET", path+"?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		out = slices.Concat(out, page.Goals, page.Milestones, page.Steps)
		if page.NextPageToken == "" {
			return out, nil
		}
		q.Set("pageToken", page.NextPageToken)
	}
}

// goalOf is the goal in the name of a milestone or step.
func goalOf(name string) string {
	segments := strings.Split(name, "/")
	return strings.Join(segments[:min(6, len(segments))], "/")
}

func ended(state string) bool { return state == "GOAL_STATE_ACHIEVED" || state == "GOAL_STATE_DROPPED" }

// add adds the goals below a parent, and what lies below them.
func (t *tree) add(w list.Writer, parent string) {
	for _, g := range t.goals[parent] {
		w.AppendItem(g.line())
		w.Indent()
		for _, k := range g.KeyResults {
			w.AppendItem(k.line())
		}
		for _, m := range t.milestones[g.Name] {
			w.AppendItem(m.line())
			w.Indent()
			t.addSteps(w, m.Name)
			w.UnIndent()
		}
		t.addSteps(w, g.Name)
		t.add(w, g.Name)
		w.UnIndent()
	}
}

func (t *tree) addSteps(w list.Writer, under string) {
	for _, s := range t.steps[under] {
		w.AppendItem(s.line())
	}
}

// barWidth is how wide a bar is.
const barWidth = 12

// bar draws a share, 0 to 1.
func bar(share float64) string {
	share = min(1, max(0, share))
	done := int(share*barWidth + 0.5)
	return fmt.Sprintf("%s%s %3.0f %%", strings.Repeat("█", done), strings.Repeat("░", barWidth-done), 100*share)
}

func (g goal) line() string {
	line := bar(g.Progress) + "  " + terminal.Plain(g.Title)
	switch g.State {
	case "GOAL_STATE_ACHIEVED":
		line += ", achieved"
	case "GOAL_STATE_ON_HOLD":
		line += ", resting"
	case "GOAL_STATE_DROPPED":
		line += ", let go"
	}
	return line + by(g.TargetDate)
}

func (k keyResult) line() string {
	line := fmt.Sprintf("%s  %s: at %g, from %g to %g", bar(k.Score), terminal.Plain(k.Title), k.Current, k.Start, k.Target)
	if k.Unit != "" {
		line += " " + terminal.Plain(k.Unit)
	}
	if k.Confidence != nil {
		line += fmt.Sprintf(", %.0f %% sure", 100**k.Confidence)
	}
	return line
}

func (m milestone) line() string {
	mark := map[string]string{"MILESTONE_STATE_REACHED": "◆", "MILESTONE_STATE_CELEBRATED": "★"}[m.State]
	if mark == "" {
		mark = "◇"
	}
	line := mark + " " + terminal.Plain(m.Title) + by(m.DueDate)
	if m.Reward != "" {
		line += " → " + terminal.Plain(m.Reward)
	}
	return line
}

func (s step) line() string {
	mark := "·"
	if s.State == "STEP_STATE_DONE" {
		mark = "✓"
	}
	line := mark + " " + terminal.Plain(s.Title) + by(s.DueDate)
	if s.Recurrence != "" {
		line += fmt.Sprintf(", done %d times", len(s.Completions))
	}
	if s.Strength != nil {
		line += ", strength " + bar(*s.Strength)
	}
	return line
}

func by(d *api.Date) string {
	if d == nil {
		return ""
	}
	return ", by " + d.String()
}
