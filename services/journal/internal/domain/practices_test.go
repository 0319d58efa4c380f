package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

const (
	praised  = typev1.EvidencePrompt_EVIDENCE_PROMPT_PRAISED_FOR
	enjoyed  = typev1.EvidencePrompt_EVIDENCE_PROMPT_ENJOYED
	pressure = typev1.EvidencePrompt_EVIDENCE_PROMPT_HELD_UP_UNDER_PRESSURE
)

func (r *rig) strength(id string, tags []string, evidence ...*journalv1.Evidence) *journalv1.Strength {
	r.t.Helper()
	made, err := r.d.Strengths.Create(r.t.Context(), &journalv1.CreateStrengthRequest{
		Parent: ada, StrengthId: id, Strength: &journalv1.Strength{Statement: "s", Evidence: evidence, Tags: tags},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*journalv1.Strength)
}

func TestStrengths(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{})
	one := &journalv1.Evidence{Prompt: praised, Text: "one", Setback: s.GetName()}
	a := r.strength("a", []string{"x"}, one, &journalv1.Evidence{Prompt: praised, Text: "two"})
	b := r.strength("b", []string{"x", "y"}, one, &journalv1.Evidence{Prompt: enjoyed}, &journalv1.Evidence{Prompt: pressure})
	if a.GetWeight() != 2 || b.GetWeight() != 5 || r.strength("c", nil).GetWeight() != 0 {
		t.Errorf("weights %d and %d", a.GetWeight(), b.GetWeight())
	}
	listed := func() string {
		res, err := r.d.Strengths.List(t.Context(), &journalv1.ListStrengthsRequest{Parent: ada})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range res.(*journalv1.ListStrengthsResponse).GetStrengths() {
			names = append(names, strings.TrimPrefix(s.GetName(), ada+"/strengths/"))
		}
		return strings.Join(names, " ")
	}
	if got := listed(); got != "b a c" {
		t.Errorf("by weight: %s", got)
	}
	merged, err := r.d.MergeStrength(t.Context(), &journalv1.MergeStrengthRequest{Name: a.GetName(), Twin: b.GetName()})
	if err != nil || len(merged.GetEvidence()) != 4 || merged.GetWeight() != 6 || !slices.Equal(merged.GetTags(), []string{"x", "y"}) {
		t.Fatal(merged, err)
	}
	if got := listed(); got != "a c" {
		t.Errorf("after the merge: %s", got)
	}
	for twin, reason := range map[string]string{
		a.GetName(): "REFERENCE_SELF", "": "REQUIRED", b.GetName(): "REFERENCE_UNKNOWN",
		"tenants/acme/people/grace/strengths/a": "REFERENCE_FOREIGN", s.GetName(): "NAME_INVALID",
	} {
		_, err := r.d.MergeStrength(t.Context(), &journalv1.MergeStrengthRequest{Name: a.GetName(), Twin: twin})
		resourcetest.Refused(t, err, reason)
	}
	var many []*journalv1.Evidence
	for i := range maxEvidence {
		many = append(many, &journalv1.Evidence{Prompt: praised, Text: fmt.Sprint("many", i)})
	}
	full := r.strength("full", nil, many...)
	_, err = r.d.MergeStrength(t.Context(), &journalv1.MergeStrengthRequest{Name: a.GetName(), Twin: full.GetName()})
	resourcetest.Refused(t, err, "TOO_MUCH_EVIDENCE")
	if got := listed(); got != "full a c" {
		t.Errorf("a merge that was refused changed something: %s", got)
	}
}

func TestReframes(t *testing.T) {
	r := newRig(t)
	made, err := r.d.Reframes.Create(t.Context(), &journalv1.CreateReframeRequest{Parent: ada, Reframe: &journalv1.Reframe{
		Original: "I'm not good enough — I always fail. I am such a loser!", BeliefBefore: proto.Int32(90), BeliefAfter: proto.Int32(40),
	}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.d.SuggestReframe(t.Context(), &journalv1.SuggestReframeRequest{Name: made.(*journalv1.Reframe).GetName()})
	if err != nil || res.GetRulesVersion() == "" {
		t.Fatal(res, err)
	}
	var got []string
	original := []rune(made.(*journalv1.Reframe).GetOriginal())
	for _, s := range res.GetSuggestions() {
		got = append(got, s.GetRule()+":"+string(original[s.GetStart():s.GetEnd()]))
		if s.GetKind() == 0 || !strings.HasSuffix(s.GetPrompt(), "?") {
			t.Errorf("%v is no question", s)
		}
	}
	if want := []string{"NOT_GOOD_ENOUGH:not good enough", "ALL_OR_NOTHING:always", "LABEL:I am such a loser"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	events := r.Events(t, ada)
	if f := events[len(events)-1].GetReframe(); f.GetBeliefBefore() != 90 || f.GetBeliefAfter() != 40 || f.GetReframed() {
		t.Errorf("%v", f)
	}
}

// TestReframeRules: each rule finds what it is for, and leaves plain sentences alone.
func TestReframeRules(t *testing.T) {
	for text, want := range map[string]string{
		"I was not smart enough":                          "NOT_GOOD_ENOUGH",
		"It wasn’t ever good enough":                      "NOT_GOOD_ENOUGH",
		"I’m a complete failure":                          "LABEL",
		"I was just stupid":                               "LABEL",
		"It was all my fault":                             "ALL_MY_FAULT",
		"I shouldn't have sent it":                        "HINDSIGHT",
		"I should've known":                               "HINDSIGHT",
		"I can’t do this":                                 "CANNOT",
		"I'll never manage":                               "CANNOT",
		"Everyone thinks I am weak":                       "MIND_READING",
		"The whole team laughs":                           "MIND_READING",
		"My career is over":                               "CATASTROPHE",
		"Nothing works, nobody helps":                     "ALL_OR_NOTHING ALL_OR_NOTHING",
		"The server failed and we restored the backup":    "",
		"I am tired and I do not know what comes next":    "",
		"The candle was bright enough for the whole room": "",
		"":                              "",
		"Überall alles schief gelaufen": "",
	} {
		var got []string
		for _, s := range suggestions(text) {
			got = append(got, s.GetRule())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", text, got, want)
		}
	}
}

// TestSearch: found by tag, date and words, whatever their case and accents, in
// any of the person's own words.
func TestSearch(t *testing.T) {
	r := newRig(t)
	r.liveIn("Pacific/Auckland")
	write := func(id, text string, tags ...string) {
		t.Helper()
		_, err := r.d.Reflections.Create(t.Context(), &journalv1.CreateReflectionRequest{
			Parent: ada, ReflectionId: id, Reflection: &journalv1.Reflection{Text: text, Tags: tags},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(5 * time.Hour)
	}
	write("a", "The **Launch** failed in ZÜRICH", "work")          // the 23rd there
	write("b", "We walked by the lake; Zu\u0308rich was calm")     // the 24th
	write("c", "Straße und Wut", "work", "at night", "STRASSE 12") // the 24th
	find := func(query, filter string) string {
		t.Helper()
		res, err := r.d.Reflections.List(t.Context(), &journalv1.ListReflectionsRequest{Parent: ada, Query: query, Filter: filter, OrderBy: "name"})
		if err != nil {
			t.Fatalf("%s, %s: %v", query, filter, err)
		}
		var ids []string
		for _, x := range res.(*journalv1.ListReflectionsResponse).GetReflections() {
			ids = append(ids, strings.TrimPrefix(x.GetName(), ada+"/reflections/"))
		}
		return strings.Join(ids, " ")
	}
	for _, c := range []struct{ query, filter, want string }{
		{"zürich", "", "a b"}, {"ZÜRICH launch", "", "a"}, {"strasse", "", "c"}, {"absent", "", ""}, {"  ", "", "a b c"},
		{"", `tags:"work"`, "a c"}, {"", `tags:"at night"`, "c"}, {"", `local_date = "2026-11-24"`, "b c"}, {"wut", `tags:"work" AND local_date = "2026-11-24"`, "c"},
		{"", `NOT tags:"work"`, "b"},
	} {
		if got := find(c.query, c.filter); got != c.want {
			t.Errorf("%q with %q: %q, want %q", c.query, c.filter, got, c.want)
		}
	}
	_, err := r.d.Reflections.List(t.Context(), &journalv1.ListReflectionsRequest{Parent: ada, Query: strings.Repeat("w ", 21)})
	resourcetest.Refused(t, err, "QUERY_TOO_LONG")
	_, err = r.d.Reflections.List(t.Context(), &journalv1.ListReflectionsRequest{Parent: ada, Filter: `text = "x"`})
	resourcetest.Refused(t, err, "FILTER_FIELD_UNKNOWN")
	_, err = r.d.Reflections.Create(t.Context(), &journalv1.CreateReflectionRequest{Parent: ada, Reflection: &journalv1.Reflection{
		Text: "t", StartTime: timestamppb.New(r.Clock.Now().Add(time.Hour)),
	}})
	resourcetest.Refused(t, err, "TIME_IN_FUTURE")
}

func TestVisualizations(t *testing.T) {
	r := newRig(t)
	_, err := r.d.Visualizations.Create(t.Context(), &journalv1.CreateVisualizationRequest{Parent: ada, Visualization: &journalv1.Visualization{Scene: "s"}})
	resourcetest.Refused(t, err, "REQUIRED") // success pictured alone saps effort
	_, err = r.d.Visualizations.Create(t.Context(), &journalv1.CreateVisualizationRequest{Parent: ada, Visualization: &journalv1.Visualization{Scene: "s", Obstacle: "o", Goal: "tenants/acme/people/grace/goals/g"}})
	resourcetest.Refused(t, err, "REFERENCE_FOREIGN")
	_, err = r.d.Visualizations.Create(t.Context(), &journalv1.CreateVisualizationRequest{Parent: ada, Visualization: &journalv1.Visualization{Scene: "s", Obstacle: "o", Plan: &journalv1.IfThenPlan{When: "w"}}})
	resourcetest.Refused(t, err, "REQUIRED")
	made, err := r.d.Visualizations.Create(t.Context(), &journalv1.CreateVisualizationRequest{Parent: ada, Visualization: &journalv1.Visualization{
		Scene: "s", Obstacle: "o", Goal: ada + "/goals/g", Plan: &journalv1.IfThenPlan{When: "w", Then: "t"}, Vividness: 3,
	}})
	if err != nil {
		t.Fatal(err)
	}
	name := made.(*journalv1.Visualization).GetName()
	practice := func(req *journalv1.PracticeVisualizationRequest) (*journalv1.Visualization, error) {
		req.Name = name
		return r.d.PracticeVisualization(t.Context(), req)
	}
	for _, req := range []*journalv1.PracticeVisualizationRequest{{Vividness: 6}, {Date: date(2026, 11, 20)}, {}, {Date: date(2026, 11, 23)}} {
		if _, err := practice(req); err != nil {
			t.Fatal(err)
		}
	}
	_, err = practice(&journalv1.PracticeVisualizationRequest{Date: date(2026, 11, 24)})
	resourcetest.Refused(t, err, "DATE_IN_FUTURE")
	v, err := r.d.Visualizations.Fetch(t.Context(), name)
	if err != nil || v.GetVividness() != 6 {
		t.Fatal(v, err)
	}
	var log []string
	for _, on := range v.GetPracticeDates() {
		log = append(log, localdate.Text(on))
	}
	if !slices.Equal(log, []string{"2026-11-20", "2026-11-23"}) {
		t.Errorf("%v", log)
	}
}

func (r *rig) connection(id string, c *journalv1.Connection) string {
	r.t.Helper()
	c.DisplayName = id
	made, err := r.d.Connections.Create(r.t.Context(), &journalv1.CreateConnectionRequest{Parent: ada, ConnectionId: id, Connection: c})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*journalv1.Connection).GetName()
}

func TestConnections(t *testing.T) {
	r := newRig(t)
	bo := r.connection("bo", &journalv1.Connection{Energy: proto.Int32(4), Relation: typev1.ConnectionRelation_CONNECTION_RELATION_MENTOR, CadenceDays: 14})
	r.connection("cy", &journalv1.Connection{Energy: proto.Int32(-3), Relation: typev1.ConnectionRelation_CONNECTION_RELATION_FRIEND, NextContactOn: date(2026, 11, 22)})
	r.connection("di", &journalv1.Connection{Relation: typev1.ConnectionRelation_CONNECTION_RELATION_FRIEND})
	outreach := func(state typev1.OutreachState) (*journalv1.Outreach, error) {
		got, err := r.d.Outreaches.Update(t.Context(), &journalv1.UpdateOutreachRequest{
			Outreach: &journalv1.Outreach{Name: bo + "/outreaches/o", State: state, Ask: "a"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"state", "ask"}}, AllowMissing: true,
		})
		if err != nil {
			return nil, err
		}
		return got.(*journalv1.Outreach), nil
	}
	const (
		planned, sent      = typev1.OutreachState_OUTREACH_STATE_PLANNED, typev1.OutreachState_OUTREACH_STATE_SENT
		answered, noAnswer = typev1.OutreachState_OUTREACH_STATE_ANSWERED, typev1.OutreachState_OUTREACH_STATE_NO_ANSWER
	)
	if o, err := outreach(0); err != nil || o.GetState() != planned || o.GetSentOn() != nil {
		t.Fatal(o, err)
	}
	_, err := outreach(answered)
	resourcetest.Refused(t, err, "OUTREACH_STATE")
	if o, err := outreach(sent); err != nil || localdate.Text(o.GetSentOn()) != "2026-11-23" || o.GetAnsweredOn() != nil {
		t.Fatal(o, err)
	}
	if _, err := outreach(noAnswer); err != nil {
		t.Fatal(err)
	}
	_, err = outreach(planned)
	resourcetest.Refused(t, err, "OUTREACH_STATE")
	r.Clock.Advance(48 * time.Hour)
	if o, err := outreach(answered); err != nil || localdate.Text(o.GetSentOn()) != "2026-11-23" || localdate.Text(o.GetAnsweredOn()) != "2026-11-25" {
		t.Fatal(o, err)
	}
	c, err := r.d.Connections.Fetch(t.Context(), bo)
	if err != nil || localdate.Text(c.GetLastContactOn()) != "2026-11-25" || localdate.Text(c.GetContactDueOn()) != "2026-12-09" {
		t.Fatal(c, err)
	}
	update := func(energy *int32) *journalv1.Connection {
		t.Helper()
		got, err := r.d.Connections.Update(t.Context(), &journalv1.UpdateConnectionRequest{
			Connection: &journalv1.Connection{Name: bo, Energy: energy}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"energy"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return got.(*journalv1.Connection)
	}
	update(proto.Int32(2))
	if got := update(proto.Int32(2)); len(got.GetEnergyHistory()) != 1 || got.GetEnergyHistory()[0].GetEnergy() != 4 || localdate.Text(got.GetContactDueOn()) != "2026-12-09" {
		t.Fatalf("%v", got)
	}
	balance, err := r.d.GetSupportBalance(t.Context(), &journalv1.GetSupportBalanceRequest{Name: ada + "/supportBalance"})
	if err != nil {
		t.Fatal(err)
	}
	if balance.GetConnections() != 3 || balance.GetFilling() != 1 || balance.GetDraining() != 1 || balance.GetNeutral() != 0 || balance.GetMeanEnergy() != -0.5 ||
		fmt.Sprint(balance.GetOverdue()) != "["+ada+"/connections/cy]" || len(balance.GetRelations()) != 2 || balance.GetRelations()[1].GetCount() != 2 {
		t.Errorf("%v", balance)
	}
	_, err = r.d.GetSupportBalance(t.Context(), &journalv1.GetSupportBalanceRequest{Name: ada})
	resourcetest.Refused(t, err, "NAME_INVALID")
	_, err = r.d.Connections.Delete(t.Context(), &journalv1.DeleteConnectionRequest{Name: bo})
	resourcetest.Refused(t, err, "HAS_CHILDREN")
	if _, err := r.d.Connections.Delete(t.Context(), &journalv1.DeleteConnectionRequest{Name: bo, Force: true}); err != nil {
		t.Fatal(err)
	}
	none, err := r.d.GetSupportBalance(t.Context(), &journalv1.GetSupportBalanceRequest{Name: "tenants/acme/people/grace/supportBalance"})
	if err != nil || none.GetConnections() != 0 || none.MeanEnergy != nil {
		t.Error(none, err)
	}
}

func TestLookBacks(t *testing.T) {
	for _, c := range []struct {
		back ago
		from string
		want string
	}{
		{ago{weeks: 1}, "2026-03-03", "2026-02-24"}, {ago{months: 1}, "2026-03-31", "2026-02-28"}, {ago{months: 3}, "2026-05-31", "2026-02-28"},
		{ago{months: 3}, "2026-02-28", "2025-11-28"}, {ago{years: 1}, "2024-02-29", "2023-02-28"}, {ago{years: 4}, "2024-02-29", "2020-02-29"}, {ago{months: 1}, "2026-01-15", "2025-12-15"},
	} {
		from, err := localdate.Parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := localdate.Text(c.back.before(from)); got != c.want {
			t.Errorf("%+v before %s: %s, want %s", c.back, c.from, got, c.want)
		}
	}
}

// TestOnThisDay: what was written comes back, where the person lives, but not
// what is muted or belongs to it.
func TestOnThisDay(t *testing.T) {
	r := newRig(t)
	r.liveIn("Pacific/Auckland")
	muted := r.setback(&journalv1.Setback{OccurredOn: date(2025, 11, 23), Muted: true})
	r.setback(&journalv1.Setback{OccurredOn: date(2025, 11, 23)})
	r.setback(&journalv1.Setback{OccurredOn: date(2026, 11, 16)})
	checkIn := func(at time.Time, setback string) {
		t.Helper()
		_, err := r.d.CheckIns.Create(t.Context(), &journalv1.CreateCheckInRequest{Parent: ada, CheckIn: &journalv1.CheckIn{
			Pleasantness: proto.Int32(1), Energy: proto.Int32(1), Time: timestamppb.New(at), Setback: setback,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	checkIn(time.Date(2026, 10, 22, 11, 0, 0, 0, time.UTC), "") // midnight of the 23rd there
	checkIn(time.Date(2026, 10, 23, 11, 0, 0, 0, time.UTC), "") // midnight of the 24th
	checkIn(time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC), muted.GetName())
	if _, err := r.d.Gratitudes.Create(t.Context(), &journalv1.CreateGratitudeRequest{Parent: ada, GratitudeId: "2023-11-23", Gratitude: &journalv1.Gratitude{Items: []string{"a"}}}); err != nil {
		t.Fatal(err)
	}
	got, err := r.d.GetOnThisDay(t.Context(), &journalv1.GetOnThisDayRequest{Name: ada + "/onThisDay"})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, m := range got.GetMemories() {
		seen = append(seen, fmt.Sprintf("%s %d/%d/%d: %d setbacks %d check-ins %d gratitudes", localdate.Text(m.GetDate()),
			m.GetWeeksAgo(), m.GetMonthsAgo(), m.GetYearsAgo(), len(m.GetSetbacks()), len(m.GetCheckIns()), len(m.GetGratitudes())))
	}
	want := []string{
		"2026-11-16 1/0/0: 1 setbacks 0 check-ins 0 gratitudes", "2026-10-23 0/1/0: 0 setbacks 1 check-ins 0 gratitudes",
		"2025-11-23 0/0/1: 1 setbacks 0 check-ins 0 gratitudes", "2023-11-23 0/0/3: 0 setbacks 0 check-ins 1 gratitudes",
	}
	if localdate.Text(got.GetDate()) != "2026-11-23" || !slices.Equal(seen, want) {
		t.Errorf("%s: %q", localdate.Text(got.GetDate()), seen)
	}
	_, err = r.d.GetOnThisDay(t.Context(), &journalv1.GetOnThisDayRequest{Name: ada + "/onThisDay", Date: date(2026, 2, 30)})
	resourcetest.Refused(t, err, "DATE_INVALID")
	if _, err = r.d.GetOnThisDay(t.Context(), &journalv1.GetOnThisDayRequest{Name: ada + "/onThisDay", Date: date(1, 1, 1)}); err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(got.GetMemories(), func(m *journalv1.Memory) bool { return m.GetYearsAgo() == 1 }) {
		t.Error("a muted setback takes others with it")
	}
}
