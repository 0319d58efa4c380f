package domain

import (
	"context"
	"slices"
	"time"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/journal/internal/guide"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// maxBecauses is how many nodes a why-chain has.
const maxBecauses = 100

// checkChain holds a why-chain to its rule: nothing below what the person could
// not influence, and five deep.
func checkChain(chain []*journalv1.Because) error {
	nodes := 0
	var walk func(chain []*journalv1.Because, depth int) error
	walk = func(chain []*journalv1.Because, depth int) error {
		nodes += len(chain)
		switch {
		case len(chain) > 0 && depth > guide.MaxDepth:
			return fault.Invalid("debrief.why_chain", "WHY_CHAIN_TOO_DEEP", "must be at most %d deep", guide.MaxDepth)
		case nodes > maxBecauses:
			return fault.Invalid("debrief.why_chain", "WHY_CHAIN_TOO_LONG", "must have at most %d reasons in all", maxBecauses)
		}
		for _, b := range chain {
			if len(b.GetBecauses()) > 0 && !b.GetInfluenceable() {
				return fault.Invalid("debrief.why_chain", "WHY_CHAIN_PAST_INFLUENCE", "must end at what the person could not influence")
			}
			if err := walk(b.GetBecauses(), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(chain, 1)
}

// NextDebriefPrompt gives the one best next prompt. What it remembers (a skip, a
// follow-up, the version) is written; nothing else is.
func (d *Domain) NextDebriefPrompt(ctx context.Context, req *journalv1.NextDebriefPromptRequest) (*journalv1.NextDebriefPromptResponse, error) {
	if req.GetSkip() != "" && !d.guide.Knows(req.GetSkip()) {
		return nil, fault.Invalid("skip", "PROMPT_UNKNOWN", "must be the id of a prompt")
	}
	state, err := d.guideState(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	var step guide.Step
	_, err = d.Debriefs.Mutate(ctx, "guided", req.GetName(), req.GetEtag(), func(b *journalv1.Debrief, _ time.Time) error {
		if req.GetSkip() != "" && !slices.Contains(b.GetSkippedPrompts(), req.GetSkip()) {
			b.SkippedPrompts = append(b.SkippedPrompts, req.GetSkip())
		}
		if b.GetGuideVersion() == 0 {
			b.GuideVersion = d.guide.Version
		}
		state.Debrief = b
		if step = d.guide.Next(state, d.questionText); step.FollowUp != nil {
			b.FollowUps = append(b.FollowUps, step.FollowUp)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &journalv1.NextDebriefPromptResponse{
		Prompt: step.Prompt, Progress: step.Progress, Reason: step.Reason, ReasonText: d.guide.ReasonText(step.Reason),
		GuideVersion: d.guide.Version, Language: d.guide.Language,
	}, nil
}

// guideState gathers what belongs to a debrief's setback.
func (d *Domain) guideState(ctx context.Context, name string) (guide.State, error) {
	var s guide.State
	b, err := d.Debriefs.Fetch(ctx, name)
	if err != nil {
		return s, err
	}
	setback, owner := parentName(b.GetName()), resource.Owner(name)
	if s.Setback, err = d.Setbacks.Fetch(ctx, setback); err != nil {
		return s, err
	}
	strengths, err := d.Strengths.All(ctx, owner)
	if err != nil {
		return s, err
	}
	for _, x := range strengths {
		if slices.ContainsFunc(x.GetEvidence(), func(e *journalv1.Evidence) bool { return e.GetSetback() == setback }) {
			s.Strengths = append(s.Strengths, x)
		}
	}
	lessons, err := d.Lessons.All(ctx, owner)
	if err != nil {
		return s, err
	}
	for _, x := range lessons {
		if x.GetSetback() == setback {
			s.Lessons = append(s.Lessons, x)
		}
	}
	return s, nil
}
