package rpc

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// TestSpansTellNoRequests: a span names the method, and nothing of what was asked
// or what went wrong with it.
func TestSpansTellNoRequests(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	r := newRig(t, func(o *Options) { o.Tracing = true })
	const secret = "a-secret-in-a-request"
	if _, err := journalv1.NewCalendarServiceClient(r.conn).GetLinkedCalendar(t.Context(), &journalv1.GetLinkedCalendarRequest{Secret: secret}); err != nil {
		t.Fatal(err)
	}
	if err := r.get(as(t.Context(), "ada"), secret); err == nil {
		t.Fatal("no such name was refused")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	told := fmt.Sprintf("%+v", spans.GetSpans())
	if len(spans.GetSpans()) != 2 || !strings.Contains(told, "rebound.journal.v1.CalendarService/GetLinkedCalendar") {
		t.Fatalf("%d spans: %s", len(spans.GetSpans()), told)
	}
	if strings.Contains(told, secret) {
		t.Errorf("a span holds a request: %s", told)
	}
}
