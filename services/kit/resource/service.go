package resource

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Handler answers one unary method.
type Handler func(ctx context.Context, req proto.Message) (proto.Message, error)

// Method is a named Handler for one method of a gRPC service.
type Method struct {
	name    string
	handler Handler
	// Of a custom method: the types it must have.
	input, output protoreflect.FullName
	// Of a server stream, in place of handler.
	stream grpc.StreamHandler
	// Of a standard method: the fields its request must have. A service may
	// leave standard methods out.
	fields []string
}

func (m Method) standard() bool { return m.input == "" }

// fits says what is wrong with the method's types, or nil.
func (m Method) fits(md protoreflect.MethodDescriptor) error {
	if md.IsStreamingServer() != (m.stream != nil) || md.IsStreamingClient() {
		return fmt.Errorf("resource: %s streams otherwise than its implementation", md.FullName())
	}
	if !m.standard() && (m.input != md.Input().FullName() || m.output != md.Output().FullName()) {
		return fmt.Errorf("resource: %s is implemented with other types", md.FullName())
	}
	for _, f := range m.fields {
		if md.Input().Fields().ByName(protoreflect.Name(f)) == nil {
			return fmt.Errorf("resource: %s lacks the field %s", md.Input().FullName(), f)
		}
	}
	return nil
}

// Unary makes a Method of a function with its own types.
func Unary[Req, Res proto.Message](name string, fn func(context.Context, Req) (Res, error)) Method {
	var req Req
	var res Res
	return Method{
		name:   name,
		input:  req.ProtoReflect().Descriptor().FullName(),
		output: res.ProtoReflect().Descriptor().FullName(),
		handler: func(ctx context.Context, m proto.Message) (proto.Message, error) {
			out, err := fn(ctx, m.(Req))
			if err != nil {
				return nil, err // a typed nil must not become a non-nil message
			}
			return out, nil
		},
	}
}

// ServerStream makes a Method of a function that answers with a stream.
func ServerStream[Req, Res any](name string, fn func(*Req, grpc.ServerStreamingServer[Res]) error) Method {
	full := func(m any) protoreflect.FullName {
		if pm, ok := m.(proto.Message); ok {
			return pm.ProtoReflect().Descriptor().FullName()
		}
		return "none"
	}
	return Method{
		name: name, input: full(new(Req)), output: full(new(Res)),
		stream: func(_ any, stream grpc.ServerStream) error {
			req := new(Req)
			if err := stream.RecvMsg(req); err != nil {
				return err
			}
			return fn(req, &grpc.GenericServerStream[Req, Res]{ServerStream: stream})
		},
	}
}

// Service describes a gRPC service out of methods: the standard ones of
// resources and the custom ones. A custom method takes the place of a standard one
// of its name, which it may do more than. A method that is missing, unknown, given
// twice or of other types is an error.
func Service(sd protoreflect.ServiceDescriptor, groups ...[]Method) (*grpc.ServiceDesc, error) {
	given := map[string]Method{}
	for _, group := range groups {
		for _, m := range group {
			if before, twice := given[m.name]; twice && !before.standard() {
				return nil, fmt.Errorf("resource: %s: method %s is given twice", sd.FullName(), m.name)
			}
			given[m.name] = m
		}
	}
	desc := &grpc.ServiceDesc{
		ServiceName: string(sd.FullName()),
		HandlerType: (*any)(nil),
		Metadata:    sd.ParentFile().Path(),
	}
	for i := range sd.Methods().Len() {
		md := sd.Methods().Get(i)
		m, ok := given[string(md.Name())]
		if !ok {
			return nil, fmt.Errorf("resource: %s has no implementation", md.FullName())
		}
		delete(given, m.name)
		if err := m.fits(md); err != nil {
			return nil, err
		}
		if m.stream != nil {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{StreamName: m.name, Handler: m.stream, ServerStreams: true})
			continue
		}
		entry, err := unaryDesc(sd, md, m.handler)
		if err != nil {
			return nil, err
		}
		desc.Methods = append(desc.Methods, entry)
	}
	for name, m := range given {
		if !m.standard() {
			return nil, fmt.Errorf("resource: %s has no method %s", sd.FullName(), name)
		}
	}
	return desc, nil
}

func unaryDesc(sd protoreflect.ServiceDescriptor, md protoreflect.MethodDescriptor, handle Handler) (grpc.MethodDesc, error) {
	input, err := protoregistry.GlobalTypes.FindMessageByName(md.Input().FullName())
	if err != nil {
		return grpc.MethodDesc{}, fmt.Errorf("resource: %s: %w", md.FullName(), err)
	}
	info := "/" + string(sd.FullName()) + "/" + string(md.Name())
	call := func(ctx context.Context, req any) (any, error) { return handle(ctx, req.(proto.Message)) }
	return grpc.MethodDesc{
		MethodName: string(md.Name()),
		Handler: func(srv any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
			req := input.New().Interface()
			if err := decode(req); err != nil {
				return nil, err
			}
			if chain == nil {
				return call(ctx, req)
			}
			return chain(ctx, req, &grpc.UnaryServerInfo{Server: srv, FullMethod: info}, call)
		},
	}, nil
}

// responseOf makes an empty message of the type that the standard List method
// answers a request with: ListThingsRequest gives ListThingsResponse.
func responseOf(req protoreflect.Message) (protoreflect.Message, error) {
	name := strings.TrimSuffix(string(req.Descriptor().FullName()), "Request") + "Response"
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("resource: %s: %w", name, err)
	}
	return mt.New(), nil
}
