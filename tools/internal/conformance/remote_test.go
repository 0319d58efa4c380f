package conformance

import (
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// broken is a stream that ends with a code.
type broken struct {
	grpc.ServerStreamingClient[insightsv1.StreamInsightsResponse]
	code codes.Code
}

func (b broken) Recv() (*insightsv1.StreamInsightsResponse, error) {
	return nil, status.Error(b.code, "broken")
}

// TestRefusedOverGRPC: what will not be had is not asked for again, such as history that
// is gone; what may come back is.
func TestRefusedOverGRPC(t *testing.T) {
	for code, refused := range map[codes.Code]bool{
		codes.InvalidArgument: true, codes.OutOfRange: true, codes.NotFound: true, codes.PermissionDenied: true, codes.Unauthenticated: true,
		codes.Unavailable: false, codes.ResourceExhausted: false, codes.DeadlineExceeded: false, codes.Canceled: false, codes.Internal: false,
	} {
		_, err := (&overGRPC{stream: broken{code: code}}).Next()
		if errors.Is(err, ErrRefused) != refused || status.Code(err) != code {
			t.Errorf("%v: %v", code, err)
		}
	}
}
