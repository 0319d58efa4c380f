// Package summary tells in the terminal how a person is doing: the summary that
// insights keeps, in sentences, with how much each number rests on.
package summary

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// Print prints the summary: the mood with a line of the days before, recovery,
// lessons, practices and steps with lines of the weeks before, support, and what goes
// together. What is unset for too few observations is left out.
func Print(ctx context.Context, person api.Caller, out io.Writer) error {
	var s answer
	if err := person.Do(ctx, "GET", "/summary", nil, &s); err != nil {
		return err
	}
	var recent struct{ CheckIns []checkIn }
	query := url.Values{"orderBy": {"time desc"}, "pageSize": {"200"}}
	if err := person.Do(ctx, "GET", "/checkIns?"+query.Encode(), nil, &recent); err != nil {
		return err
	}
	var text strings.Builder
	for _, section := range []struct {
		title string
		lines []string
	}{
		{"Mood", mood(s, recent.CheckIns)},
		{"Recovery", recovery(s)},
		{"Lessons", lessons(s)},
		{"Practice", practice(s)},
		{"Steps", steps(s)},
		{"Support", support(s)},
		{"Together", together(s)},
	} {
		for i, line := range section.lines {
			title := section.title
			if i > 0 {
				title = ""
			}
			fmt.Fprintf(&text, "%-10s%s\n", title, line)
		}
	}
	if text.Len() == 0 {
		text.WriteString("Nothing to tell yet.\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func mood(s answer, recent []checkIn) (lines []string) {
	m := s.Mood
	if line, until := spark(recent); line != "" {
		lines = append(lines, fmt.Sprintf("%s  28 days to %s, -5 to 5", line, until.Format(time.DateOnly)))
	}
	if m.Level != nil {
		line := fmt.Sprintf("%+.1f now, by %s", *m.Level, count(m.N, "check-in"))
		if m.Volatility != nil {
			line += fmt.Sprintf("; it swings by %.1f", *m.Volatility)
		}
		lines = append(lines, line)
	}
	if m.Slope.PerWeek != nil {
		lines = append(lines, fmt.Sprintf("%+.1f a week over %s%s", *m.Slope.PerWeek, count(m.Slope.N, "day"), m.Slope.Interval))
	}
	for _, c := range m.ChangePoints {
		lines = append(lines, fmt.Sprintf("changed on %s: from %+.1f (%s) to %+.1f (%s)",
			c.On, c.Before, count(c.NBefore, "day"), c.After, count(c.NAfter, "day")))
	}
	return lines
}

func recovery(s answer) (lines []string) {
	if s.OpenSetbacks+s.RecoveredSetbacks == 0 {
		return nil
	}
	lines = append(lines, fmt.Sprintf("%s recovered from, %d open", count(s.RecoveredSetbacks, "setback"), s.OpenSetbacks))
	if d := s.MedianDaysToRecovery; d != nil {
		lines = append(lines, fmt.Sprintf("half took at most %s (%s)", days(*d), count(s.Recovery.N, "recovery", "recoveries")))
	}
	if d := s.Recovery.MedianDaysToFirstStep; d != nil {
		lines = append(lines, fmt.Sprintf("the first step came within %s in half of them (%s)", days(*d), count(s.Recovery.FirstStepN, "setback")))
	}
	if c := s.Recovery.Intensity; c.Before != nil && c.After != nil {
		lines = append(lines, fmt.Sprintf("intensity %.1f then, %.1f now (%s)", *c.Before, *c.After, count(c.N, "setback")))
	}
	return lines
}

func lessons(s answer) (lines []string) {
	if s.LessonsCaptured == 0 {
		return nil
	}
	lines = append(lines, fmt.Sprintf("%d captured, %d applied", s.LessonsCaptured, s.LessonsApplied))
	if d := s.Lessons.MedianDaysToApply; d != nil {
		lines = append(lines, fmt.Sprintf("half of those applied were so within %s", days(*d)))
	}
	return lines
}

func practice(s answer) []string {
	p := s.Practice
	lines := sparkWeeks(s.Weeks, func(w week) int { return w.GratitudeDays })
	if p.GratitudeDays > 0 {
		lines = append(lines, fmt.Sprintf("%s with gratitudes, %d of the last 28; longest run %d", count(p.GratitudeDays, "day"), p.GratitudeDaysLast28, s.LongestGratitudeRun))
	}
	if p.DebriefsCompleted > 0 {
		lines = append(lines, fmt.Sprintf("%s, %s", count(p.DebriefsCompleted, "debrief"), count(p.Revisits, "revisit")))
	}
	if p.Strengths > 0 {
		lines = append(lines, fmt.Sprintf("%s with %s of evidence", count(p.Strengths, "strength"), count(p.Evidence, "piece")))
	}
	if b := s.Reframes.Belief; b.Before != nil && b.After != nil {
		lines = append(lines, fmt.Sprintf("belief in hard thoughts %.0f before reframing, %.0f after (%s)", *b.Before, *b.After, count(b.N, "reframe")))
	}
	return lines
}

func steps(s answer) []string {
	lines := sparkWeeks(s.Weeks, func(w week) int { return w.StepDays })
	if s.GoalsActive+s.GoalsAchieved+s.StepsCompletedLast28 > 0 {
		lines = append(lines, fmt.Sprintf("%d completed in 28 days, on %s; %s active, %d achieved",
			s.StepsCompletedLast28, count(s.Steps.ActiveDaysLast28, "day"), count(s.GoalsActive, "goal"), s.GoalsAchieved))
	}
	if s.Steps.MeanStrength != nil {
		lines = append(lines, fmt.Sprintf("repeating steps: mean strength %.0f %% (%s)", 100**s.Steps.MeanStrength, count(s.Steps.N, "step")))
	}
	if p := s.Practice; p.CelebrationsDue+p.CelebrationsCelebrated > 0 {
		lines = append(lines, fmt.Sprintf("%s due, %d celebrated", count(p.CelebrationsDue, "celebration"), p.CelebrationsCelebrated))
	}
	return lines
}

func support(s answer) []string {
	c := s.Support
	if c.Connections == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %d filling, %d draining; %d of %s answered",
		count(c.Connections, "connection"), c.Filling, c.Draining, c.Answered.Count, count(c.Answered.N, "outreach", "outreaches"))}
}

func together(s answer) (lines []string) {
	for _, a := range s.Associations {
		lines = append(lines, a.Statement)
	}
	return lines
}

// count is a number of things, whose plural takes an s unless it is given.
func count(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprint(n, " ", many[0])
	}
	return fmt.Sprint(n, " ", one, "s")
}

// days is a number of days that may be half of one.
func days(n float64) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%g days", n)
}
