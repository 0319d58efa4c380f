package cohort_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// badged is an office in which one attribute tells everybody apart.
func badged(seed uint64, n int) *office {
	o := newOffice(seed, n)
	for i := range o.people {
		o.change(i, func(p *facts.Person) {
			attributes := map[string]string{"badge": fmt.Sprint(i)}
			for k, v := range p.Affiliations[0].Attributes {
				attributes[k] = v
			}
			p.Affiliations[0].Attributes = attributes
		})
	}
	return o
}

// TestTwoAtOnce: of two reports that would tell of one person together, made by two
// processes at once, at most one shows its number.
func TestTwoAtOnce(t *testing.T) {
	d := newDesk(t, badged(21, 60))
	other := newAgain(t, d)
	filters := []string{
		`attributes.location = "berlin"`,
		`attributes.location = "berlin" OR attributes.badge = "0" OR attributes.badge = "1" OR attributes.badge = "2"`,
	}
	some := 0
	for ago := int32(1); ago <= historyLong; ago++ {
		var wg sync.WaitGroup
		reports := make([]*insightsv1.CohortReport, 2)
		for i, at := range []*desk{d, other} {
			wg.Go(func() {
				reports[i], _ = at.try(&insightsv1.CohortReport{Metrics: everything[:2], Window: weeksAgo(ago, ago), Filter: filters[i]})
			})
		}
		wg.Wait()
		a, b := reports[0].GetCells()[1], reports[1].GetCells()[1]
		if a == nil || b == nil {
			t.Fatal("no report was made")
		}
		if a.N != nil || b.N != nil {
			some++
		}
		if a.N != nil && b.N != nil && a.GetN() != b.GetN() {
			t.Errorf("%d weeks ago: both are shown, of %d and %d people", ago, a.GetN(), b.GetN())
		}
	}
	if some == 0 {
		t.Error("nothing was shown at all")
	}
}

// TestReleasedWithoutReport: what the ledger knows counts, though the report could not
// be written.
func TestReleasedWithoutReport(t *testing.T) {
	d := newDesk(t, badged(22, 60))
	create := func(filter string) error {
		_, err := d.cohorts.Reports.Create(t.Context(), &insightsv1.CreateCohortReportRequest{
			Parent: acme, CohortReportId: "one",
			CohortReport: &insightsv1.CohortReport{Metrics: everything[1:2], Window: weeksAgo(1, 1), Filter: filter},
		})
		return err
	}
	if err := create(`attributes.department = "care"`); err != nil {
		t.Fatal(err)
	}
	resourcetest.Refused(t, create(`attributes.location = "berlin"`), "ALREADY_EXISTS")
	got := reasons(newAgain(t, d).ask(weeksAgo(1, 1), `attributes.location = "berlin" AND NOT attributes.badge = "`+someone(d.office, "berlin")+`"`, nil, moodLevel))
	if got["all"] == "UNSPECIFIED" {
		t.Error("the difference to what was measured in vain is one person, and is shown")
	}
}

// someone who checked in last week in a place.
func someone(o *office, place string) string {
	for _, p := range o.people {
		if last := len(p.Weeks) - 1; last >= 0 && p.Weeks[last].Week == thisWeek-1 && p.Affiliations[0].Attributes["location"] == place {
			return p.Affiliations[0].Attributes["badge"]
		}
	}
	return ""
}

// counted counts how often people were asked for.
type counted struct {
	*office
	asked atomic.Int32
}

func (c *counted) People(ctx context.Context, tenant string) ([]*facts.Person, error) {
	c.asked.Add(1)
	return c.office.People(ctx, tenant)
}

// TestWarm: after a start, people are read of tenants that were reported on, and reports
// say what they would have.
func TestWarm(t *testing.T) {
	d := newDesk(t, newOffice(23, 60))
	people := &counted{office: d.office}
	warm := func() *desk {
		again := newAgain(t, d)
		again.cohorts.People = people
		if err := again.cohorts.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		return again
	}
	if warm(); people.asked.Load() != 0 {
		t.Error("people were read of a tenant that nobody ever asked about")
	}
	first := d.ask(weeksAgo(8, 1), "", []string{"department"}, everything...)
	again := warm()
	if people.asked.Load() != 1 {
		t.Errorf("people were read %d times", people.asked.Load())
	}
	if !same(first, again.ask(weeksAgo(8, 1), "", []string{"department"}, everything...)) {
		t.Error("after a start, a report says something else")
	}
}
