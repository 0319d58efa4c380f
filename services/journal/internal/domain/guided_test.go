package domain

import (
	"fmt"
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

func (r *rig) debrief(setback string, b *journalv1.Debrief) string {
	r.t.Helper()
	made, err := r.d.Debriefs.Create(r.t.Context(), &journalv1.CreateDebriefRequest{Parent: setback, DebriefId: "d", Debrief: b})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*journalv1.Debrief).GetName()
}

// TestGuided: what was skipped and followed up is remembered with the debrief,
// and so is the version of the prompts.
func TestGuided(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{})
	name := r.debrief(s.GetName(), &journalv1.Debrief{})
	ask := func(skip string) *journalv1.NextDebriefPromptResponse {
		t.Helper()
		res, err := r.d.NextDebriefPrompt(t.Context(), &journalv1.NextDebriefPromptRequest{Name: name, Skip: skip})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first := ask("")
	if first.GetPrompt().GetId() != "slot" || first.GetGuideVersion() == 0 || first.GetReasonText() == "" {
		t.Fatalf("%v", first)
	}
	second := ask("slot")
	if second.GetPrompt().GetId() != "moments" || second.GetProgress() <= first.GetProgress() {
		t.Fatalf("%v", second)
	}
	for _, id := range []string{"moments", "factors", "goal", "hardest-part", "hardest-part-handled"} {
		ask(id)
	}
	// Texts of questions are the bank's.
	if got := ask("").GetPrompt(); got.GetId() != "why" || got.GetText() != r.d.questionText("why") || got.GetText() == "" {
		t.Fatalf("%v", got)
	}
	b, err := r.d.Debriefs.Fetch(t.Context(), name)
	if err != nil || len(b.GetSkippedPrompts()) != 6 || b.GetGuideVersion() != first.GetGuideVersion() {
		t.Fatal(b, err)
	}
	etag := b.GetEtag()
	if ask(""); true { // asking alone writes nothing
		if b, err = r.d.Debriefs.Fetch(t.Context(), name); err != nil || b.GetEtag() != etag {
			t.Fatal(b, err)
		}
	}
	if _, err := r.d.Debriefs.Update(t.Context(), &journalv1.UpdateDebriefRequest{Debrief: &journalv1.Debrief{Name: name, Answers: []*journalv1.Answer{{Question: "why", Text: "Bad luck."}}}}); err != nil {
		t.Fatal(err)
	}
	if got := ask(""); got.GetReason() != journalv1.PromptReason_PROMPT_REASON_THIN {
		t.Fatalf("%v", got)
	}
	_, err = r.d.NextDebriefPrompt(t.Context(), &journalv1.NextDebriefPromptRequest{Name: name, Skip: "nothing"})
	resourcetest.Refused(t, err, "PROMPT_UNKNOWN")
	_, err = r.d.NextDebriefPrompt(t.Context(), &journalv1.NextDebriefPromptRequest{Name: s.GetName() + "/debriefs/absent"})
	resourcetest.Refused(t, err, "NOT_FOUND")
	// A strength and a lesson of this setback count, others do not.
	state, err := r.d.guideState(t.Context(), name)
	if err != nil || len(state.Strengths)+len(state.Lessons) != 0 {
		t.Fatal(state, err)
	}
	r.strength("s", nil, &journalv1.Evidence{Prompt: praised, Setback: s.GetName()})
	r.strength("other", nil)
	if _, err := r.d.Lessons.Create(t.Context(), &journalv1.CreateLessonRequest{Parent: ada, Lesson: &journalv1.Lesson{Statement: "s", Setback: s.GetName()}}); err != nil {
		t.Fatal(err)
	}
	if state, err = r.d.guideState(t.Context(), name); err != nil || len(state.Strengths) != 1 || len(state.Lessons) != 1 {
		t.Fatal(state, err)
	}
}

func TestWhyChainRules(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{})
	deep := func(n int) []*journalv1.Because {
		var out []*journalv1.Because
		for range n {
			out = []*journalv1.Because{{Text: "t", Influenceable: true, Becauses: out}}
		}
		return out
	}
	var wide []*journalv1.Because
	for range 11 {
		b := &journalv1.Because{Text: "t", Influenceable: true}
		for range 9 {
			b.Becauses = append(b.Becauses, &journalv1.Because{Text: "t"})
		}
		wide = append(wide, b)
	}
	for reason, chain := range map[string][]*journalv1.Because{
		"WHY_CHAIN_TOO_DEEP":       deep(6),
		"WHY_CHAIN_TOO_LONG":       wide,
		"WHY_CHAIN_PAST_INFLUENCE": {{Text: "t", Becauses: deep(1)}},
		"REQUIRED":                 {{Text: "t", Influenceable: true, Becauses: []*journalv1.Because{{Text: " "}}}},
	} {
		_, err := r.d.Debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: s.GetName(), Debrief: &journalv1.Debrief{WhyChain: chain}})
		resourcetest.Refused(t, err, reason)
	}
	r.debrief(s.GetName(), &journalv1.Debrief{WhyChain: append(deep(5), wide[:9]...)})
}

func TestRevisits(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{Intensity: 9})
	name := r.debrief(s.GetName(), &journalv1.Debrief{Moments: []*journalv1.Moment{{What: "w"}}})
	revisit := func(req *journalv1.RevisitDebriefRequest) (*journalv1.Debrief, error) {
		req.Name = name
		return r.d.RevisitDebrief(t.Context(), req)
	}
	_, err := revisit(&journalv1.RevisitDebriefRequest{Intensity: 3})
	resourcetest.Refused(t, err, "DEBRIEF_NOT_COMPLETED")
	r.Clock.Advance(8 * 24 * time.Hour) // the 1st of December
	b, err := r.d.CompleteDebrief(t.Context(), &journalv1.CompleteDebriefRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	due := func(b *journalv1.Debrief) string {
		out := ""
		for _, x := range b.GetRevisits() {
			mark := ""
			if x.GetRevisitTime() != nil {
				mark = fmt.Sprint("=", x.GetIntensity())
			}
			out += localdate.Text(x.GetDueOn()) + mark + " "
		}
		return out
	}
	if got := due(b); got != "2026-12-08 2027-01-01 2027-03-01 2027-12-01 " {
		t.Fatalf("due on %s", got)
	}
	r.Clock.Advance(7 * 24 * time.Hour)
	if b, err = revisit(&journalv1.RevisitDebriefRequest{Intensity: 5, Thought: "calmer"}); err != nil || due(b) != "2026-12-08=5 2027-01-01 2027-03-01 2027-12-01 " {
		t.Fatal(due(b), err)
	}
	after, err := r.d.Setbacks.Fetch(t.Context(), s.GetName())
	if err != nil || after.GetIntensity() != 9 || after.GetIntensityNow() != 5 || localdate.Text(after.GetRevisitedOn()) != "2026-12-08" {
		t.Fatal(after, err)
	}
	if b, err = revisit(&journalv1.RevisitDebriefRequest{DueOn: date(2026, 12, 8), Intensity: 4}); err != nil || due(b) != "2026-12-08=4 2027-01-01 2027-03-01 2027-12-01 " {
		t.Fatal(due(b), err)
	}
	_, err = revisit(&journalv1.RevisitDebriefRequest{DueOn: date(2026, 12, 9)})
	resourcetest.Refused(t, err, "REVISIT_UNKNOWN")
	schedule := func(dates ...*datepb.Date) (*journalv1.Debrief, error) {
		return r.d.ScheduleDebriefRevisits(t.Context(), &journalv1.ScheduleDebriefRevisitsRequest{Name: name, Dates: dates})
	}
	if b, err = schedule(date(2027, 6, 1), date(2027, 1, 15)); err != nil || due(b) != "2026-12-08=4 2027-01-15 2027-06-01 " {
		t.Fatal(due(b), err)
	}
	for reason, d := range map[string]*datepb.Date{"DATE_IN_PAST": date(2026, 12, 7), "DATE_INVALID": date(2027, 2, 30), "REQUIRED": nil} {
		_, err = schedule(d)
		resourcetest.Refused(t, err, reason)
	}
	_, err = schedule(date(2027, 1, 15), date(2027, 1, 15))
	resourcetest.Refused(t, err, "DATE_REPEATED")
	if b, err = schedule(); err != nil || due(b) != "2026-12-08=4 " {
		t.Fatal(due(b), err)
	}
	// Beyond the schedule, too.
	if b, err = revisit(&journalv1.RevisitDebriefRequest{Intensity: 2}); err != nil || len(b.GetRevisits()) != 2 {
		t.Fatal(due(b), err)
	}
	events := r.Events(t, ada)
	last := events[len(events)-2].GetDebrief()
	if len(last.GetRevisits()) != 2 || last.GetRevisits()[0].GetIntensity() != 4 {
		t.Errorf("%v", last)
	}
}
