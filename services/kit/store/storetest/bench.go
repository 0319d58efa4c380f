package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Bench measures a store: durable single writes by many at once, reads of one,
// lists of 20 beside few and many records of others, and reading the log.
func Bench(b *testing.B, open Opener) {
	b.Run("commit", func(b *testing.B) {
		f := benchFixture(b, open)
		var n atomic.Int64
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := n.Add(1)
				r := f.setback(fmt.Sprintf("tenants/acme/people/p%d", i%100), fmt.Sprintf("s%d", i), 3)
				if res := f.store.Commit(b.Context(), store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{f.event(r, "recorded")}})[0]; res.Err != nil {
					b.Error(res.Err)
				}
			}
		})
		perSecond(b, 1)
	})
	for _, others := range []int{1_000, 50_000} {
		f := benchFixture(b, open)
		benchFill(b, f, others)
		b.Run(fmt.Sprintf("get/others=%d", others), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := f.store.Get(b.Context(), setbacks, ada+"/setbacks/s7"); err != nil {
						b.Error(err)
					}
				}
			})
			perSecond(b, 1)
		})
		b.Run(fmt.Sprintf("list-20/others=%d", others), func(b *testing.B) {
			q := store.Query{Kind: setbacks, Index: "by_create_time", Prefix: []store.Value{ada}, Descending: true, Limit: 20}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if page, err := f.store.List(b.Context(), q); err != nil || len(page.Records) != 20 {
						b.Errorf("%d records, %v", len(page.Records), err)
					}
				}
			})
			perSecond(b, 1)
		})
		b.Run(fmt.Sprintf("read-events/others=%d", others), func(b *testing.B) {
			events := 0
			for b.Loop() {
				for p := range f.store.Partitions() {
					for after := int64(0); ; {
						batch, err := f.store.Read(b.Context(), p, after, 1000)
						if err != nil {
							b.Fatal(err)
						}
						if len(batch) == 0 {
							break
						}
						after = batch[len(batch)-1].GetPosition()
						events += len(batch)
					}
				}
			}
			perSecond(b, float64(events)/float64(b.N))
		})
	}
}

func perSecond(b *testing.B, each float64) {
	b.ReportMetric(each*float64(b.N)/b.Elapsed().Seconds(), "per_s")
}

func benchFixture(b *testing.B, open Opener) fixture {
	return fixture{store: open.Open(b, Schema()), now: start, newID: ids.Sequence()}
}

// benchFill writes 30 records of ada's and n of others'.
func benchFill(b *testing.B, f fixture, n int) {
	b.Helper()
	var writes []store.Write
	flush := func() {
		for _, res := range f.store.Commit(b.Context(), writes...) {
			if res.Err != nil {
				b.Fatal(res.Err)
			}
		}
		writes = writes[:0]
	}
	for i := range n + 30 {
		owner := fmt.Sprintf("tenants/acme/people/p%d", i%1000)
		if i < 30 {
			owner = ada
		}
		r := f.setback(owner, fmt.Sprintf("s%d", i), int32(i%10))
		writes = append(writes, store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{f.event(r, "recorded")}})
		if len(writes) == 200 {
			flush()
		}
	}
	flush()
}
