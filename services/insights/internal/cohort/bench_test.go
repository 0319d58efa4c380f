package cohort_test

import (
	"fmt"
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// BenchmarkReport makes reports of 12 weeks by department, of one metric and of all,
// while a tenant has more people, and after more releases of other windows and groups.
func BenchmarkReport(b *testing.B) {
	for _, people := range []int{1_000, 10_000, 100_000} {
		office := newOffice(9, people)
		for _, earlier := range []int32{0, 4} {
			d := newDesk(b, office)
			for ago := range earlier {
				d.ask(weeksAgo(13+ago, 2+ago), "", [][]string{{"department"}, {"location"}}[ago%2], everything...)
			}
			for what, metrics := range map[string][]insightsv1.CohortMetric{"mood": {moodLevel}, "all": everything} {
				b.Run(fmt.Sprintf("people=%d/earlier=%d/%s", people, earlier, what), func(b *testing.B) {
					d := d.at(b)
					for b.Loop() {
						d.ask(weeksAgo(12, 1), "", []string{"department"}, metrics...)
					}
				})
			}
		}
	}
}

// at is the same desk in another test.
func (d *desk) at(t testing.TB) *desk {
	as := *d
	as.t = t
	return &as
}
