package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// problem is an error as clients see it: a problem document (RFC 9457).
type problem struct {
	Type       string            `json:"type"`
	Title      string            `json:"title"`
	Status     int               `json:"status"`
	Detail     string            `json:"detail,omitempty"`
	Code       string            `json:"code"`
	Reason     string            `json:"reason"`
	RequestID  string            `json:"requestId"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Violations []violation       `json:"violations,omitempty"`
	RetryAfter float64           `json:"retryAfterSeconds,omitempty"`
}

type violation struct {
	Field       string `json:"field"`
	Reason      string `json:"reason,omitempty"`
	Description string `json:"description"`
}

// newProblem makes a problem that the edge itself has found.
func newProblem(ctx context.Context, httpStatus int, code codes.Code, reason, detail string) problem {
	return problem{
		Type: "about:blank", Title: http.StatusText(httpStatus), Status: httpStatus, Detail: detail,
		Code: codeName(code), Reason: reason, RequestID: requestIDOf(ctx),
	}
}

// fromStatus makes a problem of what a service said.
func fromStatus(ctx context.Context, err error, method string) problem {
	st := status.Convert(err)
	p := newProblem(ctx, httpStatus(st.Code()), st.Code(), "", st.Message())
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			p.Reason, p.Metadata = d.GetReason(), d.GetMetadata()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				p.Violations = append(p.Violations, violation{lowerCamel(v.GetField()), v.GetReason(), v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			p.RetryAfter = d.GetRetryDelay().AsDuration().Seconds()
		}
	}
	if p.Reason == "" {
		local(&p, st, method)
	}
	if own, ok := statusOf[p.Reason]; ok {
		p.Status, p.Title = own, http.StatusText(own)
	}
	return p
}

// statusOf has the reasons that HTTP can tell better than their codes do.
var statusOf = map[string]int{"HISTORY_GONE": http.StatusGone}

var unknownField = regexp.MustCompile(`unknown field "([^"]*)"`)

// local names what the gateway found before any service was asked, or what the
// connection to one did.
func local(p *problem, st *status.Status, method string) {
	switch {
	case st.Code() == codes.InvalidArgument && (method == http.MethodPost || method == http.MethodPatch):
		p.Reason = "JSON_INVALID"
		if m := unknownField.FindStringSubmatch(st.Message()); m != nil {
			p.Violations = []violation{{Field: m[1], Reason: "FIELD_UNKNOWN", Description: "there is no such field"}}
		}
	case st.Code() == codes.InvalidArgument:
		p.Reason = "PARAMETER_INVALID"
	case st.Code() == codes.Unavailable:
		p.Reason, p.Detail, p.RetryAfter = "UNAVAILABLE", "the service cannot answer just now", 1
	case st.Code() == codes.Unknown || st.Code() == codes.Internal:
		p.Reason, p.Detail = "INTERNAL", "something went wrong on our side"
	default:
		p.Reason = codeName(st.Code())
	}
}

// httpStatus is the canonical mapping of codes.
func httpStatus(c codes.Code) int { return runtime.HTTPStatusFromCode(c) }

// codeName is a code as in google.rpc.Code, such as INVALID_ARGUMENT.
func codeName(c codes.Code) string {
	if c == codes.Canceled {
		return "CANCELLED"
	}
	var b strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' && c != codes.OK {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// lowerCamel turns a path in snake_case into one as JSON clients know it.
func lowerCamel(path string) string {
	var b strings.Builder
	up := false
	for _, c := range path {
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c += 'A' - 'a'
		}
		up = false
		b.WriteRune(c)
	}
	return b.String()
}

func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(max(1, p.RetryAfter+0.999))))
	}
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte(`{"status":500,"code":"INTERNAL","reason":"INTERNAL"}`)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // a client that has gone is no concern of ours
}

// callError is what becomes of a call that failed.
func (e *Edge) callError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	fromStatus(ctx, err, r.Method).write(w)
}

// routingError is what becomes of a request that fits no route.
func (e *Edge) routingError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	e.noRoute(ctx, w, r, code)
}

func (e *Edge) noRoute(ctx context.Context, w http.ResponseWriter, r *http.Request, code int) {
	allowed := e.routes.methods(r.URL.Path)
	switch {
	case len(allowed) > 0:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		newProblem(ctx, http.StatusMethodNotAllowed, codes.Unimplemented, "METHOD_NOT_ALLOWED", "there is such a path, for other methods").write(w)
	case code == http.StatusBadRequest:
		newProblem(ctx, code, codes.InvalidArgument, "PATH_INVALID", "the path is not well-formed").write(w)
	default:
		newProblem(ctx, http.StatusNotFound, codes.NotFound, "ROUTE_NOT_FOUND", "there is no such path").write(w)
	}
}
