package stream

import (
	"fmt"
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// BenchmarkSnapshot reads the snapshot of a tenant with many insights, as a pipeline.
func BenchmarkSnapshot(b *testing.B) {
	r := newRig(b)
	r.server.page = 0
	const people, each = 200, 25
	for i := range people {
		r.share(person(i), true)
		for j := range each {
			r.clock.Advance(1e6)
			r.recover(person(i), fmt.Sprint("s", j), 3)
		}
	}
	n := 0
	for b.Loop() {
		n += len(insightsOf(r.whole(pipeline, &insightsv1.StreamInsightsRequest{Parent: tenant, Start: fromSnapshot})))
	}
	if n != b.N*people*each {
		b.Errorf("%d insights in %d snapshots", n, b.N)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "insights/s")
}
