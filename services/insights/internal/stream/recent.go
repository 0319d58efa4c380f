package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// recent is the insights of a snapshot that may lie in the log after its heads: those
// that were written since shortly before it began.
type recent struct {
	there map[uint64]bool
	order []uint64 // as they were added
}

func digest(name string) uint64 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(sum[:])
}

func (r *recent) add(name string) { r.restore([]uint64{digest(name)}) }

func (r *recent) restore(digests []uint64) {
	for _, d := range digests {
		if r.there == nil {
			r.there = map[uint64]bool{}
		}
		if !r.there[d] {
			r.there[d] = true
			r.order = append(r.order, d)
		}
	}
}

// take tells whether an insight is there. The log holds it once: it goes.
func (r *recent) take(name string) bool {
	if len(r.there) == 0 {
		return false
	}
	d := digest(name)
	if !r.there[d] {
		return false
	}
	delete(r.there, d)
	return true
}

// What a token holds has to fit into one, beside the positions.
const (
	tokenDigests  = 200
	tokenBytes    = 2400
	positionBytes = 4
)

// latest gives those that were added last, in that order, as many as fit into a token
// with so many positions.
func (r *recent) latest(positions int) []uint64 {
	n := min(tokenDigests, max(0, (tokenBytes-positions*positionBytes)/8), len(r.there))
	out := make([]uint64, 0, n)
	for i := len(r.order) - 1; i >= 0 && len(out) < n; i-- {
		if r.there[r.order[i]] {
			out = append(out, r.order[i])
		}
	}
	slices.Reverse(out)
	return out
}
