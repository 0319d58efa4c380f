package cohort

import (
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

func five(string) int { return 5 }

// written is a release without what is only in memory.
type written struct {
	key    privacy.Key
	people []uint32
	places []privacy.Where
	about  privacy.Release
}

func writtenOf(r privacy.Recorded) written {
	placed := r.Release.Set.Placed()
	w := written{key: r.Key, people: placed.People.ToArray(), about: r.Release}
	for _, at := range placed.At {
		w.places = append(w.places, placed.Places[at])
	}
	w.about.Set = privacy.Set{}
	return w
}

func (w written) equal(o written) bool {
	return w.key == o.key && slices.Equal(w.people, o.people) && slices.Equal(w.places, o.places) && w.about.Question == o.about.Question &&
		w.about.Digest == o.about.Digest && w.about.Withheld == o.about.Withheld
}

// drawRelease is one that may be of the same people as others, or of some of them.
func drawRelease(t *rapid.T, ledger *privacy.Ledger, before []privacy.Recorded) privacy.Recorded {
	key := rapid.SampledFrom([]privacy.Key{{Family: "mood", Week: 7}, {Family: "mood", Week: 8}, {Family: "kinds"}, {Family: "mood", Sums: true}}).Draw(t, "key")
	people := roaring.BitmapOf(rapid.SliceOfN(rapid.Uint32Range(0, 30), 0, 20).Draw(t, "people")...)
	windows := ledger.Windows(key)
	placed := privacy.Placed{People: people}
	for it := people.Iterator(); windows != nil && it.HasNext(); it.Next() {
		where := privacy.Where{Weeks: privacy.WeeksOf(7, rapid.Uint64Range(0, 5).Draw(t, "weeks")), Version: rapid.Uint32Range(0, 2).Draw(t, "version")}
		placed.Places, placed.At = append(placed.Places, where), append(placed.At, uint32(len(placed.At)))
	}
	set, ok := windows.Of(placed)
	if !ok {
		t.Fatal("it does not fit together")
	}
	for _, r := range before {
		if r.Key == key && rapid.Bool().Draw(t, "part") {
			set = r.Release.Set.Among(people)
		}
	}
	return privacy.Recorded{Key: key, Release: privacy.Release{
		Set: set, Question: rapid.Int64().Draw(t, "question"), Digest: rapid.Uint64().Draw(t, "digest"),
		Withheld: rapid.Bool().Draw(t, "withheld"),
	}}
}

// TestEntriesSayWhatWasReleased: whatever is left out as said before, and wherever
// entries are cut.
func TestEntriesSayWhatWasReleased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ledger := privacy.NewLedger(five)
		var added []privacy.Recorded
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			added = append(added, drawRelease(t, ledger, added))
		}
		names := rapid.SliceOfN(rapid.StringN(1, 20, 40), 0, 6).Draw(t, "names")
		entries, err := entriesOf(names, added, rapid.SampledFrom([]int{1, 300, maxEntry}).Draw(t, "most"))
		if err != nil {
			t.Fatal(err)
		}
		other := privacy.NewLedger(five)
		var people []string
		var got []privacy.Recorded
		for _, e := range entries {
			for _, digest := range e.GetPeople() {
				people = append(people, string(digest))
			}
			releases, err := releasesOf(proto.CloneOf(e), other.Windows, 0)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, releases...)
		}
		if !slices.Equal(people, names) || len(got) != len(added) {
			t.Fatalf("%d people and %d releases, not %d and %d", len(people), len(got), len(names), len(added))
		}
		for i := range got {
			if g, w := writtenOf(got[i]), writtenOf(added[i]); !g.equal(w) {
				t.Fatalf("release %d is %+v, not %+v", i, g, w)
			}
		}
	})
}

// TestEntriesAreShort: who is behind a number is said once, for weeks and groups alike.
func TestEntriesAreShort(t *testing.T) {
	ledger, key := privacy.NewLedger(five), privacy.Key{Family: "kinds"}
	everybody, half := roaring.New(), roaring.New()
	everybody.AddRange(0, 1000)
	half.AddRange(0, 500)
	all, ok := ledger.Windows(key).Of(privacy.Placed{People: everybody, Places: []privacy.Where{{Weeks: privacy.WeeksOf(7, 3)}}, At: make([]uint32, 1000)})
	if !ok {
		t.Fatal("it does not fit together")
	}
	added := []privacy.Recorded{{Key: key, Release: privacy.Release{Set: all}}, {Key: key, Release: privacy.Release{Set: all.Among(half)}}}
	for week := range int32(3) {
		added = append(added, privacy.Recorded{Key: privacy.Key{Family: "mood", Week: 7 + week}, Release: privacy.Release{Set: privacy.People(half)}})
	}
	entries, err := entriesOf(nil, added, maxEntry)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	r := entries[0].GetReleases()
	if r[0].GetPeopleOf() != 0 || len(r[0].GetPlaced()) != 1000 || r[1].GetPlacedOf() != 1 || len(r[1].GetPlaced()) != 0 {
		t.Errorf("the group is said to be %v", r[1])
	}
	for _, week := range r[2:] {
		if week.GetPeopleOf() != 2 || len(week.GetPeople()) != 0 {
			t.Errorf("the week is said to be of release %d", week.GetPeopleOf())
		}
	}
}

// TestPartsAreRead: ledgers in which people stand by their weeks, with versions that meant
// something else.
func TestPartsAreRead(t *testing.T) {
	raw := func(people ...uint32) []byte {
		out, err := roaring.BitmapOf(people...).ToBytes()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	changed := uint32(privacy.MaxPeople)
	e := &storagev1.CohortLedgerEntry{Releases: []*storagev1.CohortRelease{
		{Family: "mood", Week: 7, Parts: []*storagev1.CohortPart{{People: raw(1, 2, 2+changed)}}},
		{Family: "kinds", Parts: []*storagev1.CohortPart{{FirstWeek: 7, Weeks: 1, People: raw(3, 1+2*changed)}, {FirstWeek: 8, Weeks: 5, People: raw(2)}}},
	}}
	got, err := releasesOf(e, privacy.NewLedger(five).Windows, 0)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d releases, %v", len(got), err)
	}
	want := []written{
		{key: privacy.Key{Family: "mood", Week: 7}, people: []uint32{1, 2}},
		{key: privacy.Key{Family: "kinds"}, people: []uint32{1, 2, 3}, places: []privacy.Where{
			{Weeks: privacy.WeeksOf(7, 1)}, {Weeks: privacy.WeeksOf(8, 5)}, {Weeks: privacy.WeeksOf(7, 1)},
		}},
	}
	for i := range want {
		if g := writtenOf(got[i]); !g.equal(want[i]) {
			t.Errorf("%+v, not %+v", g, want[i])
		}
	}
}

// TestLongPastIsForgotten: a week, and a window that is over, with the groups of it; not
// one of which a week can still be asked for.
func TestLongPastIsForgotten(t *testing.T) {
	ledger, some, one := privacy.NewLedger(five), roaring.BitmapOf(1, 2, 3), roaring.BitmapOf(2)
	var added []privacy.Recorded
	for _, first := range []int32{90, 95} {
		key := privacy.Key{Family: "kinds"}
		set, ok := ledger.Windows(key).Of(privacy.Placed{
			People: some, Places: []privacy.Where{{Weeks: privacy.WeeksOf(first, 0b11)}, {Weeks: privacy.WeeksOf(first, 0b100000)}}, At: []uint32{0, 1, 0},
		})
		if !ok {
			t.Fatal("it does not fit together")
		}
		for _, s := range []privacy.Set{set, set.Among(one)} {
			added = append(added, privacy.Recorded{Key: key, Release: privacy.Release{Set: s, Question: int64(first)}})
		}
		added = append(added, privacy.Recorded{Key: privacy.Key{Family: "mood", Week: first + 5}, Release: privacy.Release{Set: privacy.People(some), Question: int64(first)}})
	}
	entries, err := entriesOf(nil, added, maxEntry)
	if err != nil {
		t.Fatal(err)
	}
	for oldest, want := range map[int32]int{95: 6, 96: 3, 100: 3, 101: 0} {
		got, err := releasesOf(entries[0], privacy.NewLedger(five).Windows, oldest)
		if err != nil || len(got) != want {
			t.Errorf("oldest %d: %d are left, want %d; %v", oldest, len(got), want, err)
		}
	}
}

// TestEntriesThatDoNotFit are refused, and nothing panics.
func TestEntriesThatDoNotFit(t *testing.T) {
	some, err := roaring.BitmapOf(1, 2).ToBytes()
	if err != nil {
		t.Fatal(err)
	}
	place := []*storagev1.CohortPlace{{FirstWeek: 7, Weeks: 1}}
	for what, r := range map[string]*storagev1.CohortRelease{
		"of itself":          {Family: "kinds", PeopleOf: 1},
		"of none":            {Family: "kinds", PeopleOf: -1},
		"placed of itself":   {Family: "kinds", People: some, PlacedOf: 1},
		"too few placed":     {Family: "kinds", People: some, Places: place, Placed: []byte{0}},
		"placed nowhere":     {Family: "kinds", People: some, Places: place, Placed: []byte{0, 1}},
		"a week with places": {Family: "mood", Week: 7, People: some, Places: place, Placed: []byte{0, 0}},
		"no varint":          {Family: "kinds", People: some, Places: place, Placed: []byte{0, 0x80}},
		"no bitmap":          {Family: "kinds", People: []byte{1}},
	} {
		if _, err := releasesOf(&storagev1.CohortLedgerEntry{Releases: []*storagev1.CohortRelease{r}}, privacy.NewLedger(five).Windows, 0); err == nil {
			t.Errorf("%s: it was read", what)
		}
	}
}
