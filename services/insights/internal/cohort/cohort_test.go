package cohort_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// TestHonestQuestionsAreAnswered: the whole tenant and its departments show all
// metrics, again and again, also as weeks go by.
func TestHonestQuestionsAreAnswered(t *testing.T) {
	d := newDesk(t, newOffice(1, 300))
	shown, cells := 0, 0
	for ago := int32(13); ago > 1; ago-- {
		r := d.ask(weeksAgo(ago+3, ago), "", []string{"department"}, everything...)
		for _, c := range r.GetCells() {
			if cells++; c.GetSuppressed() == 0 {
				shown++
				if c.N == nil || c.GetN() < 5 || c.GetWeeks() < 1 || c.GetValues() == nil {
					t.Errorf("a cell is incomplete: %v", c)
				}
			} else if c.N != nil || c.Weeks != nil || c.GetValues() != nil {
				t.Errorf("a suppressed cell tells: %v", c)
			}
		}
	}
	if shown*10 < cells*9 {
		t.Errorf("%d of %d cells are shown", shown, cells)
	}
	t.Logf("%d of %d cells are shown", shown, cells)
}

func TestTheSameAgain(t *testing.T) {
	d := newDesk(t, newOffice(2, 120))
	first := d.ask(weeksAgo(8, 1), `attributes.location != "oslo"`, []string{"department"}, everything...)
	got, err := d.cohorts.Reports.Get(t.Context(), &insightsv1.GetCohortReportRequest{Name: first.GetName()})
	if err != nil || !proto.Equal(got, first) {
		t.Errorf("got another report: %v", err)
	}
	if again := d.ask(weeksAgo(8, 1), `attributes.location != "oslo"`, []string{"department"}, everything...); !same(first, again) {
		t.Error("asked again, it says something else")
	}
	if later := newAgain(t, d); !same(first, later.ask(weeksAgo(8, 1), `attributes.location != "oslo"`, []string{"department"}, everything...)) {
		t.Error("after a restart, it says something else")
	}
}

func TestSmallGroups(t *testing.T) {
	o := newOffice(3, 60)
	for i := range o.people {
		dept := "build"
		switch {
		case i < 3:
			dept = "legal"
		case i < 9:
			dept = "care"
		}
		o.change(i, func(p *facts.Person) {
			p.Affiliations = []facts.Affiliation{{From: 1, Attributes: map[string]string{"department": dept}}}
			p.Weeks[0].Week = thisWeek - 1
			p.Weeks[0].MoodSum, p.Weeks[0].CheckIns = int32(i%5), 1
			p.Weeks = p.Weeks[:1]
		})
	}
	d := newDesk(t, o)
	got := reasons(d.ask(weeksAgo(1, 1), "", []string{"department"}, moodLevel))
	// Legal is not told of; care would leave it alone.
	if want := map[string]string{"all": "UNSPECIFIED", "/build": "UNSPECIFIED", "/care": "COMPLEMENT"}; len(got) != 3 || got["all"] != want["all"] || got["/build"] != want["/build"] || got["/care"] != want["/care"] {
		t.Errorf("got %v", got)
	}
	for filter, want := range map[string]string{
		`attributes.department = "legal"`:                                   "TOO_FEW",
		`NOT attributes.department = "legal"`:                               "COMPLEMENT",
		`attributes.department = "care"`:                                    "OVERLAP",
		`attributes.department = "care" OR attributes.department = "legal"`: "UNSPECIFIED",
		`attributes.department = "nowhere"`:                                 "TOO_FEW",
	} {
		if got := reasons(d.ask(weeksAgo(1, 1), filter, nil, moodLevel))["all"]; got != want {
			t.Errorf("%s: %s, not %s", filter, got, want)
		}
	}
}

// TestOverTime: a number is told again when nobody has changed. However many have, it is
// not told anew, until enough people came to it.
func TestOverTime(t *testing.T) {
	o := newOffice(4, 80)
	late := o.people[70:]
	o.people = o.people[:70]
	d := newDesk(t, o)
	want := func(what, want string) {
		t.Helper()
		d.rig.Clock.Advance(time.Minute)
		if got := reasons(d.ask(weeksAgo(1, 1), "", nil, moodLevel))["all"]; got != want {
			t.Errorf("%s: %s, not %s", what, got, want)
		}
	}
	want("first", "UNSPECIFIED")
	was := o.people
	for i := range 12 {
		o.change(i, func(p *facts.Person) {
			if w := &p.Weeks[len(p.Weeks)-1]; w.Week == thisWeek-1 {
				w.CheckIns, w.MoodSum = w.CheckIns+1, w.MoodSum-5
			}
		})
		want("some have changed", "OVER_TIME")
	}
	o.change(20, func(p *facts.Person) { p.Weeks[len(p.Weeks)-1].Practices ^= 2 })
	now := o.people
	o.people = was
	want("as they were", "UNSPECIFIED")
	o.people = slices.Concat(now, late[:1])
	want("one came", "OVER_TIME")
	o.people = slices.Concat(now, late)
	want("enough came", "UNSPECIFIED")
}

// TestOutcomes: what comes of things by a later day is told when it came of enough people.
func TestOutcomes(t *testing.T) {
	o := newOffice(6, 60)
	for i := range o.people {
		o.change(i, func(p *facts.Person) {
			p.Setbacks = []facts.Setback{{Occurred: facts.Monday(thisWeek-6) + int32(i%7), Recovered: -1}}
			switch {
			case i >= 48: // who had one is not to be known of all
				p.Setbacks = nil
			case i%4 == 0:
				p.Setbacks[0].Recovered = facts.Monday(thisWeek - 5)
			}
		})
	}
	d := newDesk(t, o)
	want := func(what string, back int32, want string) {
		t.Helper()
		r, err := d.try(&insightsv1.CohortReport{
			Window: weeksAgo(8, 5), Metrics: []insightsv1.CohortMetric{curve},
			AsOf: timestamppb.New(time.Unix(int64(facts.Monday(thisWeek-back))*86_400, 0)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := reasons(r)["all"]; got != want {
			t.Errorf("%s: %s, not %s", what, got, want)
		}
	}
	up := func(from, to int, back int32) {
		for i := from; i < to; i++ {
			o.change(i, func(p *facts.Person) {
				if p.Setbacks[0].Recovered < 0 {
					p.Setbacks[0].Recovered = facts.Monday(thisWeek-back) + 1
				}
			})
		}
	}
	want("first", 4, "UNSPECIFIED")
	want("nothing has come of it", 3, "UNSPECIFIED")
	up(0, 8, 3)
	want("few are up again", 2, "OVER_TIME")
	up(8, 24, 2)
	want("enough are", 1, "UNSPECIFIED")
	want("the time before, which is known", 4, "UNSPECIFIED")
}

// TestSameFactsInAnotherWindow: windows that differ in weeks of which nobody says anything
// say the same, and may both be shown.
func TestSameFactsInAnotherWindow(t *testing.T) {
	o := newOffice(7, 60)
	for i := range o.people {
		o.change(i, func(p *facts.Person) {
			p.Weeks, p.Setbacks = nil, nil
			if i < 40 {
				p.Weeks = []facts.Week{{Week: thisWeek - 6, Captured: 2, Applied: slices.Repeat([]int32{facts.Monday(thisWeek - 6)}, i%3), Practices: 1 << (i % 3)}}
				p.Setbacks = []facts.Setback{{Occurred: facts.Monday(thisWeek - 6), Recovered: -1, Kind: typev1.FailureKind(1 + i%3)}}
			}
		})
	}
	d := newDesk(t, o)
	for _, window := range []*insightsv1.CohortWindow{weeksAgo(8, 5), weeksAgo(7, 4), weeksAgo(6, 6)} {
		for _, m := range []insightsv1.CohortMetric{kinds, lessons, uptake} {
			if got := reasons(d.ask(window, "", nil, m))["all"]; got != "UNSPECIFIED" {
				t.Errorf("%v of %v: %s", m, window.GetStartDate(), got)
			}
		}
	}
}

// TestConsent: who does not consent, or did not through the whole week, or does no
// more, is in no number.
func TestConsent(t *testing.T) {
	o := newOffice(5, 30)
	ms := func(week int32) int64 { return int64(facts.Monday(week)) * 24 * 3600 * 1000 }
	for i := range o.people {
		o.change(i, func(p *facts.Person) {
			p.Weeks = []facts.Week{{Week: thisWeek - 2, CheckIns: 1, MoodSum: int32(i % 6)}}
			switch {
			case i < 5:
				p.Consents = nil
			case i < 10:
				p.Consents = []facts.Span{{From: 1, Until: ms(thisWeek)}}
			case i < 15:
				p.Consents = []facts.Span{{From: ms(thisWeek-2) + 1}}
			}
		})
	}
	if n := newDesk(t, o).ask(weeksAgo(4, 1), "", nil, moodLevel).GetCells()[0].GetN(); n != 15 {
		t.Errorf("%d people are counted", n)
	}
}

func TestBadQuestions(t *testing.T) {
	d := newDesk(t, newOffice(6, 10))
	good := weeksAgo(2, 1)
	for _, c := range []struct {
		field, reason string
		change        func(r *insightsv1.CohortReport)
	}{
		{"window.start_date", "WINDOW_NOT_WEEKS", func(r *insightsv1.CohortReport) { r.Window.StartDate.Day++ }},
		{"window.end_date", "WINDOW_NOT_WEEKS", func(r *insightsv1.CohortReport) { r.Window.EndDate.Day-- }},
		{"window.end_date", "WINDOW_NOT_ENDED", func(r *insightsv1.CohortReport) { r.Window = weeksAgo(1, 0) }},
		{"window.end_date", "WINDOW_EMPTY", func(r *insightsv1.CohortReport) { r.Window = weeksAgo(1, 5) }},
		{"window.end_date", "WINDOW_TOO_LONG", func(r *insightsv1.CohortReport) { r.Window = weeksAgo(54, 1) }},
		{"window.start_date", "WINDOW_TOO_OLD", func(r *insightsv1.CohortReport) { r.Window = weeksAgo(161, 120) }},
		{"window.start_date", "REQUIRED", func(r *insightsv1.CohortReport) { r.Window.StartDate = nil }},
		{"window.end_date", "DATE_INVALID", func(r *insightsv1.CohortReport) { r.Window.EndDate.Month = 13 }},
		{"as_of", "TIME_IN_FUTURE", func(r *insightsv1.CohortReport) { r.AsOf = timestamppb.New(monday.Add(time.Second)) }},
		{"as_of", "TIME_BEFORE_END", func(r *insightsv1.CohortReport) { r.AsOf = timestamppb.New(monday.AddDate(0, 0, -1)) }},
		{"filter", "FILTER_INVALID", func(r *insightsv1.CohortReport) { r.Filter = `attributes.department > "a"` }},
		{"filter", "FILTER_FIELD_UNKNOWN", func(r *insightsv1.CohortReport) { r.Filter = `person = "p000001"` }},
	} {
		r := &insightsv1.CohortReport{Metrics: everything, Window: proto.CloneOf(good)}
		c.change(r)
		_, err := d.try(r)
		f, ok := fault.As(err)
		if !ok || f.Violations[0].Field != "cohort_report."+c.field || f.Reason != c.reason {
			t.Errorf("%s %s: %v", c.field, c.reason, err)
		}
	}
	for _, good := range []*insightsv1.CohortWindow{weeksAgo(53, 1), weeksAgo(160, 108)} {
		if _, err := d.try(&insightsv1.CohortReport{Metrics: everything, Window: good, AsOf: timestamppb.New(monday)}); err != nil {
			t.Error(err)
		}
	}
}

// TestPolicyOnlyRises: minimums go up and never down, and reports obey them.
func TestPolicyOnlyRises(t *testing.T) {
	d := newDesk(t, newOffice(7, 40))
	const name = acme + "/cohortPolicy"
	update := func(people, strict int32, paths ...string) (*insightsv1.CohortPolicy, error) {
		out, err := d.cohorts.Policies.Update(t.Context(), &insightsv1.UpdateCohortPolicyRequest{
			CohortPolicy: &insightsv1.CohortPolicy{Name: name, MinimumPeople: people, MinimumPeopleStrict: strict},
			UpdateMask:   &fieldmaskpb.FieldMask{Paths: paths},
		})
		if err != nil {
			return nil, err
		}
		return out.(*insightsv1.CohortPolicy), nil
	}
	p, err := d.cohorts.Policies.Fetch(t.Context(), name)
	if err != nil || p.GetMinimumPeople() != 5 || p.GetMinimumPeopleStrict() != 10 {
		t.Fatalf("%v %v", p, err)
	}
	if p, err = update(12, 0, "minimum_people"); err != nil || p.GetMinimumPeople() != 12 || p.GetMinimumPeopleStrict() != 12 {
		t.Fatalf("%v %v", p, err)
	}
	if p, err = update(0, 20, "minimum_people_strict"); err != nil || p.GetMinimumPeople() != 12 || p.GetMinimumPeopleStrict() != 20 {
		t.Fatalf("%v %v", p, err)
	}
	_, err = update(11, 0, "minimum_people")
	resourcetest.Refused(t, err, "MINIMUM_LOWERED")
	_, err = update(0, 19, "minimum_people_strict")
	resourcetest.Refused(t, err, "MINIMUM_LOWERED")
	if p, err = update(0, 0, "*"); err != nil || p.GetMinimumPeople() != 12 || p.GetMinimumPeopleStrict() != 20 {
		t.Errorf("%v %v", p, err)
	}
	r := d.ask(weeksAgo(4, 1), "", []string{"department"}, moodLevel)
	if r.GetMinimumPeople() != 12 || r.GetMinimumPeopleStrict() != 20 {
		t.Errorf("the report was made under %d and %d", r.GetMinimumPeople(), r.GetMinimumPeopleStrict())
	}
	for _, c := range r.GetCells() {
		if c.N != nil && c.GetN() < 12 {
			t.Errorf("%v is of %d people", c.GetGroup(), c.GetN())
		}
	}
}

// standing is so many people of a place, all of whom checked in last week; the first of
// them had a setback then.
func standing(o *office, attributes map[string]string, people, setbacks int) {
	for i := range people {
		p := &facts.Person{
			Owner: fmt.Sprintf("%s/people/p%06d", acme, len(o.people)), Consents: []facts.Span{{From: 1}},
			Affiliations: []facts.Affiliation{{From: 1, Attributes: attributes}},
			Weeks:        []facts.Week{{Week: thisWeek - 1, CheckIns: 1, MoodSum: int32(i % 5)}},
		}
		if i < setbacks {
			on := facts.Monday(thisWeek - 1)
			p.Setbacks = []facts.Setback{{Occurred: on, Recovered: -1, Kind: typev1.FailureKind(1 + i%2)}}
		}
		o.people = append(o.people, p)
	}
}

// TestCrossesByFilter: two attributes cross as well where a filter names them, or one of
// them, and then ask for ten people.
func TestCrossesByFilter(t *testing.T) {
	o := &office{}
	standing(o, map[string]string{"department": "sales", "location": "oslo"}, 8, 0)
	standing(o, map[string]string{"department": "sales", "location": "porto"}, 20, 0)
	d := newDesk(t, o)
	for filter, groupBy := range map[string][]string{
		`attributes.department = "sales" AND attributes.location = "oslo"`: nil,
		`attributes.location = "oslo"`:                                     {"department"},
	} {
		if got := reasons(d.ask(weeksAgo(1, 1), filter, groupBy, moodLevel))["all"]; got != "TOO_FEW" {
			t.Errorf("%s by %v: %s", filter, groupBy, got)
		}
	}
	if got := reasons(d.ask(weeksAgo(1, 1), `attributes.location = "oslo"`, []string{"location"}, moodLevel))["all"]; got != "UNSPECIFIED" {
		t.Errorf("one attribute: %s", got)
	}
}

// TestHeadsTell: where all of a group had a setback, or all but a few, how many had one
// is not shown.
func TestHeadsTell(t *testing.T) {
	for setbacks, want := range map[int]string{30: "COMPLEMENT", 27: "COMPLEMENT", 25: "UNSPECIFIED"} {
		o := &office{}
		standing(o, map[string]string{"department": "sales"}, 30, setbacks)
		if got := reasons(newDesk(t, o).ask(weeksAgo(1, 1), "", nil, kinds))["all"]; got != want {
			t.Errorf("%d of 30: %s, not %s", setbacks, got, want)
		}
	}
}

// TestEndsWithTheCall: a report that nobody waits for any more is not made, and releases
// nothing.
func TestEndsWithTheCall(t *testing.T) {
	d := newDesk(t, newOffice(24, 60))
	asked, cancel := context.WithCancel(t.Context())
	d.cohorts.People = gone{d.office, cancel}
	_, err := d.cohorts.Reports.Create(asked, &insightsv1.CreateCohortReportRequest{
		Parent: acme, CohortReport: &insightsv1.CohortReport{Window: weeksAgo(8, 1), Metrics: everything},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	again, people := newAgain(t, d), &counted{office: d.office}
	again.cohorts.People = people
	if err := again.cohorts.Warm(t.Context()); err != nil || people.asked.Load() != 0 {
		t.Errorf("it has released something; %v", err)
	}
}

// gone is an office whose people are read just before nobody waits any more.
type gone struct {
	*office
	leave func()
}

func (g gone) People(ctx context.Context, tenant string) ([]*facts.Person, error) {
	g.leave()
	return g.office.People(ctx, tenant)
}
