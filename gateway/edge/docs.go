package edge

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/rebound-hq/rebound/proto"
)

// docsPolicy lets the API reference run its own scripts and styles, and nothing
// from elsewhere.
const docsPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

// registerDocs serves the OpenAPI document and a reference to browse it in, all
// from within this binary.
func registerDocs(mux *http.ServeMux, compress func(http.Handler) http.HandlerFunc) {
	mux.Handle("GET /openapi.json", compress(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(proto.OpenAPI()) // a client that has gone is no concern of ours
	})))
	ui := v5emb.NewHandlerWithConfig(swgui.Config{Title: "Rebound", SwaggerJSON: "/openapi.json", BasePath: "/docs"})
	mux.Handle("GET /docs/", compress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		ui.ServeHTTP(w, r)
	})))
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusFound))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"name":"Rebound","docs":"/docs","openapi":"/openapi.json","health":"/healthz","ready":"/readyz"}` + "\n"))
	})
}

// readyFor is how long an answer to whether all services can serve is good.
const readyFor = time.Second

// readiness asks the services for their health, at most once in a while.
type readiness struct {
	conns []*grpc.ClientConn

	mu    sync.Mutex
	ready bool
	asked time.Time
}

func newReadiness(conns ...*grpc.ClientConn) *readiness { return &readiness{conns: conns} }

// ServeHTTP answers 200 when every service says that it serves, else 503.
func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.check(req.Context()) {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (r *readiness) check(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < readyFor {
		return r.ready
	}
	ctx, cancel := context.WithTimeout(ctx, readyFor)
	defer cancel()
	r.ready = true
	for _, conn := range r.conns {
		res, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		if err != nil || res.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			r.ready = false
		}
	}
	r.asked = time.Now()
	return r.ready
}
