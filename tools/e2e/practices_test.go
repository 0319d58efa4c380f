package e2e

import (
	"slices"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

// TestPracticesOverREST goes through each practice as a portal would.
func TestPracticesOverREST(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	const setback = `"setback":"tenants/acme/people/ada/setbacks/s"`
	c.must("POST", ada+"/setbacks?setbackId=s", `{"title":"The pitch failed","tags":["work"]}`)
	if s := c.must("PATCH", ada+"/setbacks/s", `{"silverLining":"I know the market now"}`); s["silverLining"] != "I know the market now" {
		t.Errorf("%v", s)
	}
	c.refused("POST", ada+"/setbacks/s:close", `{}`, 400, "DEBRIEF_WANTED")
	c.must("POST", ada+"/setbacks/s:close", `{"waiveDebrief":true,"note":"Enough of it"}`)

	c.must("POST", ada+"/strengths?strengthId=calm", `{"statement":"I stay calm","evidence":[{"prompt":"HELD_UP_UNDER_PRESSURE","text":"The demo",`+setback+`}]}`)
	c.must("POST", ada+"/strengths?strengthId=quiet", `{"statement":"I am quiet in storms","evidence":[{"prompt":"PRAISED_FOR"}]}`)
	if s := c.must("POST", ada+"/strengths/calm:merge", `{"twin":"tenants/acme/people/ada/strengths/quiet"}`); s["weight"] != 3.0 {
		t.Errorf("%v", s)
	}
	c.must("POST", ada+"/reframes?reframeId=r", `{"original":"I am not good enough","beliefBefore":80,`+setback+`}`)
	suggested := c.must("POST", ada+"/reframes/r:suggest", `{}`)["suggestions"].([]any)
	if len(suggested) != 1 || suggested[0].(map[string]any)["rule"] != "NOT_GOOD_ENOUGH" {
		t.Errorf("%v", suggested)
	}
	c.must("PATCH", ada+"/reframes/r", `{"reframed":"I am not good enough yet","kind":"NOT_YET","beliefAfter":30}`)
	c.must("POST", ada+"/reflections?reflectionId=w", `{"text":"# Monday\nI walked along the **river**.","minutes":15,"tags":["walks"]}`)
	if found := c.must("GET", ada+"/reflections?query=RIVER&filter=tags:%22walks%22", "")["reflections"].([]any); len(found) != 1 {
		t.Errorf("%v", found)
	}
	c.refused("POST", ada+"/visualizations", `{"scene":"On the stage again"}`, 400, "REQUIRED")
	c.must("POST", ada+"/visualizations?visualizationId=v", `{"scene":"On the stage again","obstacle":"I read from the slides","plan":{"when":"I look at the slides","then":"I look at one face"},"senses":["SIGHT","SOUND"],"vividness":4}`)
	if v := c.must("POST", ada+"/visualizations/v:practice", `{"vividness":7}`); len(v["practiceDates"].([]any)) != 1 || v["vividness"] != 7.0 {
		t.Errorf("%v", v)
	}
	c.must("POST", ada+"/connections?connectionId=bo", `{"displayName":"Bo","relation":"MENTOR","energy":3,"cadenceDays":14,"canHelpWith":"Pricing"}`)
	c.must("POST", ada+"/connections/bo/outreaches?outreachId=o", `{"ask":"Would you look at my pitch?","channel":"MESSAGE"}`)
	c.refused("PATCH", ada+"/connections/bo/outreaches/o", `{"state":"ANSWERED"}`, 400, "OUTREACH_STATE")
	c.must("PATCH", ada+"/connections/bo/outreaches/o", `{"state":"SENT"}`)
	c.must("PATCH", ada+"/connections/bo/outreaches/o", `{"state":"ANSWERED","answer":"Gladly","opportunity":"An introduction"}`)
	if b := c.must("GET", ada+"/connections/bo", ""); b["lastContactOn"] == nil || b["contactDueOn"] == nil {
		t.Errorf("%v", b)
	}
	if b := c.must("GET", ada+"/supportBalance", ""); b["connections"] != 1.0 || b["filling"] != 1.0 {
		t.Errorf("%v", b)
	}
	c.must("POST", ada+"/stories?storyId=st", `{`+setback+`,"situation":"A pitch to a big client","learning":"Ask first"}`)
	c.must("POST", ada+"/stories/st/versions?storyVersionId=team", `{"audience":"TEAM","text":"It was their fault."}`)
	failed := []string{}
	for _, check := range c.must("POST", ada+"/stories/st/versions/team:review", `{}`)["checks"].([]any) {
		if check := check.(map[string]any); check["passed"] == false {
			failed = append(failed, check["rule"].(string))
		}
	}
	if !slices.Equal(failed, []string{"LENGTH", "SHOWS_LEARNING", "OWNS_PART", "NO_BLAME"}) {
		t.Errorf("%v", failed)
	}
	c.refused("POST", ada+"/stories/st/versions/team:publish", `{"confirmedText":"Something else"}`, 400, "TEXT_NOT_CONFIRMED")
	c.must("POST", ada+"/stories/st/versions/team:publish", `{"confirmedText":"It was their fault."}`)
	grace := r.as("acme", "grace", "person")
	library := grace.must("GET", "/v1/tenants/acme/libraryStories", "")["libraryStories"].([]any)
	if len(library) != 1 || library[0].(map[string]any)["text"] != "It was their fault." {
		t.Fatalf("%v", library)
	}
	published := "/v1/" + library[0].(map[string]any)["name"].(string)
	grace.must("POST", published+":markHelpful", `{}`)
	if s := grace.must("POST", published+":meToo", `{}`); s["helpfulCount"] != nil || s["createTime"] != nil || s["etag"] != nil {
		t.Errorf("%v", s)
	}
	r.as("other", "grace", "person").refused("GET", published, "", 403, "ACCESS_DENIED")
	c.refused("DELETE", ada+"/stories/st?force=true", "", 400, "STORY_PUBLISHED")
	c.must("POST", ada+"/stories/st/versions/team:withdraw", `{}`)
	grace.refused("GET", published, "", 404, "NOT_FOUND")
	c.refused("POST", ada+"/stories/st/versions", `{"text":"For nobody"}`, 400, "REQUIRED")
	c.refused("DELETE", ada+"/stories/st", "", 400, "HAS_CHILDREN")
	c.must("PATCH", ada+"/gratitudes/2020-02-29?allowMissing=true", `{"items":["Snow"],"tags":["winter"]}`)
	day := c.must("GET", ada+"/onThisDay?date.year=2021&date.month=2&date.day=28", "")
	if m := day["memories"].([]any); len(m) != 0 {
		t.Errorf("%v", m)
	}
	day = c.must("GET", ada+"/onThisDay?date.year=2024&date.month=2&date.day=29", "")
	if m := day["memories"].([]any); len(m) != 1 || m[0].(map[string]any)["yearsAgo"] != 4.0 {
		t.Errorf("%v", m)
	}
}

// TestGuidedDebrief is led through a debrief, skips, is followed up once, and
// looks at it again later.
func TestGuidedDebrief(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	c.must("POST", ada+"/setbacks?setbackId=s", `{"title":"The pitch failed","intensity":8}`)
	const d = ada + "/setbacks/s/debriefs/d"
	c.must("POST", ada+"/setbacks/s/debriefs?debriefId=d", `{}`)
	prompt := func(body, id, reason string) {
		t.Helper()
		a := c.must("POST", d+":nextPrompt", body)
		if p := a["prompt"].(map[string]any); p["id"] != id || a["reason"] != "PROMPT_REASON_"+reason {
			t.Fatalf("%v because of %v, want %s", p["id"], a["reason"], id)
		}
	}
	prompt(`{}`, "slot", "MISSING")
	prompt(`{"skip":"slot"}`, "moments", "MISSING")
	c.must("PATCH", d, `{"moments":[{"what":"The room went quiet","who":["Bo"],"thought":"I lost them","feelings":["FEAR"]}]}`)
	c.must("PATCH", ada+"/setbacks/s", `{"factors":[{"kind":"OVERLOAD"}]}`)
	for _, skip := range []string{"goal", "hardest-part"} {
		c.must("POST", d+":nextPrompt", `{"skip":"`+skip+`"}`)
	}
	prompt(`{"skip":"hardest-part-handled"}`, "why", "MISSING")
	c.must("PATCH", d, `{"answers":[{"question":"why","text":"The client never told our manager what they wanted to see."}]}`)
	prompt(`{}`, "why", "ALL_ON_OTHERS")
	c.must("PATCH", d, `{"answers":[{"question":"why","text":"The client never told our manager what they wanted to see. I could have asked."}]}`)
	prompt(`{}`, "blind-spots", "MISSING")
	c.refused("PATCH", d, `{"whyChain":[{"text":"They changed it","becauses":[{"text":"No reason"}]}]}`, 400, "WHY_CHAIN_PAST_INFLUENCE")
	c.must("PATCH", d, `{"whyChain":[{"text":"I did not ask","influenceable":true,"becauses":[{"text":"I was in a hurry"}]}]}`)
	c.must("POST", d+":complete", `{}`)
	if s := c.must("POST", ada+"/setbacks/s:close", `{"note":"Now it may rest"}`); s["state"] != "SETBACK_STATE_CLOSED" {
		t.Errorf("%v", s)
	}
	got := c.must("POST", d+":revisit", `{"intensity":3,"thought":"I ask first now"}`)
	if v := got["revisits"].([]any); len(v) != 4 || v[0].(map[string]any)["intensity"] != 3.0 {
		t.Errorf("%v", v)
	}
	if s := c.must("GET", ada+"/setbacks/s", ""); s["intensity"] != 8.0 || s["intensityNow"] != 3.0 {
		t.Errorf("%v", s)
	}
	if got = c.must("POST", d+":scheduleRevisits", `{}`); len(got["revisits"].([]any)) != 1 {
		t.Errorf("%v", got["revisits"])
	}
}

// TestPracticesOverGRPC does the same in short over gRPC.
func TestPracticesOverGRPC(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.token("acme", "ada", "person"))
	const me = "tenants/acme/people/ada"
	conn := dial(t, r.at.Journal)
	strength, err := journalv1.NewStrengthServiceClient(conn).CreateStrength(ctx, &journalv1.CreateStrengthRequest{Parent: me, Strength: &journalv1.Strength{
		Statement: "I stay calm", Evidence: []*journalv1.Evidence{{Prompt: typev1.EvidencePrompt_EVIDENCE_PROMPT_ENJOYED}},
	}})
	if err != nil || strength.GetWeight() != 1 {
		t.Fatal(strength, err)
	}
	reframes := journalv1.NewReframeServiceClient(conn)
	reframe, err := reframes.CreateReframe(ctx, &journalv1.CreateReframeRequest{Parent: me, Reframe: &journalv1.Reframe{Original: "I always fail"}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := reframes.SuggestReframe(ctx, &journalv1.SuggestReframeRequest{Name: reframe.GetName()}); err != nil || len(s.GetSuggestions()) != 1 {
		t.Fatal(s, err)
	}
	reflections := journalv1.NewReflectionServiceClient(conn)
	if _, err := reflections.CreateReflection(ctx, &journalv1.CreateReflectionRequest{Parent: me, Reflection: &journalv1.Reflection{Text: "By the river"}}); err != nil {
		t.Fatal(err)
	}
	if l, err := reflections.ListReflections(ctx, &journalv1.ListReflectionsRequest{Parent: me, Query: "river"}); err != nil || len(l.GetReflections()) != 1 {
		t.Fatal(l, err)
	}
	visualizations := journalv1.NewVisualizationServiceClient(conn)
	v, err := visualizations.CreateVisualization(ctx, &journalv1.CreateVisualizationRequest{Parent: me, Visualization: &journalv1.Visualization{Scene: "s", Obstacle: "o"}})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = visualizations.PracticeVisualization(ctx, &journalv1.PracticeVisualizationRequest{Name: v.GetName()}); err != nil || len(v.GetPracticeDates()) != 1 {
		t.Fatal(v, err)
	}
	connections := journalv1.NewConnectionServiceClient(conn)
	bo, err := connections.CreateConnection(ctx, &journalv1.CreateConnectionRequest{Parent: me, Connection: &journalv1.Connection{DisplayName: "Bo", Energy: proto.Int32(3)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journalv1.NewOutreachServiceClient(conn).CreateOutreach(ctx, &journalv1.CreateOutreachRequest{Parent: bo.GetName(), Outreach: &journalv1.Outreach{
		Ask: "a", State: typev1.OutreachState_OUTREACH_STATE_SENT,
	}}); err != nil {
		t.Fatal(err)
	}
	b, err := connections.GetSupportBalance(ctx, &journalv1.GetSupportBalanceRequest{Name: me + "/supportBalance"})
	if err != nil || b.GetConnections() != 1 {
		t.Fatal(b, err)
	}
	story, err := journalv1.NewStoryServiceClient(conn).CreateStory(ctx, &journalv1.CreateStoryRequest{Parent: me, Story: &journalv1.Story{Situation: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	versions := journalv1.NewStoryVersionServiceClient(conn)
	version, err := versions.CreateStoryVersion(ctx, &journalv1.CreateStoryVersionRequest{Parent: story.GetName(), StoryVersion: &journalv1.StoryVersion{
		Audience: typev1.Audience_AUDIENCE_SELF, Text: "I learned it",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if review, err := versions.ReviewStoryVersion(ctx, &journalv1.ReviewStoryVersionRequest{Name: version.GetName()}); err != nil || len(review.GetChecks()) != 2 {
		t.Fatal(review, err)
	}
	if _, err := journalv1.NewOnThisDayServiceClient(conn).GetOnThisDay(ctx, &journalv1.GetOnThisDayRequest{Name: me + "/onThisDay"}); err != nil {
		t.Fatal(err)
	}
}
