// Package cohort makes reports about groups of people. What they measure is
// package measure's, and what of it may be shown is package privacy's to say; here the
// people are sorted into groups and weeks, and what was released is kept.
package cohort

import (
	"context"
	"math"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/keys"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Source knows people by tenant, which is named tenants/{tenant}.
type Source interface {
	// People of a tenant, in the order of their names.
	People(ctx context.Context, tenant string) ([]*facts.Person, error)
	// Tenants that have people.
	Tenants(ctx context.Context) ([]string, error)
}

const (
	// maxBooks is how many tenants' ledgers are held in memory; others are read again.
	maxBooks = 32
	// maxMeasuring is how many tenants are measured at once.
	maxMeasuring = 2
)

// Cohorts declares and serves cohort reports and policies. People and Names are set
// before anything is served.
type Cohorts struct {
	People Source
	Names  keys.Pseudonymiser

	Reports  *resource.Resource[*insightsv1.CohortReport]
	Policies *resource.Resource[*insightsv1.CohortPolicy]
	entries  *resource.Resource[*storagev1.CohortLedgerEntry]
	fields   *filter.Fields
	clock    clock.Clock

	mu    sync.Mutex
	books *lru.Cache[string, *book]
	// measuring is held by those who measure: each uses all processors, and much memory.
	measuring chan struct{}
	// spare are populations whose reports are made: to take new memory for each would take
	// as long as to read it.
	spare sync.Pool
}

// New declares what cohorts keep.
func New(deps *resource.Deps) (*Cohorts, error) {
	c := &Cohorts{clock: deps.Clock, measuring: make(chan struct{}, maxMeasuring)}
	var err error
	if c.fields, err = filter.New((&eventsv1.AffiliationFacts{}).ProtoReflect().Descriptor(), "attributes"); err != nil {
		return nil, err
	}
	if c.Reports, err = resource.New(deps, resource.Type[*insightsv1.CohortReport]{Filter: []string{"metrics"}, Decide: c.decideReport}); err != nil {
		return nil, err
	}
	if c.Policies, err = resource.New(deps, resource.Type[*insightsv1.CohortPolicy]{Defaults: defaultPolicy, Decide: decidePolicy}); err != nil {
		return nil, err
	}
	c.entries, err = resource.New(deps, resource.Type[*storagev1.CohortLedgerEntry]{ReadOnly: true, Order: []string{"sequence"}, Ascending: true})
	if err != nil {
		return nil, err
	}
	c.books, err = lru.New[string, *book](maxBooks)
	return c, err
}

// Kinds is what the store must know.
func (c *Cohorts) Kinds() []store.Kind {
	return []store.Kind{c.Reports.Kind(), c.Policies.Kind(), c.entries.Kind()}
}

// Groups are the gRPC services.
func (c *Cohorts) Groups() []resource.Group {
	return []resource.Group{
		resource.In(insightsv1.File_rebound_insights_v1_cohort_report_service_proto, c.Reports.Methods()),
		resource.In(insightsv1.File_rebound_insights_v1_cohort_policy_proto, c.Policies.Methods()),
	}
}

// decideReport measures what a new report asks for. What it shows is in the ledger
// before the report is written: cut short in between, the ledger knows of more than
// anybody has seen.
func (c *Cohorts) decideReport(ctx context.Context, change resource.Change[*insightsv1.CohortReport]) ([]*eventsv1.Event, error) {
	q, err := c.check(change)
	if err != nil {
		return nil, err
	}
	if err := c.takeMinimums(ctx, q); err != nil {
		return nil, err
	}
	report := change.New
	report.MinimumPeople, report.MinimumPeopleStrict = int32(q.minimum), int32(q.strict)
	return nil, c.make(ctx, q, report)
}

func (c *Cohorts) takeMinimums(ctx context.Context, q *question) error {
	policy, err := c.Policies.Fetch(ctx, q.tenant+"/cohortPolicy")
	q.minimum, q.strict = int(policy.GetMinimumPeople()), int(policy.GetMinimumPeopleStrict())
	return err
}

// maxAttempts is how often a report is made anew when others were made meanwhile.
const maxAttempts = 8

// make fills in a report, and keeps what it releases. What people are like is read after
// what was released: nothing that is released later is of facts from before.
func (c *Cohorts) make(ctx context.Context, q *question, report *insightsv1.CohortReport) error {
	b := c.book(q.tenant)
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.release()
	for range maxAttempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		people, ordinals, err := c.read(ctx, b, q)
		if err != nil {
			return err
		}
		draft := b.ledger.Draft()
		if err := c.measure(ctx, q, people, ordinals, draft, report); err != nil {
			return err
		}
		kept, err := c.keep(ctx, b, q.tenant, draft)
		if err != nil || kept {
			return err
		}
	}
	return fault.Unavailable(nil)
}

// read gives the people of a tenant, after what was released of them.
func (c *Cohorts) read(ctx context.Context, b *book, q *question) (people []*facts.Person, ordinals []uint32, err error) {
	if err := c.refresh(ctx, b, q); err != nil {
		return nil, nil, err
	}
	if people, err = c.People.People(ctx, q.tenant); err != nil {
		return nil, nil, err
	}
	ordinals, err = c.find(b, q.tenant, people)
	return people, ordinals, err
}

// Warm reads the people of tenants that were reported on before, as many as are held in
// memory, so that the first who asks after a start does not wait for it.
func (c *Cohorts) Warm(ctx context.Context) error {
	tenants, err := c.People.Tenants(ctx)
	if err != nil {
		return err
	}
	warm := 0
	for _, tenant := range tenants {
		reported, err := c.entries.Between(ctx, tenant, "sequence", int64(1), int64(math.MaxInt64), 1)
		if err == nil && len(reported) > 0 {
			err = c.warm(ctx, tenant)
			warm++
		}
		if err != nil || warm == maxBooks {
			return err
		}
	}
	return nil
}

func (c *Cohorts) warm(ctx context.Context, tenant string) error {
	q := &question{tenant: tenant, week: facts.WeekOf(int32(localdate.Days(localdate.Of(c.clock(), time.UTC))))}
	if err := c.takeMinimums(ctx, q); err != nil {
		return err
	}
	b := c.book(tenant)
	if err := b.take(ctx); err != nil {
		return err
	}
	defer b.release()
	_, _, err := c.read(ctx, b, q)
	return err
}

// measure fills in what a draft lets a report show.
func (c *Cohorts) measure(ctx context.Context, q *question, people []*facts.Person, ordinals []uint32, d *privacy.Draft, report *insightsv1.CohortReport) error {
	select {
	case c.measuring <- struct{}{}:
		defer func() { <-c.measuring }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p, ok := c.spare.Get().(*population)
	if !ok {
		p = &population{}
	}
	defer c.spare.Put(p)
	defer p.forget()
	err := p.gather(q, people, ordinals)
	if err == nil {
		report.Cells, report.Comparisons, err = p.report(ctx, d)
	}
	return err
}

func (c *Cohorts) book(tenant string) *book {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.books.Get(tenant)
	if !ok {
		b = newBook()
		c.books.Add(tenant, b)
	}
	return b
}
