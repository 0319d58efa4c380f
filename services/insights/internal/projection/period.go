package projection

import (
	"time"

	"gonum.org/v1/gonum/stat"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// End is the instant at which the last day of a span ends, in the person's calendar.
func End(p *storagev1.Projection, span Span) time.Time {
	return Calendar(p).Begin(localdate.FromDays(int(span.Until) + 1))
}

// Begin is the instant at which the first day of a span begins.
func Begin(p *storagev1.Projection, span Span) time.Time {
	return Calendar(p).Begin(localdate.FromDays(int(span.From)))
}

// PeriodIn gives the numbers of a period that can be told from a projection: all but
// milestones. What lies after a time does not count yet.
func PeriodIn(p *storagev1.Projection, span Span, asOf time.Time) *insightsv1.DigestPeriod {
	out := &insightsv1.DigestPeriod{StartDate: localdate.FromDays(int(span.From)), EndDate: localdate.FromDays(int(span.Until))}
	until := min(asOf.UnixMilli(), End(p, span).UnixMilli()-1)
	during := func(ms int64) bool { return ms != 0 && Begin(p, span).UnixMilli() <= ms && ms <= until }
	span.Until = min(span.Until, Today(p, until))
	periodMood(out, p, span)
	for _, b := range p.GetSetbacks() {
		if during(b.GetRecorded()) {
			out.SetbacksRecorded++
		}
		if b.Recovered != nil && span.has(b.GetRecovered()) {
			out.SetbacksRecovered++
		}
	}
	for _, l := range p.GetLessons() {
		if during(l.GetCaptured()) {
			out.LessonsCaptured++
		}
		if during(l.GetApplied()) {
			out.LessonsApplied++
		}
	}
	for _, g := range p.GetGoals() {
		if g.GetState() == typev1.GoalState_GOAL_STATE_ACHIEVED && during(g.GetChanged()) {
			out.GoalsAchieved++
		}
	}
	out.StepDays, out.StepsCompleted = activeDays(p, span.From, span.Until)
	practiced := practicedIn(p, span)
	for _, each := range say.Practices {
		switch n := int32(len(practiced[each.Practice])); {
		case each.Practice == typev1.Practice_PRACTICE_GRATITUDE:
			out.GratitudeDays = n
		case each.Practice == typev1.Practice_PRACTICE_STEP: // counted above
		case n > 0:
			out.Practices = append(out.Practices, &insightsv1.DigestPractice{Practice: each.Practice, Days: n})
		}
	}
	out.CelebrationsDue = practiceCounts(p, until, span.Until).GetCelebrationsDue()
	return out
}

// periodMood tells the check-ins of a span, where they are kept.
func periodMood(out *insightsv1.DigestPeriod, p *storagev1.Projection, span Span) {
	mood := MoodIn(p, span)
	if mood.Cut {
		return
	}
	checkIns, on := int32(mood.CheckIns), int32(len(mood.Means))
	out.CheckIns, out.CheckInDays = &checkIns, &on
	if len(mood.Means) < minimumMean {
		return
	}
	values := make([]float64, len(mood.Means))
	for i, m := range mood.Means {
		values[i] = m.Value
	}
	mean := stat.Mean(values, nil)
	out.MeanMood = &mean
}
