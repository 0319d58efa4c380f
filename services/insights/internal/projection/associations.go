package projection

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
)

// minimumAssociation is how many days with a practice, and without it, an
// association needs.
const minimumAssociation = 10

// associations sets the mood of days beside what was practiced on them.
func associations(p *storagev1.Projection, mood []dayMood, today int32) []*insightsv1.Association {
	mood = lastDays(mood, today, lookBack)
	if len(mood) < 2*minimumAssociation {
		return nil
	}
	mean := stat.Mean(means(mood), nil)
	practiced := practicedIn(p, Span{today - lookBack, today})
	var out []*insightsv1.Association
	for _, each := range say.Practices {
		var with, without []float64
		for _, m := range mood {
			if practiced[each.Practice][m.day] {
				with = append(with, m.mean-mean)
			} else {
				without = append(without, m.mean-mean)
			}
		}
		if len(with) < minimumAssociation || len(without) < minimumAssociation {
			continue
		}
		difference, in, ok := stats.Difference(with, without, stats.Level)
		if !ok {
			continue
		}
		out = append(out, &insightsv1.Association{
			Practice: each.Practice, DaysWith: int32(len(with)), DaysWithout: int32(len(without)),
			MoodWith: stat.Mean(with, nil), MoodWithout: stat.Mean(without, nil), Difference: difference, Interval: interval(in),
			Statement: statement(each.Done, len(with), len(without), difference, in),
		})
	}
	return out
}

// statement words an association as one, and never as a cause.
func statement(practice string, with, without int, difference float64, in stats.Interval) string {
	side := "above"
	if difference < 0 {
		side = "below"
	}
	verdict := "They go together; that does not say what brings about what."
	if in.Low <= 0 && in.High >= 0 {
		verdict = "That may be chance: nothing is known to go together."
	}
	return fmt.Sprintf("On %d days with %s the mood was %.1f points %s that of %d days without (95 %% interval of the difference: %+.1f to %+.1f). %s",
		with, practice, math.Abs(difference), side, without, in.Low, in.High, verdict)
}
