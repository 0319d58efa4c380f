package facts_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

var begin = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// life is a person's facts with events, one a minute.
type life struct {
	f *storagev1.WeeklyFacts
	n int64
}

func (l *life) at(n int64) int64 { return begin.Add(time.Duration(n) * time.Minute).UnixMilli() }

// event does something as one event, and tells whether it changed anything.
func (l *life) event(do func(k *facts.Keeper)) bool {
	l.n++
	k := facts.NewKeeper(l.f, time.UnixMilli(l.at(l.n)))
	k.Begin(&eventsv1.Event{Source: "rebound/journal", Position: l.n, Time: timestamppb.New(time.UnixMilli(l.at(l.n) - 1000))})
	do(k)
	k.End()
	return k.Changed()
}

// TestChangedWithContent: what counts as changed is content. A week that is empty again
// remembers when it became so; one that never had anything in it is none.
func TestChangedWithContent(t *testing.T) {
	l := &life{f: &storagev1.WeeklyFacts{}}
	if !l.event(func(k *facts.Keeper) { k.CheckIn(20_000, 3, 1) }) || l.f.GetWeeks()[0].GetChanged() != l.at(1) {
		t.Fatalf("%v", l.f)
	}
	same := func(k *facts.Keeper) { k.CheckIn(20_000, 3, -1); k.CheckIn(20_000, 3, 1) }
	if l.event(same) || l.f.GetPositions()["rebound/journal"] != 1 {
		t.Fatalf("nothing changed, and yet: %v", l.f)
	}
	if !l.event(func(k *facts.Keeper) { k.CheckIn(20_000, 3, -1); k.CheckIn(20_000, -3, 1) }) || l.f.GetWeeks()[0].GetChanged() != l.at(3) {
		t.Fatalf("%v", l.f)
	}
	if !l.event(func(k *facts.Keeper) { k.CheckIn(20_000, -3, -1) }) || l.f.GetWeeks()[0].GetChanged() != l.at(4) {
		t.Fatalf("%v", l.f)
	}
	if l.event(func(k *facts.Keeper) { k.CheckIn(20_100, 1, -1) }) || len(l.f.GetWeeks()) != 1 {
		t.Fatalf("a week of nothing: %v", l.f)
	}
	l.n = 0
	if l.event(func(k *facts.Keeper) { k.CheckIn(20_000, 3, 1) }) {
		t.Fatal("an event that came before changed something")
	}
}

// TestRetoldAsItWasRead: what is retold counts as changed when it did where it was read,
// but for what was not known there.
func TestRetoldAsItWasRead(t *testing.T) {
	live := &life{f: &storagev1.WeeklyFacts{}}
	tell := []func(k *facts.Keeper){
		func(k *facts.Keeper) { k.CheckIn(20_000, 3, 1) },
		func(k *facts.Keeper) { k.Setback("a", &storagev1.SetbackEntry{Occurred: 20_000}) },
		func(k *facts.Keeper) { k.CheckIn(20_007, 3, 1) },
		func(k *facts.Keeper) { k.Setback("b", &storagev1.SetbackEntry{Occurred: 20_001}) },
		func(k *facts.Keeper) { k.NoSetback("b") },
		func(k *facts.Keeper) { k.CheckIn(20_014, 1, 1) },
	}
	for _, do := range tell[:len(tell)-1] {
		live.event(do)
	}
	f := &storagev1.WeeklyFacts{}
	for i, do := range tell {
		k := facts.NewKeeper(f, begin.Add(time.Hour))
		k.Retell(live.f)
		k.Begin(&eventsv1.Event{Source: "rebound/journal", Position: int64(i + 1), Time: timestamppb.New(begin.Add(-time.Hour))})
		do(k)
		k.End()
	}
	last := f.GetWeeks()[len(f.GetWeeks())-1]
	f.Weeks = f.GetWeeks()[:len(f.GetWeeks())-1]
	f.Positions, live.f.Positions = nil, nil
	if !proto.Equal(f, live.f) {
		t.Errorf("retold %v, lived %v", f, live.f)
	}
	if last.GetChanged() != begin.Add(-time.Hour).UnixMilli() {
		t.Errorf("what was not known counts as changed at %d", last.GetChanged())
	}
}

// TestNeverLaterThanApplied: what is retold counts as changed when its event says; a
// clock elsewhere that was ahead makes nothing look newer than it is.
func TestNeverLaterThanApplied(t *testing.T) {
	f := &storagev1.WeeklyFacts{}
	k := facts.NewKeeper(f, begin)
	k.Retell(nil)
	k.Begin(&eventsv1.Event{Source: "rebound/journal", Position: 1, Time: timestamppb.New(begin.Add(time.Hour))})
	k.StepDay(-5, true)
	k.End()
	if w := f.GetWeeks()[0]; w.GetChanged() != begin.UnixMilli() || w.GetWeek() != -1 || w.GetStepDays() != 1<<5 {
		t.Fatalf("%v", f)
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
