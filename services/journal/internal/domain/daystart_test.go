package domain

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

func (r *rig) dayBegins(at *timeofday.TimeOfDay) error {
	_, err := r.d.Profiles.Update(r.t.Context(), &journalv1.UpdateProfileRequest{
		Profile: &journalv1.Profile{Name: ada + "/profile", DayStart: at}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"day_start"}},
	})
	return err
}

// TestDayStart: at two at night it is still the day before, for everything that
// tells what day it is; what was dated stays as it was.
func TestDayStart(t *testing.T) {
	r := newRig(t)
	r.liveIn("Europe/Berlin")
	for _, at := range []*timeofday.TimeOfDay{{Hours: 13}, {Hours: 4, Seconds: 1}, {Minutes: -1}} {
		resourcetest.Refused(t, r.dayBegins(at), "DAY_START_INVALID")
	}
	if err := r.dayBegins(&timeofday.TimeOfDay{Hours: 4}); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(17 * time.Hour) // Tuesday, 02:00 in Berlin
	today, yesterday := localdate.Text(date(2026, 11, 24)), localdate.Text(date(2026, 11, 23))

	_, err := r.d.Setbacks.Create(t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, Setback: &journalv1.Setback{Title: "t", OccurredOn: date(2026, 11, 24)}})
	resourcetest.Refused(t, err, "DATE_IN_FUTURE")
	made, err := r.d.Gratitudes.Create(t.Context(), &journalv1.CreateGratitudeRequest{Parent: ada, Gratitude: &journalv1.Gratitude{Items: []string{"x"}}})
	if err != nil || localdate.Text(made.(*journalv1.Gratitude).GetLocalDate()) != yesterday {
		t.Errorf("%v, %v", made, err)
	}
	checkIn := func(c *journalv1.CheckIn) *journalv1.CheckIn {
		t.Helper()
		pleasantness, energy := int32(1), int32(1)
		c.Pleasantness, c.Energy = &pleasantness, &energy
		made, err := r.d.CheckIns.Create(t.Context(), &journalv1.CreateCheckInRequest{Parent: ada, CheckIn: c})
		if err != nil {
			t.Fatal(err)
		}
		return made.(*journalv1.CheckIn)
	}
	in := checkIn(&journalv1.CheckIn{})
	if got := localdate.Text(in.GetLocalDate()); got != yesterday {
		t.Errorf("a check-in at night belongs to %s", got)
	}
	s := r.setback(&journalv1.Setback{OccurredOn: date(2026, 11, 20)})
	recovered, err := r.d.RecoverSetback(t.Context(), &journalv1.RecoverSetbackRequest{Name: s.GetName()})
	if err != nil || localdate.Text(recovered.GetRecoveredOn()) != yesterday {
		t.Errorf("%v, %v", recovered, err)
	}
	// The days that one looks back on begin at that time, too.
	remembered := func() int {
		t.Helper()
		got, err := r.d.GetOnThisDay(t.Context(), &journalv1.GetOnThisDayRequest{Name: ada + "/onThisDay", Date: date(2026, 12, 7)})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, m := range got.GetMemories() {
			n += len(m.GetCheckIns())
		}
		return n
	}
	checkIn(&journalv1.CheckIn{Time: timestamppb.New(time.Date(2026, 11, 7, 2, 0, 0, 0, time.UTC))}) // 03:00, of the 6th
	if n := remembered(); n != 0 {
		t.Errorf("%d check-ins of the night before are those of the day", n)
	}
	checkIn(&journalv1.CheckIn{Time: timestamppb.New(time.Date(2026, 11, 8, 2, 0, 0, 0, time.UTC))}) // 03:00, of the 7th
	if n := remembered(); n != 1 {
		t.Errorf("%d check-ins of the night after are those of the day", n)
	}
	// A day that begins at midnight again changes nothing about what was dated.
	if err := r.dayBegins(nil); err != nil {
		t.Fatal(err)
	}
	got, err := r.d.CheckIns.Update(t.Context(), &journalv1.UpdateCheckInRequest{CheckIn: &journalv1.CheckIn{Name: in.GetName(), Note: "later"}})
	if err != nil || localdate.Text(got.(*journalv1.CheckIn).GetLocalDate()) != yesterday {
		t.Errorf("%v, %v", got, err)
	}
	if got := localdate.Text(checkIn(&journalv1.CheckIn{}).GetLocalDate()); got != today {
		t.Errorf("from midnight it is %s", got)
	}
}

// TestRevisitsTold: the events of a debrief tell when it is to be looked at again.
func TestRevisitsTold(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{})
	made, err := r.d.Debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: s.GetName(), Debrief: &journalv1.Debrief{Moments: []*journalv1.Moment{{What: "x"}}}})
	if err != nil {
		t.Fatal(err)
	}
	name := made.(*journalv1.Debrief).GetName()
	if _, err := r.d.CompleteDebrief(t.Context(), &journalv1.CompleteDebriefRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.RevisitDebrief(t.Context(), &journalv1.RevisitDebriefRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	told := map[string][]string{}
	for _, e := range r.Events(t, ada) {
		if f := e.GetDebrief(); f != nil {
			told[e.GetType()] = nil
			for _, d := range f.GetRevisitsDue() {
				told[e.GetType()] = append(told[e.GetType()], localdate.Text(d))
			}
		}
	}
	all := []string{"2026-11-30", "2026-12-23", "2027-02-23", "2027-11-23"}
	for eventType, want := range map[string][]string{"debrief.scheduled": nil, "debrief.completed": all, "debrief.revisited": all[1:]} {
		if got, ok := told[eventType]; !ok || !slices.Equal(got, want) {
			t.Errorf("%s tells %v, want %v", eventType, got, want)
		}
	}
}
