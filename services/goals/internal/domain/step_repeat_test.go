package domain

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/follow"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// lives says where the person lives, and when their day begins, in minutes.
func (r *rig) lives(zone string, dayStart int32) {
	r.t.Helper()
	if err := r.d.People.Keep(r.t.Context(), []string{follow.Name(ada)}, func(_ string, p *storagev1.KnownPerson) {
		p.TimeZone, p.DayStartMinutes = zone, dayStart
	}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) get(name string) *goalsv1.Step {
	r.t.Helper()
	s, err := r.d.Steps.Fetch(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) update(s *goalsv1.Step, paths ...string) (*goalsv1.Step, error) {
	r.t.Helper()
	got, err := r.d.Steps.Update(r.t.Context(), &goalsv1.UpdateStepRequest{Step: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	if err != nil {
		return nil, err
	}
	return got.(*goalsv1.Step), nil
}

func near(a, b float64) bool { return math.Abs(a-b) < 5e-7 }

// TestDaylightSaving expands rules across both changes of clocks in three zones,
// with days that begin at 04:00: each instant belongs to its occurrence.
func TestDaylightSaving(t *testing.T) {
	const daily, weekdays, sundays = "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=FR,SU,MO", "FREQ=WEEKLY;BYDAY=SU"
	for _, c := range []struct{ zone, rule, at, occurrence string }{
		// Berlin, forward on March 29th: that day lasts from 02:00Z to 02:00Z.
		{"Europe/Berlin", daily, "2026-03-28T02:59:59Z", "2026-03-27"},
		{"Europe/Berlin", daily, "2026-03-28T03:00:00Z", "2026-03-28"},
		{"Europe/Berlin", daily, "2026-03-29T01:59:59Z", "2026-03-28"},
		{"Europe/Berlin", daily, "2026-03-29T02:00:00Z", "2026-03-29"},
		{"Europe/Berlin", daily, "2026-03-30T01:59:59Z", "2026-03-29"},
		{"Europe/Berlin", daily, "2026-03-30T02:00:00Z", "2026-03-30"},
		{"Europe/Berlin", weekdays, "2026-03-29T01:59:59Z", "2026-03-27"},
		{"Europe/Berlin", weekdays, "2026-03-29T02:00:00Z", "2026-03-29"},
		{"Europe/Berlin", sundays, "2026-03-29T01:59:59Z", "2026-03-22"},
		// Back on October 25th.
		{"Europe/Berlin", daily, "2026-10-25T02:59:59Z", "2026-10-24"},
		{"Europe/Berlin", daily, "2026-10-25T03:00:00Z", "2026-10-25"},
		{"Europe/Berlin", daily, "2026-10-26T02:59:59Z", "2026-10-25"},
		{"Europe/Berlin", weekdays, "2026-10-25T02:59:59Z", "2026-10-23"},
		{"Europe/Berlin", sundays, "2026-10-25T03:00:00Z", "2026-10-25"},
		// New York, forward on March 8th, back on November 1st.
		{"America/New_York", daily, "2026-03-08T07:59:59Z", "2026-03-07"},
		{"America/New_York", daily, "2026-03-08T08:00:00Z", "2026-03-08"},
		{"America/New_York", sundays, "2026-03-08T07:59:59Z", "2026-03-01"},
		{"America/New_York", weekdays, "2026-03-09T07:59:59Z", "2026-03-08"},
		{"America/New_York", daily, "2026-11-01T08:59:59Z", "2026-10-31"},
		{"America/New_York", daily, "2026-11-01T09:00:00Z", "2026-11-01"},
		{"America/New_York", sundays, "2026-11-02T08:59:59Z", "2026-11-01"},
		{"America/New_York", weekdays, "2026-11-02T09:00:00Z", "2026-11-02"},
		// Auckland, back on April 5th, forward on September 27th.
		{"Pacific/Auckland", daily, "2026-04-04T15:59:59Z", "2026-04-04"},
		{"Pacific/Auckland", daily, "2026-04-04T16:00:00Z", "2026-04-05"},
		{"Pacific/Auckland", sundays, "2026-04-04T15:59:59Z", "2026-03-29"},
		{"Pacific/Auckland", weekdays, "2026-04-05T16:00:00Z", "2026-04-06"},
		{"Pacific/Auckland", daily, "2026-09-26T14:59:59Z", "2026-09-26"},
		{"Pacific/Auckland", daily, "2026-09-26T15:00:00Z", "2026-09-27"},
		{"Pacific/Auckland", sundays, "2026-09-27T14:59:59Z", "2026-09-27"},
		{"Pacific/Auckland", weekdays, "2026-09-27T15:00:00Z", "2026-09-28"},
	} {
		r := newRig(t)
		r.lives(c.zone, 240)
		s := r.step(&goalsv1.Step{Recurrence: c.rule, StartDate: date(2026, 1, 1)})
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		done := r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), CompleteTime: timestamppb.New(at)}).GetCompletions()[0]
		if got := localdate.Text(done.GetOccurrence()); got != c.occurrence {
			t.Errorf("%s in %s, %s: it counts for %s, want %s", c.at, c.zone, c.rule, got, c.occurrence)
		}
	}
}

// TestExpansion: the days of a rule across both changes of clocks in three zones,
// each with its beginning and its length.
func TestExpansion(t *testing.T) {
	for _, c := range []struct {
		zone, rule string
		start      *datepb.Date
		want       []string
	}{
		{"Europe/Berlin", "FREQ=DAILY;COUNT=3", date(2026, 3, 28), []string{"2026-03-28 03:00Z 23h", "2026-03-29 02:00Z 24h", "2026-03-30 02:00Z 24h"}},
		{"Europe/Berlin", "FREQ=DAILY;COUNT=3", date(2026, 10, 24), []string{"2026-10-24 02:00Z 25h", "2026-10-25 03:00Z 24h", "2026-10-26 03:00Z 24h"}},
		{"America/New_York", "FREQ=WEEKLY;BYDAY=SA,SU;COUNT=3", date(2026, 3, 7), []string{"2026-03-07 09:00Z 23h", "2026-03-08 08:00Z 24h", "2026-03-14 08:00Z 24h"}},
		{"America/New_York", "FREQ=WEEKLY;BYDAY=SA,SU;COUNT=3", date(2026, 10, 31), []string{"2026-10-31 08:00Z 25h", "2026-11-01 09:00Z 24h", "2026-11-07 09:00Z 24h"}},
		{"Australia/Lord_Howe", "FREQ=MONTHLY;BYDAY=SA;BYSETPOS=1;COUNT=2", date(2026, 4, 1), []string{"2026-04-04 17:00Z 24h30m", "2026-05-02 17:30Z 24h"}},
		{"Australia/Lord_Howe", "FREQ=DAILY;INTERVAL=2;COUNT=2", date(2026, 10, 3), []string{"2026-10-03 17:30Z 23h30m", "2026-10-05 17:00Z 24h"}},
	} {
		rule, err := parseRecurrence("f", c.rule, c.start)
		if err != nil {
			t.Fatal(err)
		}
		cal := localdate.CalendarOf(c.zone, 240)
		var got []string
		for on := rule.after(localdate.FromDays(localdate.Days(c.start) - 1)); on != nil; on = rule.after(on) {
			begin, end := cal.Begin(on), cal.Begin(localdate.FromDays(localdate.Days(on)+1))
			length := strings.TrimSuffix(strings.TrimSuffix(end.Sub(begin).String(), "0s"), "h0m")
			if !strings.HasSuffix(length, "m") {
				length += "h"
			}
			got = append(got, fmt.Sprintf("%s %sZ %s", localdate.Text(on), begin.UTC().Format("15:04"), length))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s in %s: %q, want %q", c.rule, c.zone, got, c.want)
		}
	}
}

// TestMoving: the past stays where it was when somebody moves, or gets up at
// another time.
func TestMoving(t *testing.T) {
	r := newRig(t)
	r.lives("Pacific/Auckland", 0)
	s := r.step(&goalsv1.Step{Times: 1, Days: 1})
	if got := localdate.Text(s.GetStartDate()); got != "2026-11-23" {
		t.Errorf("it starts on %s", got)
	}
	at := resourcetest.Start.Add(-10 * time.Hour) // the 22nd in UTC, the 23rd in Auckland
	want := r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), CompleteTime: timestamppb.New(at)}).GetCompletions()
	r.lives("America/Los_Angeles", 240)
	got := r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName()}).GetCompletions()
	if !proto.Equal(got[0], want[0]) || localdate.Text(got[0].GetLocalDate()) != "2026-11-23" {
		t.Errorf("moving changed %v to %v", want[0], got[0])
	}
	if on := localdate.Text(got[1].GetLocalDate()); on != "2026-11-22" { // midnight there, before the day begins
		t.Errorf("where they are now it is %s", on)
	}
	other := r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), TimeZone: "UTC"}).GetCompletions()
	if on := localdate.Text(other[2].GetLocalDate()); on != "2026-11-23" {
		t.Errorf("where the request says it is %s", on)
	}
}

// TestStrength follows steps of each kind over days as a person lives them.
func TestStrength(t *testing.T) {
	r := newRig(t)
	r.lives("Europe/Berlin", 0)
	daily := r.step(&goalsv1.Step{Recurrence: "FREQ=DAILY"}).GetName()
	third := r.step(&goalsv1.Step{Times: 1, Days: 3}).GetName()
	ruled := r.step(&goalsv1.Step{Recurrence: "FREQ=DAILY;INTERVAL=3"}).GetName()
	pages := r.step(&goalsv1.Step{Recurrence: "FREQ=DAILY", Amount: 20, Unit: "pages"}).GetName()
	coffee := r.step(&goalsv1.Step{Times: 1, Days: 1, Direction: atMost, Amount: 2, Unit: "cups"}).GetName()
	for day := range 7 {
		r.complete(&goalsv1.CompleteStepRequest{Name: daily})
		r.complete(&goalsv1.CompleteStepRequest{Name: pages, Amount: 15})
		r.complete(&goalsv1.CompleteStepRequest{Name: pages, Amount: 5})
		r.complete(&goalsv1.CompleteStepRequest{Name: coffee, Amount: float64(1 + day%4)})
		if day%3 == 0 {
			r.complete(&goalsv1.CompleteStepRequest{Name: third})
			r.complete(&goalsv1.CompleteStepRequest{Name: ruled})
		}
		r.Clock.Advance(24 * time.Hour)
	}
	expect := func(name string, strength float64, run, longest int32) {
		t.Helper()
		s := r.get(name)
		if s.Strength == nil || !near(s.GetStrength(), strength) || s.GetCurrentRun() != run || s.GetLongestRun() != longest {
			t.Errorf("%s: strength %v, run %d, longest %d; want %v, %d, %d", s.GetFrequency(), s.GetStrength(), s.GetCurrentRun(), s.GetLongestRun(), strength, run, longest)
		}
	}
	expect(daily, 0.311495, 7, 7)
	expect(pages, 0.311495, 7, 7)
	expect(coffee, 0.908816, 0, 2) // 1 2 3 4 1 2 3
	// One in three days, as times or as a rule: two in six.
	m, s := math.Pow(0.5, math.Sqrt(1.0/3)/13), 0.0
	for _, done := range []float64{0.5, 0.5, 0.5, 1, 1, 1, 1, 1} { // the eighth day is not over, and adds already
		s = s*m + done*(1-m)
	}
	expect(third, s, 8, 8)
	expect(ruled, s, 8, 8)
	r.Clock.Advance(24 * time.Hour) // a day without anything
	expect(daily, 0.311495*math.Pow(0.5, 1.0/13), 0, 7)
	// A step that does not repeat has none.
	once := r.step(&goalsv1.Step{})
	if once.Strength != nil || once.GetFrequency() != nil {
		t.Errorf("%v", once)
	}
	// The events carry numbers, and no words.
	var facts []string
	for _, e := range r.Events(t, ada) {
		if f := e.GetStep(); e.GetSubject() == coffee && strings.HasSuffix(e.GetType(), "completed") {
			facts = append(facts, fmt.Sprintf("%d/%d %s %v %.3f %d", f.GetTimes(), f.GetDays(), f.GetDirection(), f.GetTarget(), f.GetStrength(), f.GetCurrentRun()))
		}
	}
	if len(facts) != 7 || facts[0] != "1/1 TARGET_DIRECTION_AT_MOST 2 1.000 0" {
		t.Errorf("%v", facts)
	}
}

// TestPace: what rules come to.
func TestPace(t *testing.T) {
	for rule, want := range map[string]string{
		"FREQ=DAILY":                             "1 in 1",
		"FREQ=DAILY;INTERVAL=3;COUNT=2":          "1 in 3",
		"FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR":        "5 in 7",
		"FREQ=WEEKLY":                            "1 in 7",
		"FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20261201": "2 in 7",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH":     "2 in 14",
		"FREQ=MONTHLY":                           "1 in 31",
		"FREQ=MONTHLY;BYMONTHDAY=1,15":           "2 in 31",
		"FREQ=MONTHLY;BYDAY=2TU":                 "1 in 35",
		"FREQ=MONTHLY;INTERVAL=3":                "1 in 92",
		"FREQ=YEARLY":                            "1 in 366",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29":    "1 in 1461",
		"FREQ=DAILY;INTERVAL=2147483647":         "1 in 36600",
		"FREQ=YEARLY;INTERVAL=99":                "1 in 36159",
		"FREQ=YEARLY;INTERVAL=2147483647":        "1 in 36600",
	} {
		r, err := parseRecurrence("f", rule, date(2026, 11, 16))
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		if times, days := r.pace(); fmt.Sprintf("%d in %d", times, days) != want {
			t.Errorf("%s comes to %d in %d, want %s", rule, times, days, want)
		}
	}
}

// TestPaceKept: whoever does every occurrence of a rule on its date meets its pace
// in every window of days, once the first is full.
func TestPaceKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := fmt.Sprintf("FREQ=%s;INTERVAL=%d", rapid.SampledFrom([]string{"DAILY", "WEEKLY", "MONTHLY"}).Draw(t, "frequency"), rapid.IntRange(1, 4).Draw(t, "interval"))
		if strings.Contains(rule, "WEEKLY") {
			rule += ";BYDAY=" + strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}), 1, 7, rapid.ID[string]).Draw(t, "days"), ",")
		}
		r, err := parseRecurrence("f", rule, date(2024, rapid.Int32Range(1, 12).Draw(t, "month"), 1))
		if err != nil {
			t.Fatal(err)
		}
		times, days := r.pace()
		dates := r.first(paceDays)
		for end := dates[0] + days - 1; end <= dates[len(dates)-1]; end++ {
			n := 0
			for _, d := range dates {
				if end-days < d && d <= end {
					n++
				}
			}
			if n < times {
				t.Fatalf("%s, %d in %d: the days up to %s have %d", rule, times, days, localdate.Text(localdate.FromDays(end)), n)
			}
		}
	})
}

// TestAmounts: an occurrence takes completions until its amount is reached, and a
// rule with an end is done when all of them are.
func TestAmounts(t *testing.T) {
	r := newRig(t)
	s := r.step(&goalsv1.Step{Recurrence: "FREQ=DAILY;COUNT=2", StartDate: date(2026, 11, 22), Amount: 0.3})
	if got := localdate.Text(s.GetEndsOn()); got != "2026-11-23" {
		t.Errorf("it ends on %s", got)
	}
	for range 3 {
		s = r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), Amount: 0.1})
	}
	_, err := r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: s.GetName(), Amount: 0.1})
	resourcetest.Refused(t, err, "OCCURRENCE_DONE")
	if s.GetState() != toDo {
		t.Errorf("one of two is done: %v", s.GetState())
	}
	s = r.complete(&goalsv1.CompleteStepRequest{Name: s.GetName(), Occurrence: date(2026, 11, 22)}) // not stated: all of it
	if s.GetState() != done || !near(s.GetStrength(), 0.101149) {
		t.Errorf("%v, %v", s.GetState(), s.GetStrength())
	}
	// What has ended stays as strong as it was.
	r.Clock.Advance(100 * 24 * time.Hour)
	if s = r.get(s.GetName()); !near(s.GetStrength(), 0.101149) || s.GetCurrentRun() != 2 {
		t.Errorf("%v, %d", s.GetStrength(), s.GetCurrentRun())
	}
}

func TestRepeatingRules(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		reason string
		step   *goalsv1.Step
	}{
		{"DAYS_AND_RECURRENCE", &goalsv1.Step{Times: 1, Days: 1, Recurrence: "FREQ=DAILY"}},
		{"DAYS_AND_RECURRENCE", &goalsv1.Step{Times: 1, Recurrence: "FREQ=DAILY"}},
		{"DUE_DATE_AND_RECURRENCE", &goalsv1.Step{Times: 1, Days: 1, DueDate: date(2026, 12, 1)}},
		{"TIMES_WITHOUT_DAYS", &goalsv1.Step{Times: 3}},
		{"TIMES_WITHOUT_DAYS", &goalsv1.Step{Days: 7}},
		{"NOT_REPEATING", &goalsv1.Step{Direction: atMost}},
		{"DATE_TOO_EARLY", &goalsv1.Step{Times: 1, Days: 1, StartDate: date(1969, 12, 31)}},
		{"DATE_TOO_EARLY", &goalsv1.Step{Times: 1, Days: 1, Breaks: []*goalsv1.Break{{FromDate: date(1969, 12, 31)}}}},
		{"DATE_INVALID", &goalsv1.Step{Times: 1, Days: 1, Breaks: []*goalsv1.Break{{FromDate: date(2026, 2, 30)}}}},
		{"DATE_INVALID", &goalsv1.Step{Times: 1, Days: 1, Breaks: []*goalsv1.Break{{UntilDate: date(2026, 13, 1)}}}},
		{"BREAK_ENDS_TOO_EARLY", &goalsv1.Step{Times: 1, Days: 1, Breaks: []*goalsv1.Break{{FromDate: date(2026, 2, 2), UntilDate: date(2026, 2, 1)}}}},
	} {
		c.step.Title = "t"
		_, err := r.d.Steps.Create(t.Context(), &goalsv1.CreateStepRequest{Parent: r.goal, Step: c.step})
		resourcetest.Refused(t, err, c.reason)
	}
	// None at all is a limit too.
	none := r.step(&goalsv1.Step{Days: 1, Direction: atMost})
	if none.GetStrength() != 1 || none.GetFrequency().GetDays() != 1 {
		t.Errorf("%v", none)
	}
	early := timestamppb.New(time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC))
	_, err := r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: none.GetName(), CompleteTime: early})
	resourcetest.Refused(t, err, "TIME_TOO_EARLY")
	_, err = r.d.CompleteStep(t.Context(), &goalsv1.CompleteStepRequest{Name: none.GetName(), Occurrence: date(2026, 11, 23)})
	resourcetest.Refused(t, err, "NOT_REPEATING")
	// A step that begins to repeat starts then; what it was completed before stays.
	once := r.step(&goalsv1.Step{})
	r.complete(&goalsv1.CompleteStepRequest{Name: once.GetName(), CompleteTime: early})
	again, err := r.update(&goalsv1.Step{Name: once.GetName(), Recurrence: "FREQ=DAILY"}, "recurrence")
	if err != nil || localdate.Text(again.GetStartDate()) != "2026-11-23" || again.GetStrength() != 0 || again.GetFrequency().GetTimes() != 1 {
		t.Errorf("%v, %v", again, err)
	}
	if back, err := r.update(&goalsv1.Step{Name: once.GetName()}, "recurrence"); err != nil || back.Strength != nil || back.GetFrequency() != nil || back.GetState() != done {
		t.Errorf("%v, %v", back, err)
	}
}

// TestOldSteps: a step that was stored before there was strength has it when it is
// read.
func TestOldSteps(t *testing.T) {
	s := &goalsv1.Step{
		Recurrence: "FREQ=WEEKLY;BYDAY=MO,TH", StartDate: date(2026, 11, 16), State: toDo,
		Completions: []*goalsv1.Completion{{LocalDate: date(2026, 11, 17), Occurrence: date(2026, 11, 16)}, {LocalDate: date(2026, 11, 19), Occurrence: date(2026, 11, 19)}},
	}
	if got := frequencyOf(s); got.GetTimes() != 2 || got.GetDays() != 7 {
		t.Errorf("%v", got)
	}
	at := standing(s, &datepb.Date{Year: 2026, Month: 11, Day: 20})
	if at.Strength <= 0 || at.Run != 2 || at.Longest != 2 {
		t.Errorf("%+v", at)
	}
}
