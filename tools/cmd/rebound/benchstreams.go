package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/tools/internal/bench"
)

// What streams are measured by.
const (
	// eventsPerSecond is how fast setbacks are recorded while their events are timed.
	eventsPerSecond = 1000
	// watchers is how many follow a quiet insight stream.
	watchers = 1000
)

// delay times events from the commit's own clock to a client of the stream, at a
// steady rate.
func (b *benchCommand) delay(ctx context.Context, r *benchRig) (bench.Figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := eventsv1.NewEventServiceClient(r.journal).StreamEvents(r.auth(ctx, r.service), &eventsv1.StreamEventsRequest{Start: "LATEST"})
	if err != nil {
		return bench.Figure{}, err
	}
	want := int(b.Seconds * eventsPerSecond)
	var latencies bench.Latencies
	begun := time.Now()
	g, writing := errgroup.WithContext(ctx)
	g.Go(func() error { return r.recordSteadily(writing, want) })
	for got := 0; got < want; {
		res, err := stream.Recv()
		if err != nil {
			return bench.Figure{}, errors.Join(err, g.Wait())
		}
		now := time.Now()
		for _, e := range res.GetEvents() {
			latencies.Add(now.Sub(e.GetTime().AsTime()))
		}
		got += len(res.GetEvents())
	}
	return latencies.Figure("commit to client of the event stream", time.Since(begun)), g.Wait()
}

// recordSteadily records setbacks at a steady rate, each on its own, as clients do.
func (r *benchRig) recordSteadily(ctx context.Context, n int) error {
	setbacks := journalv1.NewSetbackServiceClient(r.journal)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(256)
	begun := time.Now()
	for i := range n {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Second / eventsPerSecond)))
		g.Go(func() error {
			c := r.caller(0, i)
			_, err := setbacks.CreateSetback(r.auth(ctx, c.token), &journalv1.CreateSetbackRequest{Parent: c.name, Setback: &journalv1.Setback{Title: "x"}})
			return err
		})
	}
	return g.Wait()
}

// idle opens many quiet streams of the insights service and tells what memory they
// take, the clients' own share included.
func (r *benchRig) idle(ctx context.Context) (bench.Figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := rpc.Dial(r.at.Insights, rpc.DialOptions{Limits: rpc.DefaultLimits()})
	if err != nil {
		return bench.Figure{}, err
	}
	before := memory()
	for i := range watchers {
		if err := watchOne(r.auth(ctx, r.people[i%people].token), conn, r.people[i%people].name); err != nil {
			return bench.Figure{}, errors.Join(err, conn.Close())
		}
	}
	taken := float64(memory()-before) / (1 << 20)
	cancel()
	return bench.Figure{Name: fmt.Sprintf("%d idle watchers", watchers), Remark: fmt.Sprintf("%.0f MiB, both ends", taken)}, conn.Close()
}

// watchOne opens a stream and reads it up to where it is quiet; it stays open.
func watchOne(ctx context.Context, conn *grpc.ClientConn, parent string) error {
	stream, err := insightsv1.NewInsightServiceClient(conn).StreamInsights(ctx, &insightsv1.StreamInsightsRequest{Parent: parent, Start: "LATEST"})
	if err != nil {
		return err
	}
	for {
		res, err := stream.Recv()
		if status.Code(err) == codes.Canceled || err == nil && res.GetHistoryEnd() {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// memory is what the process holds in use, after a collection.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
