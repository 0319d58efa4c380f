package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/rebound-hq/rebound/services/kit/telemetry"
)

func TestLogsCarryTraces(t *testing.T) {
	var logs bytes.Buffer
	tel, err := telemetry.Start(t.Context(), telemetry.Config{SampleRatio: 0.1}, "journal", &logs)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tel.Close(); err != nil {
			t.Error(err)
		}
	}()
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	tel.Logger.InfoContext(trace.ContextWithSpanContext(context.Background(), span), "hello", "n", 3)
	var line map[string]any
	if err := json.Unmarshal(logs.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["msg"] != "hello" || line["service"] != "journal" || line["n"] != 3.0 || line["trace_id"] != span.TraceID().String() || line["span_id"] != span.SpanID().String() {
		t.Errorf("%v", line)
	}
	tel.Logger.Debug("not at this level")
	if strings.Contains(logs.String(), "not at this level") {
		t.Error("the level is not kept")
	}
}

func TestMetrics(t *testing.T) {
	tel, err := telemetry.Start(t.Context(), telemetry.Config{}, "journal", &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Close() }()
	counter, err := tel.Meter.Int64Counter("rebound.test.things")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	w := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"rebound_test_things_total", "go_goroutines"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("there is no %s", want)
		}
	}
	if tel.Tracing {
		t.Error("traces go somewhere without a collector")
	}
}

func TestBadRatio(t *testing.T) {
	if _, err := telemetry.Start(t.Context(), telemetry.Config{SampleRatio: 1.1}, "journal", &bytes.Buffer{}); err == nil {
		t.Error("a ratio above one is taken")
	}
}
