package cohort_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/cohort"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

const (
	acme        = "tenants/acme"
	moodLevel   = insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL
	moodSpread  = insightsv1.CohortMetric_COHORT_METRIC_MOOD_DISTRIBUTION
	taking      = insightsv1.CohortMetric_COHORT_METRIC_PARTICIPATION
	curve       = insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE
	lessons     = insightsv1.CohortMetric_COHORT_METRIC_LESSONS_APPLIED
	momentum    = insightsv1.CohortMetric_COHORT_METRIC_STEP_MOMENTUM
	kinds       = insightsv1.CohortMetric_COHORT_METRIC_FAILURE_KINDS
	uptake      = insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE
	historyLong = 20
)

// monday is the day it is; thisWeek began with it.
var (
	monday   = resourcetest.Start
	thisWeek = facts.WeekOf(int32(localdate.Days(localdate.Of(monday, time.UTC))))
)

// office is a tenant's people, as the facts know them.
type office struct{ people []*facts.Person }

func (o *office) People(context.Context, string) ([]*facts.Person, error) { return o.people, nil }

func (o *office) Tenants(context.Context) ([]string, error) { return []string{acme}, nil }

// newOffice hires n people, who let themselves be counted, and gives them
// historyLong weeks.
func newOffice(seed uint64, n int) *office {
	r := rand.New(rand.NewPCG(seed, 7))
	o := &office{}
	shared := map[string]map[string]string{}
	for i := range n {
		dept, city := []string{"sales", "care", "build", "legal"}[min(r.IntN(9)/2, r.IntN(4))], []string{"berlin", "porto", "oslo"}[r.IntN(3)]
		key := dept + city
		if shared[key] == nil {
			shared[key] = map[string]string{"department": dept, "location": city}
		}
		o.people = append(o.people, o.person(r, i, shared[key]))
	}
	return o
}

func (o *office) person(r *rand.Rand, i int, attributes map[string]string) *facts.Person {
	p := &facts.Person{
		Owner: fmt.Sprintf("%s/people/p%06d", acme, i), Consents: []facts.Span{{From: 1}},
		Affiliations: []facts.Affiliation{{From: 1, Attributes: attributes}},
	}
	eager := r.Float64()
	for week := thisWeek - historyLong; week < thisWeek; week++ {
		if r.Float64() < 0.4*eager {
			continue
		}
		w := facts.Week{Week: week, CheckIns: 1 + r.Int32N(3), StepDays: r.Int32N(6), Practices: r.Uint32N(1 << 6)}
		w.MoodSum = r.Int32N(11*w.CheckIns) - 5*w.CheckIns
		if r.IntN(3) == 0 {
			w.Captured = 1 + r.Int32N(2)
			w.Applied = slices.Repeat([]int32{facts.Monday(week) + 4}, r.IntN(int(w.Captured)+1))
		}
		p.Weeks = append(p.Weeks, w)
		if r.IntN(6) == 0 {
			s := facts.Setback{Occurred: facts.Monday(week) + r.Int32N(7), Recovered: -1, Kind: typev1.FailureKind(1 + r.Int32N(4))}
			if r.IntN(3) > 0 {
				s.Recovered = min(s.Occurred+r.Int32N(40), facts.Monday(thisWeek))
			}
			p.Setbacks = append(p.Setbacks, s)
		}
	}
	return p
}

// change gives one person another past.
func (o *office) change(i int, change func(p *facts.Person)) {
	p := *o.people[i]
	p.Weeks, p.Setbacks = slices.Clone(p.Weeks), slices.Clone(p.Setbacks)
	p.Affiliations, p.Consents = slices.Clone(p.Affiliations), slices.Clone(p.Consents)
	change(&p)
	o.people = slices.Clone(o.people)
	o.people[i] = &p
}

// desk is where an analyst sits.
type desk struct {
	t       testing.TB
	office  *office
	cohorts *cohort.Cohorts
	rig     *resourcetest.Rig
}

func names(tenant, name string) (string, error) { return tenant + "|" + name, nil }

func newDesk(t testing.TB, o *office) *desk {
	t.Helper()
	rig := resourcetest.New(t)
	c, err := cohort.New(rig.Deps)
	if err != nil {
		t.Fatal(err)
	}
	c.People, c.Names = o, names
	rig.Open(t, c.Kinds()...)
	return &desk{t, o, c, rig}
}

// newAgain is a desk on the same store that remembers nothing.
func newAgain(t testing.TB, d *desk) *desk {
	t.Helper()
	c, err := cohort.New(d.rig.Deps)
	if err != nil {
		t.Fatal(err)
	}
	c.People, c.Names = d.office, names
	return &desk{t, d.office, c, d.rig}
}

// weeksAgo is the window from one week to another, counted back from this one.
func weeksAgo(from, to int32) *insightsv1.CohortWindow {
	return &insightsv1.CohortWindow{
		StartDate: localdate.FromDays(int(facts.Monday(thisWeek - from))), EndDate: localdate.FromDays(int(facts.Monday(thisWeek-to+1)) - 1),
	}
}

func (d *desk) try(report *insightsv1.CohortReport) (*insightsv1.CohortReport, error) {
	made, err := d.cohorts.Reports.Create(d.t.Context(), &insightsv1.CreateCohortReportRequest{Parent: acme, CohortReport: report})
	if err != nil {
		return nil, err
	}
	return made.(*insightsv1.CohortReport), nil
}

func (d *desk) ask(window *insightsv1.CohortWindow, filter string, groupBy []string, metrics ...insightsv1.CohortMetric) *insightsv1.CohortReport {
	d.t.Helper()
	report, err := d.try(&insightsv1.CohortReport{Window: window, Filter: filter, GroupBy: groupBy, Metrics: metrics})
	if err != nil {
		d.t.Fatal(err)
	}
	return report
}

// reasons are why cells are suppressed, by the values of their groups.
func reasons(r *insightsv1.CohortReport) map[string]string {
	out := map[string]string{}
	for _, c := range r.GetCells() {
		key := "all"
		if len(c.GetGroup()) > 0 {
			key = ""
			for _, k := range r.GetGroupBy() {
				key += "/" + c.GetGroup()[k]
			}
		}
		out[key] = c.GetSuppressed().String()[len("SUPPRESSION_REASON_"):]
	}
	return out
}

// same tells whether two reports say the same.
func same(a, b *insightsv1.CohortReport) bool {
	return slices.EqualFunc(a.GetCells(), b.GetCells(), func(x, y *insightsv1.CohortCell) bool { return proto.Equal(x, y) }) &&
		slices.EqualFunc(a.GetComparisons(), b.GetComparisons(), func(x, y *insightsv1.CurveComparison) bool { return proto.Equal(x, y) })
}

var everything = []insightsv1.CohortMetric{taking, moodLevel, moodSpread, curve, lessons, momentum, kinds, uptake}
