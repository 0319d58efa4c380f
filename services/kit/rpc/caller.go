package rpc

import (
	"context"
	"net/netip"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// callerOf names whom a call is charged to: its principal or, when its method asks
// for no token, the address it comes from. Empty: nobody, as for health.
func callerOf(ctx context.Context, c *Call) string {
	switch {
	case c.Principal != nil:
		return c.Principal.ID()
	case c.Rule.GetPublic():
		return "@" + addressOf(ctx) // no principal's id begins so
	}
	return ""
}

// networkBits is how much of an IPv6 address tells callers apart: one of them has
// a whole /64 to call from.
const networkBits = 64

// addressOf is where a call comes from: the last entry of x-forwarded-for, which
// the edge itself added, or else the other end of the connection. Entries before
// the last are the client's to choose, and count for nothing.
func addressOf(ctx context.Context) string {
	text := ""
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		text = p.Addr.String()
	}
	if forwarded := metadata.ValueFromIncomingContext(ctx, "x-forwarded-for"); len(forwarded) > 0 {
		last := forwarded[len(forwarded)-1]
		text = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	if at, err := netip.ParseAddrPort(text); err == nil {
		text = at.Addr().String()
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return "" // they share one budget
	}
	if address = address.Unmap().WithZone(""); address.Is6() {
		return netip.PrefixFrom(address, networkBits).Masked().String()
	}
	return address.String()
}
