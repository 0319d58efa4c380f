package projection

import (
	"maps"
	"slices"

	"gonum.org/v1/gonum/stat"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

const (
	// minimumVolatility is how many check-ins a volatility needs.
	minimumVolatility = 10
	// slopeDays is how far back a slope looks, in days.
	slopeDays = 90
	// minimumSlope is how many days with check-ins it needs.
	minimumSlope = 10
	// lookBack is how far back change points and associations look, in days.
	lookBack = 366
	// minimumChange is how many days with check-ins change points need, and
	// shortestPiece how many lie between any two, before the first and after the last.
	minimumChange, shortestPiece = 20, 5
)

// dayMood is the mean pleasantness of a local day.
type dayMood struct {
	day  int32
	mean float64
}

// moodDays gives the days with check-ins, in order.
func moodDays(p *storagev1.Projection, checkIns []*storagev1.CheckInEntry) []dayMood {
	cal := Calendar(p)
	of := map[int32][]float64{}
	for _, c := range checkIns {
		day := c.GetDay()
		if c.Day == nil {
			day = days(cal.Date(timeOf(c.GetTime())))
		}
		of[day] = append(of[day], float64(c.GetPleasantness()))
	}
	out := make([]dayMood, 0, len(of))
	for _, day := range slices.Sorted(maps.Keys(of)) {
		out = append(out, dayMood{day, stat.Mean(of[day], nil)})
	}
	return out
}

// lastDays are those of the last n days, today included.
func lastDays(mood []dayMood, today, n int32) []dayMood {
	return slices.Collect(func(yield func(dayMood) bool) {
		for _, m := range mood {
			if today-n < m.day && m.day <= today && !yield(m) {
				return
			}
		}
	})
}

func means(mood []dayMood) []float64 {
	out := make([]float64, len(mood))
	for i, m := range mood {
		out[i] = m.mean
	}
	return out
}

// summariseMood tells where the mood has been going, and when its mean changed.
func summariseMood(s *insightsv1.Mood, mood []dayMood, today int32) {
	recent := lastDays(mood, today, slopeDays)
	s.Slope = &insightsv1.MoodSlope{N: int32(len(recent))}
	if len(recent) >= minimumSlope {
		weeks := make([]float64, len(recent))
		for i, m := range recent {
			weeks[i] = float64(m.day-recent[0].day) / 7
		}
		if slope, in, ok := stats.TheilSen(weeks, means(recent), stats.Level); ok {
			s.Slope.PerWeek, s.Slope.Interval = &slope, interval(in)
		}
	}
	year := lastDays(mood, today, lookBack)
	s.ChangePointsN = int32(len(year))
	if len(year) < minimumChange {
		return
	}
	values := means(year)
	at := stats.ChangePoints(values, shortestPiece)
	bounds := slices.Concat([]int{0}, at, []int{len(year)})
	for i, from := range at {
		before, after := values[bounds[i]:from], values[from:bounds[i+2]]
		s.ChangePoints = append(s.ChangePoints, &insightsv1.ChangePoint{
			On: localdate.FromDays(int(year[from].day)), Before: stat.Mean(before, nil), After: stat.Mean(after, nil),
			NBefore: int32(len(before)), NAfter: int32(len(after)),
		})
	}
}

func interval(in stats.Interval) *insightsv1.Interval {
	return &insightsv1.Interval{Low: in.Low, High: in.High}
}
