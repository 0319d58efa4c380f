package cohort

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"github.com/RoaringBitmap/roaring/v2"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
)

const (
	// maxEntry is about how many bytes of one entry there may be, well below what a store
	// takes.
	maxEntry = 4 << 20
	// placeBytes is about how many a place takes, written out with the names of its fields.
	placeBytes = 60
)

// entriesOf cuts what is to be written down into entries of about so many bytes at most,
// people first: an entry never names anybody who has no ordinal yet.
func entriesOf(people []string, added []privacy.Recorded, most int) ([]*storagev1.CohortLedgerEntry, error) {
	w := newWriting(added, most)
	w.prepare()
	w.turn()
	for _, digest := range people {
		w.room(len(digest) + 4)
		w.last.People = append(w.last.People, []byte(digest))
	}
	for i := range added {
		if err := w.write(i); err != nil {
			return nil, err
		}
	}
	return w.entries, nil
}

// writing is entries as they are made. Much of what a report releases is about the same
// people, or about some of those that it has said everything of, and is not said again.
type writing struct {
	added []privacy.Recorded
	most  int // bytes of an entry
	// people of each; placed are where their facts lie, where that is not said by the one
	// that first gives.
	people []*roaring.Bitmap
	placed []privacy.Placed
	first  []int

	entries []*storagev1.CohortLedgerEntry
	last    *storagev1.CohortLedgerEntry
	size    int
	// Of the last entry: which of those that are added say themselves who they are of, and
	// which of its releases, from 1, each is.
	said map[size][]int
	at   map[int]int32
}

// size tells most sets of people apart.
type size struct {
	n        uint64
	from, to uint32
}

func sizeOf(people *roaring.Bitmap) size {
	if people.IsEmpty() {
		return size{}
	}
	return size{people.GetCardinality(), people.Minimum(), people.Maximum()}
}

func newWriting(added []privacy.Recorded, most int) *writing {
	n := len(added)
	return &writing{added: added, most: most, people: make([]*roaring.Bitmap, n), placed: make([]privacy.Placed, n), first: make([]int, n)}
}

// prepare gets ready what takes long, several at a time.
func (w *writing) prepare() {
	firsts := map[privacy.Key]int{}
	for i, a := range w.added {
		w.first[i] = i
		if at, ok := firsts[a.Key]; ok && a.Key.Week == 0 && a.Release.Set.Within(w.added[at].Release.Set) {
			w.first[i] = at
		} else if !ok {
			firsts[a.Key] = i
		}
	}
	each(w.added, func(i int, a privacy.Recorded) {
		if w.first[i] != i {
			w.people[i] = a.Release.Set.Ordinals()
			return
		}
		w.placed[i] = a.Release.Set.Placed()
		w.people[i] = w.placed[i].People
	})
}

// turn begins another entry.
func (w *writing) turn() {
	w.last, w.size = &storagev1.CohortLedgerEntry{}, 0
	w.entries = append(w.entries, w.last)
	w.said, w.at = map[size][]int{}, map[int]int32{}
}

// room makes sure that there is room for so many bytes; it tells whether the entry is
// another one for that.
func (w *writing) room(n int) (turned bool) {
	if turned = w.size > 0 && w.size+n > w.most; turned {
		w.turn()
	}
	w.size += n
	return turned
}

func (w *writing) write(i int) error {
	out := storedOf(w.added[i])
	n, err := w.say(i, out)
	if err == nil && w.room(n) { // what it refers to lies in the entry before
		w.size, err = w.say(i, out)
	}
	if err != nil {
		return err
	}
	w.last.Releases = append(w.last.Releases, out)
	w.at[i] = int32(len(w.last.Releases))
	if out.GetPeopleOf() == 0 {
		key := sizeOf(w.people[i])
		w.said[key] = append(w.said[key], i)
	}
	return nil
}

// say says who is in a release, and where their facts lie, as shortly as the last entry
// lets it; it gives about how many bytes that takes.
func (w *writing) say(i int, out *storagev1.CohortRelease) (n int, err error) {
	out.People, out.Places, out.Placed = nil, nil, nil
	out.PeopleOf, out.PlacedOf = w.peopleOf(i), 0
	if out.GetPeopleOf() == 0 {
		if out.People, err = w.people[i].ToBytes(); err != nil {
			return 0, err
		}
	}
	n = 64 + len(out.GetPeople())
	if w.first[i] != i {
		if out.PlacedOf = w.at[w.first[i]]; out.GetPlacedOf() != 0 {
			return n, nil
		}
		w.placed[i] = w.added[i].Release.Set.Placed()
	}
	for _, p := range w.placed[i].Places {
		out.Places = append(out.Places, &storagev1.CohortPlace{FirstWeek: p.Weeks.First, Weeks: int64(p.Weeks.Mask), Version: int32(p.Version)})
	}
	for _, at := range w.placed[i].At {
		out.Placed = binary.AppendUvarint(out.Placed, uint64(at))
	}
	return n + placeBytes*len(out.GetPlaces()) + len(out.GetPlaced()), nil
}

// peopleOf is which release of the last entry, from 1, has the same people; 0: none.
func (w *writing) peopleOf(i int) int32 {
	for _, said := range w.said[sizeOf(w.people[i])] {
		if w.people[said].Equals(w.people[i]) {
			return w.at[said]
		}
	}
	return 0
}

func storedOf(a privacy.Recorded) *storagev1.CohortRelease {
	return &storagev1.CohortRelease{
		Family: a.Key.Family, Week: a.Key.Week, Sums: a.Key.Sums, Question: a.Release.Question, Digest: int64(a.Release.Digest),
		Withheld: a.Release.Withheld,
	}
}

var errEntry = errors.New("what is written down does not fit together")

// releasesOf is what an entry says, but for what is only about weeks before the oldest.
func releasesOf(e *storagev1.CohortLedgerEntry, windows func(privacy.Key) *privacy.Windows, oldest int32) (out []privacy.Recorded, err error) {
	n := len(e.GetReleases())
	people, sets, last := make([]*roaring.Bitmap, n), make([]privacy.Set, n), make([]int32, n)
	for i, r := range e.GetReleases() {
		key := privacy.Key{Family: r.GetFamily(), Week: r.GetWeek(), Sums: r.GetSums()}
		if people[i], err = peopleOf(r, people[:i]); err != nil {
			return nil, err
		}
		last[i] = lastWeek(r)
		if of := int(r.GetPlacedOf()); of > 0 && of <= i {
			last[i] = last[of-1]
		}
		if last[i] < oldest {
			continue
		}
		if sets[i], err = setOf(r, people[i], sets[:i], windows(key)); err != nil {
			return nil, err
		}
		out = append(out, privacy.Recorded{Key: key, Release: privacy.Release{
			Set: sets[i], Question: r.GetQuestion(), Digest: uint64(r.GetDigest()), Withheld: r.GetWithheld(),
		}})
	}
	return out, nil
}

// lastWeek is the last week that a release says facts of; if none, it is never long past.
func lastWeek(r *storagev1.CohortRelease) int32 {
	last := r.GetWeek()
	note := func(first int32, mask int64) { last = max(last, first+int32(bits.Len64(uint64(mask)))-1) }
	for _, p := range r.GetPlaces() {
		note(p.GetFirstWeek(), p.GetWeeks())
	}
	for _, p := range r.GetParts() {
		note(p.GetFirstWeek(), p.GetWeeks())
	}
	if last <= 0 {
		return math.MaxInt32
	}
	return last
}

// peopleOf are the people of a release, which may be those of one before it.
func peopleOf(r *storagev1.CohortRelease, before []*roaring.Bitmap) (*roaring.Bitmap, error) {
	if of := int(r.GetPeopleOf()); of < 0 || of > len(before) {
		return nil, errEntry
	} else if of > 0 {
		return before[of-1], nil
	}
	people := roaring.New()
	if len(r.GetPeople()) == 0 {
		return people, nil
	}
	return people, people.UnmarshalBinary(r.GetPeople())
}

// setOf is the set of a release, which may be part of one before it.
func setOf(r *storagev1.CohortRelease, people *roaring.Bitmap, before []privacy.Set, w *privacy.Windows) (privacy.Set, error) {
	if of := int(r.GetPlacedOf()); of < 0 || of > len(before) {
		return privacy.Set{}, errEntry
	} else if of > 0 {
		return before[of-1].Among(people), nil
	}
	placed := privacy.Placed{People: people, At: make([]uint32, 0, people.GetCardinality())}
	for left := r.GetPlaced(); len(left) > 0; {
		at, n := binary.Uvarint(left)
		if n <= 0 || at > math.MaxUint32 {
			return privacy.Set{}, errEntry
		}
		placed.At, left = append(placed.At, uint32(at)), left[n:]
	}
	for _, p := range r.GetPlaces() {
		placed.Places = append(placed.Places, whereOf(p.GetFirstWeek(), p.GetWeeks(), uint32(p.GetVersion())))
	}
	if len(r.GetParts()) > 0 {
		var err error
		if placed, err = placedInParts(r); err != nil {
			return privacy.Set{}, err
		}
	}
	set, ok := w.Of(placed)
	if !ok {
		return set, errEntry
	}
	return set, nil
}

func whereOf(firstWeek int32, weeks int64, version uint32) privacy.Where {
	return privacy.Where{Weeks: privacy.Weeks{First: firstWeek, Mask: uint64(weeks)}, Version: version}
}

// placedInParts is what was written down before there were places. Versions were others
// then: without them, people count as the same.
func placedInParts(r *storagev1.CohortRelease) (privacy.Placed, error) {
	out := privacy.Placed{People: roaring.New()}
	at, places := map[uint32]uint32{}, map[privacy.Where]uint32{} // at is by ordinal
	for _, part := range r.GetParts() {
		people := roaring.New()
		if err := people.UnmarshalBinary(part.GetPeople()); err != nil {
			return out, err
		}
		for it := people.Iterator(); it.HasNext(); {
			person := it.Next()
			place := whereOf(part.GetFirstWeek(), part.GetWeeks(), 0)
			if _, ok := places[place]; !ok {
				places[place], out.Places = uint32(len(out.Places)), append(out.Places, place)
			}
			at[person%privacy.MaxPeople] = places[place]
			out.People.Add(person % privacy.MaxPeople)
		}
	}
	for it := out.People.Iterator(); it.HasNext() && r.GetWeek() == 0; {
		out.At = append(out.At, at[it.Next()])
	}
	return out, nil
}
