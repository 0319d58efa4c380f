package calendar

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// The rig's clock shows 2026-11-23, 8:00 UTC.

// TestContent: what is planned is there, what is done, muted, out of the window or
// of a goal at rest is not.
func TestContent(t *testing.T) {
	r := newRig(t)
	launch, secret := r.setback("launch", "The launch failed", false), r.setback("secret", "Not now", true)
	at := time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC)
	r.slot(launch, "slot", at, 90*time.Minute)
	r.slot(launch, "open-end", at.AddDate(0, 0, 1), 0)
	r.slot(launch, "too-old", at.AddDate(-1, -1, 0), 0)
	r.slot(launch, "too-far", at.AddDate(2, 1, 0), 0)
	r.slot(secret, "muted", at.AddDate(0, 0, 2), 0) // an appointment is one all the same
	for _, name := range []string{r.slot(launch, "done", at.AddDate(0, 0, -14), 0), secret + "/debriefs/muted"} {
		if _, err := r.d.CompleteDebrief(t.Context(), &journalv1.CompleteDebriefRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.d.RevisitDebrief(t.Context(), &journalv1.RevisitDebriefRequest{Name: launch + "/debriefs/done", DueOn: day(2026, 11, 30), Intensity: 4}); err != nil {
		t.Fatal(err)
	}
	r.lesson("a", "Test earlier", launch, day(2026, 12, 24))
	r.lesson("b", "Of no setback", "", day(2025, 11, 23))
	r.lesson("too-old", "x", "", day(2025, 11, 22))
	r.lesson("last", "Far ahead", "", day(2028, 11, 23))
	r.lesson("too-far", "x", "", day(2028, 11, 24))
	r.lesson("undated", "x", "", nil)
	r.lesson("muted", "x", secret, day(2026, 12, 24))
	r.goals.goals = []*goalsv1.Goal{{Name: ada + "/goals/g"}}
	step := func(goal, id, title string, on *datepb.Date, state typev1.StepState) *goalsv1.Step {
		return &goalsv1.Step{Name: ada + "/goals/" + goal + "/steps/" + id, Title: title, DueDate: on, State: state}
	}
	r.goals.due = []*goalsv1.Step{
		step("g", "too-far", "x", day(2029, 1, 1), typev1.StepState_STEP_STATE_TO_DO),
		step("g", "a", "Book the room", day(2026, 11, 26), typev1.StepState_STEP_STATE_TO_DO),
		step("g", "done", "x", day(2026, 11, 25), typev1.StepState_STEP_STATE_DONE),
		step("resting", "r", "x", day(2026, 11, 25), typev1.StepState_STEP_STATE_TO_DO),
		step("g", "late", "Was due", day(2026, 11, 1), typev1.StepState_STEP_STATE_TO_DO),
		step("g", "too-old", "x", day(2025, 1, 1), typev1.StepState_STEP_STATE_TO_DO),
	}
	c, text := r.calendar()
	want := []string{
		"20251123 20251124 Lesson review: Of no setback",
		"20261101 20261102 Step: Was due",
		"20261116T170000Z 20261116T180000Z Debrief: The launch failed",
		"20261126 20261127 Step: Book the room",
		"20261130T170000Z 20261130T183000Z Debrief: The launch failed",
		"20261201T170000Z 20261201T180000Z Debrief: The launch failed",
		"20261202T170000Z 20261202T180000Z Debrief: Not now",
		"20261223 20261224 Debrief revisit: The launch failed",
		"20261224 20261225 Lesson review: Test earlier",
		"20270223 20270224 Debrief revisit: The launch failed",
		"20271123 20271124 Debrief revisit: The launch failed",
		"20281123 20281124 Lesson review: Far ahead",
	}
	if got := lines(c); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	seen := map[string]bool{}
	for _, v := range c.Events() {
		if id := v.Id(); seen[id] || !regexp.MustCompile(`^p-[0-9a-f]{16}@rebound\.dev$`).MatchString(id) {
			t.Errorf("the UID %s is there twice, or tells something", id)
		}
		seen[v.Id()] = true
		slot := strings.Contains(value(v, ics.ComponentPropertyDtStart), "T")
		if transparent := value(v, ics.ComponentPropertyTransp) == "TRANSPARENT"; transparent == slot {
			t.Errorf("slots take one's time, days do not: %s", v.Serialize(&ics.SerializationConfiguration{MaxLength: 75, NewLine: "\n"}))
		}
	}
	if strings.Contains(text, "people") || strings.Contains(text, "launch/") {
		t.Errorf("it tells resource names:\n%s", text)
	}
	// The same again is the same text, byte by byte; an hour later too.
	r.Clock.Advance(time.Hour)
	if _, again := r.calendar(); again != text {
		t.Error("it reads otherwise the second time")
	}
}

// TestUpcomingFirst: of more than fit, the latest stay.
func TestUpcomingFirst(t *testing.T) {
	r := newRig(t)
	for i := range maxEach + 5 {
		d := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i%800)
		r.lesson("l"+strings.Repeat("x", i/800)+d.Format("20060102"), "s", "", day(int32(d.Year()), int32(d.Month()), int32(d.Day())))
	}
	c, _ := r.calendar()
	got := lines(c)
	if len(got) != maxEach || !strings.HasPrefix(got[0], "20260603") || !strings.HasPrefix(got[maxEach-1], "20280808") {
		t.Errorf("%d, from %s to %s", len(got), got[0], got[len(got)-1])
	}
}

// TestZones: a slot is the instant that was meant, before, at and after clocks
// change; dates are the dates that were written, wherever one is.
func TestZones(t *testing.T) {
	for zone, slots := range map[string][]string{
		"Europe/Berlin":    {"2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T09:00:00+01:00", "2027-03-27T18:00:00+01:00", "2027-03-28T18:00:00+02:00"},
		"America/New_York": {"2026-10-31T18:00:00-04:00", "2026-11-01T00:30:00-04:00", "2026-11-01T18:00:00-05:00", "2027-03-14T01:30:00-05:00", "2027-03-14T03:00:00-04:00"},
		"Asia/Kolkata":     {"2026-11-01T00:15:00+05:30", "2027-03-28T18:00:00+05:30"},
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t)
		r.liveIn(zone)
		setback := r.setback("s", "t", false)
		want := map[string]bool{}
		for i, text := range slots {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			want[text] = true
			r.slot(setback, string(rune('a'+i)), at, 2*time.Hour)
		}
		r.lesson("l", "x", "", day(2027, 3, 28))
		c, text := r.calendar()
		if !strings.Contains(text, "\r\nX-WR-TIMEZONE:"+zone+"\r\n") {
			t.Errorf("it does not say that it is for %s", zone)
		}
		for _, v := range c.Events() {
			raw := value(v, ics.ComponentPropertyDtStart)
			if !strings.Contains(raw, "T") {
				if raw != "20270328" {
					t.Errorf("in %s the review is on %s", zone, raw)
				}
				continue
			}
			start, err1 := v.GetStartAt()
			end, err2 := v.GetEndAt()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if local := start.In(loc).Format(time.RFC3339); !want[local] || !strings.HasSuffix(raw, "Z") {
				t.Errorf("in %s a slot is at %s (%s)", zone, local, raw)
			}
			delete(want, start.In(loc).Format(time.RFC3339))
			if end.Sub(start) != 2*time.Hour {
				t.Errorf("in %s a slot lasts %s", zone, end.Sub(start))
			}
		}
		if len(want) > 0 {
			t.Errorf("in %s slots are missing: %v", zone, want)
		}
	}
}

// TestWindow: today is where the person is.
func TestWindow(t *testing.T) {
	now := time.Date(2028, 2, 29, 13, 0, 0, 0, time.UTC)
	for zone, want := range map[string][2]*datepb.Date{
		"UTC":                {day(2027, 2, 28), day(2030, 3, 1)},
		"Pacific/Kiritimati": {day(2027, 3, 1), day(2030, 3, 2)},
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		w := windowAt(now, localdate.Calendar{Zone: loc})
		if w.from.String() != want[0].String() || w.until.String() != want[1].String() || !w.has(want[0]) || w.has(want[1]) || w.has(nil) {
			t.Errorf("in %s: %v", zone, w)
		}
	}
}

// TestChanges: an entry that changes keeps its UID and says so.
func TestChanges(t *testing.T) {
	r := newRig(t)
	r.lesson("l", "x", "", day(2026, 12, 1))
	first, _ := r.calendar()
	r.Clock.Advance(90 * time.Second)
	if _, err := r.d.Lessons.Update(t.Context(), &journalv1.UpdateLessonRequest{Lesson: &journalv1.Lesson{Name: ada + "/lessons/l", ReviewOn: day(2026, 12, 2)}}); err != nil {
		t.Fatal(err)
	}
	second, _ := r.calendar()
	was, is := first.Events()[0], second.Events()[0]
	if was.Id() != is.Id() || value(was, ics.ComponentPropertySequence) != "0" || value(is, ics.ComponentPropertySequence) != "90" ||
		value(is, ics.ComponentPropertyLastModified) != "20261123T080130Z" || value(is, ics.ComponentPropertyDtstamp) != "20261123T080130Z" ||
		value(is, ics.ComponentPropertyCreated) != "20261123T080000Z" || value(is, ics.ComponentPropertyDtStart) != "20261202" {
		t.Errorf("%v\n%v", was, is)
	}
}

// TestGoalsAway: without the goals service there is no calendar, and whoever asks
// learns nothing of why.
func TestGoalsAway(t *testing.T) {
	for _, err := range []error{status.Error(codes.Unavailable, "dial tcp 10.0.0.7"), status.Error(codes.PermissionDenied, "x"), errors.New("x")} {
		r := newRig(t)
		r.goals.err = err
		_, got := r.s.GetCalendar(t.Context(), &journalv1.GetCalendarRequest{Parent: ada})
		f, ok := fault.As(got)
		if !ok || f.Code != codes.Unavailable || f.RetryAfter == 0 || strings.Contains(f.Message, "10.0.0.7") || !errors.Is(f, err) {
			t.Errorf("%v gives %v", err, got)
		}
	}
}

// TestLargeSteps: where the answer is too large, fewer steps are asked for, and
// none is missed; a rate limit is not taken for that.
func TestLargeSteps(t *testing.T) {
	r := newRig(t)
	r.goals.goals = []*goalsv1.Goal{{Name: ada + "/goals/g"}}
	for i := range 150 {
		r.goals.due = append(r.goals.due, &goalsv1.Step{Name: ada + "/goals/g/steps/" + time.Duration(i).String(), DueDate: day(2026, 12, 1)})
	}
	r.goals.tooLarge, r.goals.largeErr = 7, status.Error(codes.ResourceExhausted, "trying to send message larger than max")
	c, _ := r.calendar()
	if len(c.Events()) != 150 || !slices.Equal(r.goals.pageSize[:4], []int32{100, 25, 6, 6}) {
		t.Errorf("%d steps, in pages of %v", len(c.Events()), r.goals.pageSize)
	}
	r.goals.largeErr = (&fault.Fault{Code: codes.ResourceExhausted, Reason: "RATE_LIMITED"}).GRPCStatus().Err()
	r.goals.pageSize = nil
	_, err := r.s.GetCalendar(t.Context(), &journalv1.GetCalendarRequest{Parent: ada})
	resourcetest.Refused(t, err, "UNAVAILABLE")
	if len(r.goals.pageSize) != 1 {
		t.Errorf("it asked again, for pages of %v", r.goals.pageSize)
	}
}

func TestParent(t *testing.T) {
	r := newRig(t)
	for _, parent := range []string{ada + "/calendar", "tenants/acme", ada + "/"} {
		_, err := r.s.GetCalendar(t.Context(), &journalv1.GetCalendarRequest{Parent: parent})
		resourcetest.Refused(t, err, "NAME_INVALID")
	}
}
