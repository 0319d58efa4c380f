// Package edge is the REST side of Rebound: JSON over HTTP in front of the
// services, with Server-Sent Events, NDJSON, OpenAPI, and gRPC for those who
// prefer it, on one port.
package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/klauspost/compress/gzhttp"
	"github.com/rs/cors"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// Options say what the edge stands in front of.
type Options struct {
	// Journal, Goals and Insights are connections to the services.
	Journal, Goals, Insights *grpc.ClientConn
	Limits                   Limits
	// AllowedOrigins are the web origins that browsers may call from; none: no
	// cross-origin calls.
	AllowedOrigins []string
	Logger         *slog.Logger
	Meter          metric.Meter
	// Metrics serves /metrics.
	Metrics http.Handler
	NewID   ids.Source
}

// Limits is the one table of what the edge takes. Zero never means unlimited.
type Limits struct {
	// MaxBodyBytes is the size of a request body.
	MaxBodyBytes int64
	// MaxArchiveBytes is the size of an archive that is imported.
	MaxArchiveBytes int64
	// MaxHeaderBytes is the size of a request's headers.
	MaxHeaderBytes int
	// HeaderTimeout is how long a client may take to send its headers.
	HeaderTimeout time.Duration
	// BodyTimeout is how long a client may take to send its body.
	BodyTimeout time.Duration
	// IdleTimeout is how long a connection may be idle.
	IdleTimeout time.Duration
	// CallTimeout is the longest a call that is no stream takes.
	CallTimeout time.Duration
	// WriteTimeout is how long a client of a stream may take to read what it is
	// sent; after that it is cut off.
	WriteTimeout time.Duration
	// DrainTimeout is how long calls have to finish when the edge stops.
	DrainTimeout time.Duration
}

// DefaultLimits are good for a small deployment.
func DefaultLimits() Limits {
	return Limits{
		MaxBodyBytes:    2 << 20,
		MaxArchiveBytes: 1 << 30,
		MaxHeaderBytes:  32 << 10,
		HeaderTimeout:   10 * time.Second,
		BodyTimeout:     30 * time.Second,
		IdleTimeout:     2 * time.Minute,
		CallTimeout:     30 * time.Second,
		WriteTimeout:    30 * time.Second,
		DrainTimeout:    10 * time.Second,
	}
}

// Check refuses limits that are not positive.
func (l Limits) Check() error {
	for name, n := range map[string]int64{
		"MaxBodyBytes": l.MaxBodyBytes, "MaxArchiveBytes": l.MaxArchiveBytes, "MaxHeaderBytes": int64(l.MaxHeaderBytes), "HeaderTimeout": int64(l.HeaderTimeout),
		"BodyTimeout": int64(l.BodyTimeout), "IdleTimeout": int64(l.IdleTimeout), "CallTimeout": int64(l.CallTimeout),
		"WriteTimeout": int64(l.WriteTimeout), "DrainTimeout": int64(l.DrainTimeout),
	} {
		if n <= 0 {
			return fmt.Errorf("edge: limit %s must be positive, not %d", name, n)
		}
	}
	return nil
}

// Edge is the REST side. Its streams end when Drain is called.
type Edge struct {
	options  Options
	handler  http.Handler
	routes   *routes
	draining chan struct{}
}

// registrations are all services that have REST bindings, and whose they are.
func registrations(o Options) []func(context.Context, *runtime.ServeMux) error {
	on := func(conn *grpc.ClientConn, register func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error) func(context.Context, *runtime.ServeMux) error {
		return func(ctx context.Context, mux *runtime.ServeMux) error { return register(ctx, mux, conn) }
	}
	return []func(context.Context, *runtime.ServeMux) error{
		on(o.Journal, journalv1.RegisterSetbackServiceHandler),
		on(o.Journal, journalv1.RegisterDebriefServiceHandler),
		on(o.Journal, journalv1.RegisterDebriefQuestionServiceHandler),
		on(o.Journal, journalv1.RegisterLessonServiceHandler),
		on(o.Journal, journalv1.RegisterCheckInServiceHandler),
		on(o.Journal, journalv1.RegisterGratitudeServiceHandler),
		on(o.Journal, journalv1.RegisterProfileServiceHandler),
		on(o.Journal, journalv1.RegisterAffiliationServiceHandler),
		on(o.Journal, journalv1.RegisterStrengthServiceHandler),
		on(o.Journal, journalv1.RegisterReframeServiceHandler),
		on(o.Journal, journalv1.RegisterReflectionServiceHandler),
		on(o.Journal, journalv1.RegisterVisualizationServiceHandler),
		on(o.Journal, journalv1.RegisterConnectionServiceHandler),
		on(o.Journal, journalv1.RegisterOutreachServiceHandler),
		on(o.Journal, journalv1.RegisterOnThisDayServiceHandler),
		on(o.Journal, journalv1.RegisterStoryServiceHandler),
		on(o.Journal, journalv1.RegisterStoryVersionServiceHandler),
		on(o.Journal, journalv1.RegisterLibraryStoryServiceHandler),
		on(o.Journal, journalv1.RegisterGrantServiceHandler),
		on(o.Journal, journalv1.RegisterAccessLogServiceHandler),
		on(o.Journal, journalv1.RegisterCommentServiceHandler),
		on(o.Journal, journalv1.RegisterErasureServiceHandler),
		on(o.Journal, journalv1.RegisterCalendarServiceHandler),
		on(o.Journal, journalv1.RegisterCalendarLinkServiceHandler),
		on(o.Journal, journalv1.RegisterOperationServiceHandler),
		on(o.Goals, goalsv1.RegisterGoalServiceHandler),
		on(o.Goals, goalsv1.RegisterMilestoneServiceHandler),
		on(o.Goals, goalsv1.RegisterStepServiceHandler),
		on(o.Goals, goalsv1.RegisterValueServiceHandler),
		on(o.Goals, goalsv1.RegisterAvenueServiceHandler),
		on(o.Goals, goalsv1.RegisterRoadmapServiceHandler),
		on(o.Goals, goalsv1.RegisterNextServiceHandler),
		on(o.Goals, goalsv1.RegisterCelebrationServiceHandler),
		on(o.Goals, goalsv1.RegisterReminderRuleServiceHandler),
		on(o.Goals, goalsv1.RegisterReminderServiceHandler),
		on(o.Insights, insightsv1.RegisterInsightServiceHandler),
		on(o.Insights, insightsv1.RegisterInsightSchemaServiceHandler),
		on(o.Insights, insightsv1.RegisterInsightExportServiceHandler),
		on(o.Insights, insightsv1.RegisterCohortReportServiceHandler),
		on(o.Insights, insightsv1.RegisterCohortPolicyServiceHandler),
		on(o.Insights, insightsv1.RegisterSummaryServiceHandler),
		on(o.Insights, insightsv1.RegisterChartServiceHandler),
		on(o.Insights, insightsv1.RegisterDigestServiceHandler),
	}
}

// New builds the edge.
func New(ctx context.Context, o Options) (*Edge, error) {
	if err := o.Limits.Check(); err != nil {
		return nil, err
	}
	e := &Edge{options: o, draining: make(chan struct{})}
	var err error
	if e.routes, err = loadRoutes(); err != nil {
		return nil, err
	}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler()),
		runtime.WithErrorHandler(e.callError),
		runtime.WithRoutingErrorHandler(e.routingError),
		runtime.WithIncomingHeaderMatcher(incoming),
		runtime.WithOutgoingHeaderMatcher(none),
		runtime.WithOutgoingTrailerMatcher(none),
		runtime.WithMetadata(requestMetadata),
	)
	for _, register := range registrations(o) {
		if err := register(ctx, mux); err != nil {
			return nil, err
		}
	}
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1024))
	if err != nil {
		return nil, err
	}
	api := http.NewServeMux()
	api.Handle("GET /metrics", o.Metrics)
	api.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	api.Handle("GET /readyz", newReadiness(o.Journal, o.Goals, o.Insights))
	registerDocs(api, compress)
	api.Handle("/", e.split(compress(e.bounded(mux))))
	measured, err := e.measured(api)
	if err != nil {
		return nil, err
	}
	e.handler = e.identified(measured)
	if len(o.AllowedOrigins) > 0 {
		e.handler = cors.New(cors.Options{
			AllowedOrigins: o.AllowedOrigins,
			AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete},
			AllowedHeaders: []string{"Authorization", "Content-Type", "X-Request-Id", "Last-Event-Id"},
			ExposedHeaders: []string{"X-Request-Id", "Retry-After", "Content-Disposition", "Link"},
			MaxAge:         600,
		}).Handler(e.handler)
	}
	return e, nil
}

// ServeHTTP implements http.Handler.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }

// split sends streams and archives one way and everything else the other: they must
// be neither held in memory, nor compressed, nor cut off by a time limit.
func (e *Edge) split(calls http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case r.Method == http.MethodGet && e.pours(w, r, path):
		case r.Method == http.MethodPost && uploadPath.MatchString(path) && !isJSON(r.Header.Get("Content-Type")):
			e.upload(w, r)
		default:
			calls.ServeHTTP(w, r)
		}
	})
}

// pours answers with what is poured out, if that is what is at a path.
func (e *Edge) pours(w http.ResponseWriter, r *http.Request, path string) bool {
	if f, parent, ok := feedAt(path); ok {
		e.stream(w, r, f, parent)
		return true
	}
	if x, resource, ok := exportAt(path); ok {
		e.export(w, r, x, resource)
		return true
	}
	if downloadPath.MatchString(path) {
		e.download(w, r)
		return true
	}
	return false
}
