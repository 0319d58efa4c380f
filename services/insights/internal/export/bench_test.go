package export

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// madeLog is a log of one partition whose events are made when they are read, so
// that what an export holds is all there is in memory.
type madeLog struct{ n int64 }

func (madeLog) Partitions() int { return 1 }

func (l madeLog) Read(_ context.Context, _ int, after int64, limit int) ([]*eventsv1.Event, error) {
	var out []*eventsv1.Event
	for p := after + 1; p <= min(l.n, after+int64(limit)); p++ {
		in := sample(int(p))
		e := eventOf(in, fmt.Sprintf("tenants/acme/people/p%d", p%7))
		e.Position = p
		out = append(out, e)
	}
	return out, nil
}

func (l madeLog) Wait(context.Context, []int64) ([]int64, error)      { return []int64{l.n}, nil }
func (l madeLog) Seek(context.Context, int, time.Time) (int64, error) { return l.n, nil }

func (l madeLog) Floors(context.Context) ([]store.Floor, error) { return make([]store.Floor, 1), nil }
func (l madeLog) Trim(context.Context, int, int64, int) (store.Floor, error) {
	return store.Floor{}, nil
}

var _ store.Log = madeLog{}

// heapPeak is the most that lies in the heap until stop is called, in bytes.
func heapPeak() (stop func() uint64) {
	var peak atomic.Uint64
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ended:
				return
			}
		}
	}()
	return func() uint64 {
		close(ended)
		<-done
		return peak.Load()
	}
}

// BenchmarkExport exports to a pipeline, by format and number of insights: rows a
// second, bytes a row, and the most heap at once, which does not grow with the rows.
// To make the events of the log is counted in.
func BenchmarkExport(b *testing.B) {
	for _, format := range formats {
		for _, n := range []int64{20_000, 200_000} {
			b.Run(fmt.Sprintf("%v/%d", format, n), func(b *testing.B) {
				r := newRig(b, madeLog{n})
				r.consent(0, 1, 2, 3, 4, 5, 6)
				ctx := r.as("", policyv1.Role_ROLE_PIPELINE)
				sent := 0
				runtime.GC()
				stop := heapPeak()
				for b.Loop() {
					err := r.server.ExportInsights(&insightsv1.ExportInsightsRequest{Parent: "tenants/acme", Format: format}, sink[httpbody.HttpBody]{
						ctx: ctx, take: func(part *httpbody.HttpBody) error {
							sent += len(part.GetData())
							return nil
						},
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				rows := float64(n) * float64(b.N)
				b.ReportMetric(float64(stop())/(1<<20), "peak-MB")
				b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(sent)/rows, "bytes/row")
			})
		}
	}
}
