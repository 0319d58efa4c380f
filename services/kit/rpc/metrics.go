package rpc

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// metrics counts and times calls. Attribute sets are kept per method and code,
// so that a call makes none.
type metrics struct {
	duration metric.Float64Histogram
	inFlight metric.Int64UpDownCounter
	panics   metric.Int64Counter

	mu   sync.RWMutex
	sets map[callKey]metric.MeasurementOption
}

type callKey struct {
	method string
	code   codes.Code
}

func newMetrics(meter metric.Meter) (*metrics, error) {
	m := &metrics{sets: map[callKey]metric.MeasurementOption{}}
	var err error
	if m.duration, err = meter.Float64Histogram("rpc.server.call.duration", metric.WithUnit("s"),
		metric.WithDescription("How long calls took, streams until they ended."),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)); err != nil {
		return nil, err
	}
	if m.inFlight, err = meter.Int64UpDownCounter("rpc.server.calls.in_flight", metric.WithDescription("Calls that are under way.")); err != nil {
		return nil, err
	}
	m.panics, err = meter.Int64Counter("rpc.server.panics", metric.WithDescription("Calls that ended in a panic."))
	return m, err
}

func (m *metrics) around(ctx context.Context, c *Call, next func(context.Context) error) error {
	begun := time.Now()
	m.inFlight.Add(ctx, 1)
	defer m.inFlight.Add(ctx, -1)
	err := next(ctx)
	m.duration.Record(ctx, time.Since(begun).Seconds(), m.set(callKey{c.Method, status.Code(err)}))
	return err
}

func (m *metrics) panicked(ctx context.Context, method string) {
	m.panics.Add(ctx, 1, metric.WithAttributes(attribute.String("method", method)))
}

func (m *metrics) set(k callKey) metric.MeasurementOption {
	m.mu.RLock()
	s, ok := m.sets[k]
	m.mu.RUnlock()
	if ok {
		return s
	}
	s = metric.WithAttributeSet(attribute.NewSet(attribute.String("method", k.method), attribute.String("code", k.code.String())))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sets[k] = s
	return s
}
