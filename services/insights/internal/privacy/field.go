package privacy

import "math/bits"

// prime is the Mersenne prime 2^61-1. Reckoning modulo a prime is exact, and errs on
// the safe side: a combination of released sets that has whole coefficients and
// leaves out some people leaves them out modulo the prime too, so that whatever tells
// about few people is found.
const prime = 1<<61 - 1

// AddDigests gives the digest of what two are of: digests are reckoned modulo the prime.
func AddDigests(a, b uint64) uint64 { return add(a%prime, b%prime) }

func add(a, b uint64) uint64 {
	s := a + b
	if s >= prime {
		s -= prime
	}
	return s
}

func sub(a, b uint64) uint64 {
	if a >= b {
		return a - b
	}
	return a + prime - b
}

func mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return add(lo&prime, hi<<3|lo>>61)
}

// inverse of a, which is not 0: a to the power of prime-2.
func inverse(a uint64) uint64 {
	out := uint64(1)
	for e := uint64(prime - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			out = mul(out, a)
		}
		a = mul(a, a)
	}
	return out
}
