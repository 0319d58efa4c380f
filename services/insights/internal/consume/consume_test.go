package consume_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
)

var begin = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

func open(t testing.TB) (*consume.Consumer, *sqlite.Store) {
	t.Helper()
	kinds := append(consume.Kinds(), store.Kind{
		Name: consume.Insights, New: func() proto.Message { return &insightsv1.Insight{} },
		Indexes: []store.Index{{Name: "by_name", Keys: []string{store.KeyParent, store.KeyName}}},
	})
	s, err := sqlite.Open(t.Context(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "insights.db"), Schema: store.Schema{Version: 1, Kinds: kinds}, NewID: ids.Random,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return consume.New(s, clock.NewManual(begin).Now, nil), s
}

// history is a random life of a few people, as the journal and goals tell it.
func history(seed uint64, n int) []*eventsv1.Event {
	r := rand.New(rand.NewPCG(seed, 1))
	positions := map[string]int64{}
	var out []*eventsv1.Event
	for i := range n {
		owner := fmt.Sprintf("tenants/acme/people/p%d", r.IntN(3))
		at := begin.Add(time.Duration(i) * 3 * time.Hour)
		date := localdate.Of(at.AddDate(0, 0, -r.IntN(3)), time.UTC)
		id := fmt.Sprintf("x%d", r.IntN(4))
		e := &eventsv1.Event{Id: ids.Derived(fmt.Sprint(seed, i)), Owner: owner, Time: timestamppb.New(at), Source: "rebound/journal"}
		set := func(kind, verb string) { e.Subject, e.Type = owner+"/"+kind+"s/"+id, kind+"."+verb }
		switch r.IntN(12) {
		case 0:
			set("setback", "recorded")
			e.Data = &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{OccurredOn: date, State: typev1.SetbackState_SETBACK_STATE_OPEN}}
		case 1:
			set("setback", "recovered")
			e.Data = &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{OccurredOn: date, RecoveredOn: localdate.Of(at, time.UTC), State: typev1.SetbackState_SETBACK_STATE_RECOVERED}}
		case 2:
			set("setback", "deleted")
		case 3:
			set("lesson", "applied")
			e.Data = &eventsv1.Event_Lesson{Lesson: &eventsv1.LessonFacts{State: typev1.LessonState_LESSON_STATE_APPLIED, ApplyTime: timestamppb.New(at)}}
		case 4, 5:
			id = fmt.Sprintf("c%d", i)
			set("checkIn", "recorded")
			e.Data = &eventsv1.Event_CheckIn{CheckIn: &eventsv1.CheckInFacts{Pleasantness: int32(r.IntN(11) - 5), Time: timestamppb.New(at.Add(-time.Duration(r.IntN(90)) * time.Hour)), LocalDate: date}}
		case 6:
			id = localdate.Text(date)
			set("gratitude", []string{"recorded", "deleted"}[r.IntN(5)/4])
			if e.Type == "gratitude.recorded" {
				e.Data = &eventsv1.Event_Gratitude{Gratitude: &eventsv1.GratitudeFacts{LocalDate: date, Count: 1}}
			}
		case 9:
			practiced(r, e, owner, id, date)
		case 10:
			practiced(r, e, owner, id, date)
			kind, _, _ := strings.Cut(e.GetType(), ".")
			e.Type, e.Data = kind+".deleted", nil
		case 7:
			e.Source = "rebound/goals"
			set("goal", "achieved")
			e.Data = &eventsv1.Event_Goal{Goal: &eventsv1.GoalFacts{State: typev1.GoalState_GOAL_STATE_ACHIEVED}}
		default:
			e.Source = "rebound/goals"
			set("step", []string{"completed", "undone"}[r.IntN(6)/5])
			strength := float64(i%10) / 10
			e.Data = &eventsv1.Event_Step{Step: &eventsv1.StepFacts{Goal: owner + "/goals/g", Strength: &strength, Completion: &eventsv1.StepCompletionFacts{
				Id: fmt.Sprintf("c%d", r.IntN(20)), CompleteTime: timestamppb.New(at), LocalDate: localdate.Of(at, time.UTC),
			}}}
		}
		positions[e.Source]++
		e.Position = positions[e.Source]
		out = append(out, e)
	}
	return out
}

// practiced makes an event one of some practice.
func practiced(r *rand.Rand, e *eventsv1.Event, owner, id string, date *datepb.Date) {
	n := r.Int32N(100)
	switch r.IntN(8) {
	case 0:
		e.Subject, e.Type = owner+"/setbacks/"+id+"/debriefs/d", "debrief.revisited"
		e.Data = &eventsv1.Event_Debrief{Debrief: &eventsv1.DebriefFacts{State: typev1.DebriefState_DEBRIEF_STATE_COMPLETED, Revisits: []*eventsv1.RevisitFacts{{Intensity: 1 + n%10}}}}
	case 1:
		e.Subject, e.Type = owner+"/reframes/"+id, "reframe.updated"
		e.Data = &eventsv1.Event_Reframe{Reframe: &eventsv1.ReframeFacts{Kind: typev1.ReframeKind(n % 5), BeliefBefore: &n, BeliefAfter: &n, Reframed: n%3 > 0}}
	case 2:
		e.Subject, e.Type = owner+"/strengths/"+id, "strength.noted"
		e.Data = &eventsv1.Event_Strength{Strength: &eventsv1.StrengthFacts{Evidence: n}}
	case 3:
		energy := n%11 - 5
		e.Subject, e.Type = owner+"/connections/"+id, "connection.made"
		e.Data = &eventsv1.Event_Connection{Connection: &eventsv1.ConnectionFacts{Energy: &energy}}
	case 4:
		e.Subject, e.Type = owner+"/connections/c/outreaches/"+id, "outreach.updated"
		e.Data = &eventsv1.Event_Outreach{Outreach: &eventsv1.OutreachFacts{State: typev1.OutreachState(n % 6), Opportunity: n%2 == 0}}
	case 5:
		e.Subject, e.Type = owner+"/reflections/"+id, "reflection.written"
		e.Data = &eventsv1.Event_Reflection{Reflection: &eventsv1.ReflectionFacts{LocalDate: date}}
	case 6:
		e.Subject, e.Type = owner+"/visualizations/"+id, "visualization.practiced"
		e.Data = &eventsv1.Event_Visualization{Visualization: &eventsv1.VisualizationFacts{PracticedOn: date}}
	default:
		e.Source, e.Subject, e.Type = "rebound/goals", owner+"/celebrations/"+id, "celebration.earned"
		e.Data = &eventsv1.Event_Celebration{Celebration: &eventsv1.CelebrationFacts{State: typev1.CelebrationState(1 + n%2)}}
	}
}

// TestRebuiltEqualsLived: applying a history in whatever batches, with repeats
// as after crashes, gives the same projections and insights as applying it once.
func TestRebuiltEqualsLived(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := history(rapid.Uint64().Draw(rt, "seed"), 120)
		lived, livedStore := open(t)
		for at := 0; at < len(events); {
			n := rapid.IntRange(1, 30).Draw(rt, "batch")
			from := max(0, at-rapid.IntRange(0, 10).Draw(rt, "repeat")) // what was not known to be done is done again
			if err := lived.Apply(t.Context(), events[from:min(len(events), at+n)]); err != nil {
				rt.Fatal(err)
			}
			at += n
		}
		rebuilt, rebuiltStore := open(t)
		if err := rebuilt.Apply(t.Context(), events); err != nil {
			rt.Fatal(err)
		}
		for i := range 3 {
			owner := fmt.Sprintf("tenants/acme/people/p%d", i)
			if a, b := dump(t, livedStore, owner), dump(t, rebuiltStore, owner); !equal(a, b) {
				rt.Fatalf("%s:\nlived   %v\nrebuilt %v", owner, a, b)
			} else if wrong := unchained(a); wrong != "" {
				rt.Fatal(wrong)
			}
		}
		if a, b := published(t, livedStore), published(t, rebuiltStore); a != b {
			rt.Fatalf("lived published %d insights, rebuilt %d", a, b)
		}
	})
}

// dump gives a person's projection, weekly facts and insights.
func dump(t testing.TB, s *sqlite.Store, owner string) []proto.Message {
	t.Helper()
	var out []proto.Message
	if rec, err := s.Get(t.Context(), consume.Projections, projection.Name(owner)); err == nil {
		out = append(out, rec.Body)
	}
	if rec, err := s.Get(t.Context(), facts.KindName, facts.Name(owner)); err == nil {
		out = append(out, rec.Body)
	}
	page, err := s.List(t.Context(), store.Query{Kind: consume.Insights, Index: "by_name", Prefix: []store.Value{owner}, Limit: store.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range page.Records {
		out = append(out, rec.Body)
	}
	return out
}

// unchained gives the name of an insight that is not corrected by what says that it
// corrects it, or the other way round; "" for none.
func unchained(docs []proto.Message) string {
	corrects, correctedBy := map[string]string{}, map[string]string{}
	for _, doc := range docs {
		if in, ok := doc.(*insightsv1.Insight); ok {
			correctedBy[in.GetName()] = in.GetCorrectedBy()
			if in.GetCorrects() != "" {
				corrects[in.GetCorrects()] = in.GetName()
			}
		}
	}
	for name, by := range correctedBy {
		if corrects[name] != by {
			return name
		}
		delete(corrects, name)
	}
	for name := range corrects {
		return name
	}
	return ""
}

func equal(a, b []proto.Message) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// published counts the insights in the log and checks that each is there once.
func published(t testing.TB, s *sqlite.Store) int {
	t.Helper()
	seen := map[string]bool{}
	for p := range s.Partitions() {
		events, err := s.Read(t.Context(), p, 0, store.MaxRead)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if seen[e.GetSubject()] {
				t.Fatalf("%s was published twice", e.GetSubject())
			}
			seen[e.GetSubject()] = true
		}
	}
	return len(seen)
}
