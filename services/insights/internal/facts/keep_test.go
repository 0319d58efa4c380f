package facts_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

var begin = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// life is a person's facts with events.
type life struct {
	f *storagev1.WeeklyFacts
	n int64
}

// event does something as one event, and tells whether it changed anything.
func (l *life) event(do func(k *facts.Keeper)) bool {
	l.n++
	k := facts.NewKeeper(l.f)
	k.Begin(&eventsv1.Event{Source: "rebound/journal", Position: l.n, Time: timestamppb.New(begin.Add(time.Duration(l.n) * time.Minute))})
	do(k)
	k.End()
	return k.Changed()
}

// TestChangedWithContent: what counts as changed is content. A week of which nothing is
// left is none, and an event changes something once.
func TestChangedWithContent(t *testing.T) {
	l := &life{f: &storagev1.WeeklyFacts{}}
	if !l.event(func(k *facts.Keeper) { k.CheckIn(20_000, 3, 1) }) || len(l.f.GetWeeks()) != 1 {
		t.Fatalf("%v", l.f)
	}
	same := func(k *facts.Keeper) { k.CheckIn(20_000, 3, -1); k.CheckIn(20_000, 3, 1) }
	if l.event(same) || l.f.GetPositions()["rebound/journal"] != 1 {
		t.Fatalf("nothing changed, and yet: %v", l.f)
	}
	if !l.event(func(k *facts.Keeper) { k.CheckIn(20_000, 3, -1); k.CheckIn(20_000, -3, 1) }) || l.f.GetWeeks()[0].GetMoodSum() != -3 {
		t.Fatalf("%v", l.f)
	}
	if !l.event(func(k *facts.Keeper) { k.CheckIn(20_000, -3, -1) }) || len(l.f.GetWeeks()) != 0 {
		t.Fatalf("%v", l.f)
	}
	if l.event(func(k *facts.Keeper) { k.CheckIn(20_100, 1, -1) }) || len(l.f.GetWeeks()) != 0 {
		t.Fatalf("a week of nothing: %v", l.f)
	}
	l.n = 0
	if l.event(func(k *facts.Keeper) { k.CheckIn(20_000, 3, 1) }) {
		t.Fatal("an event that came before changed something")
	}
}

// TestNothingBelowZero: what was never counted is not taken away.
func TestNothingBelowZero(t *testing.T) {
	l, on := &life{f: &storagev1.WeeklyFacts{}}, int32(20_001)
	if l.event(func(k *facts.Keeper) {
		k.CheckIn(20_000, 3, -1)
		k.Practice(typev1.Practice_PRACTICE_REFRAME, 20_000, -1)
		k.Lesson(20_000, &on, -1)
		k.StepDay(20_000, false)
		k.NoSetback("x")
	}) || len(l.f.GetWeeks()) != 0 {
		t.Fatalf("%v", l.f)
	}
}

// TestBounds: of weeks, setbacks, spans and affiliations the latest are kept; what lies
// before them is told in vain.
func TestBounds(t *testing.T) {
	l := &life{f: &storagev1.WeeklyFacts{}}
	for i := range int32(300) {
		l.event(func(k *facts.Keeper) {
			k.CheckIn(20_000+7*i, 3, 1)
			k.Setback(fmt.Sprint(i), &storagev1.SetbackEntry{Occurred: 20_000 + i})
			k.Affiliation(20_000+i, map[string]string{"team": fmt.Sprint(i)})
		})
	}
	for range 300 {
		l.event(func(k *facts.Keeper) { k.Consent(true) })
		l.event(func(k *facts.Keeper) { k.Consent(false) })
	}
	if a, b, c, d := len(l.f.GetWeeks()), len(l.f.GetSetbacks()), len(l.f.GetAffiliations()), len(l.f.GetConsents()); a != 160 || b != 200 || c != 200 || d != 200 {
		t.Fatalf("%d weeks, %d setbacks, %d affiliations, %d spans", a, b, c, d)
	}
	if first := l.f.GetWeeks()[0].GetWeek(); first != facts.WeekOf(20_000+7*140) {
		t.Fatalf("the first week is %d", first)
	}
	if l.event(func(k *facts.Keeper) {
		k.CheckIn(20_000, 3, 1)
		k.Setback("early", &storagev1.SetbackEntry{Occurred: 19_000})
	}) {
		t.Fatal("something before all that is kept changed something")
	}
}

// TestErasedKeepsNothing: a mark stays a mark, and no keeper keeps nothing.
func TestErasedKeepsNothing(t *testing.T) {
	l := &life{f: &storagev1.WeeklyFacts{Erased: true}}
	if l.event(func(k *facts.Keeper) { k.CheckIn(20_000, 3, 1); k.Consent(true) }) {
		t.Fatalf("%v", l.f)
	}
	var none *facts.Keeper
	none.Begin(&eventsv1.Event{Position: 1})
	none.CheckIn(20_000, 3, 1)
	none.Setback("x", &storagev1.SetbackEntry{})
	none.End()
}
