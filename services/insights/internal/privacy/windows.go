package privacy

import "github.com/RoaringBitmap/roaring/v2"

// Windows numbers the elements of sets about windows. Were people kept by their weeks,
// a set of 100,000 would fall into thousands of parts; numbered in the order in which
// they come up, they make bitmaps that are dense, and few steps to add and subtract.
//
// A nil Windows is that of sets about one week: the element is the person's ordinal and
// their version.
type Windows struct {
	all []numbered
	// latest is the latest element of each ordinal, plus 1; 0: there is none.
	latest   []uint32
	patterns []pattern
	places   map[where]uint32 // of patterns
	// several are the elements of more than one week, later those of versions above 0.
	several, later *roaring.Bitmap
}

// numbered is an element: whose, and with which pattern. Before is the one before it of
// the same ordinal, plus 1.
type numbered struct{ ordinal, pattern, before uint32 }

// where is what is not the person in an element.
type where struct {
	weeks   Weeks
	version uint32
}

// pattern is what elements share, with the first element that has it. Next is the pattern
// of the next version, plus 1; 0: it was not asked for.
type pattern struct {
	where
	first, next uint32
}

// place is one person in an element.
type place struct {
	where
	ordinal uint32
}

func newWindows() *Windows {
	return &Windows{places: map[where]uint32{}, several: roaring.New(), later: roaring.New()}
}

// Set makes a set of people by their ordinals and the weeks in which their facts lie,
// which are masks that count from first.
func (w *Windows) Set(first int32, ordinals []uint32, masks []uint64) Set {
	var out Gatherer
	places := map[uint64]uint32{}
	for i, ordinal := range ordinals {
		at, ok := places[masks[i]]
		if !ok {
			at = w.pattern(where{weeks: WeeksOf(first, masks[i])})
			places[masks[i]] = at
		}
		out.Add(w.number(ordinal, at))
	}
	return Set{out.Bitmap(), w}
}

// pattern gives the place of a pattern; the element that it is asked for has to be
// numbered next, if it is new.
func (w *Windows) pattern(p where) uint32 {
	at, ok := w.places[p]
	if !ok {
		at = uint32(len(w.patterns))
		w.places[p], w.patterns = at, append(w.patterns, pattern{where: p, first: uint32(len(w.all))})
	}
	return at
}

// number gives an element of an ordinal and a pattern.
func (w *Windows) number(ordinal, at uint32) uint32 {
	if element, ok := w.find(ordinal, at); ok {
		return element
	}
	if int(ordinal) >= len(w.latest) {
		w.latest = append(w.latest, make([]uint32, int(ordinal)+1)...)
	}
	element, p := uint32(len(w.all)), w.patterns[at]
	w.all = append(w.all, numbered{ordinal, at, w.latest[ordinal]})
	w.latest[ordinal] = element + 1
	if p.weeks.Mask&(p.weeks.Mask-1) != 0 {
		w.several.Add(element)
	}
	if p.version > 0 {
		w.later.Add(element)
	}
	return element
}

func (w *Windows) find(ordinal, at uint32) (element uint32, ok bool) {
	if int(ordinal) >= len(w.latest) {
		return 0, false
	}
	for next := w.latest[ordinal]; next != 0; {
		n := &w.all[next-1]
		if n.pattern == at {
			return next - 1, true
		}
		next = n.before
	}
	return 0, false
}

// element gives that of a place.
func (w *Windows) element(p place) uint32 {
	if w == nil {
		return p.ordinal | p.version<<ordinalBits
	}
	return w.number(p.ordinal, w.pattern(p.where))
}

// following gives the element of the next version.
func (w *Windows) following(element uint32) uint32 {
	if w == nil {
		return element + 1<<ordinalBits
	}
	n := w.all[element]
	if w.patterns[n.pattern].next == 0 {
		p := w.patterns[n.pattern].where
		p.version++
		at := w.pattern(p)
		w.patterns[n.pattern].next = at + 1
	}
	return w.number(n.ordinal, w.patterns[n.pattern].next-1)
}

// versions gives the elements of a person and weeks that there are, up to a version.
func (w *Windows) versions(element, top uint32, give func(uint32)) {
	if w == nil {
		for version := range top + 1 {
			give(w.ordinal(element) | version<<ordinalBits)
		}
		return
	}
	n := &w.all[element]
	weeks := w.patterns[n.pattern].weeks
	for next := w.latest[n.ordinal]; next != 0; next = w.all[next-1].before {
		if w.patterns[w.all[next-1].pattern].weeks == weeks {
			give(next - 1)
		}
	}
}

// ordinal of an element.
func (w *Windows) ordinal(element uint32) uint32 {
	if w == nil {
		return element & (MaxPeople - 1)
	}
	return w.all[element].ordinal
}

// at is the place of an element.
func (w *Windows) at(element uint32) place {
	if w == nil {
		return place{where{version: element >> ordinalBits}, w.ordinal(element)}
	}
	n := w.all[element]
	return place{w.patterns[n.pattern].where, n.ordinal}
}

// cut forgets all elements from some number on: those of sets that were asked for and
// not released, who would add up.
func (w *Windows) cut(from uint32) {
	for len(w.all) > int(from) {
		last := len(w.all) - 1
		w.latest[w.all[last].ordinal] = w.all[last].before
		w.all = w.all[:last]
	}
	for n := len(w.patterns); n > 0 && w.patterns[n-1].first >= from; n-- {
		delete(w.places, w.patterns[n-1].where)
		w.patterns = w.patterns[:n-1]
	}
	for i := range w.patterns {
		if w.patterns[i].next > uint32(len(w.patterns)) {
			w.patterns[i].next = 0
		}
	}
	w.several.RemoveRange(uint64(from), 1<<32)
	w.later.RemoveRange(uint64(from), 1<<32)
}

// Part is the people of a set whose facts lie in the same weeks, as ordinals with their
// versions.
type Part struct {
	Weeks  Weeks
	People *roaring.Bitmap
}

// Parts are what is to be recorded of a set.
func (s Set) Parts() []Part {
	if s.windows == nil {
		return []Part{{People: s.bitmap()}}
	}
	// Elements share patterns, so that these are looked up, and not weeks.
	byPattern, byWeeks := make([]int, len(s.windows.patterns)), map[Weeks]int{}
	var parts []Part
	var values [][]uint32
	for it := s.bitmap().Iterator(); it.HasNext(); {
		n := s.windows.all[it.Next()]
		p := s.windows.patterns[n.pattern]
		if byPattern[n.pattern] == 0 {
			if byWeeks[p.weeks] == 0 {
				parts, values = append(parts, Part{Weeks: p.weeks}), append(values, nil)
				byWeeks[p.weeks] = len(parts)
			}
			byPattern[n.pattern] = byWeeks[p.weeks]
		}
		at := byPattern[n.pattern] - 1
		values[at] = append(values[at], n.ordinal|p.version<<ordinalBits)
	}
	for i := range parts {
		parts[i].People = roaring.BitmapOf(values[i]...)
	}
	return parts
}

// Of makes a set of parts that were recorded.
func (w *Windows) Of(parts []Part) Set {
	var out Gatherer
	for _, part := range parts {
		if w == nil {
			return People(part.People)
		}
		for it := part.People.Iterator(); it.HasNext(); {
			p := (*Windows)(nil).at(it.Next())
			p.weeks = part.Weeks
			out.Add(w.element(p))
		}
	}
	return Set{out.Bitmap(), w}
}
