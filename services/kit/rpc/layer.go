package rpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/auth"
)

// Call is one call on its way through the layers.
type Call struct {
	// Method is the full method, "/package.Service/Method".
	Method string
	// Rule is the method's rule; nil for health and reflection.
	Rule *policyv1.Rule
	// Stream is true for streams.
	Stream bool
	// RequestID is set by the request-id layer.
	RequestID string
	// Principal is set by the authenticate layer; nil for calls that need none.
	Principal *auth.Principal
}

// Layer is one step of the chain, for unary calls and streams alike.
type Layer struct {
	Name string
	// Around wraps the call; nil: nothing to wrap.
	Around func(ctx context.Context, c *Call, next func(context.Context) error) error
	// Message looks at the request message, once it is there; nil: it does not.
	// All Around steps have begun by then.
	Message func(ctx context.Context, c *Call, req proto.Message) error
}

// chain is layers in their order, outermost first.
type chain struct {
	layers []Layer
	rules  *auth.Rules
}

// run passes a call through all layers around do.
func (ch *chain) run(ctx context.Context, c *Call, do func(context.Context) error) error {
	return ch.from(ctx, 0, c, do)
}

func (ch *chain) from(ctx context.Context, i int, c *Call, do func(context.Context) error) error {
	for ; i < len(ch.layers); i++ {
		if around := ch.layers[i].Around; around != nil {
			next := i + 1
			return around(ctx, c, func(ctx context.Context) error { return ch.from(ctx, next, c, do) })
		}
	}
	return do(ctx)
}

// message shows a request message to all layers.
func (ch *chain) message(ctx context.Context, c *Call, req any) error {
	m, ok := req.(proto.Message)
	if !ok {
		return nil
	}
	for _, l := range ch.layers {
		if l.Message != nil {
			if err := l.Message(ctx, c, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (ch *chain) call(method string, stream bool) *Call {
	rule, _ := ch.rules.Rule(method)
	return &Call{Method: method, Rule: rule, Stream: stream}
}

// unary is the chain as a gRPC interceptor.
func (ch *chain) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c := ch.call(info.FullMethod, false)
	var res any
	err := ch.run(ctx, c, func(ctx context.Context) error {
		if err := ch.message(ctx, c, req); err != nil {
			return err
		}
		var err error
		res, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// stream is the same chain for streams: the handler reads the request itself,
// so the message is shown to the layers as it is read.
func (ch *chain) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	c := ch.call(info.FullMethod, true)
	return ch.run(ss.Context(), c, func(ctx context.Context) error {
		return handler(srv, &shownStream{ServerStream: ss, ctx: ctx, chain: ch, call: c})
	})
}

type shownStream struct {
	grpc.ServerStream
	ctx   context.Context //nolint:containedctx // grpc.ServerStream asks for it
	chain *chain
	call  *Call
}

func (s *shownStream) Context() context.Context { return s.ctx }

func (s *shownStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.chain.message(s.ctx, s.call, m)
}

// header gives one value of the call's metadata; "" when there is none.
func header(ctx context.Context, key string) string {
	if v := metadata.ValueFromIncomingContext(ctx, key); len(v) > 0 {
		return v[0]
	}
	return ""
}
