package projection_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// kept is a person whose weekly facts are kept.
type kept struct {
	p *storagev1.Projection
	f *storagev1.WeeklyFacts
	n int64
}

var epoch = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

func newKept() *kept {
	return &kept{p: projection.New("tenants/acme/people/ada"), f: &storagev1.WeeklyFacts{}}
}

func (k *kept) apply(kind, verb, id string, data *eventsv1.Event) {
	k.n++
	e := &eventsv1.Event{
		Source: "rebound/journal", Position: k.n, Time: timestamppb.New(epoch), Owner: "tenants/acme/people/ada",
		Subject: "tenants/acme/people/ada/" + kind + "s/" + id, Type: kind + "." + verb, Data: data.GetData(),
	}
	projection.ApplyKeeping(k.p, facts.NewKeeper(k.f), e)
}

func on(day int) *timestamppb.Timestamp { return timestamppb.New(epoch.AddDate(0, 0, day)) }

func checkIn(day int, pleasantness int32) *eventsv1.Event {
	return &eventsv1.Event{Data: &eventsv1.Event_CheckIn{CheckIn: &eventsv1.CheckInFacts{
		Pleasantness: pleasantness, Time: on(day), LocalDate: localdate.Of(on(day).AsTime(), time.UTC),
	}}}
}

// week gives how many check-ins a week has, by the day counted from epoch, a Monday.
func (k *kept) week(day int) *storagev1.WeekEntry {
	for _, w := range k.f.GetWeeks() {
		if w.GetWeek() == facts.WeekOf(int32(localdate.Days(localdate.Of(on(day).AsTime(), time.UTC)))) {
			return w
		}
	}
	return &storagev1.WeekEntry{}
}

// TestFactsOutlastCheckIns: a check-in that the projection no longer keeps counts in its
// week for good, once, whatever is said of it later; one that comes late counts too.
func TestFactsOutlastCheckIns(t *testing.T) {
	k := newKept()
	for i := range 600 {
		k.apply("checkIn", "recorded", fmt.Sprint(i), checkIn(i, 1))
	}
	want := func(what string, day int, n, sum int32) {
		t.Helper()
		if w := k.week(day); w.GetCheckIns() != n || w.GetMoodSum() != sum {
			t.Errorf("%s: %d check-ins of %d in the week of day %d, want %d of %d", what, w.GetCheckIns(), w.GetMoodSum(), day, n, sum)
		}
	}
	want("recorded", 0, 7, 7)
	k.apply("checkIn", "updated", "2", checkIn(2, 5))
	want("edited when no longer kept", 0, 7, 7)
	k.apply("checkIn", "deleted", "3", &eventsv1.Event{})
	want("deleted when no longer kept", 0, 7, 7)
	k.apply("checkIn", "imported", "late", checkIn(4, 5))
	want("told late", 0, 8, 12)
	k.apply("checkIn", "updated", "599", checkIn(590, -5))
	want("moved to another week", 599, 4, 4)
	want("moved from another week", 590, 8, 2)
	k.apply("checkIn", "updated", "599", checkIn(1, -5))
	want("moved to where none are kept", 1, 9, 7)
	want("moved away", 590, 7, 7)
}

// TestFactsOutlastCompletions: days with steps stay when their completions are no longer
// kept, and a day with two completions stays when one is undone.
func TestFactsOutlastCompletions(t *testing.T) {
	k := newKept()
	step := func(verb, id string, day int) {
		k.apply("step", verb, "s", &eventsv1.Event{Data: &eventsv1.Event_Step{Step: &eventsv1.StepFacts{Completion: &eventsv1.StepCompletionFacts{
			Id: id, CompleteTime: on(day), LocalDate: localdate.Of(on(day).AsTime(), time.UTC),
		}}}})
	}
	step("completed", "a", 0)
	step("completed", "b", 0)
	step("completed", "c", 6)
	step("undone", "a", 0)
	if got := k.week(0).GetStepDays(); got != 0b1000001 {
		t.Fatalf("days %b", got)
	}
	step("completed", "later", 700)
	step("undone", "b", 0) // no longer kept: what was completed was completed
	step("completed", "late", 2)
	if got := k.week(0).GetStepDays(); got != 0b1000101 {
		t.Fatalf("days %b", got)
	}
	step("undone", "later", 700)
	if got := k.week(700).GetStepDays(); got != 0 {
		t.Fatalf("days %b", got)
	}
}
