package edge

import (
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// TestForwardedFor: a service learns where a gRPC call came from, after whatever
// the client says of that itself.
func TestForwardedFor(t *testing.T) {
	seen := make(chan []string, 1)
	serve := func(s *grpc.Server) *grpc.ClientConn {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Serve(lis) }() // it ends with Stop
		t.Cleanup(s.Stop)
		conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	journal := serve(grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		seen <- metadata.ValueFromIncomingContext(s.Context(), "x-forwarded-for")
		return status.Error(codes.NotFound, "x")
	})))
	edge := serve(newGRPCProxy(Options{Journal: journal}).server)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", "192.0.2.1")
	_, err := journalv1.NewCalendarServiceClient(edge).GetLinkedCalendar(ctx, &journalv1.GetLinkedCalendarRequest{})
	if status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
	if got := <-seen; len(got) != 2 || got[0] != "192.0.2.1" || !strings.HasPrefix(got[1], "127.0.0.1:") {
		t.Errorf("it comes from %v", got)
	}
}
