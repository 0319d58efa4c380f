// Package telemetry is how a process is watched: logs as JSON, metrics for
// Prometheus, and, where a collector is configured, traces and metrics over OTLP.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/rebound-hq/rebound/services/kit/lifecycle"
)

// Config says how to be watched.
type Config struct {
	LogLevel     slog.Level `default:"info" help:"Least level of what is logged: debug, info, warn or error."`
	OTLPEndpoint string     `name:"otlp-endpoint" help:"Collector for traces and metrics, as host:port (OTLP over gRPC). Default: none."`
	OTLPInsecure bool       `name:"otlp-insecure" help:"Talk to the collector without TLS."`
	SampleRatio  float64    `default:"0.1" help:"Share of traces to keep, 0 to 1, where no caller has decided."`
}

// Telemetry is what a process is watched by.
type Telemetry struct {
	Logger *slog.Logger
	Meter  metric.Meter
	// Metrics serves /metrics.
	Metrics http.Handler
	// Tracing is true when traces go somewhere.
	Tracing bool

	stack lifecycle.Stack
}

// Start sets up logs, metrics and traces of a service.
func Start(ctx context.Context, c Config, service string, logs io.Writer) (_ *Telemetry, err error) {
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		return nil, fmt.Errorf("telemetry: sample-ratio %v is not in 0..1", c.SampleRatio)
	}
	t := &Telemetry{Logger: slog.New(traced{slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: c.LogLevel})}).With("service", service)}
	defer func() {
		if err != nil {
			_ = t.stack.Close() // the error that stopped us says more
		}
	}()
	about := resource.NewSchemaless(semconv.ServiceName(service))
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	readers := []sdkmetric.Option{sdkmetric.WithResource(about), sdkmetric.WithReader(exporter)}
	if c.OTLPEndpoint != "" {
		if readers, err = t.export(ctx, c, about, readers); err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
	}
	provider := sdkmetric.NewMeterProvider(readers...)
	t.stack.Push("metrics", provider.Shutdown)
	t.Meter = provider.Meter("github.com/rebound-hq/rebound")
	t.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return t, nil
}

// export sends traces and metrics to a collector.
func (t *Telemetry) export(ctx context.Context, c Config, about *resource.Resource, readers []sdkmetric.Option) ([]sdkmetric.Option, error) {
	traceOptions := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(c.OTLPEndpoint)}
	metricOptions := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpoint(c.OTLPEndpoint)}
	if c.OTLPInsecure {
		traceOptions = append(traceOptions, otlptracegrpc.WithInsecure())
		metricOptions = append(metricOptions, otlpmetricgrpc.WithInsecure())
	}
	spans, err := otlptracegrpc.New(ctx, traceOptions...)
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.SampleRatio))))
	t.stack.Push("traces", provider.Shutdown)
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Tracing = true
	numbers, err := otlpmetricgrpc.New(ctx, metricOptions...)
	if err != nil {
		return nil, err
	}
	return append(readers, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers))), nil
}

// Close sends what is left and ends.
func (t *Telemetry) Close() error { return t.stack.Close() }

// traced adds the ids of the span under way to each line.
type traced struct{ slog.Handler }

// Handle implements slog.Handler.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }
