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
	"slices"

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

// MaxPeople is how many people a tenant's ledger can tell apart.
const MaxPeople = 1 << 24

// Set is the people behind a number, by where their facts lie: elements, each one
// person with some weeks and a version. It is not changed once it is made, and sets
// that are held against each other are of the same Windows.
type Set struct {
	elements *roaring.Bitmap // nil: none
	windows  *Windows
}

// People makes the set of a number that is about one week.
func People(ordinals *roaring.Bitmap) Set { return Set{elements: ordinals} }

var none = roaring.New()

func (s Set) bitmap() *roaring.Bitmap {
	if s.elements == nil {
		return none
	}
	return s.elements
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
	if at := int(ordinal / 64); at < len(g.bits) { // as mostly it is
		g.bits[at] |= 1 << (ordinal % 64)
		return
	}
	g.add(ordinal)
}

func (g *Gatherer) add(ordinal uint32) {
	if g.bits == nil {
		if g.few = append(g.few, ordinal); len(g.few) < manyOrdinals {
			return
		}
		g.bits = make([]uint64, slices.Max(g.few)/64+1)
		for _, o := range g.few {
			g.set(o)
		}
		return
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

// Size is how many elements it has.
func (s Set) Size() int { return int(s.bitmap().GetCardinality()) }

func (s Set) empty() bool { return s.bitmap().IsEmpty() }

// like is a set of other elements of the same windows as this one's, or else another's.
func (s Set) like(o Set, elements *roaring.Bitmap) Set {
	if s.windows == nil {
		s.windows = o.windows
	}
	return Set{elements, s.windows}
}

// several is the part of it whose facts lie in more than one week.
func (s Set) several() Set {
	if s.windows == nil {
		return Set{}
	}
	return s.like(s, roaring.And(s.bitmap(), s.windows.several))
}

// without gives what is in s and not in o.
func (s Set) without(o Set) Set { return s.like(o, roaring.AndNot(s.bitmap(), o.bitmap())) }

// Union gives what is in any.
func Union(sets ...Set) Set {
	out, all := Set{}, make([]*roaring.Bitmap, len(sets))
	for i, s := range sets {
		out, all[i] = s.like(out, nil), s.bitmap()
	}
	out.elements = roaring.FastOr(all...)
	return out
}

func (s Set) equal(o Set) bool { return s.bitmap().Equals(o.bitmap()) }

// later are those elements of it that have a version above 0.
func (s Set) later() *roaring.Bitmap {
	if s.windows == nil {
		return none
	}
	return roaring.And(s.bitmap(), s.windows.later)
}

// plain is the set without versions.
func (s Set) plain() Set {
	later := s.later()
	if later.IsEmpty() {
		return s
	}
	out := roaring.AndNot(s.bitmap(), later)
	for it := later.Iterator(); it.HasNext(); {
		at := s.windows.at(it.Next())
		at.Version = 0
		out.Add(s.windows.element(at))
	}
	return s.like(s, out)
}

// Ordinals are those of all that are in it, each once; they are not to be changed.
func (s Set) Ordinals() *roaring.Bitmap {
	if s.windows == nil {
		return s.bitmap()
	}
	var out Gatherer
	for it := s.bitmap().Iterator(); it.HasNext(); {
		out.Add(s.windows.ordinal(it.Next()))
	}
	return out.Bitmap()
}

// of is the part of it that is about some people.
func (s Set) of(people *roaring.Bitmap) *roaring.Bitmap {
	if s.windows == nil || people.IsEmpty() {
		return roaring.And(s.bitmap(), people)
	}
	var out Gatherer
	among := people.ToDense()
	for it := s.bitmap().Iterator(); it.HasNext(); {
		element := it.Next()
		ordinal := s.windows.ordinal(element)
		if at := int(ordinal / 64); at < len(among) && among[at]&(1<<(ordinal%64)) != 0 {
			out.Add(element)
		}
	}
	return out.Bitmap()
}

// headcount is how many people there are, counted only as far as a limit.
func (s Set) headcount(limit int) int {
	people := make(map[uint32]struct{}, limit)
	for it := s.bitmap().Iterator(); it.HasNext() && len(people) < limit; {
		people[s.windows.ordinal(it.Next())] = struct{}{}
	}
	return len(people)
}
