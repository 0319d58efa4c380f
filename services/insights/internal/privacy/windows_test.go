package privacy

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// gathered is a set of people by their ordinals and the weeks in which their facts lie.
func gathered(w *Windows, first int32, ordinals []uint32, masks []uint64) Set {
	g := w.Gather(first)
	for i, ordinal := range ordinals {
		g.Add(g.Number(ordinal, masks[i], 0))
	}
	return g.Set()
}

// placesOf are what is in a set, whatever its elements' numbers.
func placesOf(s Set) map[place]bool {
	out := map[place]bool{}
	for it := s.bitmap().Iterator(); it.HasNext(); {
		out[s.windows.at(it.Next())] = true
	}
	return out
}

// drawSet is a set of people who have versions, with what has to be in it.
func drawSet(t *rapid.T, w *Windows) (Set, map[place]bool) {
	var elements Gatherer
	want := map[place]bool{}
	for _, ordinal := range rapid.SliceOfNDistinct(rapid.Uint32Range(0, 99), 1, 20, rapid.ID).Draw(t, "ordinals") {
		p := place{Where{
			WeeksOf(rapid.Int32Range(5, 7).Draw(t, "first"), rapid.Uint64Range(0, 5).Draw(t, "mask")),
			rapid.Uint32Range(0, 2).Draw(t, "version"),
		}, ordinal}
		want[p] = true
		elements.Add(w.element(p))
	}
	return Set{elements.Bitmap(), w}, want
}

// TestWindowsKeepWhatIsInSets: through the ledger and back, and when what came after
// has been forgotten.
func TestWindowsKeepWhatIsInSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWindows()
		s, want := drawSet(t, w)
		kept, patterns := w.all.n, len(w.patterns)
		several, later := w.several.Clone(), w.later.Clone()
		drawSet(t, w)
		w.cut(kept)
		if w.all.n != kept || len(w.patterns) != patterns || len(w.places) != patterns || !w.several.Equals(several) || !w.later.Equals(later) {
			t.Fatalf("%d elements of %d patterns, and %d of %d before", w.all.n, len(w.patterns), kept, patterns)
		}
		next, more := drawSet(t, w)
		again := newWindows()
		drawSet(t, again) // other numbers
		readAgain := func(s Set) Set {
			read, ok := again.Of(s.Placed())
			if !ok {
				t.Fatalf("%v cannot be read again", s.Placed())
			}
			return read
		}
		for _, c := range []struct {
			what string
			got  Set
			want map[place]bool
		}{{"first", s, want}, {"next", next, more}, {"first, read again", readAgain(s), want}, {"next, read again", readAgain(next), more}} {
			if got := placesOf(c.got); !maps.Equal(got, c.want) {
				t.Fatalf("%s: %v, not %v", c.what, got, c.want)
			}
		}
		plain, people := map[place]bool{}, map[uint32]bool{}
		for p := range want {
			p.Version = 0
			plain[p], people[p.ordinal] = true, true
		}
		if got := placesOf(s.plain()); !maps.Equal(got, plain) {
			t.Fatalf("plain: %v, not %v", got, plain)
		}
		if got := s.Ordinals().ToArray(); !slices.Equal(got, slices.Sorted(maps.Keys(people))) || s.headcount(99) != len(people) {
			t.Fatalf("%v, not %v; %d", got, people, s.headcount(99))
		}
	})
}

// TestWindowsNotShownAreForgotten: questions that nothing is shown of take no room.
func TestWindowsNotShownAreForgotten(t *testing.T) {
	l, key := NewLedger(five), Key{Family: "kinds"}
	for first := range int32(50) {
		d := l.Draft()
		set := gathered(d.Windows(key), first, []uint32{1, 2, 3}, []uint64{1, 2, 3})
		c := &Candidate{Set: set}
		d.Judge(Ask{Key: key, Minimum: 5, Universe: set, Total: c})
		if d.Keep(); c.Refused != TooFew {
			t.Fatal(c.Refused)
		}
	}
	if l.Draft(); l.Windows(key).all.n > 0 {
		t.Errorf("%d are kept of nothing", l.Windows(key).all.n)
	}
}
