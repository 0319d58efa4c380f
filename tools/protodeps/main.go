// Command protodeps prints the imported protos that have no registry to come
// from here (google/api, google/rpc, google/type, buf/validate, the OpenAPI
// options) out of the descriptors in their Go modules, into the folder named as
// its argument.
package main

import (
	"fmt"
	"os"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	_ "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3/options"
	"github.com/jhump/protoreflect/v2/protoprint"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	_ "google.golang.org/genproto/googleapis/type/date"
	_ "google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

var roots = []string{
	"buf/validate/validate.proto",
	"google/api/annotations.proto",
	"google/api/client.proto",
	"google/api/field_behavior.proto",
	"google/api/httpbody.proto",
	"google/api/resource.proto",
	"google/rpc/status.proto",
	"google/type/date.proto",
	"google/type/timeofday.proto",
	"protoc-gen-openapiv3/options/annotations.proto",
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: protodeps DIR")
	}
	files := map[string]protoreflect.FileDescriptor{}
	for _, path := range roots {
		fd, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		collect(fd, files)
	}
	list := make([]protoreflect.FileDescriptor, 0, len(files))
	for _, fd := range files {
		list = append(list, fd)
	}
	p := protoprint.Printer{}
	return p.PrintProtosToFileSystem(list, args[0])
}

// collect adds fd and what it imports, but for what the compiler itself brings.
func collect(fd protoreflect.FileDescriptor, into map[string]protoreflect.FileDescriptor) {
	if fd.Package() == "google.protobuf" || into[fd.Path()] != nil {
		return
	}
	into[fd.Path()] = fd
	for i := range fd.Imports().Len() {
		collect(fd.Imports().Get(i).FileDescriptor, into)
	}
}
