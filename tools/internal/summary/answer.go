package summary

import (
	"fmt"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// answer is what the API says, as far as it is shown. A pointer is nil where there
// are too few observations for the number.
type answer struct {
	OpenSetbacks, RecoveredSetbacks int
	MedianDaysToRecovery            *float64
	LongestGratitudeRun             int
	LessonsCaptured, LessonsApplied int
	GoalsActive, GoalsAchieved      int
	StepsCompletedLast28            int

	Mood struct {
		Level, Volatility *float64
		N                 int
		Slope             struct {
			N        int
			PerWeek  *float64
			Interval *interval
		}
		ChangePoints []struct {
			On              api.Date
			Before, After   float64
			NBefore, NAfter int
		}
	}
	Recovery struct {
		N, FirstStepN         int
		MedianDaysToFirstStep *float64
		Intensity             change
	}
	Lessons  struct{ MedianDaysToApply *float64 }
	Reframes struct{ Belief change }
	Practice struct {
		GratitudeDays, GratitudeDaysLast28      int
		DebriefsCompleted, Revisits             int
		Strengths, Evidence                     int
		CelebrationsDue, CelebrationsCelebrated int
	}
	Steps struct {
		N, ActiveDaysLast28 int
		MeanStrength        *float64
	}
	Support struct {
		Connections, Filling, Draining int
		Answered                       struct{ Count, N int }
	}
	Associations []struct{ Statement string }
	Weeks        []week
}

// change is a number that was stated twice.
type change struct {
	Before, After *float64
	N             int
}

// interval is where a number lies with a confidence of 95 %.
type interval struct{ Low, High float64 }

// String is the interval as what follows a number; "" when it is unknown.
func (i *interval) String() string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf(" (95 %% interval: %+.1f to %+.1f)", i.Low, i.High)
}
