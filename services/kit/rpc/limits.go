// Package rpc is how every service of Rebound is served and called over gRPC:
// one chain of interceptors, one table of limits, one mapping of errors.
package rpc

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
)

// Limits is the one table of what a server takes. Zero never means unlimited:
// Check refuses it.
type Limits struct {
	// MaxMessageBytes is the size of one request or response message.
	MaxMessageBytes int
	// MaxHeaderBytes is the size of a call's metadata.
	MaxHeaderBytes int
	// MaxStreamsPerConnection is how many calls one connection carries at once.
	MaxStreamsPerConnection int
	// MaxStreamsPerCaller is how many streams one caller has open at once.
	MaxStreamsPerCaller int
	// UnaryDeadline is the longest a unary call takes.
	UnaryDeadline time.Duration
	// StreamLifetime is the longest a stream lives; then its client comes back.
	StreamLifetime time.Duration
	// ConnectionAge is how long a connection lives before it is wound down, over
	// ConnectionGrace at most.
	ConnectionAge, ConnectionGrace time.Duration
	// KeepaliveEvery is how often a silent connection is probed, and
	// KeepaliveTimeout how long an answer may take.
	KeepaliveEvery, KeepaliveTimeout time.Duration
	// KeepaliveMinimum is how often a client may probe.
	KeepaliveMinimum time.Duration
	// DrainTimeout is how long calls have to finish when the server stops.
	DrainTimeout time.Duration
	// ReadsPerSecond, WritesPerSecond and StreamsPerSecond are how many calls of
	// each class a caller may make; bursts may be twice that.
	ReadsPerSecond, WritesPerSecond, StreamsPerSecond int
	// MaxTrackedCallers is how many callers' rates are remembered.
	MaxTrackedCallers int
}

// DefaultLimits are good for a small deployment.
func DefaultLimits() Limits {
	return Limits{
		MaxMessageBytes:         4 << 20,
		MaxHeaderBytes:          32 << 10,
		MaxStreamsPerConnection: 4096,
		MaxStreamsPerCaller:     2048,
		UnaryDeadline:           30 * time.Second,
		StreamLifetime:          12 * time.Hour,
		ConnectionAge:           24 * time.Hour,
		ConnectionGrace:         time.Minute,
		KeepaliveEvery:          time.Minute,
		KeepaliveTimeout:        20 * time.Second,
		KeepaliveMinimum:        10 * time.Second,
		DrainTimeout:            10 * time.Second,
		ReadsPerSecond:          5000,
		WritesPerSecond:         5000,
		StreamsPerSecond:        500,
		MaxTrackedCallers:       100_000,
	}
}

// Check refuses limits that are not positive.
func (l Limits) Check() error {
	for name, n := range map[string]int{
		"MaxMessageBytes": l.MaxMessageBytes, "MaxHeaderBytes": l.MaxHeaderBytes,
		"MaxStreamsPerConnection": l.MaxStreamsPerConnection, "MaxStreamsPerCaller": l.MaxStreamsPerCaller,
		"UnaryDeadline": int(l.UnaryDeadline), "StreamLifetime": int(l.StreamLifetime),
		"ConnectionAge": int(l.ConnectionAge), "ConnectionGrace": int(l.ConnectionGrace),
		"KeepaliveEvery": int(l.KeepaliveEvery), "KeepaliveTimeout": int(l.KeepaliveTimeout),
		"KeepaliveMinimum": int(l.KeepaliveMinimum), "DrainTimeout": int(l.DrainTimeout),
		"ReadsPerSecond": l.ReadsPerSecond, "WritesPerSecond": l.WritesPerSecond, "StreamsPerSecond": l.StreamsPerSecond,
		"MaxTrackedCallers": l.MaxTrackedCallers,
	} {
		if n <= 0 {
			return fmt.Errorf("rpc: limit %s must be positive, not %d", name, n)
		}
	}
	return nil
}

// perSecond is the limit of a class of calls.
func (l Limits) perSecond(class policyv1.Rate) int {
	switch class {
	case policyv1.Rate_RATE_WRITE:
		return l.WritesPerSecond
	case policyv1.Rate_RATE_STREAM:
		return l.StreamsPerSecond
	}
	return l.ReadsPerSecond
}

func (l Limits) limiter(class policyv1.Rate) *rate.Limiter {
	n := l.perSecond(class)
	return rate.NewLimiter(rate.Limit(n), 2*n)
}
