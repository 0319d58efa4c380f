package consume_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// weekly is a random life of one person over about half a year, of all that weekly
// facts tell: done, edited, taken back.
func weekly(seed uint64, n int) []*eventsv1.Event {
	r := rand.New(rand.NewPCG(seed, 2))
	positions := map[string]int64{}
	var out []*eventsv1.Event
	for i := range n {
		at := begin.Add(time.Duration(i) * 25 * time.Hour)
		owner := "tenants/acme/people/ada"
		day := localdate.Of(at.AddDate(0, 0, -r.IntN(30)), time.UTC)
		id := fmt.Sprintf("x%d", r.IntN(5))
		e := &eventsv1.Event{Id: ids.Derived(fmt.Sprint(seed, i)), Owner: owner, Time: timestamppb.New(at), Source: "rebound/journal"}
		set := func(kind, verb string) { e.Subject, e.Type = owner+"/"+kind+"s/"+id, kind+"."+verb }
		switch r.IntN(14) {
		case 0, 1:
			set("checkIn", "updated")
			e.Data = &eventsv1.Event_CheckIn{CheckIn: &eventsv1.CheckInFacts{Pleasantness: r.Int32N(11) - 5, Time: timestamppb.New(at.AddDate(0, 0, -r.IntN(9))), LocalDate: day}}
		case 2:
			set("checkIn", "deleted")
		case 3, 4:
			id = localdate.Text(day)
			set("gratitude", "recorded")
			e.Data = &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{LocalDate: day, Count: 1}}
		case 5:
			id = localdate.Text(day)
			set("gratitude", "deleted")
		case 6, 7:
			e.Source = "rebound/goals"
			set("step", []string{"completed", "completed", "undone"}[r.IntN(3)])
			e.Data = &eventsv1.Event_Step{Step: &eventsv1.StepFacts{Completion: &eventsv1.StepCompletionFacts{
				Id: fmt.Sprintf("c%d", r.IntN(4)), CompleteTime: timestamppb.New(at), LocalDate: day,
			}}}
		case 8, 9:
			set("lesson", []string{"captured", "applied", "deleted"}[r.IntN(3)])
			switch e.GetType() {
			case "lesson.captured":
				e.Data = &eventsv1.Event_Lesson{Lesson: &eventsv1.LessonFacts{}}
			case "lesson.applied":
				e.Data = &eventsv1.Event_Lesson{Lesson: &eventsv1.LessonFacts{ApplyTime: timestamppb.New(at)}}
			}
		case 10, 11:
			set("setback", []string{"recorded", "recovered", "deleted"}[r.IntN(3)])
			f := &eventsv1.SetbackFacts{OccurredOn: day, FailureKind: typev1.FailureKind(r.IntN(3))}
			if e.GetType() == "setback.recovered" {
				f.RecoveredOn = localdate.Of(at, time.UTC)
			}
			if e.GetType() != "setback.deleted" {
				e.Data = &eventsv1.Event_Setback{Setback: f}
			}
		case 12:
			set("profile", "updated")
			e.Data = &eventsv1.Event_Profile{Profile: &eventsv1.ProfileFacts{AggregateInsights: r.IntN(2) == 0}}
		default:
			set("affiliation", "updated")
			e.Data = &eventsv1.Event_Affiliation{Affiliation: &eventsv1.AffiliationFacts{
				Attributes: map[string]string{"team": fmt.Sprint(r.IntN(2))}, EffectiveFrom: localdate.Of(at.AddDate(0, 0, r.IntN(3)), time.UTC),
			}}
		}
		if r.IntN(4) == 0 {
			e.Source = "rebound/journal"
			practiced(r, e, owner, id, day)
			if r.IntN(3) == 0 {
				kind, _, _ := strings.Cut(e.GetType(), ".")
				e.Type, e.Data = kind+".deleted", nil
			}
		}
		positions[e.GetSource()]++
		e.Position = positions[e.GetSource()]
		out = append(out, e)
	}
	return out
}

// told is what follows from a life by the plainest means: everything that is there at
// its end, summed up.
type told struct {
	checkIns            map[string]*eventsv1.CheckInFacts
	gratitudes          map[int32]bool
	completions         map[string]int32
	captured, applied   map[string]int32
	setbacks            map[string]facts.Setback
	practices           map[string]int32 // by bit, a space, and which
	consents            []facts.Span
	affiliations        map[int32]map[string]string
	completed, reframed map[string]bool
}

func tell(events []*eventsv1.Event) *facts.Person {
	t := &told{
		checkIns: map[string]*eventsv1.CheckInFacts{}, gratitudes: map[int32]bool{}, completions: map[string]int32{}, captured: map[string]int32{},
		applied: map[string]int32{}, setbacks: map[string]facts.Setback{}, practices: map[string]int32{}, affiliations: map[int32]map[string]string{},
		completed: map[string]bool{}, reframed: map[string]bool{},
	}
	for _, e := range events {
		t.event(e)
	}
	return t.person()
}

func dayOf(t *timestamppb.Timestamp) int32 { return int32(t.GetSeconds() / 86400) }

func (t *told) event(e *eventsv1.Event) {
	key := strings.TrimPrefix(e.GetSubject(), e.GetOwner()+"/")
	if e.GetData() == nil {
		delete(t.checkIns, key)
		delete(t.captured, key)
		delete(t.applied, key)
		delete(t.setbacks, key)
		delete(t.completed, key)
		delete(t.reframed, key)
		maps.DeleteFunc(t.practices, func(k string, _ int32) bool { return strings.HasSuffix(k, " "+key) || strings.Contains(k, " "+key+"@") })
		if date, err := localdate.Parse(strings.TrimPrefix(key, "gratitudes/")); err == nil {
			delete(t.gratitudes, int32(localdate.Days(date)))
		}
		return
	}
	practice := func(p typev1.Practice, which string, day int32) { t.practices[fmt.Sprint(int(p), " ", which)] = day }
	switch {
	case e.GetCheckIn() != nil:
		t.checkIns[key] = e.GetCheckIn()
	case e.GetGratitude() != nil:
		t.gratitudes[int32(localdate.Days(e.GetGratitude().GetLocalDate()))] = true
	case e.GetStep() != nil:
		id := key + e.GetStep().GetCompletion().GetId()
		t.completions[id] = int32(localdate.Days(e.GetStep().GetCompletion().GetLocalDate()))
		if e.GetType() == "step.undone" {
			delete(t.completions, id)
		}
	case e.GetLesson() != nil:
		if _, ok := t.captured[key]; !ok {
			t.captured[key] = dayOf(e.GetTime())
		}
		delete(t.applied, key)
		if at := e.GetLesson().GetApplyTime(); at != nil {
			t.applied[key] = dayOf(at)
		}
	case e.GetSetback() != nil:
		f := e.GetSetback()
		s := facts.Setback{Occurred: int32(localdate.Days(f.GetOccurredOn())), Recovered: -1, Kind: f.GetFailureKind()}
		if f.GetRecoveredOn() != nil {
			s.Recovered = int32(localdate.Days(f.GetRecoveredOn()))
		}
		t.setbacks[key] = s
	case e.GetProfile() != nil:
		n := len(t.consents)
		if open := n > 0 && t.consents[n-1].Until == 0; e.GetProfile().GetAggregateInsights() && !open {
			t.consents = append(t.consents, facts.Span{From: e.GetTime().AsTime().UnixMilli()})
		} else if !e.GetProfile().GetAggregateInsights() && open {
			t.consents[n-1].Until = e.GetTime().AsTime().UnixMilli()
		}
	case e.GetAffiliation() != nil:
		from := int32(localdate.Days(e.GetAffiliation().GetEffectiveFrom()))
		maps.DeleteFunc(t.affiliations, func(day int32, _ map[string]string) bool { return day >= from })
		t.affiliations[from] = e.GetAffiliation().GetAttributes()
	case e.GetDebrief() != nil && !t.completed[key]:
		t.completed[key] = true
		practice(typev1.Practice_PRACTICE_DEBRIEF, key, dayOf(e.GetTime()))
	case e.GetReframe() != nil:
		if e.GetReframe().GetReframed() && !t.reframed[key] {
			practice(typev1.Practice_PRACTICE_REFRAME, key, dayOf(e.GetTime()))
		}
		t.reframed[key] = e.GetReframe().GetReframed()
	case e.GetReflection() != nil:
		practice(typev1.Practice_PRACTICE_REFLECTION, key, int32(localdate.Days(e.GetReflection().GetLocalDate())))
	case e.GetVisualization() != nil:
		on := e.GetVisualization().GetPracticedOn()
		practice(typev1.Practice_PRACTICE_VISUALIZATION, key+"@"+localdate.Text(on), int32(localdate.Days(on)))
	}
}

func (t *told) person() *facts.Person {
	p, weeks := &facts.Person{Consents: t.consents}, map[int32]*facts.Week{}
	of := func(day int32) *facts.Week {
		w := weeks[facts.WeekOf(day)]
		if w == nil {
			w = &facts.Week{Week: facts.WeekOf(day)}
			weeks[w.Week] = w
		}
		return w
	}
	for _, c := range t.checkIns {
		w := of(int32(localdate.Days(c.GetLocalDate())))
		w.CheckIns++
		w.MoodSum += c.GetPleasantness()
	}
	for day := range t.gratitudes {
		of(day).Practices |= 1 << typev1.Practice_PRACTICE_GRATITUDE
	}
	days := map[int32]bool{}
	for _, day := range t.completions {
		if !days[day] {
			of(day).StepDays++
		}
		days[day] = true
		of(day).Practices |= 1 << typev1.Practice_PRACTICE_STEP
	}
	for id, day := range t.captured {
		of(day).Captured++
		if on, ok := t.applied[id]; ok {
			of(day).Applied = append(of(day).Applied, on)
		}
	}
	for id, day := range t.practices {
		of(day).Practices |= 1 << (id[0] - '0')
	}
	for _, number := range slices.Sorted(maps.Keys(weeks)) {
		slices.Sort(weeks[number].Applied)
		p.Weeks = append(p.Weeks, *weeks[number])
	}
	for _, id := range slices.Sorted(maps.Keys(t.setbacks)) {
		p.Setbacks = append(p.Setbacks, t.setbacks[id])
	}
	slices.SortStableFunc(p.Setbacks, func(a, b facts.Setback) int { return cmp.Compare(a.Occurred, b.Occurred) })
	for _, from := range slices.Sorted(maps.Keys(t.affiliations)) {
		p.Affiliations = append(p.Affiliations, facts.Affiliation{From: from, Attributes: t.affiliations[from]})
	}
	return p
}

// content is a person as text.
func content(p *facts.Person) string {
	return fmt.Sprint(p.Consents, p.Affiliations, p.Weeks, p.Setbacks)
}

// TestFactsAreWhatIsLeft: whatever was done, edited and taken back, the weekly facts
// are what follows from all that is left.
func TestFactsAreWhatIsLeft(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := weekly(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 180).Draw(rt, "events"))
		c, s := open(t)
		if err := c.Apply(t.Context(), events); err != nil {
			rt.Fatal(err)
		}
		want := content(tell(events))
		people, err := facts.NewTable(s, clock.NewManual(begin).Now, facts.DefaultTableBytes).People(t.Context(), "tenants/acme")
		if err != nil || len(people) > 1 {
			rt.Fatalf("%d people, %v", len(people), err)
		}
		got := content(&facts.Person{})
		if len(people) == 1 {
			got = content(people[0])
		}
		if got != want {
			rt.Fatalf("\ngot  %s\nwant %s", got, want)
		}
	})
}

// failing is a store in which a commit fails now and then, done or not.
type failing struct {
	store.Documents
	fail func() (before, after bool)
}

var errCut = errors.New("cut short")

func (f *failing) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	before, after := f.fail()
	var out []store.Result
	if !before {
		out = f.Documents.Commit(ctx, writes...)
	}
	if before || after {
		out = make([]store.Result, len(writes))
		for i := range out {
			out[i].Err = errCut
		}
	}
	return out
}

// TestCutShortAnywhere: where a batch is cut short and done again, perhaps in other
// pieces, everything is as if it had never been.
func TestCutShortAnywhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := weekly(rapid.Uint64().Draw(rt, "seed"), 100)
		_, s := open(t)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "faults"), 3))
		docs := &failing{Documents: s, fail: func() (bool, bool) { return r.IntN(4) == 0, r.IntN(4) == 0 }}
		c := consume.New(docs, clock.NewManual(begin.AddDate(1, 0, 0)).Now, nil)
		for at := 0; at < len(events); {
			n := min(1+r.IntN(40), len(events)-at)
			if err := c.Apply(t.Context(), events[at:at+n]); err == nil {
				at += n
			} else if !errors.Is(err, errCut) {
				rt.Fatal(err)
			}
		}
		_, plain := open(t)
		if err := consume.New(plain, clock.NewManual(begin.AddDate(1, 0, 0)).Now, nil).Apply(t.Context(), events); err != nil {
			rt.Fatal(err)
		}
		if a, b := dump(t, s, "tenants/acme/people/ada"), dump(t, plain, "tenants/acme/people/ada"); !equal(a, b) {
			rt.Fatalf("cut short %v\nplain     %v", a, b)
		}
	})
}

// TestErasedLeavesAMark: of an erased person a mark stays, and nothing is added.
func TestErasedLeavesAMark(t *testing.T) {
	events := weekly(7, 60)
	owner := events[0].GetOwner()
	c, s := open(t)
	table := facts.NewTable(s, clock.NewManual(begin).Now, facts.DefaultTableBytes)
	people := func(want int) {
		t.Helper()
		if got, err := table.People(t.Context(), "tenants/acme"); err != nil || len(got) != want {
			t.Fatalf("%d people, want %d; %v", len(got), want, err)
		}
	}
	if err := c.Apply(t.Context(), events[:30]); err != nil {
		t.Fatal(err)
	}
	people(1)
	if _, err := c.Erase(t.Context(), owner, func(context.Context, string) (int64, error) { return 0, nil }); err != nil {
		t.Fatal(err)
	}
	people(0)
	if err := c.Apply(t.Context(), events[30:]); err != nil {
		t.Fatal(err)
	}
	people(0)
	rec, err := s.Get(t.Context(), facts.KindName, facts.Name(owner))
	if f, _ := rec.Body.(*storagev1.WeeklyFacts); err != nil || !f.GetErased() || len(f.GetWeeks()) != 0 {
		t.Fatalf("%v, %v", rec.Body, err)
	}
}
