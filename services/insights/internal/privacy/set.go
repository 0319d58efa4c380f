// Package privacy decides what a cohort report may show, so that nobody can be hurt
// by it: neither by one number, nor by what follows from it together with all that
// was shown before.
//
// A number that is shown is, or is made of, sums over people: how many there are, the
// sum of their moods, how many were at risk on a day. What somebody who reads many
// reports can find out is what follows from these sums by adding and subtracting them.
// So the package keeps the sets of people behind the numbers, and none of the numbers,
// and asks of each new set whether some combination of it with the earlier ones is
// about fewer people than the minimum.
package privacy

import (
	"math/bits"

	"github.com/RoaringBitmap/roaring/v2"
)

// Weeks are the weeks in which the facts behind a person's part in a number lie:
// Mask has bit i for week First+i, and its lowest bit is set; the zero Weeks are none.
// What a person adds to two windows is the same when their facts in both are.
type Weeks struct {
	First int32
	Mask  uint64
}

// WeeksOf gives the weeks of a mask that counts from first.
func WeeksOf(first int32, mask uint64) Weeks {
	if mask == 0 {
		return Weeks{}
	}
	skip := bits.TrailingZeros64(mask)
	return Weeks{First: first + int32(skip), Mask: mask >> skip}
}

// Limits of the values in a Set: the lower bits are a person's ordinal, the upper ones
// their version, which counts how often their facts had changed between releases.
const (
	ordinalBits = 24
	// MaxPeople is how many people a tenant's ledger can tell apart.
	MaxPeople  = 1 << ordinalBits
	maxVersion = 255
)

func ordinalOf(value uint32) uint32 { return value & (MaxPeople - 1) }

// Set is the people behind a number, by where their facts lie. It has no empty parts,
// and is not changed once it is made.
type Set map[Weeks]*roaring.Bitmap

// People makes the set of a number that is about one week.
func People(ordinals *roaring.Bitmap) Set {
	if ordinals.IsEmpty() {
		return Set{}
	}
	return Set{Weeks{}: ordinals}
}

// manyOrdinals is from how many ordinals on they are gathered bit by bit.
const manyOrdinals = 1 << 12

// Gatherer makes a bitmap of ordinals. Its zero value is empty.
type Gatherer struct {
	few  []uint32
	bits []uint64
}

// Add adds an ordinal.
func (g *Gatherer) Add(ordinal uint32) {
	if g.bits == nil {
		if g.few = append(g.few, ordinal); len(g.few) < manyOrdinals {
			return
		}
		g.bits = make([]uint64, 2*manyOrdinals)
		for _, o := range g.few {
			g.set(o)
		}
	}
	g.set(ordinal)
}

func (g *Gatherer) set(ordinal uint32) {
	at := int(ordinal / 64)
	if at >= len(g.bits) {
		g.bits = append(g.bits, make([]uint64, at+1)...)
	}
	g.bits[at] |= 1 << (ordinal % 64)
}

// Bitmap gives what was added. Nothing may be added after it.
func (g *Gatherer) Bitmap() *roaring.Bitmap {
	if g.bits == nil {
		return roaring.BitmapOf(g.few...)
	}
	return roaring.FromDense(g.bits, false)
}

// Size is how many values it has.
func (s Set) Size() int {
	n := uint64(0)
	for _, part := range s {
		n += part.GetCardinality()
	}
	return int(n)
}

// and gives what is in both.
func (s Set) and(o Set) Set {
	out := Set{}
	for weeks, part := range s {
		if other, ok := o[weeks]; ok && part.Intersects(other) {
			out[weeks] = roaring.And(part, other)
		}
	}
	return out
}

// several is the part of it whose facts lie in more than one week.
func (s Set) several() Set {
	out := Set{}
	for weeks, part := range s {
		if weeks.Mask&(weeks.Mask-1) != 0 {
			out[weeks] = part
		}
	}
	return out
}

// without gives what is in s and not in o.
func (s Set) without(o Set) Set {
	out := Set{}
	for weeks, part := range s {
		if other, ok := o[weeks]; ok {
			part = roaring.AndNot(part, other)
		}
		if !part.IsEmpty() {
			out[weeks] = part
		}
	}
	return out
}

// Union gives what is in any.
func Union(sets ...Set) Set {
	out := Set{}
	for _, s := range sets {
		for weeks, part := range s {
			if have, ok := out[weeks]; ok {
				part = roaring.Or(have, part)
			}
			out[weeks] = part
		}
	}
	return out
}

// intersects tells whether anything is in both.
func (s Set) intersects(o Set) bool {
	for weeks, part := range s {
		if other, ok := o[weeks]; ok && part.Intersects(other) {
			return true
		}
	}
	return false
}

func (s Set) equal(o Set) bool {
	if len(s) != len(o) {
		return false
	}
	for weeks, part := range s {
		if other, ok := o[weeks]; !ok || !part.Equals(other) {
			return false
		}
	}
	return true
}

// top is the highest version in it.
func (s Set) top() uint32 {
	top := uint32(0)
	for _, part := range s {
		top = max(top, part.Maximum()>>ordinalBits)
	}
	return top
}

// plain is the set without versions.
func (s Set) plain() Set {
	if s.top() == 0 {
		return s
	}
	out := Set{}
	for weeks, part := range s {
		out[weeks] = ordinals(part)
	}
	return out
}

// Ordinals are those of all that are in it, each once.
func (s Set) Ordinals() *roaring.Bitmap {
	out := roaring.New()
	for _, part := range s {
		out.Or(ordinals(part))
	}
	return out
}

func ordinals(part *roaring.Bitmap) *roaring.Bitmap {
	if part.IsEmpty() || part.Maximum() < MaxPeople {
		return part
	}
	out := roaring.New()
	for it := part.Iterator(); it.HasNext(); {
		out.Add(ordinalOf(it.Next()))
	}
	return out
}

// headcount is how many people there are, counted only as far as a limit.
func (s Set) headcount(limit int) int {
	for _, part := range s { // mostly, one part is enough to say
		if n := int(ordinals(part).GetCardinality()); n >= limit || len(s) == 1 {
			return n
		}
	}
	return int(s.Ordinals().GetCardinality())
}
