package resource

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rebound-hq/rebound/services/kit/rpc"
)

// Group is the methods of the one gRPC service that a proto file declares.
type Group struct {
	file     protoreflect.FileDescriptor
	standard []Method
	custom   []Method
}

// In gathers the standard methods of a resource and the custom ones for the
// service in a proto file.
func In(file protoreflect.FileDescriptor, standard []Method, custom ...Method) Group {
	return Group{file, standard, custom}
}

// Services makes groups into what a server serves.
func Services(groups ...Group) ([]rpc.Service, error) {
	out := make([]rpc.Service, len(groups))
	for i, g := range groups {
		if n := g.file.Services().Len(); n != 1 {
			return nil, fmt.Errorf("resource: %s declares %d services, not one", g.file.Path(), n)
		}
		desc, err := Service(g.file.Services().Get(0), g.standard, g.custom)
		if err != nil {
			return nil, err
		}
		out[i] = rpc.Service{Desc: desc, Impl: struct{}{}}
	}
	return out, nil
}
