package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// Verifier says who a token's bearer is; auth.Verifier is one.
type Verifier interface {
	Verify(ctx context.Context, token string) (*auth.Principal, error)
}

// slow is from when on a call that went well is worth a line in the log.
const slow = time.Second

// layers gives the chain, outermost first. Metrics and log come before
// everything that can fail, so that they see it; recover lies inside them, so
// that a panic is counted and logged; the access log is written once a handler
// has answered, before its answer goes out; validation comes after
// authentication, so that strangers learn nothing of what is valid.
func layers(o Options, m *metrics, draining <-chan struct{}) ([]Layer, error) {
	limit, err := limitRate(o.Limits)
	if err != nil {
		return nil, err
	}
	return []Layer{
		{Name: "metrics", Around: m.around},
		{Name: "request-id", Around: requestID(o.NewID)},
		{Name: "log", Around: logCalls(o.Logger)},
		{Name: "error-map", Around: mapErrors},
		{Name: "recover", Around: recoverPanics(m)},
		{Name: "deadline", Around: deadline(o.Limits, draining)},
		{Name: "authenticate", Around: authenticate(o.Verifier)},
		{Name: "access", Around: sessions},
		{Name: "authorise", Message: authorise(o)},
		{Name: "rate-limit", Around: limitStreams(o.Limits), Message: limit},
		{Name: "validate", Message: validate(o.Validator)},
	}, nil
}

var requestIDRule = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func requestID(newID ids.Source) func(context.Context, *Call, func(context.Context) error) error {
	return func(ctx context.Context, c *Call, next func(context.Context) error) error {
		if c.RequestID = header(ctx, "x-request-id"); !requestIDRule.MatchString(c.RequestID) {
			c.RequestID = newID()
		}
		if err := grpc.SetHeader(ctx, metadata.Pairs("x-request-id", c.RequestID)); err != nil {
			return err
		}
		return next(ctx)
	}
}

func logCalls(log *slog.Logger) func(context.Context, *Call, func(context.Context) error) error {
	return func(ctx context.Context, c *Call, next func(context.Context) error) error {
		begun := time.Now()
		err := next(ctx)
		took := time.Since(begun)
		level := slog.LevelDebug
		switch code := status.Code(err); {
		case code == codes.Internal || code == codes.Unknown || code == codes.DataLoss:
			level = slog.LevelError
		case code != codes.OK && code != codes.Canceled && code != codes.NotFound || took > slow && !c.Stream:
			level = slog.LevelInfo
		}
		if !log.Enabled(ctx, level) {
			return err
		}
		attrs := []slog.Attr{
			slog.String("method", c.Method), slog.String("code", status.Code(err).String()),
			slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("request_id", c.RequestID),
		}
		if c.Principal != nil {
			attrs = append(attrs, slog.String("tenant", c.Principal.Tenant), slog.String("caller", shortHash(c.Principal.ID())))
		}
		if f, ok := fault.As(err); ok {
			attrs = append(attrs, slog.String("reason", f.Reason))
			if f.Cause != nil {
				attrs = append(attrs, slog.String("cause", f.Cause.Error()))
			}
		}
		log.LogAttrs(ctx, level, "call", attrs...)
		return err
	}
}

// shortHash stands for a caller in a log, where a person's id has no place.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// mapped is a fault with the status that goes on the wire: the log, outside,
// still sees the cause.
type mapped struct {
	*fault.Fault
	wire error
}

func (m mapped) GRPCStatus() *status.Status { return status.Convert(m.wire) }
func (m mapped) Unwrap() error              { return m.Fault }

func mapErrors(ctx context.Context, c *Call, next func(context.Context) error) error {
	err := next(ctx)
	if err == nil {
		return nil
	}
	f := Fault(err)
	return mapped{f, statusOf(f, c.RequestID)}
}

func recoverPanics(m *metrics) func(context.Context, *Call, func(context.Context) error) error {
	return func(ctx context.Context, c *Call, next func(context.Context) error) (err error) {
		defer func() {
			if p := recover(); p != nil {
				m.panicked(ctx, c.Method)
				// The value may hold anything, a person's words too: only its
				// type and the stack go to the log.
				err = fmt.Errorf("panic of type %T\n%s", p, debug.Stack())
			}
		}()
		return next(ctx)
	}
}

func deadline(l Limits, draining <-chan struct{}) func(context.Context, *Call, func(context.Context) error) error {
	return func(ctx context.Context, c *Call, next func(context.Context) error) error {
		if !c.Stream {
			ctx, cancel := context.WithTimeout(ctx, l.UnaryDeadline)
			defer cancel()
			return next(ctx)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		stop := time.AfterFunc(l.StreamLifetime, func() {
			cancel(ended("STREAM_LIFETIME", "the stream has lived as long as it may; come back with the last token"))
		})
		defer stop.Stop()
		done := make(chan struct{})
		defer close(done)
		go func() {
			select {
			case <-draining:
				cancel(ended("SHUTTING_DOWN", "the server is stopping; come back with the last token"))
			case <-done:
			}
		}()
		err := next(ctx)
		if f, ok := fault.As(context.Cause(ctx)); ok && err != nil {
			return f
		}
		return err
	}
}

func ended(reason, message string) error {
	return &fault.Fault{Code: codes.Unavailable, Reason: reason, Message: message, RetryAfter: 100 * time.Millisecond}
}

func authenticate(v Verifier) func(context.Context, *Call, func(context.Context) error) error {
	return func(ctx context.Context, c *Call, next func(context.Context) error) error {
		if c.Rule == nil || c.Rule.GetPublic() {
			return next(ctx)
		}
		scheme, token, _ := strings.Cut(header(ctx, "authorization"), " ")
		if !strings.EqualFold(scheme, "bearer") || token == "" {
			return fault.Unauthenticated("TOKEN_MISSING", "a token is required: authorization: Bearer TOKEN")
		}
		p, err := v.Verify(ctx, token)
		if err != nil {
			return err
		}
		c.Principal = p
		return next(auth.NewContext(ctx, p))
	}
}

// exempt are the services that gRPC itself defines: health and reflection.
func exempt(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.v1.Health/") || strings.HasPrefix(method, "/grpc.reflection.")
}

// limitRate charges each call to its caller's budget of the rule's class; a call that
// brings several items, as many times. Calls that need no token have a budget too: that
// of the address they come from.
func limitRate(l Limits) (func(context.Context, *Call, proto.Message) error, error) {
	type key struct {
		caller string
		class  policyv1.Rate
	}
	limiters, err := lru.New[key, *rate.Limiter](l.MaxTrackedCallers)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, c *Call, req proto.Message) error {
		who := callerOf(ctx, c)
		if who == "" {
			return nil
		}
		k := key{who, c.Rule.GetRate()}
		limiter, ok := limiters.Get(k)
		if !ok {
			limiter = l.limiter(k.class)
			if earlier, ok, _ := limiters.PeekOrAdd(k, limiter); ok {
				limiter = earlier
			}
		}
		// What is more than a whole budget would never be let through.
		n := min(charge(c.Rule, req), limiter.Burst())
		if limiter.AllowN(time.Now(), n) {
			return nil
		}
		return &fault.Fault{
			Code: codes.ResourceExhausted, Reason: "RATE_LIMITED", Message: "too many calls; wait a little",
			RetryAfter: max(time.Duration(n)*time.Second/time.Duration(l.perSecond(k.class)), 10*time.Millisecond),
		}
	}, nil
}

// charge is how many calls a request counts as.
func charge(rule *policyv1.Rule, req proto.Message) int {
	if rule.GetItems() == "" {
		return 1
	}
	m := req.ProtoReflect()
	return max(1, m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(rule.GetItems()))).List().Len())
}

// limitStreams counts the open streams of each caller.
func limitStreams(l Limits) func(context.Context, *Call, func(context.Context) error) error {
	var mu sync.Mutex
	open := map[string]int{}
	add := func(caller string, n int) int {
		mu.Lock()
		defer mu.Unlock()
		if open[caller] += n; open[caller] == 0 {
			delete(open, caller)
			return 0
		}
		return open[caller]
	}
	return func(ctx context.Context, c *Call, next func(context.Context) error) error {
		who := callerOf(ctx, c)
		if !c.Stream || who == "" {
			return next(ctx)
		}
		defer add(who, -1)
		if add(who, 1) > l.MaxStreamsPerCaller {
			return &fault.Fault{
				Code: codes.ResourceExhausted, Reason: "TOO_MANY_STREAMS", RetryAfter: time.Second,
				Message: fmt.Sprintf("a caller may have %d streams open", l.MaxStreamsPerCaller),
			}
		}
		return next(ctx)
	}
}

// validate holds a request against its proto: the rules of buf.validate, and
// that what is REQUIRED of the request itself is there. What is required within
// a resource is the resource engine's matter: an update may leave it out.
func validate(v protovalidate.Validator) func(context.Context, *Call, proto.Message) error {
	required := requiredFields{}
	return func(_ context.Context, c *Call, req proto.Message) error {
		if c.Rule == nil {
			return nil
		}
		m := req.ProtoReflect()
		for _, fd := range required.of(m.Descriptor()) {
			if !m.Has(fd) {
				return fault.Invalid(string(fd.Name()), "REQUIRED", "is required")
			}
		}
		return v.Validate(req)
	}
}

type requiredFields struct{ by sync.Map }

func (r *requiredFields) of(md protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if fds, ok := r.by.Load(md.FullName()); ok {
		return fds.([]protoreflect.FieldDescriptor)
	}
	var fds []protoreflect.FieldDescriptor
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		list, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
		for _, b := range list {
			if b == annotations.FieldBehavior_REQUIRED {
				fds = append(fds, fd)
			}
		}
	}
	r.by.Store(md.FullName(), fds)
	return fds
}
