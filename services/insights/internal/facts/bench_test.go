package facts_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	benchPeople = 100_000
	benchWeeks  = 12
)

// busy gives facts of a person who does a bit of everything.
func busy(i, weeks int) *storagev1.WeeklyFacts {
	f := &storagev1.WeeklyFacts{
		Name: facts.Name(owner(acme, i)), Positions: map[string]int64{"rebound/journal": int64(i), "rebound/goals": int64(i)},
		Consents:     []*storagev1.ConsentSpan{{From: begin.UnixMilli()}},
		Affiliations: []*storagev1.AffiliationFrom{{From: 20_000, Attributes: map[string]string{"department": fmt.Sprint(i % 12), "site": fmt.Sprint(i % 7), "band": fmt.Sprint(i % 4)}}},
		Setbacks:     []*storagev1.SetbackFact{{Id: fmt.Sprintf("0b9f5a3e-1c55-4d0e-9d3f-%012d", i), Occurred: 20_400, Kind: 3}},
	}
	for w := range int32(weeks) {
		f.Weeks = append(f.Weeks, &storagev1.WeekEntry{
			Week: 2900 + w, MoodSum: int32(i%7) - 3, CheckIns: 3, StepDays: 0b101, Captured: 1, Applied: []int32{20_400}, Practiced: []int32{0, 2, 0, 1},
		})
	}
	return f
}

// BenchmarkTable: a tenant of 100,000 people and 12 weeks: read for the first time, and
// again when 0 and 1,000 of them have changed.
func BenchmarkTable(b *testing.B) {
	s, now := open(b), clock.NewManual(begin)
	for first := 0; first < benchPeople; first += store.MaxPage {
		some := make([]*storagev1.WeeklyFacts, store.MaxPage)
		for i := range some {
			some[i] = busy(first+i, benchWeeks)
		}
		put(b, s, now.Now(), some...)
	}
	now.Advance(time.Hour)
	b.Run("load", func(b *testing.B) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var table *facts.Table
		for b.Loop() {
			table = facts.NewTable(s, now.Now, facts.DefaultTableBytes)
			people(b, table, acme)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		held := float64(after.HeapAlloc) - float64(before.HeapAlloc)
		b.ReportMetric(held/(1<<20), "MiB")
		b.ReportMetric(held/(benchPeople*benchWeeks), "B/person-week")
		runtime.KeepAlive(table)
	})
	table := facts.NewTable(s, now.Now, facts.DefaultTableBytes)
	people(b, table, acme)
	for _, changed := range []int{0, 1000} {
		b.Run(fmt.Sprintf("refresh/%d", changed), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				now.Advance(time.Minute)
				for part := range slices.Chunk(changing(changed), store.MaxPage) {
					put(b, s, now.Now(), part...)
				}
				b.StartTimer()
				if n := len(people(b, table, acme)); n != benchPeople {
					b.Fatalf("%d people", n)
				}
			}
		})
	}
}

func changing(n int) []*storagev1.WeeklyFacts {
	out := make([]*storagev1.WeeklyFacts, n)
	for i := range out {
		out[i] = busy(i*benchPeople/n, benchWeeks)
	}
	return out
}
