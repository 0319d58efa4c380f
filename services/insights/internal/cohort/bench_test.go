package cohort_test

import (
	"fmt"
	"testing"
	"time"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
)

// BenchmarkReport makes reports of 12 weeks by department, of one metric and of all,
// while a tenant has more people, and after more releases of other windows and groups:
// asked first, and again.
func BenchmarkReport(b *testing.B) {
	lifecycle.RelaxGC() // as the daemons do
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
					began := time.Now()
					d.ask(weeksAgo(12, 1), "", []string{"department"}, metrics...)
					first := time.Since(began)
					for b.Loop() {
						d.ask(weeksAgo(12, 1), "", []string{"department"}, metrics...)
					}
					b.ReportMetric(float64(first.Milliseconds()), "first-ms")
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
