package cohort_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
)

// BenchmarkReport makes reports of 12 weeks by department, of one metric and of all,
// while a tenant has more people, and after more releases of other windows and groups:
// asked for the first time, and again.
func BenchmarkReport(b *testing.B) {
	lifecycle.RelaxGC() // as the daemons do
	for _, people := range []int{1_000, 10_000, 100_000} {
		office := newOffice(9, people)
		for _, earlier := range []int32{0, 4} {
			for _, what := range []struct {
				name    string
				metrics []insightsv1.CohortMetric
			}{{"mood", []insightsv1.CohortMetric{moodLevel}}, {"all", everything}} {
				ask := func(d *desk) { d.ask(weeksAgo(12, 1), "", []string{"department"}, what.metrics...) }
				name := fmt.Sprintf("people=%d/earlier=%d/%s", people, earlier, what.name)
				b.Run(name+"/first", func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						turn := &turn{TB: b}
						d := after(turn, office, earlier)
						runtime.GC()
						b.StartTimer()
						ask(d)
						b.StopTimer()
						turn.end()
						b.StartTimer()
					}
				})
				b.Run(name+"/again", func(b *testing.B) {
					d := after(b, office, earlier)
					ask(d)
					for b.Loop() {
						ask(d)
					}
				})
			}
		}
	}
}

// turn ends what was begun in one turn of a benchmark with it.
type turn struct {
	testing.TB
	ends []func()
}

func (t *turn) Cleanup(end func()) { t.ends = append(t.ends, end) }

func (t *turn) end() {
	for _, end := range slices.Backward(t.ends) {
		end()
	}
}

// after is a desk in an office after so many reports of everything.
func after(b testing.TB, office *office, reports int32) *desk {
	d := newDesk(b, office)
	for ago := range reports {
		d.ask(weeksAgo(13+ago, 2+ago), "", [][]string{{"department"}, {"location"}}[ago%2], everything...)
	}
	return d
}
