package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"
)

type requestIDKey struct{}

func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

var requestIDRule = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// identified gives each request an id, the client's where it is well-formed, and
// each response the headers that browsers are to be careful by.
func (e *Edge) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !requestIDRule.MatchString(id) {
			id = e.options.NewID()
		}
		h := w.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// bounded holds a call to the limits, and to JSON in and out; documents of other
// media types go their own way out.
func (e *Edge) bounded(next http.Handler) http.Handler {
	limit := e.options.Limits.MaxBodyBytes
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), e.options.Limits.CallTimeout)
		defer cancel()
		to := e.routes.find(r.Method, r.URL.Path)
		events, inEvents := asEvents(r.Header.Values("Accept"), to)
		if !to.whole && !inEvents && !accepts(r.Header.Values("Accept"), "application/json") {
			newProblem(ctx, http.StatusNotAcceptable, codes.InvalidArgument, "NOT_ACCEPTABLE", "answers are application/json").write(w)
			return
		}
		if to.template == "" {
			e.noRoute(ctx, w, r, http.StatusNotFound)
			return
		}
		body, err := readBody(w, r, limit, e.options.Limits.BodyTimeout)
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			newProblem(ctx, http.StatusRequestEntityTooLarge, codes.InvalidArgument, "BODY_TOO_LARGE", "the body is over "+strconv.FormatInt(limit, 10)+" bytes").write(w)
			return
		case err != nil:
			newProblem(ctx, http.StatusBadRequest, codes.InvalidArgument, "BODY_UNREADABLE", "the body could not be read to its end").write(w)
			return
		case len(body) > 0 && !isJSON(r.Header.Get("Content-Type")):
			newProblem(ctx, http.StatusUnsupportedMediaType, codes.InvalidArgument, "CONTENT_TYPE_UNSUPPORTED", "bodies are application/json").write(w)
			return
		}
		r = r.WithContext(ctx)
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.URL.RawQuery = expandQuery(snakeMask(r), to.input)
		switch {
		case to.whole:
			serveDocument(w, r, next)
		case inEvents:
			events.serve(w, r, next, to.output)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64, patience time.Duration) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience)) // where it is not supported, the server's own holds
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

func isJSON(contentType string) bool {
	t, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(params["charset"])
	return err == nil && t == "application/json" && (charset == "" || charset == "utf-8")
}

// accepts tells whether a media type is among those a client takes.
func accepts(headers []string, want string) bool {
	if len(headers) == 0 {
		return true
	}
	kind, _, _ := strings.Cut(want, "/")
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		t, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || params["q"] == "0" {
			continue
		}
		if t == want || t == "*/*" || t == kind+"/*" {
			return true
		}
	}
	return false
}

// snakeMask lets an updateMask in the query name fields as JSON does.
func snakeMask(r *http.Request) string {
	q := r.URL.Query()
	if !q.Has("updateMask") {
		return r.URL.RawQuery
	}
	var b strings.Builder
	for _, c := range q.Get("updateMask") {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	q.Set("updateMask", b.String())
	return q.Encode()
}

// slow is from when on a call that went well is worth a line in the log.
const slow = time.Second

// measured counts, times and logs requests, by route: never by path, which may
// name people, and never by query.
func (e *Edge) measured(next http.Handler) (http.Handler, error) {
	duration, err := e.options.Meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("How long requests took, streams until they ended."),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		took := time.Since(begun)
		route := e.routes.find(r.Method, r.URL.Path).template
		if route == "" {
			route = "other"
		}
		duration.Record(r.Context(), took.Seconds(), metric.WithAttributes(
			attribute.String("method", r.Method), attribute.String("route", route), attribute.Int("status", seen.status)))
		level := slog.LevelDebug
		if seen.status >= http.StatusInternalServerError || took > slow && !isStream(r.URL.Path) {
			level = slog.LevelInfo
		}
		e.options.Logger.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("route", route),
			slog.Int("status", seen.status), slog.Float64("duration_ms", float64(took.Microseconds())/1000),
			slog.String("request_id", requestIDOf(r.Context())))
	}), nil
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what lies below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
