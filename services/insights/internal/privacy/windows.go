package privacy

import "github.com/RoaringBitmap/roaring/v2"

// Windows numbers the elements of sets about windows. Were people kept by their weeks,
// a set of 100,000 would fall into thousands of parts; numbered in the order in which
// they come up, they make bitmaps that are dense, and few steps to add and subtract.
//
// A nil Windows is that of sets about one week: the element is the person's ordinal.
type Windows struct {
	all numbering
	// latest is the latest element of each ordinal, plus 1; 0: there is none.
	latest   []uint32
	patterns []pattern
	places   map[Where]uint32 // of patterns
	// several are the elements of more than one week, later those of versions above 0.
	several, later *roaring.Bitmap
}

// maxElements is how many elements there may be: some 200 MB. It is a report every week for
// years where people are few enough, and for three years of 100,000.
const maxElements = 1 << 24

// full tells whether there is no room for more.
func (w *Windows) full() bool { return w != nil && w.all.n >= maxElements }

// numbered is an element: whose, and with which pattern. Before is the one before it of
// the same ordinal, plus 1.
type numbered struct{ ordinal, pattern, before uint32 }

// chunk is how many elements of a numbering lie together.
const chunk = 1 << 13

// numbering is elements in order. There are many of them, and more come all the time, so
// that to move them for more room would take longer than all else.
type numbering struct {
	n      uint32
	chunks []*[chunk]numbered
}

func (all *numbering) of(element uint32) *numbered {
	return &all.chunks[element/chunk][element%chunk]
}

func (all *numbering) add(n numbered) {
	if int(all.n/chunk) == len(all.chunks) {
		all.chunks = append(all.chunks, new([chunk]numbered))
	}
	*all.of(all.n) = n
	all.n++
}

// Where is what is not the person in an element: in which weeks their facts lie, and which
// version of a number these make, such as what came of them by its day.
type Where struct {
	Weeks   Weeks
	Version uint32
}

// pattern is what elements share, with the first element that has it.
type pattern struct {
	Where
	first uint32
}

// place is one person in an element.
type place struct {
	Where
	ordinal uint32
}

func newWindows() *Windows {
	return &Windows{places: map[Where]uint32{}, several: roaring.New(), later: roaring.New()}
}

// Gathering is a set of a window as it is made.
type Gathering struct {
	windows  *Windows
	first    int32
	elements Gatherer
	// places are patterns by masks and versions, as far as they were looked up.
	places map[masked]uint32
}

type masked struct {
	mask    uint64
	version uint32
}

// Gather begins a set, whose masks of weeks count from first. Nothing else may number
// people meanwhile.
func (w *Windows) Gather(first int32) *Gathering {
	return &Gathering{windows: w, first: first, places: map[masked]uint32{}}
}

// Number gives the element of a person whose facts lie in some weeks.
func (g *Gathering) Number(ordinal uint32, mask uint64, version uint32) uint32 {
	at, ok := g.places[masked{mask, version}]
	if !ok {
		at = g.windows.pattern(Where{Weeks: WeeksOf(g.first, mask), Version: version})
		g.places[masked{mask, version}] = at
	}
	return g.windows.number(ordinal, at)
}

// Add adds an element.
func (g *Gathering) Add(element uint32) { g.elements.Add(element) }

// Set is the set of what was added.
func (g *Gathering) Set() Set { return Set{g.elements.Bitmap(), g.windows} }

// pattern gives the place of a pattern; the element that it is asked for has to be
// numbered next, if it is new.
func (w *Windows) pattern(p Where) uint32 {
	at, ok := w.places[p]
	if !ok {
		at = uint32(len(w.patterns))
		w.places[p], w.patterns = at, append(w.patterns, pattern{Where: p, first: w.all.n})
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
	element, p := w.all.n, w.patterns[at]
	w.all.add(numbered{ordinal, at, w.latest[ordinal]})
	w.latest[ordinal] = element + 1
	if p.Weeks.Mask&(p.Weeks.Mask-1) != 0 {
		w.several.Add(element)
	}
	if p.Version > 0 {
		w.later.Add(element)
	}
	return element
}

func (w *Windows) find(ordinal, at uint32) (element uint32, ok bool) {
	if int(ordinal) >= len(w.latest) {
		return 0, false
	}
	// Later elements come first, and none of a pattern lies before its first.
	for next := w.latest[ordinal]; next > w.patterns[at].first; {
		n := w.all.of(next - 1)
		if n.pattern == at {
			return next - 1, true
		}
		next = n.before
	}
	return 0, false
}

// element gives that of a place.
func (w *Windows) element(p place) uint32 { return w.number(p.ordinal, w.pattern(p.Where)) }

// ordinal of an element.
func (w *Windows) ordinal(element uint32) uint32 {
	if w == nil {
		return element
	}
	return w.all.of(element).ordinal
}

// at is the place of an element.
func (w *Windows) at(element uint32) place {
	n := w.all.of(element)
	return place{w.patterns[n.pattern].Where, n.ordinal}
}

// cut forgets all elements from some number on: those of sets that were asked for and
// not released, who would add up.
func (w *Windows) cut(from uint32) {
	for w.all.n > from {
		w.all.n--
		last := w.all.of(w.all.n)
		w.latest[last.ordinal] = last.before
	}
	for n := len(w.patterns); n > 0 && w.patterns[n-1].first >= from; n-- {
		delete(w.places, w.patterns[n-1].Where)
		w.patterns = w.patterns[:n-1]
	}
	w.several.RemoveRange(uint64(from), 1<<32)
	w.later.RemoveRange(uint64(from), 1<<32)
}
