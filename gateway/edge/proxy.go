package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// grpcProxy passes gRPC calls on to the services unread, so that clients that
// prefer gRPC need one address only.
type grpcProxy struct {
	server *grpc.Server
	conns  map[string]*grpc.ClientConn // by proto package
}

func newGRPCProxy(o Options) *grpcProxy {
	p := &grpcProxy{conns: map[string]*grpc.ClientConn{
		"rebound.journal.v1": o.Journal, "rebound.goals.v1": o.Goals, "rebound.insights.v1": o.Insights,
	}}
	p.server = grpc.NewServer(grpc.UnknownServiceHandler(p.handle), grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
	listed := reflection.ServerOptions{Services: p}
	reflectionv1.RegisterServerReflectionServer(p.server, reflection.NewServerV1(listed))
	reflectionv1alpha.RegisterServerReflectionServer(p.server, reflection.NewServer(listed)) // what older clients ask for
	return p
}

// GetServiceInfo lists the services behind the edge, for server reflection.
func (p *grpcProxy) GetServiceInfo() map[string]grpc.ServiceInfo {
	out := map[string]grpc.ServiceInfo{}
	for name := range p.conns {
		protoregistry.GlobalFiles.RangeFilesByPackage(protoreflect.FullName(name), func(fd protoreflect.FileDescriptor) bool {
			for i := range fd.Services().Len() {
				out[string(fd.Services().Get(i).FullName())] = grpc.ServiceInfo{Metadata: fd.Path()}
			}
			return true
		})
	}
	return out
}

// isGRPC tells gRPC calls from other requests.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

func (p *grpcProxy) handle(_ any, down grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(down)
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	conn := p.conns[service[:max(0, strings.LastIndexByte(service, '.'))]]
	if conn == nil {
		return status.Error(codes.Unimplemented, "there is no such service here")
	}
	ctx, cancel := context.WithCancel(down.Context())
	defer cancel()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		md = md.Copy()
		md.Delete(":authority")
		if from, ok := peer.FromContext(ctx); ok && from.Addr != nil {
			md.Append("x-forwarded-for", from.Addr.String()) // by it calls without a token are counted
		}
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	up, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
	if err != nil {
		return err
	}
	go forward(down, up)
	return backward(up, down)
}

// forward passes the client's messages on.
func forward(down grpc.ServerStream, up grpc.ClientStream) {
	for {
		var m raw
		if down.RecvMsg(&m) != nil {
			_ = up.CloseSend() // how the call went is told by what comes back
			return
		}
		if up.SendMsg(&m) != nil {
			return
		}
	}
}

// backward passes headers, messages and trailers back.
func backward(up grpc.ClientStream, down grpc.ServerStream) error {
	header, err := up.Header()
	if err == nil {
		err = down.SendHeader(header)
	}
	for err == nil {
		var m raw
		if err = up.RecvMsg(&m); err == nil {
			err = down.SendMsg(&m)
		}
	}
	down.SetTrailer(up.Trailer())
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// raw is a message that nobody looks into.
type raw struct{ data mem.BufferSlice }

// rawCodec passes messages through as bytes; those that the edge itself answers
// are known.
type rawCodec struct{ known encoding.CodecV2 }

var _ encoding.CodecV2 = rawCodec{}

func (rawCodec) Name() string { return "proto" }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*raw); ok {
		return m.data, nil
	}
	return c.known.Marshal(v)
}

func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*raw)
	if !ok {
		return c.known.Unmarshal(data, v)
	}
	data.Ref()
	m.data = data
	return nil
}
