package projection

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// MaxBack is how far back a summary can look: as far as completions are kept,
// less the window it sums up.
const MaxBack = 366 * 24 * time.Hour

// Summary tells how things stood at a time, as far as is known today.
func Summary(p *storagev1.Projection, name string, asOf time.Time) *insightsv1.Summary {
	ms, today := asOf.UnixMilli(), days(Calendar(p).Date(asOf))
	s := &insightsv1.Summary{Name: name, AsOf: timestamppb.New(asOf), Mood: &insightsv1.Mood{}}
	summariseSetbacks(s, p, ms, today)
	for _, l := range p.GetLessons() {
		if l.GetCaptured() <= ms {
			s.LessonsCaptured++
		}
		if l.GetApplied() != 0 && l.GetApplied() <= ms {
			s.LessonsApplied++
		}
	}
	for _, g := range p.GetGoals() {
		if g.GetCreated() > ms {
			continue
		}
		state := g.GetState()
		if g.GetChanged() > ms {
			state = typev1.GoalState_GOAL_STATE_ACTIVE
		}
		switch state {
		case typev1.GoalState_GOAL_STATE_ACTIVE:
			s.GoalsActive++
		case typev1.GoalState_GOAL_STATE_ACHIEVED:
			s.GoalsAchieved++
		}
	}
	checkIns := checkInsUntil(p, ms)
	if e := ewma(p.GetMoodBase(), checkIns); e.N > 0 {
		s.Mood.Level, s.Mood.N = &e.Level, e.N
		if deviation := e.Deviation(); e.N >= minimumVolatility {
			s.Mood.Volatility = &deviation
		}
	}
	mood := moodDays(p, checkIns)
	summariseMood(s.GetMood(), mood, today)
	s.Associations = associations(p, mood, today)
	summariseGratitudes(s, p, today)
	_, s.StepsCompletedLast_7 = activeDays(p, today-6, today)
	_, s.StepsCompletedLast_28 = activeDays(p, today-27, today)
	s.Recovery, s.Practice, s.Lessons = recovery(p, ms, today), practiceCounts(p, ms, today), lessonFlow(p, ms)
	s.Weeks = summaryWeeks(p, today)
	s.Reframes, s.Support, s.Steps = reframeShift(p, ms), support(p, ms), stepPractice(p, ms, today)
	return s
}

// summaryWeekCount is how many weeks a summary tells of one by one.
const summaryWeekCount = 12

// summaryWeeks gives the weeks up to a day.
func summaryWeeks(p *storagev1.Projection, today int32) []*insightsv1.SummaryWeek {
	of := PracticeWeeks(p, Span{facts.Monday(facts.WeekOf(today) - summaryWeekCount + 1), today})
	steps, gratitudes := of[typev1.Practice_PRACTICE_STEP], of[typev1.Practice_PRACTICE_GRATITUDE]
	out := make([]*insightsv1.SummaryWeek, len(steps.Days))
	for i, n := range steps.Days {
		out[i] = &insightsv1.SummaryWeek{
			Week: localdate.FromDays(int(facts.Monday(steps.First + int32(i)))), StepDays: n, GratitudeDays: gratitudes.Days[i],
		}
	}
	return out
}

// checkInsUntil are those of the kept check-ins that are about a time or before.
func checkInsUntil(p *storagev1.Projection, ms int64) []*storagev1.CheckInEntry {
	until, _ := slices.BinarySearchFunc(p.GetCheckIns(), ms, func(c *storagev1.CheckInEntry, t int64) int {
		if c.GetTime() <= t {
			return -1
		}
		return 1
	})
	return p.GetCheckIns()[:until]
}

func summariseSetbacks(s *insightsv1.Summary, p *storagev1.Projection, ms int64, today int32) {
	var took []int32
	var last *int32
	for _, b := range p.GetSetbacks() {
		if b.GetRecorded() > ms || b.GetOccurred() > today {
			continue
		}
		if last == nil || b.GetOccurred() > *last {
			last = &b.Occurred
		}
		if b.Recovered != nil && b.GetRecovered() <= today {
			took = append(took, b.GetRecovered()-b.GetOccurred())
			continue
		}
		s.OpenSetbacks++
	}
	s.RecoveredSetbacks = int32(len(took))
	if last != nil {
		since := today - *last
		s.DaysSinceLastSetback = &since
	}
	if len(took) > 0 {
		m := median(took)
		s.MedianDaysToRecovery = &m
	}
}

// median of at least one number: the middle one, or the mean of the middle two.
func median(of []int32) float64 {
	slices.Sort(of)
	n := len(of)
	return float64(of[(n-1)/2]+of[n/2]) / 2
}

func summariseGratitudes(s *insightsv1.Summary, p *storagev1.Projection, today int32) {
	for _, r := range p.GetGratitudes() {
		last := min(r.GetLast(), today)
		if last < r.GetFirst() {
			continue
		}
		s.LongestGratitudeRun = max(s.LongestGratitudeRun, last-r.GetFirst()+1)
		if first := max(r.GetFirst(), today-6); first <= last {
			s.GratitudeDaysLast_7 += last - first + 1
		}
	}
}
