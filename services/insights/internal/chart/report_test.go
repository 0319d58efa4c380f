package chart

import (
	"math"
	"math/rand/v2"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// firstWeek is the Monday that the reports of tests begin on, weeksOf is how many weeks
// they are about.
const firstWeek, weeksOf = 20696, 12

// reportOf is a report of every metric that charts show: so many groups that are
// shown, and so many that are suppressed, each for another reason.
func reportOf(shown, suppressed int) *insightsv1.CohortReport {
	names := []string{"sales", "engineering", "support", "people and culture", "legal", "", "research",
		"operations in the north-east region of the company", "finance", "it", "marketing", "logistics"}
	out := &insightsv1.CohortReport{
		Metrics: []insightsv1.CohortMetric{metrics[Mood], metrics[Recovery], metrics[Momentum], metrics[Practices]},
		Window:  &insightsv1.CohortWindow{StartDate: localdate.FromDays(firstWeek), EndDate: localdate.FromDays(firstWeek + 7*weeksOf - 1)},
	}
	if shown+suppressed > 1 {
		out.GroupBy = []string{"department"}
		for _, m := range out.GetMetrics() { // that of all groups together comes first
			out.Cells = append(out.Cells, cellOf(rand.New(rand.NewPCG(9, 9)), m, 99))
		}
	}
	for i := range shown + suppressed {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		for _, m := range out.GetMetrics() {
			c := cellOf(r, m, i)
			if i >= shown {
				c = &insightsv1.CohortCell{Metric: m, Suppressed: insightsv1.SuppressionReason(1 + (i-shown)%5)}
			}
			if len(out.GetGroupBy()) > 0 {
				c.Group = map[string]string{"department": names[i%len(names)]}
			}
			out.Cells = append(out.Cells, c)
		}
	}
	return out
}

// cellOf is a cell with values, the i-th. The second group lacks a week and a practice.
func cellOf(r *rand.Rand, metric insightsv1.CohortMetric, i int) *insightsv1.CohortCell {
	people := int32(12 + (i*7)%40)
	c := &insightsv1.CohortCell{Metric: metric, N: &people}
	byWeek := func(mean float64) (out []*insightsv1.CohortWeekValue) {
		for w := range weeksOf {
			if i != 1 || w != 5 {
				out = append(out, &insightsv1.CohortWeekValue{Week: localdate.FromDays(firstWeek + 7*w), N: people, Value: mean + r.Float64() - 0.5})
			}
		}
		return out
	}
	switch metric {
	case metrics[Mood]:
		mean := r.Float64()*3 - 1
		c.Values = &insightsv1.CohortCell_MoodLevel{MoodLevel: &insightsv1.CohortMoodLevel{
			Mean: mean, Interval: &insightsv1.Interval{Low: mean - 0.4, High: mean + 0.4}, ByWeek: byWeek(mean),
		}}
	case metrics[Momentum]:
		mean := 2 + 3*r.Float64()
		c.Values = &insightsv1.CohortCell_StepMomentum{StepMomentum: &insightsv1.CohortStepMomentum{
			ActiveDays: mean, Interval: &insightsv1.Interval{Low: mean - 0.5, High: mean + 0.5}, ByWeek: byWeek(mean),
		}}
	case metrics[Recovery]:
		rate := 20 + r.Float64()*40
		median := rate * math.Ln2
		v := &insightsv1.CohortRecoveryCurve{Setbacks: 30, Recovered: 22, MedianDays: &median}
		for _, d := range []int32{1, 3, 7, 14, 21, 28, 42, 56, 84} {
			s := math.Exp(-float64(d) / rate)
			v.Points = append(v.Points, &insightsv1.CurvePoint{Days: d, Open: s, Interval: &insightsv1.Interval{Low: max(0, s-0.12), High: min(1, s+0.1)}})
		}
		c.Values = &insightsv1.CohortCell_RecoveryCurve{RecoveryCurve: v}
	case metrics[Practices]:
		v := &insightsv1.CohortPracticeUptake{}
		for _, p := range say.Practices[:5] {
			if i != 1 || p.Practice != typev1.Practice_PRACTICE_DEBRIEF {
				v.Practices = append(v.Practices, &insightsv1.CohortPractice{Practice: p.Practice, People: 9, Share: r.Float64()})
			}
		}
		c.Values = &insightsv1.CohortCell_PracticeUptake{PracticeUptake: v}
	}
	return c
}
