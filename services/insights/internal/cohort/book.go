package cohort

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"google.golang.org/grpc/codes"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// book is a tenant's ledger as it is held in memory, and who has which ordinal.
type book struct {
	// busy is held by who makes a report: one at a time. Whoever waits can give up.
	busy   chan struct{}
	ledger *privacy.Ledger
	// minimum and strict are those that the ledger was read with.
	minimum, strict int
	// sequence is that of the last entry read.
	sequence int64
	// kept are the ordinals of the ledger, by digest; owners the digests of people, so
	// that they are made once.
	kept   map[string]uint32
	owners map[string]string
	// added are people who have an ordinal in memory only, in the order of these.
	added []string
	// people are those whom ordinals were given last.
	people   []*facts.Person
	ordinals []uint32
}

func newBook() *book { return &book{busy: make(chan struct{}, 1)} }

// maxEntry is about how many bytes of one entry there may be, well below what a store
// takes.
const maxEntry = 4 << 20

// refresh reads what was released since; everything, when minimums have been raised.
func (c *Cohorts) refresh(ctx context.Context, b *book, q *question) error {
	if b.ledger == nil || b.minimum != q.minimum || b.strict != q.strict {
		b.ledger = privacy.NewLedger(q.minimumOf)
		b.minimum, b.strict, b.sequence = q.minimum, q.strict, 0
		b.kept, b.added, b.people = map[string]uint32{}, nil, nil
		if b.owners == nil {
			b.owners = map[string]string{}
		}
	}
	entries, err := c.entries.AllBetween(ctx, q.tenant, "sequence", b.sequence+1, int64(math.MaxInt64))
	if err != nil {
		return err
	}
	for _, e := range entries {
		for _, digest := range b.added { // those who were ahead may have other ordinals
			delete(b.kept, digest)
		}
		b.added, b.people = nil, nil
		for _, digest := range e.GetPeople() {
			b.kept[string(digest)] = uint32(len(b.kept))
		}
		for _, r := range e.GetReleases() {
			key := keyOf(r)
			if key.Week != 0 && q.week-key.Week > maxWeeksAgo+1 {
				continue
			}
			release, err := releaseOf(r, b.ledger.Windows(key))
			if err != nil {
				return fmt.Errorf("cohort: entry %s: %w", e.GetName(), err)
			}
			b.ledger.Record(key, release)
		}
		b.sequence = e.GetSequence()
	}
	b.ledger.Forget(q.week - maxWeeksAgo - 1)
	return nil
}

// ordinals gives each person theirs, and new ones to those who have none.
func (c *Cohorts) ordinals(b *book, tenant string, people []*facts.Person) ([]uint32, error) {
	if len(people) > 0 && len(people) == len(b.people) && &people[0] == &b.people[0] {
		return b.ordinals, nil
	}
	out := make([]uint32, len(people))
	id := strings.TrimPrefix(tenant, "tenants/")
	for i, p := range people {
		digest, ok := b.owners[p.Owner]
		if !ok {
			var err error
			if digest, err = c.Names(id, "cohort ledger\x00"+p.Owner); err != nil {
				return nil, err
			}
			b.owners[p.Owner] = digest
		}
		ordinal, ok := b.kept[digest]
		if !ok {
			if ordinal = uint32(len(b.kept)); ordinal >= privacy.MaxPeople {
				return nil, &fault.Fault{Code: codes.ResourceExhausted, Reason: "COHORT_LEDGER_FULL", Message: "there have been too many people in this tenant for cohort reports"}
			}
			b.kept[digest] = ordinal
			b.added = append(b.added, digest)
		}
		out[i] = ordinal
	}
	b.people, b.ordinals = people, out
	return out, nil
}

// keep writes down what a draft adds; it tells false when others wrote in between, so
// that everything has to be judged anew.
func (c *Cohorts) keep(ctx context.Context, b *book, tenant string, d *privacy.Draft) (bool, error) {
	if len(d.Added) == 0 {
		return true, nil
	}
	entries, err := entriesOf(b.added, d.Added)
	if err != nil {
		return false, err
	}
	for i, e := range entries {
		e.Sequence = b.sequence + 1 + int64(i)
		err := c.entries.Add(ctx, fmt.Sprintf("%s/cohortLedgerEntries/%016d", tenant, e.Sequence), e)
		if err == nil {
			continue
		}
		if i > 0 {
			b.ledger = nil // what was written of it counts, and is read again
		}
		if f, ok := fault.As(err); ok && f.Reason == "ALREADY_EXISTS" {
			return false, nil
		}
		return false, err
	}
	b.sequence += int64(len(entries))
	b.added = nil
	d.Keep()
	return true, nil
}

// entriesOf cuts what is to be written down into entries, people first: an entry never
// names anybody who has no ordinal yet.
func entriesOf(people []string, added []privacy.Recorded) ([]*storagev1.CohortLedgerEntry, error) {
	last := &storagev1.CohortLedgerEntry{}
	entries, size := []*storagev1.CohortLedgerEntry{last}, 0
	room := func(n int) {
		if size += n; size > maxEntry && size > n {
			last, size = &storagev1.CohortLedgerEntry{}, n
			entries = append(entries, last)
		}
	}
	for _, digest := range people {
		room(len(digest) + 4)
		last.People = append(last.People, []byte(digest))
	}
	stored, faults := make([]*storagev1.CohortRelease, len(added)), make([]error, len(added))
	each(added, func(i int, a privacy.Recorded) { stored[i], faults[i] = storedOf(a) })
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	for _, r := range stored {
		n := 0
		for _, part := range r.GetParts() {
			n += len(part.GetPeople()) + 16
		}
		room(n + 64)
		last.Releases = append(last.Releases, r)
	}
	return entries, nil
}

func storedOf(a privacy.Recorded) (*storagev1.CohortRelease, error) {
	out := &storagev1.CohortRelease{
		Family: a.Key.Family, Week: a.Key.Week, Sums: a.Key.Sums, Question: a.Release.Question, Digest: int64(a.Release.Digest),
		Changed: a.Release.Changed, AsOf: a.Release.AsOf, Withheld: a.Release.Withheld,
	}
	for _, part := range a.Release.Set.Parts() {
		raw, err := part.People.ToBytes()
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, &storagev1.CohortPart{FirstWeek: part.Weeks.First, Weeks: int64(part.Weeks.Mask), People: raw})
	}
	return out, nil
}

func keyOf(r *storagev1.CohortRelease) privacy.Key {
	return privacy.Key{Family: r.GetFamily(), Week: r.GetWeek(), Sums: r.GetSums()}
}

func releaseOf(r *storagev1.CohortRelease, w *privacy.Windows) (privacy.Release, error) {
	out := privacy.Release{
		Question: r.GetQuestion(), Digest: uint64(r.GetDigest()), Changed: r.GetChanged(), AsOf: r.GetAsOf(), Withheld: r.GetWithheld(),
	}
	parts := make([]privacy.Part, len(r.GetParts()))
	for i, part := range r.GetParts() {
		people := roaring.New()
		if err := people.UnmarshalBinary(part.GetPeople()); err != nil {
			return out, err
		}
		parts[i] = privacy.Part{Weeks: privacy.Weeks{First: part.GetFirstWeek(), Mask: uint64(part.GetWeeks())}, People: people}
	}
	out.Set = w.Of(parts)
	return out, nil
}
