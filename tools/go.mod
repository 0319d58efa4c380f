module github.com/rebound-hq/rebound/tools

go 1.26.0

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.33.0
	github.com/jhump/protoreflect/v2 v2.0.0
	google.golang.org/genproto v0.0.0-20261026165753-2ffab32bce7e
	google.golang.org/genproto/googleapis/api v0.0.0-20261104224025-d1e00e9f33ab
	google.golang.org/protobuf v1.36.12
)

replace github.com/rebound-hq/rebound/proto => ../proto

replace github.com/rebound-hq/rebound/services/kit => ../services/kit

replace github.com/rebound-hq/rebound/services/journal => ../services/journal

replace github.com/rebound-hq/rebound/services/goals => ../services/goals

replace github.com/rebound-hq/rebound/services/insights => ../services/insights

replace github.com/rebound-hq/rebound/gateway => ../gateway
