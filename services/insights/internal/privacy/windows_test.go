package privacy

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

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
	for range rapid.IntRange(1, 20).Draw(t, "n") {
		p := place{where{
			WeeksOf(rapid.Int32Range(5, 7).Draw(t, "first"), rapid.Uint64Range(0, 5).Draw(t, "mask")),
			rapid.Uint32Range(0, 2).Draw(t, "version"),
		}, rapid.Uint32Range(0, 9).Draw(t, "ordinal")}
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
		kept, patterns := len(w.all), len(w.patterns)
		several, later := w.several.Clone(), w.later.Clone()
		drawSet(t, w)
		w.cut(uint32(kept))
		if len(w.all) != kept || len(w.patterns) != patterns || len(w.places) != patterns || !w.several.Equals(several) || !w.later.Equals(later) {
			t.Fatalf("%d elements of %d patterns, and %d of %d before", len(w.all), len(w.patterns), kept, patterns)
		}
		next, more := drawSet(t, w)
		again := newWindows()
		drawSet(t, again) // other numbers
		for _, c := range []struct {
			what string
			got  Set
			want map[place]bool
		}{{"first", s, want}, {"next", next, more}, {"first, read again", again.Of(s.Parts()), want}, {"next, read again", again.Of(next.Parts()), more}} {
			if got := placesOf(c.got); !maps.Equal(got, c.want) {
				t.Fatalf("%s: %v, not %v", c.what, got, c.want)
			}
		}
		plain, people := map[place]bool{}, map[uint32]bool{}
		for p := range want {
			p.version = 0
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
		set := d.Windows(key).Set(first, []uint32{1, 2, 3}, []uint64{1, 2, 3})
		c := &Candidate{Set: set}
		d.Judge(Ask{Key: key, Minimum: 5, Universe: set, Total: c, Changes: since{}})
		if d.Keep(); c.Refused != TooFew {
			t.Fatal(c.Refused)
		}
	}
	if l.Draft(); len(l.Windows(key).all) > 0 {
		t.Errorf("%d are kept of nothing", len(l.Windows(key).all))
	}
}
