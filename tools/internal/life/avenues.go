package life

import (
	"context"
	"fmt"
	"strings"

	"github.com/rebound-hq/rebound/services/kit/ids"
)

var matters = []struct{ id, name, meaning string }{
	{"candor", "Candor", "Saying it on the first day, not on the last"},
	{"craft", "Craft", "Work that I would show to anybody"},
	{"ease", "Ease", "Evenings that belong to me"},
}

// matters says what matters to the person, whatever they do.
func (l *lived) matters(ctx context.Context) error {
	for i, v := range matters {
		l.counts.Values.Add(1)
		if err := l.do(ctx, "POST", "/values?valueId="+v.id, body{"displayName": v.name, "meaning": v.meaning, "rank": i + 1}); err != nil {
			return err
		}
	}
	return nil
}

// aim finds the next goal: straight from the lesson, or one of several avenues.
func (l *lived) aim(ctx context.Context, day int, lesson string) error {
	if err := l.do(ctx, "POST", "/goals?goalId=calm", body{"title": "Calmer work, a year from now", "horizon": "YEAR"}); err != nil {
		return err
	}
	if l.rand.IntN(2) == 0 {
		l.goal = fmt.Sprintf("goal-%d", day)
		return l.do(ctx, "POST", "/goals?goalId="+l.goal, l.goalBody(lesson))
	}
	var chosen struct {
		Goal struct {
			Name       string
			KeyResults []struct{}
		}
	}
	best, err := l.compare(ctx, day)
	if err != nil {
		return err
	}
	if err := l.ask(ctx, l.person, "POST", best+":choose", body{}, &chosen); err != nil {
		return err
	}
	l.counts.Chosen.Add(1)
	l.goal = chosen.Goal.Name[strings.LastIndexByte(chosen.Goal.Name, '/')+1:]
	if len(chosen.Goal.KeyResults) > 0 {
		return nil // a run before has been here
	}
	b := l.goalBody(lesson)
	delete(b, "title") // the avenue's is kept
	b["origins"] = []string{l.person.Name + best, lesson}
	return l.do(ctx, "PATCH", "/goals/"+l.goal, b)
}

// goalBody is what a goal has beyond its steps.
func (l *lived) goalBody(lesson string) body {
	return body{
		"title": "Get better at asking", "origins": []string{lesson}, "horizon": "MONTH", "parentGoal": l.person.Name + "/goals/calm",
		"keyResults": []body{{"id": "asked", "title": "Questions asked in time", "target": 3, "unit": "questions", "confidence": 0.5}},
		"obstacles":  []body{{"id": "hurry", "obstacle": "I am in a hurry", "when": "I think that there is no time to ask", "then": "I ask one question, standing"}},
		"preMortem":  []body{{"cause": "I waited for a good moment", "prevention": "Ask in the first five minutes"}},
	}
}

// compare brainstorms avenues, rates them, puts the worst aside, and gives the path of the best.
func (l *lived) compare(ctx context.Context, day int) (string, error) {
	lines := []string{"Learn to moderate a meeting", "A table for people who start over", "Move over to the support team"}
	var made struct {
		Results []struct{ Avenue struct{ Name string } }
	}
	requestID := ids.Derived(l.person.Name, "avenues", fmt.Sprint(day))
	if err := l.ask(ctx, l.person, "POST", "/avenues:batchCreate", body{"lines": lines, "requestId": requestID}, &made); err != nil {
		return "", err
	}
	l.counts.Avenues.Add(int64(len(lines)))
	names := make([]string, len(made.Results))
	for i, r := range made.Results {
		names[i] = r.Avenue.Name
		if err := l.do(ctx, "PATCH", strings.TrimPrefix(r.Avenue.Name, l.person.Name), body{
			"kind":        []string{"SKILL", "VENTURE", "ROLE"}[i],
			"ratings":     body{"realistic": 1 + l.rand.IntN(5), "valuesFit": 1 + l.rand.IntN(5), "joy": l.rand.IntN(6)},
			"values":      []string{l.person.Name + "/values/" + matters[i].id},
			"experiments": []body{{"what": "Try it for one afternoon", "learned": "Less frightening than it looked"}},
		}); err != nil {
			return "", err
		}
	}
	var table struct {
		Rows []struct{ Avenue string }
	}
	if err := l.ask(ctx, l.person, "POST", "/avenues:compare", body{"avenues": names, "weights": body{"joy": 2}}, &table); err != nil {
		return "", err
	}
	worst := strings.TrimPrefix(table.Rows[len(table.Rows)-1].Avenue, l.person.Name)
	return strings.TrimPrefix(table.Rows[0].Avenue, l.person.Name), l.do(ctx, "POST", worst+":reject", body{"reason": "Not now"})
}

// checkInKeyResult notes how far the goal has come after a step, and what came in between.
func (l *lived) checkInKeyResult(ctx context.Context, step string) error {
	goal, request := "/goals/"+l.goal, ids.Derived(l.person.Name, step, "checked in")
	l.counts.KeyResultCheckIns.Add(1)
	if err := l.do(ctx, "POST", goal+":checkInKeyResult", body{
		"keyResult": "asked", "current": 3 - len(l.steps), "confidence": 0.6 + 0.1*float64(3-len(l.steps)), "requestId": request,
	}); err != nil {
		return err
	}
	if l.rand.IntN(2) == 0 {
		return nil
	}
	l.counts.ObstaclesMet.Add(1)
	return l.do(ctx, "POST", goal+":meetObstacle", body{"obstacle": "hurry", "followed": l.rand.IntN(3) > 0, "requestId": request})
}
