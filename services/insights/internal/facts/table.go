package facts

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	// margin is how far the clocks of processes that share a store may differ, with
	// the time a write takes, for a table to see what others wrote at once.
	margin = 30 * time.Second
	// reloadAfter is when a tenant is read anew, which mends what margin could not.
	reloadAfter = time.Hour
	// lookEach is how often Run looks which ones are due.
	lookEach = time.Minute
	// DefaultTableBytes is about how much memory a table may take.
	DefaultTableBytes = 512 << 20
)

// Table holds the people of tenants in memory, as of each call. It is safe for
// concurrent use; several tables may share one store.
type Table struct {
	// Scope names the set of facts of a tenant to read, as the names of facts go on
	// behind that of the kind; nil: they do not.
	Scope func(tenant string) string

	docs     store.Documents
	clock    clock.Clock
	maxBytes int

	mu      sync.Mutex
	rosters map[string]*roster // by scope
	calls   int64
}

// NewTable gives a table of what lies in a store, of about so many bytes at most: the
// tenants that were asked for longest ago go first. The one that is asked for stays,
// however large.
func NewTable(docs store.Documents, now clock.Clock, maxBytes int) *Table {
	return &Table{docs: docs, clock: now, maxBytes: maxBytes, rosters: map[string]*roster{}}
}

// People gives the people of tenants/{tenant} in the order of their names, as they are
// now. Erased people are not among them. Nobody may change what it gives.
func (t *Table) People(ctx context.Context, tenant string) ([]*Person, error) {
	if t.Scope != nil {
		tenant = t.Scope(tenant)
	}
	r := t.roster(tenant)
	if err := r.take(ctx); err != nil {
		return nil, err
	}
	defer r.release()
	if err := r.refresh(ctx, t.docs, t.clock()); err != nil {
		return nil, err
	}
	t.fit(tenant, r)
	return r.people, nil
}

// Tenants gives all tenants that have people, as tenants/{tenant}, in no time: it leaps
// from each to the next.
func (t *Table) Tenants(ctx context.Context) ([]string, error) {
	var out []string
	q := store.Query{Kind: KindName, Index: NameIndex, Limit: 1}
	for {
		page, err := t.docs.List(ctx, q)
		if err != nil || len(page.Records) == 0 {
			return out, err
		}
		parts := strings.SplitN(page.Records[0].Name, "/", 3)
		tenant := strings.Join(parts[:2], "/")
		out = append(out, tenant)
		q.From = tenant + string(rune('/'+1)) // behind all names that go on with a slash
	}
}

// roster gives a tenant's roster, making it when there is none.
func (t *Table) roster(tenant string) *roster {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rosters[tenant]
	if r == nil {
		r = newRoster(tenant)
		t.rosters[tenant] = r
	}
	t.calls++
	r.called = t.calls
	return r
}

// fit notes how large a roster has become, and drops others until all fit.
func (t *Table) fit(tenant string, r *roster) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.held = r.bytes
	for {
		total, oldest := 0, ""
		for name, x := range t.rosters {
			total += x.held
			if name != tenant && (oldest == "" || x.called < t.rosters[oldest].called) {
				oldest = name
			}
		}
		if total <= t.maxBytes || oldest == "" {
			return
		}
		delete(t.rosters, oldest)
	}
}

// Run reads tenants anew now and then, until ctx ends. Reports go on meanwhile.
func (t *Table) Run(ctx context.Context, log *slog.Logger) error {
	ticker := time.NewTicker(lookEach)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := t.reload(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "weekly facts could not be read anew", "cause", err.Error())
		}
	}
}

// reload reads anew what was loaded long ago.
func (t *Table) reload(ctx context.Context) error {
	t.mu.Lock()
	rosters := make([]*roster, 0, len(t.rosters))
	for _, r := range t.rosters {
		rosters = append(rosters, r)
	}
	t.mu.Unlock()
	for _, r := range rosters {
		if err := r.reload(ctx, t.docs, t.clock()); err != nil {
			return err
		}
	}
	return nil
}
