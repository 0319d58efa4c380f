package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

const ada = "tenants/acme/people/ada"

// rig is the domain on a store of its own.
type rig struct {
	*resourcetest.Rig
	t *testing.T
	d *Domain
}

func newRig(t *testing.T) *rig {
	t.Helper()
	base := resourcetest.New(t)
	r := &rig{Rig: base, t: t, d: New(base.Deps)}
	base.Open(t, r.d.Kinds()...)
	return r
}

func date(y, m, d int32) *datepb.Date { return &datepb.Date{Year: y, Month: m, Day: d} }

func (r *rig) setback(s *journalv1.Setback) *journalv1.Setback {
	r.t.Helper()
	s.Title = "t"
	made, err := r.d.Setbacks.Create(r.t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, Setback: s})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*journalv1.Setback)
}

func (r *rig) liveIn(zone string) {
	r.t.Helper()
	_, err := r.d.Profiles.Update(r.t.Context(), &journalv1.UpdateProfileRequest{Profile: &journalv1.Profile{Name: ada + "/profile", TimeZone: zone}})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestSetbackStates walks every state by every verb.
func TestSetbackStates(t *testing.T) {
	const (
		open      = typev1.SetbackState_SETBACK_STATE_OPEN
		debriefed = typev1.SetbackState_SETBACK_STATE_DEBRIEFED
		closed    = typev1.SetbackState_SETBACK_STATE_CLOSED
		recovered = typev1.SetbackState_SETBACK_STATE_RECOVERED
	)
	verbs := map[string]func(r *rig, name string) (*journalv1.Setback, error){
		"close": func(r *rig, name string) (*journalv1.Setback, error) {
			return r.d.CloseSetback(t.Context(), &journalv1.CloseSetbackRequest{Name: name, Note: "n", WaiveDebrief: true})
		},
		"recover": func(r *rig, name string) (*journalv1.Setback, error) {
			return r.d.RecoverSetback(t.Context(), &journalv1.RecoverSetbackRequest{Name: name, Note: "n"})
		},
		"reopen": func(r *rig, name string) (*journalv1.Setback, error) {
			return r.d.ReopenSetback(t.Context(), &journalv1.ReopenSetbackRequest{Name: name})
		},
		"debrief": func(r *rig, name string) (*journalv1.Setback, error) {
			made, err := r.d.Debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: name, Debrief: &journalv1.Debrief{Moments: []*journalv1.Moment{{What: "w"}}}})
			if err != nil {
				return nil, err
			}
			if _, err := r.d.CompleteDebrief(t.Context(), &journalv1.CompleteDebriefRequest{Name: made.(*journalv1.Debrief).GetName()}); err != nil {
				return nil, err
			}
			return r.d.Setbacks.Fetch(t.Context(), name)
		},
	}
	reach := map[typev1.SetbackState][]string{open: {}, debriefed: {"debrief"}, closed: {"close"}, recovered: {"recover"}}
	want := map[typev1.SetbackState]map[string]string{
		open:      {"close": closed.String(), "recover": recovered.String(), "reopen": "SETBACK_NOT_CLOSED", "debrief": debriefed.String()},
		debriefed: {"close": closed.String(), "recover": recovered.String(), "reopen": "SETBACK_NOT_CLOSED", "debrief": debriefed.String()},
		closed:    {"close": closed.String(), "recover": recovered.String(), "reopen": open.String(), "debrief": closed.String()},
		recovered: {"close": "SETBACK_RECOVERED", "recover": "SETBACK_RECOVERED", "reopen": open.String(), "debrief": recovered.String()},
	}
	for from, path := range reach {
		for verb, do := range verbs {
			r := newRig(t)
			name := r.setback(&journalv1.Setback{}).GetName()
			for _, v := range path {
				if _, err := verbs[v](r, name); err != nil {
					t.Fatal(err)
				}
			}
			got, err := do(r, name)
			if to := want[from][verb]; !strings.HasPrefix(to, "SETBACK_STATE_") {
				resourcetest.Refused(t, err, to)
				continue
			} else if err != nil || got.GetState().String() != to {
				t.Errorf("%s of a setback that is %s: %s, %v", verb, from, got.GetState(), err)
			}
			if (got.GetState() == recovered) != (got.GetRecoveredOn() != nil) {
				t.Errorf("%s of a setback that is %s: recovered on %v", verb, from, got.GetRecoveredOn())
			}
			if got.GetState() == open && got.GetClosingNote()+got.GetRecoveryNote() != "" {
				t.Errorf("%s of a setback that is %s keeps a note", verb, from)
			}
		}
	}
}

// TestSetbackDates: the future begins where the person is.
func TestSetbackDates(t *testing.T) {
	r := newRig(t) // it is 08:00 UTC on the 23rd
	_, err := r.d.Setbacks.Create(t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, Setback: &journalv1.Setback{Title: "t", OccurredOn: date(2026, 11, 24)}})
	resourcetest.Refused(t, err, "DATE_IN_FUTURE")
	r.liveIn("Pacific/Kiritimati") // where it is 22:00
	r.Clock.Advance(3 * time.Hour)
	s := r.setback(&journalv1.Setback{OccurredOn: date(2026, 11, 24)})
	_, err = r.d.RecoverSetback(t.Context(), &journalv1.RecoverSetbackRequest{Name: s.GetName(), RecoveredOn: date(2026, 11, 25)})
	resourcetest.Refused(t, err, "DATE_IN_FUTURE")
	_, err = r.d.RecoverSetback(t.Context(), &journalv1.RecoverSetbackRequest{Name: s.GetName(), RecoveredOn: date(2026, 11, 20)})
	resourcetest.Refused(t, err, "DATE_BEFORE_SETBACK")
	_, err = r.d.RecoverSetback(t.Context(), &journalv1.RecoverSetbackRequest{Name: s.GetName(), RecoveredOn: date(2026, 13, 20)})
	resourcetest.Refused(t, err, "DATE_INVALID")
	got, err := r.d.RecoverSetback(t.Context(), &journalv1.RecoverSetbackRequest{Name: s.GetName()})
	if err != nil || localdate.Text(got.GetRecoveredOn()) != "2026-11-24" {
		t.Fatal(got, err)
	}
	// One without a date counts from the day it was recorded, where the person is.
	undated := r.setback(&journalv1.Setback{Factors: []*journalv1.Factor{{Kind: typev1.FactorKind_FACTOR_KIND_OVERLOAD}, {Kind: typev1.FactorKind_FACTOR_KIND_OVERLOAD, Note: "n"}}})
	events := r.Events(t, ada)
	f := events[len(events)-1].GetSetback()
	if events[len(events)-1].GetSubject() != undated.GetName() || localdate.Text(f.GetOccurredOn()) != "2026-11-24" || len(f.GetFactors()) != 1 {
		t.Errorf("%v", f)
	}
}

func TestDebriefs(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{})
	for reason, b := range map[string]*journalv1.Debrief{
		"DURATION_OUT_OF_RANGE": {Duration: durationpb.New(25 * time.Hour)},
		"QUESTION_UNKNOWN":      {Answers: []*journalv1.Answer{{Question: "nobody-asks", Text: "a"}}},
		"QUESTION_REPEATED":     {Answers: []*journalv1.Answer{{Question: "why", Text: "a"}, {Question: "why", Text: "b"}}},
	} {
		_, err := r.d.Debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: s.GetName(), Debrief: b})
		resourcetest.Refused(t, err, reason)
	}
	_, err := r.d.CloseSetback(t.Context(), &journalv1.CloseSetbackRequest{Name: s.GetName()})
	resourcetest.Refused(t, err, "DEBRIEF_WANTED")
	_, err = r.d.CloseSetback(t.Context(), &journalv1.CloseSetbackRequest{Name: ada + "/setbacks/absent"})
	resourcetest.Refused(t, err, "NOT_FOUND")
	made, err := r.d.Debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: s.GetName(), DebriefId: "d", Debrief: &journalv1.Debrief{}})
	if err != nil {
		t.Fatal(err)
	}
	name := made.(*journalv1.Debrief).GetName()
	_, err = r.d.CompleteDebrief(t.Context(), &journalv1.CompleteDebriefRequest{Name: name})
	resourcetest.Refused(t, err, "DEBRIEF_EMPTY")
	if _, err := r.d.Debriefs.Update(t.Context(), &journalv1.UpdateDebriefRequest{Debrief: &journalv1.Debrief{Name: name, Answers: []*journalv1.Answer{{Question: "why", Text: "a"}}}}); err != nil {
		t.Fatal(err)
	}
	first, err := r.d.CompleteDebrief(t.Context(), &journalv1.CompleteDebriefRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	// Called again after it was cut short between its two documents.
	cut, err := r.d.Setbacks.Fetch(t.Context(), s.GetName())
	if err != nil || cut.GetState() != typev1.SetbackState_SETBACK_STATE_DEBRIEFED {
		t.Fatal(cut, err)
	}
	// A completed debrief is what closing wants.
	if _, err := r.d.CloseSetback(t.Context(), &journalv1.CloseSetbackRequest{Name: s.GetName()}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.ReopenSetback(t.Context(), &journalv1.ReopenSetbackRequest{Name: s.GetName()}); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(time.Hour)
	again, err := r.d.CompleteDebrief(t.Context(), &journalv1.CompleteDebriefRequest{Name: name})
	if err != nil || !again.GetCompleteTime().AsTime().Equal(first.GetCompleteTime().AsTime()) {
		t.Fatal(again, err)
	}
	if got, err := r.d.Setbacks.Fetch(t.Context(), s.GetName()); err != nil || got.GetState() != typev1.SetbackState_SETBACK_STATE_DEBRIEFED {
		t.Fatal(got, err)
	}
}

// TestQuestionBank: it covers what a debrief has to ask, and ids stay what they are.
func TestQuestionBank(t *testing.T) {
	r := newRig(t)
	res, err := r.d.ListDebriefQuestions(t.Context(), &journalv1.ListDebriefQuestionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	topics, names := map[journalv1.DebriefQuestion_Topic]bool{}, map[string]bool{}
	for i, q := range res.GetDebriefQuestions() {
		if names[q.GetName()] || q.GetText() == "" || q.GetOrder() != int32(i)+1 {
			t.Errorf("question %s", q.GetName())
		}
		names[q.GetName()], topics[q.GetTopic()] = true, true
	}
	if topics[0] || len(topics) != len(journalv1.DebriefQuestion_Topic_name)-1 || !names["debriefQuestions/why"] {
		t.Errorf("the bank covers %d topics", len(topics))
	}
}

func TestLessons(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{})
	for reason, l := range map[string]*journalv1.Lesson{
		"REFERENCE_UNKNOWN": {Setback: ada + "/setbacks/absent"},
		"REFERENCE_FOREIGN": {Setback: "tenants/acme/people/grace/setbacks/a"},
		"NAME_INVALID":      {Setback: "setbacks/a"},
		"DATE_INVALID":      {ReviewOn: date(2026, 2, 31)},
	} {
		l.Statement = "s"
		_, err := r.d.Lessons.Create(t.Context(), &journalv1.CreateLessonRequest{Parent: ada, Lesson: l})
		resourcetest.Refused(t, err, reason)
	}
	made, err := r.d.Lessons.Create(t.Context(), &journalv1.CreateLessonRequest{Parent: ada, Lesson: &journalv1.Lesson{Statement: "s", Setback: s.GetName()}})
	if err != nil {
		t.Fatal(err)
	}
	name := made.(*journalv1.Lesson).GetName()
	_, err = r.d.PlanLesson(t.Context(), &journalv1.PlanLessonRequest{Name: name, Goal: "tenants/acme/people/grace/goals/g"})
	resourcetest.Refused(t, err, "REFERENCE_FOREIGN")
	_, err = r.d.PlanLesson(t.Context(), &journalv1.PlanLessonRequest{Name: name, Goal: s.GetName()})
	resourcetest.Refused(t, err, "NAME_INVALID")
	if l, err := r.d.PlanLesson(t.Context(), &journalv1.PlanLessonRequest{Name: name, Goal: ada + "/goals/g"}); err != nil || l.GetState() != typev1.LessonState_LESSON_STATE_PLANNED {
		t.Fatal(l, err)
	}
	first, err := r.d.ApplyLesson(t.Context(), &journalv1.ApplyLessonRequest{Name: name, Evidence: "one"})
	if err != nil || first.GetState() != typev1.LessonState_LESSON_STATE_APPLIED {
		t.Fatal(first, err)
	}
	r.Clock.Advance(time.Hour)
	again, err := r.d.ApplyLesson(t.Context(), &journalv1.ApplyLessonRequest{Name: name, Evidence: "two"})
	if err != nil || again.GetEvidence() != "two" || !again.GetApplyTime().AsTime().Equal(first.GetApplyTime().AsTime()) {
		t.Fatal(again, err)
	}
	if l, err := r.d.PlanLesson(t.Context(), &journalv1.PlanLessonRequest{Name: name, Goal: ada + "/goals/h"}); err != nil || l.GetState() != typev1.LessonState_LESSON_STATE_APPLIED {
		t.Fatal("planning takes back that it was applied", l, err)
	}
	// The setback may go; the lesson stays what it is and can be changed.
	if _, err := r.d.Setbacks.Delete(t.Context(), &journalv1.DeleteSetbackRequest{Name: s.GetName()}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.Lessons.Update(t.Context(), &journalv1.UpdateLessonRequest{
		Lesson: &journalv1.Lesson{Name: name, Statement: "other"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"statement"}},
	}); err != nil {
		t.Fatal(err)
	}
}

// TestCheckIns: the zone is kept, back-dating is fine, the future is not.
func TestCheckIns(t *testing.T) {
	r := newRig(t)
	r.liveIn("Pacific/Auckland")
	create := func(c *journalv1.CheckIn) (*journalv1.CheckIn, error) {
		c.Pleasantness, c.Energy = proto.Int32(-3), proto.Int32(0)
		made, err := r.d.CheckIns.Create(t.Context(), &journalv1.CreateCheckInRequest{Parent: ada, CheckIn: c})
		if err != nil {
			return nil, err
		}
		return made.(*journalv1.CheckIn), nil
	}
	c, err := create(&journalv1.CheckIn{})
	if err != nil || c.GetTimeZone() != "Pacific/Auckland" || !c.GetTime().AsTime().Equal(resourcetest.Start) || localdate.Text(c.GetLocalDate()) != "2026-11-23" {
		t.Fatal(c, err)
	}
	r.liveIn("America/New_York")
	kept, err := r.d.CheckIns.Fetch(t.Context(), c.GetName())
	if err != nil || kept.GetTimeZone() != "Pacific/Auckland" {
		t.Fatal("moving changed an earlier check-in", kept, err)
	}
	back, err := create(&journalv1.CheckIn{Time: timestamppb.New(time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC))})
	if err != nil || localdate.Text(back.GetLocalDate()) != "2026-10-31" {
		t.Fatal(back, err)
	}
	_, err = create(&journalv1.CheckIn{Time: timestamppb.New(resourcetest.Start.Add(clockSkew + time.Millisecond))})
	resourcetest.Refused(t, err, "TIME_IN_FUTURE")
	if _, err = create(&journalv1.CheckIn{Time: timestamppb.New(resourcetest.Start.Add(clockSkew))}); err != nil {
		t.Error(err)
	}
	_, err = create(&journalv1.CheckIn{TimeZone: "Mars/Olympus"})
	resourcetest.Refused(t, err, "TIME_ZONE_UNKNOWN")
	_, err = create(&journalv1.CheckIn{Time: &timestamppb.Timestamp{Nanos: -1}})
	resourcetest.Refused(t, err, "TIME_INVALID")
}

// TestGratitudes: one set a day, where the person is.
func TestGratitudes(t *testing.T) {
	r := newRig(t)
	r.liveIn("Pacific/Kiritimati")
	r.Clock.Advance(3 * time.Hour) // the 24th there
	made, err := r.d.Gratitudes.Create(t.Context(), &journalv1.CreateGratitudeRequest{Parent: ada, Gratitude: &journalv1.Gratitude{Items: []string{"a"}}})
	if err != nil || made.(*journalv1.Gratitude).GetName() != ada+"/gratitudes/2026-11-24" {
		t.Fatal(made, err)
	}
	write := func(day string, missing bool, items ...string) (*journalv1.Gratitude, error) {
		got, err := r.d.Gratitudes.Update(t.Context(), &journalv1.UpdateGratitudeRequest{
			Gratitude: &journalv1.Gratitude{Name: ada + "/gratitudes/" + day, Items: items}, AllowMissing: missing,
		})
		if err != nil {
			return nil, err
		}
		return got.(*journalv1.Gratitude), nil
	}
	if g, err := write("2026-11-24", true, "b", "c"); err != nil || !slices.Equal(g.GetItems(), []string{"b", "c"}) {
		t.Fatal(g, err)
	}
	if g, err := write("2026-01-31", true, "late"); err != nil || localdate.Text(g.GetLocalDate()) != "2026-01-31" {
		t.Fatal(g, err)
	}
	for day, reason := range map[string]string{"2026-11-25": "DATE_IN_FUTURE", "2026-02-30": "DATE_INVALID", "today": "DATE_INVALID"} {
		_, err := write(day, true, "x")
		resourcetest.Refused(t, err, reason)
	}
	_, err = write("2026-11-24", true, " ")
	resourcetest.Refused(t, err, "REQUIRED")
	_, err = write("2026-03-01", false, "x")
	resourcetest.Refused(t, err, "NOT_FOUND")
}

// TestConsents: each change is dated, and only its own.
func TestConsents(t *testing.T) {
	r := newRig(t)
	write := func(c *journalv1.Consents) *journalv1.Consents {
		t.Helper()
		got, err := r.d.Profiles.Update(t.Context(), &journalv1.UpdateProfileRequest{
			Profile: &journalv1.Profile{Name: ada + "/profile", Consents: c}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"consents"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return got.(*journalv1.Profile).GetConsents()
	}
	none, err := r.d.Profiles.Fetch(t.Context(), ada+"/profile")
	if err != nil || none.GetTimeZone() != "UTC" || none.GetConsents().GetAggregateInsights() || none.GetConsents().GetShareWithPipeline() {
		t.Fatal(none, err)
	}
	first := write(&journalv1.Consents{AggregateInsights: true})
	if !first.GetAggregateInsightsChangeTime().AsTime().Equal(resourcetest.Start) || first.GetShareWithPipelineChangeTime() != nil {
		t.Fatalf("%v", first)
	}
	r.Clock.Advance(time.Hour)
	second := write(&journalv1.Consents{AggregateInsights: true, ShareWithPipeline: true})
	if !second.GetAggregateInsightsChangeTime().AsTime().Equal(resourcetest.Start) || !second.GetShareWithPipelineChangeTime().AsTime().Equal(resourcetest.Start.Add(time.Hour)) {
		t.Fatalf("%v", second)
	}
	r.Clock.Advance(time.Hour)
	third := write(nil)
	if third.GetAggregateInsights() || third.GetShareWithPipeline() || !third.GetAggregateInsightsChangeTime().AsTime().Equal(resourcetest.Start.Add(2*time.Hour)) {
		t.Fatalf("%v", third)
	}
	for reason, p := range map[string]*journalv1.Profile{"TIME_ZONE_UNKNOWN": {TimeZone: "Mars/Olympus"}, "LOCALE_INVALID": {Locale: "not a locale"}} {
		p.Name = ada + "/profile"
		_, err := r.d.Profiles.Update(t.Context(), &journalv1.UpdateProfileRequest{Profile: p})
		resourcetest.Refused(t, err, reason)
	}
}

// TestAffiliations: a new date keeps what held before it.
func TestAffiliations(t *testing.T) {
	r := newRig(t)
	write := func(from *datepb.Date, department string) (*journalv1.Affiliation, error) {
		got, err := r.d.Affiliations.Update(t.Context(), &journalv1.UpdateAffiliationRequest{Affiliation: &journalv1.Affiliation{
			Name: ada + "/affiliation", Attributes: map[string]string{"department": department}, EffectiveFrom: from,
		}})
		if err != nil {
			return nil, err
		}
		return got.(*journalv1.Affiliation), nil
	}
	if a, err := write(nil, "sales"); err != nil || localdate.Text(a.GetEffectiveFrom()) != "2026-11-23" || len(a.GetHistory()) != 0 {
		t.Fatal(a, err)
	}
	if a, err := write(nil, "support"); err != nil || len(a.GetHistory()) != 0 || a.GetAttributes()["department"] != "support" {
		t.Fatal("a correction makes history", a, err)
	}
	a, err := write(date(2027, 1, 1), "research")
	if err != nil || len(a.GetHistory()) != 1 {
		t.Fatal(a, err)
	}
	past := a.GetHistory()[0]
	if past.GetAttributes()["department"] != "support" || localdate.Text(past.GetEffectiveFrom()) != "2026-11-23" || localdate.Text(past.GetEffectiveUntil()) != "2027-01-01" {
		t.Fatalf("%v", past)
	}
	_, err = write(date(2026, 12, 1), "x")
	resourcetest.Refused(t, err, "DATE_BEFORE_CURRENT")
	for i := range maxHistory + 5 {
		if a, err = write(localdate.FromDays(localdate.Days(date(2027, 1, 2))+i), fmt.Sprint("d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.GetHistory()) != maxHistory || a.GetHistory()[maxHistory-1].GetAttributes()["department"] != fmt.Sprint("d", maxHistory+3) {
		t.Errorf("%d are kept", len(a.GetHistory()))
	}
}
