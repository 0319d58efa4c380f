package cohort_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// clause is a piece of a filter, and whom it means.
type clause struct {
	text  string
	means func(attributes map[string]string) bool
}

func equals(key, value string) clause {
	return clause{fmt.Sprintf("attributes.%s = %q", key, value), func(a map[string]string) bool { return a[key] == value }}
}

func not(c clause) clause {
	return clause{"NOT (" + c.text + ")", func(a map[string]string) bool { return !c.means(a) }}
}

func both(a, b clause) clause {
	return clause{"(" + a.text + ") AND (" + b.text + ")", func(m map[string]string) bool { return a.means(m) && b.means(m) }}
}

func either(a, b clause) clause {
	return clause{"(" + a.text + ") OR (" + b.text + ")", func(m map[string]string) bool { return a.means(m) || b.means(m) }}
}

// attacker plays an analyst who knows who stands where, and who can have one person
// moved, and waits for people to change. Everything it is told goes into solvers: by
// metric and week, and one for windows.
type attacker struct {
	*desk
	r      *rand.Rand
	weekly map[string]*solver
	window *solver
	// whole are the windows of metrics without weeks.
	whole map[insightsv1.CohortMetric]*solver
	// naive is told whatever is of five people or more.
	naive        map[string]*solver
	asOf         time.Time // of the latest question
	shown, asked int
}

func (a *attacker) clause(depth int) clause {
	switch n := a.r.IntN(9); {
	case n < 2 && depth > 0:
		return both(a.clause(depth-1), a.clause(depth-1))
	case n < 4 && depth > 0:
		return either(a.clause(depth-1), a.clause(depth-1))
	case n < 6 && depth > 0:
		return not(a.clause(depth - 1))
	case n == 6:
		return equals("badge", fmt.Sprint(a.r.IntN(len(a.office.people))))
	case n == 7:
		return equals("location", []string{"berlin", "porto", "oslo"}[a.r.IntN(3)])
	}
	return equals("department", []string{"sales", "care", "build", "legal"}[a.r.IntN(4)])
}

// meddle has somebody moved, changed, or take their consent back.
func (a *attacker) meddle() {
	i := a.r.IntN(len(a.office.people))
	a.office.change(i, func(p *facts.Person) {
		switch a.r.IntN(6) {
		case 0, 1:
			attributes := map[string]string{}
			for k, v := range p.Affiliations[0].Attributes {
				attributes[k] = v
			}
			attributes["department"] = []string{"sales", "care", "build", "legal"}[a.r.IntN(4)]
			p.Affiliations = []facts.Affiliation{{From: 1, Attributes: attributes}}
		case 2:
			if len(p.Weeks) > 0 {
				w := &p.Weeks[a.r.IntN(len(p.Weeks))]
				w.CheckIns, w.MoodSum = w.CheckIns+1, w.MoodSum+3
			}
		case 3:
			if a.r.IntN(4) == 0 {
				p.Consents = nil
			}
		case 4:
			if len(p.Setbacks) > 0 {
				s := &p.Setbacks[a.r.IntN(len(p.Setbacks))]
				if s.Kind = 1 + s.Kind%4; s.Recovered < 0 && a.r.IntN(2) == 0 {
					s.Recovered = facts.Monday(thisWeek) - a.r.Int32N(10)
				}
			}
		case 5:
			if len(p.Weeks) > 0 {
				w := &p.Weeks[a.r.IntN(len(p.Weeks))]
				w.Captured, w.Practices = w.Captured+1, w.Practices^4
			}
		}
	})
}

// says is what a person's week adds to a metric; "": nothing.
func says(m insightsv1.CohortMetric, p *facts.Person, week int32) string {
	i := slices.IndexFunc(p.Weeks, func(w facts.Week) bool { return w.Week == week })
	switch {
	case m == taking && i < 0:
		return "absent"
	case m == taking:
		return "there"
	case i < 0:
		return ""
	case m == moodLevel || m == moodSpread:
		return fmt.Sprint(float64(p.Weeks[i].MoodSum) / float64(p.Weeks[i].CheckIns)) // the mean counts
	case p.Weeks[i].StepDays > 0:
		return fmt.Sprint(p.Weeks[i].StepDays)
	}
	return ""
}

// saysInAll is what a person's weeks, from one to another, add to a metric that has none,
// by a day; ok is false where that is nothing.
func saysInAll(m insightsv1.CohortMetric, p *facts.Person, first, last, asOf int32) (said string, ok bool) {
	var b strings.Builder
	for _, s := range p.Setbacks {
		week := facts.WeekOf(s.Occurred)
		switch {
		case week < first || week > last:
		case m == kinds:
			fmt.Fprint(&b, week, ":", s.Kind, "+")
		case m == curve: // the latest counts, and in which weeks there were others
			said = strings.ReplaceAll(said, "!", "")
			said += fmt.Sprint(week, "!", s.Occurred, "-")
			if s.Recovered >= 0 && s.Recovered <= asOf {
				said += fmt.Sprint(s.Recovered)
			}
		}
	}
	if m == curve {
		return said, said != ""
	}
	for _, w := range p.Weeks {
		switch {
		case w.Week < first || w.Week > last:
		case m == lessons && w.Captured > 0:
			fmt.Fprint(&b, w.Week, ":", w.AppliedBy(asOf), "/", w.Captured, "+")
		case m == uptake && w.Practices != 0:
			fmt.Fprint(&b, w.Week, ":", w.Practices, "+")
		}
	}
	return b.String(), b.Len() > 0 || m == uptake
}

// step asks one question, and learns from the answer.
func (a *attacker) step() {
	a.rig.Clock.Advance(time.Minute)
	if a.r.IntN(12) == 0 {
		a.meddle()
	}
	var filter clause
	if filter.means = func(map[string]string) bool { return true }; a.r.IntN(4) > 0 {
		filter = a.clause(2)
	}
	groupBy := [][]string{nil, nil, {"department"}, {"location"}, {"department", "location"}, {"badge"}}[a.r.IntN(6)]
	from := 1 + a.r.Int32N(5)
	window := weeksAgo(from, max(1, from-a.r.Int32N(4)))
	metric := []insightsv1.CohortMetric{moodLevel, moodLevel, moodSpread, taking, momentum, kinds, lessons, uptake, curve}[a.r.IntN(9)]
	a.asOf = time.Unix(int64(facts.Monday(1+facts.WeekOf(int32(localdate.Days(window.GetEndDate()))))+7*a.r.Int32N(2))*86_400, 0)
	if a.asOf.After(a.rig.Clock.Now()) {
		a.asOf = a.rig.Clock.Now()
	}
	report, err := a.try(&insightsv1.CohortReport{
		Window: window, Filter: filter.text, GroupBy: groupBy, Metrics: []insightsv1.CohortMetric{metric}, AsOf: timestamppb.New(a.asOf),
	})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, c := range report.GetCells() {
		if a.asked++; c.GetSuppressed() == 0 {
			a.shown++
			a.learn(metric, c, filter)
		}
		if !slices.Contains(wholes, metric) {
			a.temptation(metric, c, filter)
		}
	}
}

// wholes are metrics that have no weeks.
var wholes = []insightsv1.CohortMetric{kinds, lessons, uptake, curve}

// learnWhole takes in what a cell of a metric without weeks shows.
func (a *attacker) learnWhole(m insightsv1.CohortMetric, c *insightsv1.CohortCell, filter clause) {
	day := func(d *datepb.Date) int32 { return int32(localdate.Days(d)) }
	first, last := facts.WeekOf(day(c.GetWindow().GetStartDate())), facts.WeekOf(day(c.GetWindow().GetEndDate()))
	asOf := int32(localdate.Days(localdate.Of(a.asOf.Add(-time.Millisecond), time.UTC)))
	if a.whole[m] == nil {
		a.whole[m] = newSolver()
	}
	var key strings.Builder
	var unknowns []int
	for i, p := range a.office.people {
		at := p.At(day(c.GetWindow().GetEndDate()))
		in := p.Consented(last) && filter.means(at)
		for k, v := range c.GetGroup() {
			in = in && at[k] == v
		}
		if said, ok := saysInAll(m, p, first, last, asOf); in && ok {
			name := fmt.Sprint(i, "@", said)
			unknowns = append(unknowns, a.whole[m].unknown(i, name))
			key.WriteString(name + ";")
		}
	}
	if int(c.GetN()) != len(unknowns) {
		a.t.Fatalf("%v: %d people are behind a number that says %d", m, len(unknowns), c.GetN())
	}
	a.whole[m].learn(key.String(), unknowns)
}

// behind gives the unknowns behind a week of a cell.
func (a *attacker) behind(s *solver, m insightsv1.CohortMetric, c *insightsv1.CohortCell, filter clause, week int32) (key string, unknowns []int) {
	var b strings.Builder
	for i, p := range a.office.people {
		at := p.At(facts.Monday(week+1) - 1)
		in := p.Consented(week) && filter.means(at)
		for k, v := range c.GetGroup() {
			in = in && at[k] == v
		}
		if said := says(m, p, week); in && said != "" {
			name := fmt.Sprint(i, "@", week, ":", said)
			unknowns = append(unknowns, s.unknown(i, name))
			b.WriteString(name + ";")
		}
	}
	return b.String(), unknowns
}

func solverOf(all map[string]*solver, m insightsv1.CohortMetric, week int32) *solver {
	key := fmt.Sprint(m, week)
	if all[key] == nil {
		all[key] = newSolver()
	}
	return all[key]
}

func weekOf(w *insightsv1.CohortWeekValue) int32 {
	return facts.WeekOf(int32(localdate.Days(w.GetWeek())))
}

// learn takes in what a cell shows: the sum of each week, and of the window.
func (a *attacker) learn(m insightsv1.CohortMetric, c *insightsv1.CohortCell, filter clause) {
	if slices.Contains(wholes, m) {
		a.learnWhole(m, c, filter)
		return
	}
	shown := slices.Concat(c.GetMoodLevel().GetByWeek(), c.GetParticipation().GetByWeek(), c.GetStepMomentum().GetByWeek())
	patterns := map[int]string{}
	for _, w := range shown {
		s := solverOf(a.weekly, m, weekOf(w))
		key, unknowns := a.behind(s, m, c, filter, weekOf(w))
		if int(w.GetN()) != len(unknowns) {
			a.t.Fatalf("%d people are behind a number that says %d", len(unknowns), w.GetN())
		}
		s.learn(key, unknowns)
		for _, at := range unknowns {
			patterns[s.owner[at]] += fmt.Sprint(weekOf(w), ",")
		}
		if m == moodLevel { // weeks and windows together
			key, unknowns = a.behind(a.window, m, c, filter, weekOf(w))
			a.window.learn(key, unknowns)
		}
	}
	if m != moodLevel {
		return
	}
	var key strings.Builder
	var unknowns []int
	for i, p := range a.office.people {
		if patterns[i] == "" {
			continue
		}
		var facts []string
		for _, w := range shown {
			if strings.Contains(patterns[i], fmt.Sprint(weekOf(w), ",")) {
				facts = append(facts, fmt.Sprint(weekOf(w), ":", says(m, p, weekOf(w))))
			}
		}
		name := fmt.Sprint(i, "@", strings.Join(facts, "+"))
		unknowns = append(unknowns, a.window.unknown(i, name))
		key.WriteString(name + ";")
	}
	a.window.learn(key.String(), unknowns)
}

// temptation is what a service would tell that asks for five people and no more.
func (a *attacker) temptation(m insightsv1.CohortMetric, c *insightsv1.CohortCell, filter clause) {
	week := facts.WeekOf(int32(localdate.Days(c.GetWindow().GetStartDate())))
	s := solverOf(a.naive, m, week)
	if key, unknowns := a.behind(s, m, c, filter, week); len(unknowns) >= 5 {
		s.learn(key, unknowns)
	}
}

// TestAttack: from a thousand questions, nothing follows about fewer than five
// people. From the same questions it would, if only each answer were of five.
func TestAttack(t *testing.T) {
	for _, seed := range []uint64{3, 10, 26} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { attack(t, seed) })
	}
}

func attack(t *testing.T, seed uint64) {
	a := &attacker{
		desk: newDesk(t, badged(11, 64)), r: rand.New(rand.NewPCG(seed, 5)), weekly: map[string]*solver{}, window: newSolver(),
		whole: map[insightsv1.CohortMetric]*solver{}, naive: map[string]*solver{},
	}
	for range 1000 {
		a.step()
	}
	sums := 0
	for what, s := range a.weekly {
		sums += len(s.rows)
		if n := s.fewest(a.r, 20); n < 5 {
			t.Errorf("%s: something is known of %d people", what, n)
		}
	}
	if n := a.window.fewest(a.r, 4); n < 5 {
		t.Errorf("windows: something is known of %d people", n)
	}
	for m, s := range a.whole {
		sums += len(s.rows)
		least := 5
		if m == curve {
			least = 10
		}
		if n := s.fewest(a.r, 4); n < least {
			t.Errorf("windows of %v: something is known of %d people", m, n)
		}
	}
	if len(a.whole) != len(wholes) {
		t.Errorf("only windows of %d metrics were shown", len(a.whole))
	}
	broken := 0
	for _, s := range a.naive {
		if s.fewest(a.r, 1) == 1 {
			broken++
		}
	}
	if broken < len(a.naive)/2 {
		t.Errorf("the attack breaks %d of %d weeks of a service that only counts to five", broken, len(a.naive))
	}
	t.Logf("%d of %d cells shown, %d different sums, %d for windows; counting to five, %d of %d weeks tell of one person",
		a.shown, a.asked, sums, len(a.window.rows), broken, len(a.naive))
	if sums < 50 {
		t.Errorf("only %d sums were shown: of nothing, nothing follows", sums)
	}
}
