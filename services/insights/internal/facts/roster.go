package facts

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unsafe"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// roster is the people of one scope: a tenant.
type roster struct {
	scope  string
	turn   chan struct{} // who has put something in may use what follows
	people []*Person     // by owner; shared with readers, never changed
	// revisions are those of people.
	revisions []int64
	shared    *interner
	bytes     int
	// read is when they were read last, loaded when all of them were; zero: never.
	read, loaded time.Time

	// Guarded by the table: when it was called for, and how large it was then.
	called int64
	held   int
}

// rosterBytes is about how much memory an empty roster takes.
const rosterBytes = 1 << 10

func newRoster(scope string) *roster {
	return &roster{scope: scope, turn: make(chan struct{}, 1), shared: newInterner(), bytes: rosterBytes}
}

// take waits for the turn.
func (r *roster) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *roster) release() { <-r.turn }

// refresh reads what has changed; the first time, everything.
func (r *roster) refresh(ctx context.Context, docs store.Documents, now time.Time) error {
	q := store.Query{Kind: KindName, Index: byChange, Prefix: []store.Value{r.scope}, Limit: store.MaxPage}
	if !r.loaded.IsZero() {
		q.From = r.read.Add(-margin).UnixMilli()
	}
	var changed []entry
	for {
		page, err := docs.List(ctx, q)
		if err != nil {
			return err
		}
		for _, rec := range page.Records {
			if e := (entry{owner: rec.Owner, revision: rec.Revision}); r.isNews(e) {
				if f := rec.Body.(*storagev1.WeeklyFacts); !f.GetErased() {
					e.person = r.shared.person(rec.Owner, f)
				}
				changed = append(changed, e)
			}
		}
		if q.After = page.Next; page.Next == nil {
			break
		}
	}
	r.merge(changed)
	r.read = now
	if r.loaded.IsZero() {
		r.loaded = now
	}
	return nil
}

// reload reads everything anew beside what is there, and then puts it in its place:
// what changed in between is read again by the next refresh.
func (r *roster) reload(ctx context.Context, docs store.Documents, now time.Time) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	due := !r.loaded.IsZero() && now.Sub(r.loaded) >= reloadAfter
	r.release()
	if !due {
		return nil
	}
	fresh := newRoster(r.scope)
	if err := fresh.refresh(ctx, docs, now); err != nil {
		return err
	}
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.release()
	r.people, r.revisions, r.shared, r.bytes = fresh.people, fresh.revisions, fresh.shared, fresh.bytes
	r.read, r.loaded = fresh.read, fresh.loaded
	return nil
}

// entry is a person as they were read; nil when they were erased.
type entry struct {
	owner    string
	revision int64
	person   *Person
}

func (r *roster) find(owner string) (int, bool) {
	return slices.BinarySearchFunc(r.people, owner, func(p *Person, o string) int { return strings.Compare(p.Owner, o) })
}

// isNews tells whether an entry is later than what is there.
func (r *roster) isNews(e entry) bool {
	i, found := r.find(e.owner)
	return !found || r.revisions[i] < e.revision
}

// merge puts entries in. Of two of one person, the later one counts. What readers
// hold stays as it was.
func (r *roster) merge(changed []entry) {
	if len(changed) == 0 {
		return
	}
	slices.SortFunc(changed, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.owner, b.owner), cmp.Compare(b.revision, a.revision))
	})
	changed = slices.CompactFunc(changed, func(a, b entry) bool { return a.owner == b.owner })
	people, revisions := make([]*Person, 0, len(r.people)+len(changed)), make([]int64, 0, len(r.people)+len(changed))
	at := 0
	for _, e := range changed {
		i, found := r.find(e.owner)
		people, revisions = append(people, r.people[at:i]...), append(revisions, r.revisions[at:i]...)
		if at = i; found {
			r.bytes -= r.people[i].bytes()
			at++
		}
		if e.person != nil {
			people, revisions = append(people, e.person), append(revisions, e.revision)
			r.bytes += e.person.bytes()
		}
	}
	r.people, r.revisions = append(people, r.people[at:]...), append(revisions, r.revisions[at:]...)
}

// bytes is about how much memory a person takes, with their places in a roster.
func (p *Person) bytes() int {
	const places = int(unsafe.Sizeof(p) + unsafe.Sizeof(int64(0)))
	n := places + int(unsafe.Sizeof(*p)) + len(p.Owner) + len(p.Consents)*int(unsafe.Sizeof(Span{})) +
		len(p.Affiliations)*int(unsafe.Sizeof(Affiliation{})) + len(p.Weeks)*int(unsafe.Sizeof(Week{})) + len(p.Setbacks)*int(unsafe.Sizeof(Setback{}))
	for _, w := range p.Weeks {
		n += len(w.Applied) * int(unsafe.Sizeof(int32(0)))
	}
	return n
}
