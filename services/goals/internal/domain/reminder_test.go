package domain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/goals/internal/follow"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

const (
	aboutSteps      = typev1.ReminderSubject_REMINDER_SUBJECT_STEPS
	aboutStep       = typev1.ReminderSubject_REMINDER_SUBJECT_STEP
	aboutMilestones = typev1.ReminderSubject_REMINDER_SUBJECT_MILESTONES
	aboutLessons    = typev1.ReminderSubject_REMINDER_SUBJECT_LESSON_REVIEWS
	aboutDebriefs   = typev1.ReminderSubject_REMINDER_SUBJECT_DEBRIEF_REVISITS
)

func clockTime(hours, minutes int32) *timeofday.TimeOfDay {
	return &timeofday.TimeOfDay{Hours: hours, Minutes: minutes}
}

func (r *rig) rule(rule *goalsv1.ReminderRule) string {
	r.t.Helper()
	made, err := r.d.ReminderRules.Create(r.t.Context(), &goalsv1.CreateReminderRuleRequest{Parent: ada, ReminderRule: rule})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*goalsv1.ReminderRule).GetName()
}

func (r *rig) ruleNow(name string) *goalsv1.ReminderRule {
	r.t.Helper()
	rule, err := r.d.ReminderRules.Fetch(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return rule
}

// at moves the clock to a time and lets come what has to.
func (r *rig) at(text string) {
	r.t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Clock.Advance(when.Sub(r.Clock.Now()))
	if more, err := r.d.Tick(r.t.Context()); err != nil || more {
		r.t.Fatal(more, err)
	}
}

// came gives the reminders that came, as subject, due date, time and how often.
func (r *rig) came() []string {
	r.t.Helper()
	all := mustAll(r.t, r)
	slices.SortFunc(all, func(a, b *goalsv1.Reminder) int {
		return cmp.Or(a.GetFireTime().AsTime().Compare(b.GetFireTime().AsTime()), cmp.Compare(a.GetSubject(), b.GetSubject()))
	})
	var out []string
	for _, m := range all {
		line := fmt.Sprintf("%s %s at %s", resource.LastSegment(m.GetSubject()), localdate.Text(m.GetDueDate())[5:], m.GetFireTime().AsTime().Format("01-02T15:04"))
		if m.GetFires() != 1 {
			line += fmt.Sprintf(" x%d", m.GetFires())
		}
		if m.GetState() != fired {
			line += " " + strings.TrimPrefix(m.GetState().String(), "REMINDER_STATE_")
		}
		out = append(out, line)
	}
	return out
}

// expect fails the test unless these reminders came.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	if got := r.came(); !slices.Equal(got, want) {
		r.t.Fatalf("got  %q\nwant %q", got, want)
	}
}

// know sets what is known of ada.
func (r *rig) know(zone string, dayStart int32, revisits map[string][]int32) {
	r.t.Helper()
	err := r.d.KeepPeople(r.t.Context(), []string{follow.Name(ada)}, func(_ string, p *storagev1.KnownPerson) {
		p.TimeZone, p.DayStartMinutes, p.Revisits = zone, dayStart, map[string]*storagev1.Days{}
		for name, days := range revisits {
			p.Revisits[name] = &storagev1.Days{Days: days}
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestLongerLead: with more lead, what is due in between is reminded of, once.
func TestLongerLead(t *testing.T) {
	r := newRig(t)
	r.stage("near", &goalsv1.Milestone{DueDate: date(2026, 11, 25)})
	r.stage("far", &goalsv1.Milestone{DueDate: date(2026, 11, 27)})
	name := r.rule(&goalsv1.ReminderRule{About: aboutMilestones, TimeOfDay: clockTime(9, 0)})
	r.at("2026-11-23T09:00:00Z")
	r.expect()
	if _, err := r.d.ReminderRules.Update(t.Context(), &goalsv1.UpdateReminderRuleRequest{
		ReminderRule: &goalsv1.ReminderRule{Name: name, LeadDays: 3}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"lead_days"}},
	}); err != nil {
		t.Fatal(err)
	}
	r.at("2026-11-23T09:00:01Z")
	r.expect()
	r.at("2026-11-24T09:00:00Z")
	r.expect("far 11-27 at 11-24T09:00", "near 11-25 at 11-24T09:00")
	r.at("2026-11-25T09:00:00Z")
	r.expect("far 11-27 at 11-24T09:00", "near 11-25 at 11-24T09:00")
}

// TestReminders: it is Monday 2026-11-23, 08:00 UTC.
func TestReminders(t *testing.T) {
	r := newRig(t)
	r.add("one", &goalsv1.Step{DueDate: date(2026, 11, 24)})
	r.add("past", &goalsv1.Step{DueDate: date(2026, 11, 23)})
	r.add("daily", &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 11, 1)})
	r.add("none", &goalsv1.Step{})
	r.stage("m", &goalsv1.Milestone{DueDate: date(2026, 11, 27)})
	day := int32(localdate.Days(date(2026, 11, 25)))
	r.know("Europe/Berlin", 0, map[string][]int32{"lessons/l": {day}, "setbacks/s/debriefs/d": {day - 90, day, day + 90}})
	// 08:00 in Berlin is over, 09:00 has just come: both begin tomorrow.
	r.rule(&goalsv1.ReminderRule{About: aboutSteps, TimeOfDay: clockTime(8, 0)})
	r.rule(&goalsv1.ReminderRule{About: aboutMilestones, LeadDays: 3, TimeOfDay: clockTime(9, 0)})
	r.rule(&goalsv1.ReminderRule{About: aboutLessons})
	r.rule(&goalsv1.ReminderRule{About: aboutDebriefs, TimeOfDay: clockTime(23, 30), QuietHours: &goalsv1.QuietHours{From: clockTime(22, 0), Until: clockTime(6, 30)}})
	r.at("2026-11-24T06:59:59Z")
	r.expect()
	r.at("2026-11-24T07:00:00Z")
	r.expect("daily 11-24 at 11-24T07:00", "one 11-24 at 11-24T07:00")
	r.at("2026-11-24T08:00:00Z")
	r.expect("daily 11-24 at 11-24T07:00", "one 11-24 at 11-24T07:00", "m 11-27 at 11-24T08:00")
	r.at("2026-11-24T08:00:01Z")
	r.complete(&goalsv1.CompleteStepRequest{Name: r.goal + "/steps/daily", Occurrence: date(2026, 11, 25)}) // ahead of time
	r.at("2026-11-26T05:30:00Z")
	r.expect("daily 11-24 at 11-24T07:00", "one 11-24 at 11-24T07:00", "m 11-27 at 11-24T08:00",
		"l 11-25 at 11-26T05:30", "d 11-25 at 11-26T05:30")
	titles := map[string]string{}
	for _, m := range mustAll(t, r) {
		titles[resource.LastSegment(m.GetSubject())] = m.GetTitle()
	}
	if want := "map[d: daily:daily l: m:m one:one]"; fmt.Sprint(titles) != want {
		t.Errorf("%v", titles)
	}
	// What was looked at meanwhile does not come again.
	for _, m := range mustAll(t, r) {
		if m.GetAbout() == aboutLessons || m.GetAbout() == aboutDebriefs {
			if _, err := r.d.SnoozeReminder(t.Context(), &goalsv1.SnoozeReminderRequest{Name: m.GetName(), Until: timestamppb.New(r.Clock.Now().Add(10 * time.Minute))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.know("Europe/Berlin", 0, map[string][]int32{"lessons/l": {day}, "setbacks/s/debriefs/d": {day + 90}})
	r.at("2026-11-26T06:00:00Z")
	if got := r.came()[3:]; !slices.Equal(got, []string{"d 11-25 at 11-26T05:30 ACKNOWLEDGED", "l 11-25 at 11-26T06:00 x2"}) {
		t.Errorf("%q", got)
	}
	// A goal that rests reminds of nothing.
	if _, err := r.d.HoldGoal(t.Context(), &goalsv1.HoldGoalRequest{Name: r.goal}); err != nil {
		t.Fatal(err)
	}
	r.at("2026-11-27T23:00:00Z")
	if got := r.came(); len(got) != 5 {
		t.Errorf("%q", got)
	}
}

func mustAll(t *testing.T, r *rig) []*goalsv1.Reminder {
	t.Helper()
	res, err := r.d.Reminders.List(t.Context(), &goalsv1.ListRemindersRequest{Parent: ada, PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return res.(*goalsv1.ListRemindersResponse).GetReminders()
}

// TestReminderAnswers: acknowledged, snoozed, out of quiet hours, done meanwhile.
func TestReminderAnswers(t *testing.T) {
	r := newRig(t)
	s := r.add("s", &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 11, 1)})
	rule := r.rule(&goalsv1.ReminderRule{About: aboutStep, Step: s, QuietHours: &goalsv1.QuietHours{From: clockTime(22, 0), Until: clockTime(7, 0)}})
	r.at("2026-11-23T09:00:00Z")
	r.expect("s 11-23 at 11-23T09:00")
	name := mustAll(t, r)[0].GetName()
	snooze := func(until string) error {
		at, err := time.Parse(time.RFC3339, until)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.d.SnoozeReminder(t.Context(), &goalsv1.SnoozeReminderRequest{Name: name, Until: timestamppb.New(at)})
		return err
	}
	for until, reason := range map[string]string{"2026-11-23T09:00:00Z": "TIME_TOO_EARLY", "2027-11-25T09:00:00Z": "TIME_TOO_LATE"} {
		resourcetest.Refused(t, snooze(until), reason)
	}
	if err := snooze("2026-11-23T10:00:00Z"); err != nil {
		t.Fatal(err)
	}
	r.at("2026-11-23T09:59:59Z")
	r.expect("s 11-23 at 11-23T09:00 SNOOZED")
	r.at("2026-11-23T10:00:00Z")
	r.expect("s 11-23 at 11-23T10:00 x2")
	if err := snooze("2026-11-23T22:30:00Z"); err != nil {
		t.Fatal(err)
	}
	r.at("2026-11-24T06:59:00Z")
	r.expect("s 11-23 at 11-23T10:00 x2 SNOOZED")
	r.at("2026-11-24T07:00:00Z")
	r.expect("s 11-23 at 11-24T07:00 x3")
	if err := snooze("2026-11-24T08:00:00Z"); err != nil {
		t.Fatal(err)
	}
	r.complete(&goalsv1.CompleteStepRequest{Name: s, Occurrence: date(2026, 11, 23)})
	r.at("2026-11-24T08:00:00Z")
	r.expect("s 11-23 at 11-24T07:00 x3 ACKNOWLEDGED")
	resourcetest.Refused(t, snooze("2026-11-24T09:00:00Z"), "REMINDER_ACKNOWLEDGED")
	first, err := r.d.AckReminder(t.Context(), &goalsv1.AckReminderRequest{Name: name})
	if err != nil || !first.GetAckTime().AsTime().Equal(r.Clock.Now()) {
		t.Fatal(first, err)
	}
	// A rule that is gone leaves what came.
	r.at("2026-11-24T09:00:00Z")
	if _, err := r.d.ReminderRules.Delete(t.Context(), &goalsv1.DeleteReminderRuleRequest{Name: rule}); err != nil {
		t.Fatal(err)
	}
	for _, m := range mustAll(t, r) {
		if _, err := r.d.AckReminder(t.Context(), &goalsv1.AckReminderRequest{Name: m.GetName()}); err != nil {
			t.Fatal(err)
		}
	}
	r.expect("s 11-23 at 11-24T07:00 x3 ACKNOWLEDGED", "s 11-24 at 11-24T09:00 ACKNOWLEDGED")
	var told []string
	for _, e := range r.Events(t, ada) {
		if f := e.GetReminder(); f != nil {
			told = append(told, fmt.Sprint(e.GetType(), " ", f.GetFires()))
		}
	}
	want := []string{
		"reminder.fired 1", "reminder.snoozed 1", "reminder.fired 2", "reminder.snoozed 2", "reminder.fired 3", "reminder.snoozed 3",
		"reminder.acknowledged 3", "reminder.fired 1", "reminder.acknowledged 1",
	}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}

// TestIgnoredReminders: they come less and less, nothing that is due once is lost,
// and a reaction brings them back the next day.
func TestIgnoredReminders(t *testing.T) {
	r := newRig(t)
	s := r.add("s", &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 11, 1)})
	rule := r.rule(&goalsv1.ReminderRule{About: aboutStep, Step: s})
	persistent := r.rule(&goalsv1.ReminderRule{About: aboutStep, Step: s, Persistent: true})
	days := func(rule string) (out []int) {
		for _, m := range mustAll(t, r) {
			if m.GetReminderRule() == rule {
				out = append(out, localdate.Between(date(2026, 11, 23), m.GetDueDate()))
			}
		}
		slices.Sort(out)
		return out
	}
	live := func(from, to int) {
		for day := from; day <= to; day++ {
			r.at(time.Date(2026, 11, 23+day, 9, 0, 0, 0, time.UTC).Format(time.RFC3339))
		}
	}
	live(0, 31)
	if got, want := days(rule), []int{0, 1, 2, 3, 5, 7, 9, 13, 17, 21, 28}; !slices.Equal(got, want) {
		t.Fatalf("ignored reminders came on days %v, want %v", got, want)
	}
	if got := days(persistent); len(got) != 32 {
		t.Errorf("the persistent rule reminded on days %v", got)
	}
	latest := r.ruleNow(rule).GetLatest()[0]
	if _, err := r.d.AckReminder(t.Context(), &goalsv1.AckReminderRequest{Name: latest}); err != nil {
		t.Fatal(err)
	}
	if got := r.ruleNow(rule); got.GetIgnored() != 0 || !got.GetNextTime().AsTime().Equal(r.Clock.Now().AddDate(0, 0, 1)) {
		t.Errorf("after a reaction: %v", got)
	}
	live(32, 33)
	if got, want := days(rule)[11:], []int{32, 33}; !slices.Equal(got, want) {
		t.Errorf("after a reaction they came on days %v, want %v", got, want)
	}
	// Doing it is a reaction, too.
	for day := 34; day < 40; day++ {
		r.complete(&goalsv1.CompleteStepRequest{Name: s, Occurrence: localdate.FromDays(localdate.Days(date(2026, 11, 23)) + day - 1)})
		live(day, day)
	}
	if got := days(rule)[13:]; !slices.Equal(got, []int{34, 35, 36, 37, 38, 39}) {
		t.Errorf("while it is done they came on days %v", got)
	}
}

func TestIgnoredLosesNothing(t *testing.T) {
	r := newRig(t)
	for day := range int32(20) {
		r.add(fmt.Sprintf("s%02d", day), &goalsv1.Step{DueDate: localdate.FromDays(localdate.Days(date(2026, 11, 24)) + int(day))})
	}
	rule := r.rule(&goalsv1.ReminderRule{About: aboutSteps})
	for day := range 40 {
		r.at(time.Date(2026, 11, 23+day, 9, 0, 0, 0, time.UTC).Format(time.RFC3339))
	}
	if got := r.came(); len(got) != 20 || r.ruleNow(rule).GetIgnored() == 0 {
		t.Errorf("%d of 20 came: %q", len(got), got)
	}
}

func TestReminderRuleChanges(t *testing.T) {
	r := newRig(t)
	s := r.add("s", &goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(2026, 11, 1)})
	rule := r.rule(&goalsv1.ReminderRule{About: aboutStep, Step: s, TimeOfDay: clockTime(12, 0)})
	next := func(want string) {
		t.Helper()
		got := ""
		if at := r.ruleNow(rule).GetNextTime(); at != nil {
			got = at.AsTime().Format("01-02T15:04")
		}
		if got != want {
			t.Errorf("it looks next at %q, want %q", got, want)
		}
	}
	update := func(change *goalsv1.ReminderRule) error {
		change.Name = rule
		_, err := r.d.ReminderRules.Update(t.Context(), &goalsv1.UpdateReminderRuleRequest{ReminderRule: change})
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	next("11-23T12:00")
	must(update(&goalsv1.ReminderRule{Title: "Noon"}))
	next("11-23T12:00")
	must(update(&goalsv1.ReminderRule{TimeOfDay: clockTime(7, 0)}))
	next("11-24T07:00")
	must(update(&goalsv1.ReminderRule{TimeOfDay: clockTime(8, 30)}))
	next("11-23T08:30")
	must(update(&goalsv1.ReminderRule{Disabled: true}))
	next("")
	r.at("2026-11-25T09:00:00Z")
	r.expect()
	_, err := r.d.ReminderRules.Update(t.Context(), &goalsv1.UpdateReminderRuleRequest{
		ReminderRule: &goalsv1.ReminderRule{Name: rule, About: aboutStep, Step: s, TimeOfDay: clockTime(8, 30)}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"*"}},
	})
	must(err)
	next("11-26T08:30")
	// Whoever moves is reminded by the clock where they are.
	r.know("Asia/Tokyo", 0, nil)
	next("11-25T23:30")
	r.know("America/New_York", 10*60, nil)
	next("11-27T13:30") // the day of the 26th is not over before 10:00
	r.at("2026-11-27T13:30:00Z")
	r.expect("s 11-26 at 11-27T13:30")
	for reason, change := range map[string]*goalsv1.ReminderRule{
		"TIME_OF_DAY_INVALID": {TimeOfDay: clockTime(24, 0)}, "STEP_UNEXPECTED": {About: aboutSteps}, "REFERENCE_UNKNOWN": {Step: r.goal + "/steps/absent"},
		"REFERENCE_FOREIGN": {Step: "tenants/acme/people/grace/goals/g/steps/s"}, "NAME_INVALID": {Step: "x"},
	} {
		resourcetest.Refused(t, update(change), reason)
	}
	_, err = r.d.ReminderRules.Create(t.Context(), &goalsv1.CreateReminderRuleRequest{Parent: ada, ReminderRule: &goalsv1.ReminderRule{About: aboutStep}})
	resourcetest.Refused(t, err, "REQUIRED")
}

// TestMoveWhileARuleIsMade: the journal tells of the zone after a rule was reckoned
// and before it was written, when nobody finds it yet.
func TestMoveWhileARuleIsMade(t *testing.T) {
	r := newRig(t)
	rule, err := r.d.byTheirClock(t.Context(), ada, func() (*goalsv1.ReminderRule, error) {
		made, err := asRule(r.d.ReminderRules.Create(t.Context(), &goalsv1.CreateReminderRuleRequest{Parent: ada, ReminderRule: &goalsv1.ReminderRule{About: aboutSteps}}))
		r.lives("Asia/Tokyo", 0)
		return made, err
	})
	if err != nil || rule.GetNextTime().AsTime().Format(time.RFC3339) != "2026-11-24T00:00:00Z" {
		t.Errorf("%v, %v", rule, err)
	}
	_, err = r.d.CreateReminderRule(t.Context(), &goalsv1.CreateReminderRuleRequest{Parent: "nobody", ReminderRule: &goalsv1.ReminderRule{About: aboutSteps}})
	resourcetest.Refused(t, err, "NAME_INVALID")
}

// TestRemindersAfterLong: who was away for long is reminded of the last 31 days.
func TestRemindersAfterLong(t *testing.T) {
	r := newRig(t)
	r.add("old", &goalsv1.Step{DueDate: date(2026, 11, 29)})
	r.add("new", &goalsv1.Step{DueDate: date(2026, 11, 30)})
	r.rule(&goalsv1.ReminderRule{About: aboutSteps})
	r.at("2026-12-30T09:00:00Z")
	r.expect("new 11-30 at 12-30T09:00")
}
