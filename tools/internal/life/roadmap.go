package life

import "context"

// remind asks for reminders in the evening.
func (l *lived) remind(ctx context.Context) error {
	return l.do(ctx, "POST", "/reminderRules?reminderRuleId=evening", body{
		"about": "STEPS", "title": "Evenings", "timeOfDay": body{"hours": 18},
		"quietHours": body{"from": body{"hours": 21}, "until": body{"hours": 8}},
	})
}

// order lets each step of a new goal wait for the one before.
func (l *lived) order(ctx context.Context) error {
	for i := 1; i < len(l.steps); i++ {
		if err := l.do(ctx, "POST", "/goals/"+l.goal+"/roadmap:link", body{
			"item": l.person.Name + "/goals/" + l.steps[i], "requires": l.person.Name + "/goals/" + l.steps[i-1],
		}); err != nil {
			return err
		}
	}
	return nil
}

// celebrate takes the reward of a milestone; who does not feel like it leaves it
// for later.
func (l *lived) celebrate(ctx context.Context) error {
	if l.mood < 1 {
		return nil
	}
	l.counts.Celebrations.Add(1)
	return l.do(ctx, "POST", "/goals/"+l.goal+"/milestones/first:celebrate", body{
		"how": "The long weekend, at last", "withWhom": []string{"an old friend"},
	})
}
