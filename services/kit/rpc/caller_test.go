package rpc

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

func TestAddressOf(t *testing.T) {
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:443", nil, "192.0.2.1"},
		{"192.0.2.1:443", []string{"198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:443", []string{"made, up, 198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:443", []string{"203.0.113.9", "198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:443", []string{"198.51.100.7:1234"}, "198.51.100.7"},
		{"[2001:db8:1:2:3:4:5:6]:443", nil, "2001:db8:1:2::/64"},
		{"192.0.2.1:443", []string{"2001:db8:1:2:ffff::1%eth0"}, "2001:db8:1:2::/64"},
		{"[::ffff:192.0.2.1]:443", nil, "192.0.2.1"},
		{"192.0.2.1:443", []string{"nonsense"}, ""},
		{"", nil, ""},
	} {
		ctx := t.Context()
		if c.peer != "" {
			at, err := net.ResolveTCPAddr("tcp", c.peer)
			if err != nil {
				t.Fatal(err)
			}
			ctx = peer.NewContext(ctx, &peer.Peer{Addr: at})
		}
		for _, f := range c.forwarded {
			md, _ := metadata.FromIncomingContext(ctx)
			ctx = metadata.NewIncomingContext(ctx, metadata.Join(md, metadata.Pairs("x-forwarded-for", f)))
		}
		if got := addressOf(ctx); got != c.want {
			t.Errorf("%s, %v: %q, want %q", c.peer, c.forwarded, got, c.want)
		}
	}
}

// TestPublicRateLimit: calls without a token are charged to the address they come
// from, whatever a client says of the way before it.
func TestPublicRateLimit(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.ReadsPerSecond = 1 })
	read := func(from string) error {
		ctx := metadata.AppendToOutgoingContext(context.Background(), "x-forwarded-for", from)
		_, err := journalv1.NewCalendarServiceClient(r.conn).GetLinkedCalendar(ctx, &journalv1.GetLinkedCalendarRequest{Secret: from})
		return err
	}
	for _, from := range []string{"192.0.2.1", "made up, 192.0.2.1"} { // the burst
		if err := read(from); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, read("192.0.2.77, 192.0.2.1"), codes.ResourceExhausted, "RATE_LIMITED")
	if err := read("192.0.2.2"); err != nil {
		t.Errorf("somebody else's calls are refused: %v", err)
	}
	if err := r.get(as(t.Context(), "ada"), mine); err != nil {
		t.Errorf("a call with a token is refused: %v", err)
	}
}
