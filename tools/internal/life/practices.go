package life

import (
	"context"
	"fmt"
	"time"

	"github.com/rebound-hq/rebound/services/kit/ids"
)

// practice is one of the practices that are no daily ones, while there is a
// setback to make sense of.
func (l *lived) practice(ctx context.Context, day int, _ time.Time) error {
	if l.setback == "" {
		return nil
	}
	setback := l.person.Name + "/setbacks/" + l.setback
	l.counts.Practices.Add(1)
	l.mood = min(5, l.mood+0.3)
	switch l.rand.IntN(5) {
	case 0:
		return l.do(ctx, "POST", fmt.Sprintf("/strengths?strengthId=day-%d", day), body{
			"statement": "I stay friendly when it gets loud",
			"evidence":  []body{{"prompt": "HELD_UP_UNDER_PRESSURE", "text": "In the meeting after", "setback": setback}},
		})
	case 1:
		before := 50 + l.rand.IntN(50)
		return l.do(ctx, "POST", fmt.Sprintf("/reframes?reframeId=day-%d", day), body{
			"original": "I am not good enough for this", "reframed": "I am not good enough for this yet", "kind": "NOT_YET",
			"beliefBefore": before, "beliefAfter": before / 2, "setback": setback,
		})
	case 2:
		return l.do(ctx, "POST", fmt.Sprintf("/reflections?reflectionId=day-%d", day), body{
			"text": "Wrote for a while, without stopping.", "minutes": 10, "tags": []string{"evening"}, "setback": setback,
		})
	case 3:
		return l.do(ctx, "POST", fmt.Sprintf("/visualizations?visualizationId=day-%d", day), body{
			"scene": "The next launch, and nobody has to run", "obstacle": "I take on too much at once",
			"plan": body{"when": "somebody asks for one more thing", "then": "I ask what may wait"}, "vividness": 1 + l.rand.IntN(10),
		})
	}
	return l.reachOut(ctx, day)
}

// reachOut asks a friend.
func (l *lived) reachOut(ctx context.Context, day int) error {
	if err := l.do(ctx, "POST", "/connections?connectionId=mentor", body{
		"displayName": "Somebody who has seen it before", "relation": "MENTOR", "energy": 3, "cadenceDays": 14,
	}); err != nil {
		return err
	}
	path := fmt.Sprintf("/connections/mentor/outreaches?outreachId=day-%d", day)
	if err := l.do(ctx, "POST", path, body{"ask": "Half an hour of your time", "channel": "MESSAGE", "state": "SENT"}); err != nil {
		return err
	}
	return l.do(ctx, "PATCH", fmt.Sprintf("/connections/mentor/outreaches/day-%d", day), body{"state": "ANSWERED", "answer": "Gladly"})
}

// repeat does the step that repeats, or skips a day of it.
func (l *lived) repeat(ctx context.Context, day int, at time.Time) error {
	switch {
	case l.habit == "" || day%2 == 1:
		return nil
	case l.rand.IntN(10) == 0:
		return l.do(ctx, "POST", "/goals/"+l.habit+":skip", body{"date": date(at)})
	}
	l.counts.Completions.Add(1)
	requestID := ids.Derived(l.person.Name, l.habit, at.Format(time.DateOnly))
	return l.do(ctx, "POST", "/goals/"+l.habit+":complete", body{"completeTime": at.Format(time.RFC3339), "requestId": requestID})
}
