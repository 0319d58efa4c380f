package domain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// TestRemindersComeOnce: however the service is cut short and begun again, with
// several instances at the same time, each occurrence comes once, and what was due comes in the end.
func TestRemindersComeOnce(t *testing.T) {
	r := newRig(t)
	whole, people := r.Deps.Store, 0
	rapid.Check(t, func(rt *rapid.T) {
		people++
		owner := fmt.Sprintf("tenants/acme/people/p%d", people)
		begin := r.Clock.Now()
		busy(rt, r, owner, rapid.Bool().Draw(rt, "persistent"))
		for range rapid.IntRange(1, 7).Draw(rt, "hops") {
			r.Clock.Advance(time.Duration(rapid.IntRange(0, 20).Draw(rt, "hours")) * time.Hour)
			r.Deps.Store = newFailing(whole, rapid.IntRange(0, 8).Draw(rt, "writes"))
			var wg sync.WaitGroup
			for range rapid.IntRange(1, 3).Draw(rt, "instances") {
				wg.Go(func() {
					if _, err := r.d.Tick(context.Background()); err != nil && !errors.Is(err, errCut) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			r.Deps.Store = whole
		}
		r.Clock.Advance(begin.AddDate(0, 0, 30).Sub(r.Clock.Now()))
		for range 3 {
			if _, err := r.d.Tick(context.Background()); err != nil {
				rt.Fatal(err)
			}
		}
		rules, err := r.d.ReminderRules.All(context.Background(), owner)
		if err != nil {
			rt.Fatal(err)
		}
		for _, rule := range rules { // the next person has the clock alone
			if err := r.d.ReminderRules.Drop(context.Background(), rule.GetName()); err != nil {
				rt.Fatal(err)
			}
		}
		times := map[string]int{}
		for _, e := range r.Events(t, owner) {
			if f := e.GetReminder(); f != nil {
				times[fmt.Sprint(resource.LastSegment(f.GetSubject()), " ", localdate.Text(f.GetDueDate()), " ", f.GetReminderRule())]++
			}
		}
		once := 0
		for what, n := range times {
			if n != 1 {
				rt.Fatalf("%s came %d times", what, n)
			}
			if strings.HasPrefix(what, "s") {
				once++
			}
		}
		// At 09:00 of the first day, which is ahead; at 18:00 with a day's lead it
		// begins with what is due on the second.
		if once != 6+5 {
			rt.Fatalf("%d of 11 came: %v", once, times)
		}
	})
}

// busy gives a person a daily step, six that are due from today on, and two rules.
// It is 08:00.
func busy(rt *rapid.T, r *rig, owner string, persistent bool) {
	ctx := context.Background()
	must := func(_ any, err error) {
		if err != nil {
			rt.Fatal(err)
		}
	}
	today := localdate.Days(localdate.Of(r.Clock.Now(), time.UTC))
	must(r.d.Goals.Create(ctx, &goalsv1.CreateGoalRequest{Parent: owner, GoalId: "g", Goal: &goalsv1.Goal{Title: "t"}}))
	must(r.d.Steps.Create(ctx, &goalsv1.CreateStepRequest{Parent: owner + "/goals/g", StepId: "daily", Step: &goalsv1.Step{Title: "t", Recurrence: "FREQ=DAILY"}}))
	for day := range 6 {
		must(r.d.Steps.Create(ctx, &goalsv1.CreateStepRequest{
			Parent: owner + "/goals/g", StepId: fmt.Sprintf("s%d", day), Step: &goalsv1.Step{Title: "t", DueDate: localdate.FromDays(today + day)},
		}))
	}
	for _, rule := range []*goalsv1.ReminderRule{
		{About: aboutSteps, TimeOfDay: clockTime(9, 0), Persistent: persistent}, {About: aboutSteps, TimeOfDay: clockTime(18, 0), LeadDays: 1},
	} {
		must(r.d.ReminderRules.Create(ctx, &goalsv1.CreateReminderRuleRequest{Parent: owner, ReminderRule: rule}))
	}
}
