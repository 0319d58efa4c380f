// Package ids is where new identifiers come from, so that tests can foresee them.
package ids

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/google/uuid"
)

// Source makes a new UUID, in text form, at each call. Safe for concurrent use.
type Source func() string

// Random makes UUIDs of version 7: unique, and close together in time close
// together in an index.
func Random() string { return uuid.Must(uuid.NewV7()).String() }

// Opaque makes UUIDs of version 4, which tell nothing, not even when they were made.
func Opaque() string { return uuid.NewString() }

// Sequence gives a source that counts up from 1: for tests.
func Sequence() Source {
	var n atomic.Uint64
	return func() string {
		var u uuid.UUID
		binary.BigEndian.PutUint64(u[8:], n.Add(1))
		return u.String()
	}
}

// Derived gives the UUID (version 5) that stands for these parts, in this order.
func Derived(parts ...string) string {
	u := uuid.NameSpaceURL
	for _, p := range parts {
		u = uuid.NewSHA1(u, []byte(p))
	}
	return u.String()
}
