package guide

import (
	"fmt"
	"strings"
	"testing"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

const (
	missing   = journalv1.PromptReason_PROMPT_REASON_MISSING
	thin      = journalv1.PromptReason_PROMPT_REASON_THIN
	onOneself = journalv1.PromptReason_PROMPT_REASON_ALL_ON_ONESELF
	onOthers  = journalv1.PromptReason_PROMPT_REASON_ALL_ON_OTHERS
)

func bank(id string) string { return "the question " + id }

func newState() State {
	return State{Debrief: &journalv1.Debrief{}, Setback: &journalv1.Setback{}}
}

// next asks once and remembers what is to be remembered.
func next(g *Guide, s *State) Step {
	step := g.Next(*s, bank)
	if step.FollowUp != nil {
		s.Debrief.FollowUps = append(s.Debrief.FollowUps, step.FollowUp)
	}
	return step
}

func (s *State) answer(question, text string) {
	for _, a := range s.Debrief.Answers {
		if a.Question == question {
			a.Text = text
			return
		}
	}
	s.Debrief.Answers = append(s.Debrief.Answers, &journalv1.Answer{Question: question, Text: text})
}

const plenty = "We had no time and my plan was thin, and they changed it late."

// satisfy does what a prompt asks for.
func (s *State) satisfy(p *journalv1.DebriefPrompt) {
	b := s.Debrief
	switch p.GetId() {
	case "slot":
		b.ScheduledTime = timestamppb.Now()
	case "moments":
		b.Moments = []*journalv1.Moment{{What: "w"}}
	case "moments-who":
		b.Moments[0].Who = []string{"Bo"}
	case "moments-thoughts":
		b.Moments[0].Thought = "t"
	case "moments-feelings":
		b.Moments[0].Feelings = []typev1.Feeling{typev1.Feeling_FEELING_FEAR}
	case "factors":
		s.Setback.Factors = []*journalv1.Factor{{Kind: typev1.FactorKind_FACTOR_KIND_OVERLOAD}}
	case "why-chain":
		b.WhyChain = []*journalv1.Because{{Text: "a", Influenceable: true}}
	case "why-chain-deeper":
		deepen(b.WhyChain)
	case "strengths":
		s.Strengths = []*journalv1.Strength{{}}
	case "lessons":
		s.Lessons = []*journalv1.Lesson{{}}
	case "next-time":
		s.Lessons[0].NextTime = "n"
	case "closure":
		b.CompleteTime = timestamppb.Now()
	default:
		s.answer(p.GetId(), plenty)
	}
}

func deepen(chain []*journalv1.Because) {
	for _, b := range chain {
		if len(b.Becauses) == 0 {
			b.Becauses = []*journalv1.Because{{Text: "b", Influenceable: true}}
			return
		}
		deepen(b.Becauses)
	}
}

func load(t testing.TB) *Guide {
	t.Helper()
	g, err := Load("en")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestWholeWay: whoever answers everything is led through every section in
// order, and comes to an end.
func TestWholeWay(t *testing.T) {
	g, s := load(t), newState()
	section, asked, progress := journalv1.DebriefSection(0), 0, -1.0
	for {
		step := next(g, &s)
		if step.Progress < progress {
			t.Fatalf("progress goes back from %v to %v", progress, step.Progress)
		}
		progress = step.Progress
		if step.Prompt == nil {
			break
		}
		if step.Prompt.GetSection() < section || step.Reason != missing || step.Prompt.GetText() == "" || step.Prompt.GetTarget() == "" {
			t.Fatalf("after %s: %v because of %s", section, step.Prompt, step.Reason)
		}
		section = step.Prompt.GetSection()
		s.satisfy(step.Prompt)
		if asked++; asked > 100 {
			t.Fatal("there is no end")
		}
	}
	if progress != 1 || section != journalv1.DebriefSection_DEBRIEF_SECTION_CLOSURE || asked < 20 {
		t.Errorf("it ends after %d prompts in %s at %v", asked, section, progress)
	}
}

// upTo answers everything that comes before a prompt.
func upTo(t *testing.T, g *Guide, s *State, id string) {
	t.Helper()
	for range 100 {
		step := next(g, s)
		if step.Prompt == nil {
			break
		}
		if step.Prompt.GetId() == id {
			return
		}
		s.satisfy(step.Prompt)
	}
	t.Fatalf("%s is never asked", id)
}

// TestFollowUps: a thin answer is followed up once, never twice; an answer that
// puts everything on one side asks for the other.
func TestFollowUps(t *testing.T) {
	for _, c := range []struct {
		answer string
		want   journalv1.PromptReason
	}{
		{"Bad luck.", thin},
		{"I should have known; I did not prepare and I hurried.", onOneself},
		{"The manager never told the team what the client wanted from it.", onOthers},
		{plenty, 0},
		{"   ", 0}, // skipped
		{"The power went out twice during the demonstration on Monday morning.", 0},
	} {
		g, s := load(t), newState()
		upTo(t, g, &s, "why")
		s.answer("why", c.answer)
		step := next(g, &s)
		if c.want == 0 {
			if step.Prompt.GetId() == "why" {
				t.Errorf("%q is followed up: %s", c.answer, step.Reason)
			}
			continue
		}
		if step.Prompt.GetId() != "why" || step.Reason != c.want || step.Prompt.GetText() == bank("why") || g.ReasonText(step.Reason) == "" {
			t.Errorf("%q: %v because of %s, want %s", c.answer, step.Prompt, step.Reason, c.want)
		}
		if again := next(g, &s); again.Prompt.GetId() != "why" || again.Reason != c.want {
			t.Errorf("%q: asking again without an answer gives %v", c.answer, again.Prompt)
		}
		s.answer("why", c.answer+" Yes.")
		if after := next(g, &s); after.Prompt.GetId() == "why" {
			t.Errorf("%q is followed up twice: %s", c.answer, after.Reason)
		}
	}
}

func TestSkips(t *testing.T) {
	g, s := load(t), newState()
	s.Debrief.SkippedPrompts = []string{"slot", "moments", "factors"}
	if step := next(g, &s); step.Prompt.GetId() != "goal" {
		t.Errorf("after skipping: %v", step.Prompt)
	}
	for _, p := range g.Prompts {
		s.Debrief.SkippedPrompts = append(s.Debrief.SkippedPrompts, p.ID)
	}
	if step := next(g, &s); step.Prompt != nil || step.Progress != 1 {
		t.Errorf("all skipped: %v at %v", step.Prompt, step.Progress)
	}
	if !g.Knows("why") || g.Knows("nothing") {
		t.Error("it does not know its prompts")
	}
}

func TestWhyChain(t *testing.T) {
	chain := func(influenceable ...bool) []*journalv1.Because {
		var out []*journalv1.Because
		for i := len(influenceable) - 1; i >= 0; i-- {
			out = []*journalv1.Because{{Text: "t", Influenceable: influenceable[i], Becauses: out}}
		}
		return out
	}
	for _, c := range []struct {
		chain []*journalv1.Because
		open  bool
	}{
		{nil, false}, {chain(true), true}, {chain(false), false}, {chain(true, true), true}, {chain(true, false), false},
		{chain(true, true, true, true), true}, {chain(true, true, true, true, true), false},
		{append(chain(false), chain(true)...), true},
	} {
		if got := chainOpen(c.chain, 1); got != c.open {
			t.Errorf("%v: open %v", c.chain, got)
		}
	}
}

// TestAlwaysEnds: whatever is there at the start, and whatever the answers are
// like, no prompt comes more often than once and a follow-up, and there is an end.
func TestAlwaysEnds(t *testing.T) {
	g := load(t)
	rapid.Check(t, func(t *rapid.T) {
		s := newState()
		s.Setback.OccurredOn = &datepb.Date{Year: 2026, Month: 11, Day: 23}
		asked := map[string]int{}
		for steps := 0; ; steps++ {
			step := next(g, &s)
			if step.Prompt == nil {
				return
			}
			id := step.Prompt.GetId()
			if asked[id]++; asked[id] > 2 && id != "why-chain-deeper" || steps > 100 {
				t.Fatalf("%s is asked %d times", id, asked[id])
			}
			switch rapid.SampledFrom([]string{"skip", "satisfy", "short"}).Draw(t, "do") {
			case "skip":
				s.Debrief.SkippedPrompts = append(s.Debrief.SkippedPrompts, id)
			case "short":
				if strings.HasPrefix(step.Prompt.GetTarget(), "debrief.answers") {
					s.answer(id, fmt.Sprint("I failed ", steps))
					continue
				}
				s.satisfy(step.Prompt)
			case "satisfy":
				s.satisfy(step.Prompt)
			}
		}
	})
}
