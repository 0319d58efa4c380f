package projection

import (
	"slices"
	"strconv"
	"strings"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
)

const (
	// keptDays is how far back completions are kept, counted from the latest.
	keptDays = 400
	// momentumWindow is the days that step momentum looks at.
	momentumWindow = 7
	// keptRuns is how many runs of earlier step days are kept; the gap between the
	// earliest two is closed when there are more.
	keptRuns = 1000
)

// momentumDays are the numbers of active days that are told.
var momentumDays = []int32{1, 3, 5, 7}

func (a *application) step(f *eventsv1.StepFacts) {
	a.stepStrength(f)
	c := f.GetCompletion()
	if c == nil {
		return
	}
	id := a.id + "/" + c.GetId()
	if i := slices.IndexFunc(a.p.GetCompletions(), func(x *storagev1.CompletionEntry) bool { return x.GetId() == id }); i >= 0 {
		day := a.p.GetCompletions()[i].GetDay()
		a.p.Completions = slices.Delete(a.p.GetCompletions(), i, i+1)
		a.weeks.StepDay(day, stepDay(a.p, day))
	}
	if strings.HasSuffix(a.e.GetType(), ".undone") {
		return
	}
	entry := &storagev1.CompletionEntry{Id: id, Time: c.GetCompleteTime().AsTime().UnixMilli(), Day: days(c.GetLocalDate())}
	i, _ := slices.BinarySearchFunc(a.p.GetCompletions(), entry, func(x, y *storagev1.CompletionEntry) int {
		if x.GetTime() != y.GetTime() {
			return int(max(-1, min(1, x.GetTime()-y.GetTime())))
		}
		return strings.Compare(x.GetId(), y.GetId())
	})
	a.p.Completions = slices.Insert(a.p.GetCompletions(), i, entry)
	a.weeks.StepDay(entry.GetDay(), true)
	latest := a.p.GetCompletions()[len(a.p.GetCompletions())-1].GetDay()
	a.p.Completions = slices.DeleteFunc(a.p.GetCompletions(), func(x *storagev1.CompletionEntry) bool {
		old := x.GetDay() < latest-keptDays
		if old {
			a.earlierStepDay(x.GetDay())
		}
		return old
	})
	a.momentum(entry.GetDay(), f.GetGoal())
}

// stepDay tells whether steps were completed on a day.
func stepDay(p *storagev1.Projection, day int32) bool {
	return hasDay(p.GetEarlierStepDays(), day) ||
		slices.ContainsFunc(p.GetCompletions(), func(x *storagev1.CompletionEntry) bool { return x.GetDay() == day })
}

// earlierStepDay keeps the day of a completion that is no longer kept.
func (a *application) earlierStepDay(day int32) {
	runs, _, _ := addDay(a.p.GetEarlierStepDays(), day)
	if len(runs) > keptRuns {
		runs = append([]*storagev1.DayRun{{First: runs[0].GetFirst(), Last: runs[1].GetLast()}}, runs[2:]...)
	}
	a.p.EarlierStepDays = runs
}

// momentum tells when steps were completed on 1, 3, 5 or all 7 of the last days,
// each at most once in such a window.
func (a *application) momentum(day int32, goal string) {
	active, steps := activeDays(a.p, day-momentumWindow+1, day)
	for _, n := range momentumDays {
		told, ever := a.p.GetToldMomentum()[n]
		if active != n || ever && day-told < momentumWindow {
			continue
		}
		a.p.ToldMomentum[n] = day
		a.tell(&insightsv1.Insight{
			Kind: insightsv1.InsightKind_INSIGHT_KIND_STEP_MOMENTUM, N: steps, Subjects: []string{goal},
			Data: &insightsv1.Insight_StepMomentum{StepMomentum: &insightsv1.StepMomentum{ActiveDays: n, Steps: steps}},
		}, strconv.Itoa(int(day)), strconv.Itoa(int(n)))
	}
}

// activeDays counts the days from first to last on which steps were completed,
// and the completions.
func activeDays(p *storagev1.Projection, first, last int32) (active, steps int32) {
	seen := map[int32]bool{}
	for _, c := range p.GetCompletions() {
		if first <= c.GetDay() && c.GetDay() <= last {
			steps++
			seen[c.GetDay()] = true
		}
	}
	return int32(len(seen)), steps
}
