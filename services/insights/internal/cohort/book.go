package cohort

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strings"

	"google.golang.org/grpc/codes"

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
	// kept are the ordinals of the ledger, by digest.
	kept map[string]uint32
	// added are people who have an ordinal in memory only, in the order of these.
	added []string
	// people are those who were asked for last, in order, with their digests. Ordinals are
	// theirs; nil: they have to be looked up again.
	people   []*facts.Person
	digests  []string
	ordinals []uint32
}

func newBook() *book { return &book{busy: make(chan struct{}, 1)} }

// take waits for the book.
func (b *book) take(ctx context.Context) error {
	select {
	case b.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *book) release() { <-b.busy }

// refresh reads what was released since; everything, when minimums have been raised.
func (c *Cohorts) refresh(ctx context.Context, b *book, q *question) error {
	var err error
	if q.seed, err = c.seedOf(q.tenant); err != nil {
		return err
	}
	if b.ledger == nil || b.minimum != q.minimum || b.strict != q.strict {
		b.ledger = privacy.NewLedger(q.minimumOf)
		b.minimum, b.strict, b.sequence = q.minimum, q.strict, 0
		b.kept, b.added, b.ordinals = map[string]uint32{}, nil, nil
	}
	entries, err := c.entries.AllBetween(ctx, q.tenant, "sequence", b.sequence+1, int64(math.MaxInt64))
	if err != nil {
		return err
	}
	for _, e := range entries {
		for _, digest := range b.added { // those who were ahead may have other ordinals
			delete(b.kept, digest)
		}
		b.added, b.ordinals = nil, nil
		for _, digest := range e.GetPeople() {
			b.kept[string(digest)] = uint32(len(b.kept))
		}
		releases, err := releasesOf(e, b.ledger.Windows, q.week-maxWeeksAgo-1)
		if err != nil {
			return fmt.Errorf("cohort: entry %s: %w", e.GetName(), err)
		}
		for _, r := range releases {
			b.ledger.Record(r.Key, r.Release)
		}
		b.sequence = e.GetSequence()
	}
	b.ledger.Forget(q.week - maxWeeksAgo - 1)
	return nil
}

// seedOf is the seed of a tenant's digests.
func (c *Cohorts) seedOf(tenant string) (uint64, error) {
	name, err := c.Names(strings.TrimPrefix(tenant, "tenants/"), "cohort digests")
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64(), err
}

// find gives each person their ordinal, and new ones to those who have none.
func (c *Cohorts) find(b *book, tenant string, people []*facts.Person) ([]uint32, error) {
	same := len(people) > 0 && len(people) == len(b.people) && &people[0] == &b.people[0]
	if same && b.ordinals != nil {
		return b.ordinals, nil
	}
	if !same {
		digests, err := c.digestsOf(b, tenant, people)
		if err != nil {
			return nil, err
		}
		b.people, b.digests, b.ordinals = people, digests, nil
	}
	out := make([]uint32, len(people))
	for i, digest := range b.digests {
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
	b.ordinals = out
	return out, nil
}

// digestsOf gives the digests of people, who are in the order of those before: most of
// them were there.
func (c *Cohorts) digestsOf(b *book, tenant string, people []*facts.Person) ([]string, error) {
	out := make([]string, len(people))
	var made []int
	before := 0
	for i, p := range people {
		for before < len(b.people) && b.people[before].Owner < p.Owner {
			before++
		}
		if before < len(b.people) && b.people[before].Owner == p.Owner {
			out[i] = b.digests[before]
		} else {
			made = append(made, i)
		}
	}
	id, faults := strings.TrimPrefix(tenant, "tenants/"), make([]error, len(made))
	each(made, func(k, i int) { out[i], faults[k] = c.Names(id, "cohort ledger\x00"+people[i].Owner) })
	return out, errors.Join(faults...)
}

// keep writes down what a draft adds; it tells false when others wrote in between, so
// that everything has to be judged anew.
func (c *Cohorts) keep(ctx context.Context, b *book, tenant string, d *privacy.Draft) (bool, error) {
	if len(d.Added) == 0 {
		return true, nil
	}
	entries, err := entriesOf(b.added, d.Added, maxEntry)
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
