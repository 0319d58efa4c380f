package privacy

import "github.com/RoaringBitmap/roaring/v2"

// Placed is what is to be recorded of a set.
type Placed struct {
	// People are the ordinals, each of which is there once.
	People *roaring.Bitmap
	// Places there are in a window, and At which of them each of the people is, in order.
	Places []Where
	At     []uint32
}

// Placed gives what is to be recorded of a set.
func (s Set) Placed() Placed {
	out := Placed{People: s.bitmap()}
	if s.windows == nil || s.empty() {
		return out
	}
	out.People = s.Ordinals()
	// Elements share patterns, so that these are looked up, and not places.
	places := make([]uint32, len(s.windows.patterns)) // by pattern, plus 1
	at := make([]uint32, out.People.Maximum()+1)      // by ordinal
	for it := s.bitmap().Iterator(); it.HasNext(); {
		n := s.windows.all.of(it.Next())
		if places[n.pattern] == 0 {
			out.Places = append(out.Places, s.windows.patterns[n.pattern].Where)
			places[n.pattern] = uint32(len(out.Places))
		}
		at[n.ordinal] = places[n.pattern] - 1
	}
	out.At = make([]uint32, 0, out.People.GetCardinality())
	for it := out.People.Iterator(); it.HasNext(); {
		out.At = append(out.At, at[it.Next()])
	}
	return out
}

// Of makes a set of what was recorded; ok is false where that does not fit together.
func (w *Windows) Of(p Placed) (s Set, ok bool) {
	if w == nil || p.People.IsEmpty() {
		return Set{elements: p.People, windows: w}, len(p.At) == 0
	}
	if uint64(len(p.At)) != p.People.GetCardinality() || p.People.Maximum() >= MaxPeople {
		return Set{}, false
	}
	var out Gatherer
	patterns := make([]uint32, len(p.Places)) // by place, plus 1
	it := p.People.Iterator()
	for _, at := range p.At {
		if int(at) >= len(p.Places) {
			return Set{}, false
		}
		if patterns[at] == 0 {
			patterns[at] = w.pattern(p.Places[at]) + 1
		}
		out.Add(w.number(it.Next(), patterns[at]-1))
	}
	return Set{out.Bitmap(), w}, true
}

// Within tells whether all of a set is in another of the same windows.
func (s Set) Within(o Set) bool {
	return s.bitmap().AndCardinality(o.bitmap()) == s.bitmap().GetCardinality()
}

// Among is the part of a set that is about some people, who are given by ordinals.
func (s Set) Among(people *roaring.Bitmap) Set { return s.like(s, s.of(people)) }
