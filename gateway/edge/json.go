package edge

import (
	"context"
	"net/http"
	"net/textproto"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
)

// jsonOut writes lowerCamelCase names, and values that are zero: a client need
// not know what the default of a count or a flag is. What is unset (messages,
// optional fields) is left out.
var jsonOut = protojson.MarshalOptions{EmitDefaultValues: true}

// marshaler is that JSON; what is google.api.HttpBody goes out as the document it
// holds.
func marshaler() runtime.Marshaler {
	return &runtime.HTTPBodyMarshaler{Marshaler: &lenient{
		runtime.JSONPb{MarshalOptions: jsonOut, UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false}},
	}}
}

// incoming lets the headers of a trace pass; the gateway passes Authorization
// itself, and nothing else is the services' business.
func incoming(key string) (string, bool) {
	switch textproto.CanonicalMIMEHeaderKey(key) {
	case "Traceparent":
		return "traceparent", true
	case "Tracestate":
		return "tracestate", true
	}
	return "", false
}

func none(string) (string, bool) { return "", false }

func requestMetadata(ctx context.Context, _ *http.Request) metadata.MD {
	return metadata.Pairs("x-request-id", requestIDOf(ctx))
}
