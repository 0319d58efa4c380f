package privacy

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// become is what a plain element has become, looked up by itself: see unit.changed.
func (u *unit) become(element uint32, c Changes) uint32 {
	plain := u.windows.at(element)
	for at := len(u.released) - 1; at >= 0; at-- {
		for it := u.released[at].Set.bitmap().Iterator(); it.HasNext(); {
			p := u.windows.at(it.Next())
			if p.ordinal != plain.ordinal || p.Weeks != plain.Weeks {
				continue
			}
			if c.Since(p.ordinal, p.Weeks, u.released[at]) {
				p.Version++
			}
			return u.windows.element(p)
		}
	}
	return element
}

// TestChangedAsOneByOne: all elements together become what each becomes by itself, of
// weeks and of windows, whatever was released, and asked for and not released, before.
func TestChangedAsOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]Key{{Family: "mood", Week: 7}, {Family: "kinds"}}).Draw(t, "key")
		u, changes := newUnit(key, 5), since{}
		set := func() Set {
			people := rapid.SliceOfNDistinct(rapid.Uint32Range(0, 9), 1, 9, rapid.ID).Draw(t, "people")
			if key.Week != 0 {
				return People(roaring.BitmapOf(people...))
			}
			masks := make([]uint64, len(people))
			for i := range masks {
				masks[i] = rapid.Uint64Range(0, 3).Draw(t, "weeks")
			}
			return gathered(u.windows, rapid.Int32Range(5, 6).Draw(t, "first"), people, masks)
		}
		for now := range rapid.Int64Range(1, 12).Draw(t, "turns") {
			for _, o := range rapid.SliceOfN(rapid.Uint32Range(0, 9), 0, 4).Draw(t, "changed") {
				changes[o] = now
			}
			plain := set()
			want := roaring.New()
			for it := plain.bitmap().Iterator(); it.HasNext(); {
				want.Add(u.become(it.Next(), changes))
			}
			got, ok := u.changed(plain.bitmap(), changes)
			if !ok || !got.Equals(want) {
				t.Fatalf("%v became %v, not %v", plain.bitmap(), got, want)
			}
			if rapid.Bool().Draw(t, "released") {
				u, _, _ = u.with(Release{Set: plain.like(plain, got), Changed: now})
			}
		}
	})
}
