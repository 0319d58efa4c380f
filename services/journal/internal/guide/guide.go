// Package guide chooses the one best next prompt of a debrief by what is there
// already. It is a plain state machine over data: what is asked, in which order
// and in which language is in a file; here is only how to tell what is missing.
package guide

import (
	"crypto/sha256"
	_ "embed" // the prompts
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/words"
)

//go:embed prompts.en.json
var english []byte

// Guide is the prompts of one language.
type Guide struct {
	Language   string            `json:"language"`
	Version    int32             `json:"version"`
	ThinWords  int               `json:"thin_words"`
	SelfWords  []string          `json:"self_words"`
	OtherWords []string          `json:"other_words"`
	Reasons    map[string]string `json:"reasons"`
	Prompts    []prompt          `json:"prompts"`
}

// prompt is one thing to ask. It is asked while its condition holds: when names
// it, or, for a question of the question bank, its answer is missing.
type prompt struct {
	ID       string `json:"id"`
	Section  string `json:"section"`
	Target   string `json:"target"`
	When     string `json:"when"`
	Question bool   `json:"question"`
	// Text is what is asked; that of a question is the bank's.
	Text string `json:"text"`
	// FollowUp is asked once after a thin answer.
	FollowUp string `json:"follow_up"`
	// Attribution tells that the answer is looked at for whom it makes
	// responsible: Circumstances is asked where it is oneself alone, OwnPart
	// where it is others alone.
	Attribution   bool   `json:"attribution"`
	Circumstances string `json:"circumstances"`
	OwnPart       string `json:"own_part"`
}

// State is what is there already.
type State struct {
	Debrief *journalv1.Debrief
	Setback *journalv1.Setback
	// Strengths and Lessons are those that belong to the setback.
	Strengths []*journalv1.Strength
	Lessons   []*journalv1.Lesson
}

func (s State) skipped(id string) bool { return slices.Contains(s.Debrief.GetSkippedPrompts(), id) }

// Step is what comes next.
type Step struct {
	// Prompt is nil when nothing is left to ask.
	Prompt   *journalv1.DebriefPrompt
	Reason   journalv1.PromptReason
	Progress float64
	// FollowUp is to be remembered: the prompt is followed up, and not again once
	// its answer has changed. Nil: nothing is.
	FollowUp *journalv1.FollowUp
}

// conditions tell whether something is missing, by the names that the data uses.
var conditions = map[string]func(State) bool{
	"no_slot":        func(s State) bool { return s.Debrief.GetScheduledTime() == nil },
	"no_moments":     func(s State) bool { return len(s.Debrief.GetMoments()) == 0 },
	"no_people":      noMomentHas(func(m *journalv1.Moment) bool { return len(m.GetWho()) > 0 }),
	"no_thoughts":    noMomentHas(func(m *journalv1.Moment) bool { return m.GetThought() != "" }),
	"no_feelings":    noMomentHas(func(m *journalv1.Moment) bool { return len(m.GetFeelings()) > 0 }),
	"no_factors":     func(s State) bool { return len(s.Setback.GetFactors()) == 0 },
	"no_why_chain":   func(s State) bool { return len(s.Debrief.GetWhyChain()) == 0 },
	"why_chain_open": func(s State) bool { return chainOpen(s.Debrief.GetWhyChain(), 1) },
	"no_strengths":   func(s State) bool { return len(s.Strengths) == 0 },
	"no_lessons":     func(s State) bool { return len(s.Lessons) == 0 },
	"no_next_time": func(s State) bool {
		if len(s.Lessons) == 0 {
			return !s.skipped("lessons")
		}
		return slices.ContainsFunc(s.Lessons, func(l *journalv1.Lesson) bool { return l.GetNextTime() == "" })
	},
	"not_completed": func(s State) bool { return s.Debrief.GetCompleteTime() == nil },
}

// noMomentHas holds while no moment has something, unless there are to be none.
func noMomentHas(has func(*journalv1.Moment) bool) func(State) bool {
	return func(s State) bool {
		if len(s.Debrief.GetMoments()) == 0 {
			return !s.skipped("moments")
		}
		return !slices.ContainsFunc(s.Debrief.GetMoments(), has)
	}
}

// MaxDepth is how deep a why-chain goes.
const MaxDepth = 5

// chainOpen tells whether a chain ends in something the person could influence,
// before it is as deep as it may be.
func chainOpen(chain []*journalv1.Because, depth int) bool {
	for _, b := range chain {
		if !b.GetInfluenceable() || depth >= MaxDepth {
			continue
		}
		if len(b.GetBecauses()) == 0 || chainOpen(b.GetBecauses(), depth+1) {
			return true
		}
	}
	return false
}

// Load reads the prompts of a language; one that is not there gives English.
func Load(string) (*Guide, error) {
	var g Guide
	if err := json.Unmarshal(english, &g); err != nil {
		return nil, fmt.Errorf("guide: %w", err)
	}
	return &g, g.check()
}

// Must is for a guide that is part of the program and checked by tests.
func Must(g *Guide, err error) *Guide {
	if err != nil {
		panic(err)
	}
	return g
}

// check says what is wrong with the data.
func (g *Guide) check() error {
	seen := map[string]bool{}
	for _, p := range g.Prompts {
		switch {
		case p.ID == "" || seen[p.ID]:
			return fmt.Errorf("guide: the prompt %q has no id or is there twice", p.ID)
		case journalv1.DebriefSection_value["DEBRIEF_SECTION_"+p.Section] == 0:
			return fmt.Errorf("guide: the prompt %s is in no section", p.ID)
		case !p.Question && (conditions[p.When] == nil || p.Text == ""):
			return fmt.Errorf("guide: the prompt %s has no text, or a condition that nobody knows", p.ID)
		case p.Attribution && (p.Circumstances == "" || p.OwnPart == ""):
			return fmt.Errorf("guide: the prompt %s cannot be followed up", p.ID)
		}
		seen[p.ID] = true
	}
	for _, reason := range []string{"MISSING", "THIN", "ALL_ON_ONESELF", "ALL_ON_OTHERS"} {
		if g.Reasons[reason] == "" {
			return fmt.Errorf("guide: the reason %s has no words", reason)
		}
	}
	return nil
}

// Knows tells whether there is a prompt of an id.
func (g *Guide) Knows(id string) bool {
	return slices.ContainsFunc(g.Prompts, func(p prompt) bool { return p.ID == id })
}

// Next chooses the next prompt; questions gives the text of a question of the
// question bank.
func (g *Guide) Next(s State, questions func(id string) string) Step {
	var next Step
	answered := 0
	for _, p := range g.Prompts {
		reason := journalv1.PromptReason_PROMPT_REASON_UNSPECIFIED
		if !s.skipped(p.ID) {
			reason = g.judge(p, s)
		}
		if reason == 0 {
			answered++
			continue
		}
		if next.Prompt == nil {
			next.Reason = reason
			next.Prompt = &journalv1.DebriefPrompt{
				Id: p.ID, Text: p.wording(reason, questions), Target: p.Target,
				Section: journalv1.DebriefSection(journalv1.DebriefSection_value["DEBRIEF_SECTION_"+p.Section]),
			}
			if reason != journalv1.PromptReason_PROMPT_REASON_MISSING && followedUp(s.Debrief, p.ID) == nil {
				answer, _ := answerTo(s.Debrief, p.ID)
				next.FollowUp = &journalv1.FollowUp{Prompt: p.ID, AnswerDigest: digest(answer), Reason: reason}
			}
		}
	}
	next.Progress = float64(answered) / float64(len(g.Prompts))
	return next
}

// ReasonText is a reason in words.
func (g *Guide) ReasonText(r journalv1.PromptReason) string {
	return g.Reasons[strings.TrimPrefix(r.String(), "PROMPT_REASON_")]
}

// judge says why a prompt is to be asked; 0: it is not.
func (g *Guide) judge(p prompt, s State) journalv1.PromptReason {
	if !p.Question {
		if conditions[p.When](s) {
			return journalv1.PromptReason_PROMPT_REASON_MISSING
		}
		return 0
	}
	answer, given := answerTo(s.Debrief, p.ID)
	switch {
	case !given:
		return journalv1.PromptReason_PROMPT_REASON_MISSING
	case strings.TrimSpace(answer) == "":
		return 0 // an empty answer is a skipped question
	}
	if f := followedUp(s.Debrief, p.ID); f != nil {
		if f.GetAnswerDigest() == digest(answer) {
			return f.GetReason() // it was asked again, and nothing has changed since
		}
		return 0
	}
	return g.followUp(p, answer)
}

// followUp says whether an answer asks for one more question.
func (g *Guide) followUp(p prompt, answer string) journalv1.PromptReason {
	said := words.Of(answer)
	if p.Attribution {
		self, others := count(said, g.SelfWords), count(said, g.OtherWords)
		switch {
		case self > 0 && others == 0 && len(said) >= g.ThinWords:
			return journalv1.PromptReason_PROMPT_REASON_ALL_ON_ONESELF
		case others > 0 && self == 0 && len(said) >= g.ThinWords:
			return journalv1.PromptReason_PROMPT_REASON_ALL_ON_OTHERS
		}
	}
	if p.FollowUp != "" && len(said) < g.ThinWords {
		return journalv1.PromptReason_PROMPT_REASON_THIN
	}
	return 0
}

// wording is what a prompt asks for a reason.
func (p prompt) wording(reason journalv1.PromptReason, questions func(string) string) string {
	switch reason {
	case journalv1.PromptReason_PROMPT_REASON_THIN:
		return p.FollowUp
	case journalv1.PromptReason_PROMPT_REASON_ALL_ON_ONESELF:
		return p.Circumstances
	case journalv1.PromptReason_PROMPT_REASON_ALL_ON_OTHERS:
		return p.OwnPart
	}
	if p.Question {
		return questions(p.ID)
	}
	return p.Text
}

func answerTo(b *journalv1.Debrief, question string) (text string, given bool) {
	for _, a := range b.GetAnswers() {
		if a.GetQuestion() == question {
			return a.GetText(), true
		}
	}
	return "", false
}

func followedUp(b *journalv1.Debrief, id string) *journalv1.FollowUp {
	for _, f := range b.GetFollowUps() {
		if f.GetPrompt() == id {
			return f
		}
	}
	return nil
}

// digest stands for a text; it is kept encrypted, as the text is.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

func count(said, of []string) int {
	n := 0
	for _, w := range said {
		if slices.Contains(of, w) {
			n++
		}
	}
	return n
}
