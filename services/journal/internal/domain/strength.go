package domain

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// Limits of a strength, as its proto has them.
const (
	maxEvidence = 50
	maxTags     = 20
)

func (d *Domain) strengths() resource.Type[*journalv1.Strength] {
	return resource.Type[*journalv1.Strength]{
		Filter: []string{"weight", "tags"},
		Order:  []string{"weight", "create_time"},
		Decide: d.decideStrength,
	}
}

func (d *Domain) decideStrength(ctx context.Context, c resource.Change[*journalv1.Strength]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("noted", nil), nil
	}
	known := map[string]bool{}
	for _, e := range c.Old.GetEvidence() {
		known[e.GetSetback()] = true
	}
	facts := &eventsv1.StrengthFacts{Evidence: int32(len(c.New.GetEvidence()))}
	for i, e := range c.New.GetEvidence() {
		if !known[e.GetSetback()] {
			if err := d.Setbacks.CheckReference(ctx, indexed("strength.evidence", i, "setback"), c.Owner, e.GetSetback()); err != nil {
				return nil, err
			}
			known[e.GetSetback()] = true
		}
		if !slices.Contains(facts.Prompts, e.GetPrompt()) {
			facts.Prompts = append(facts.Prompts, e.GetPrompt())
		}
		if e.GetSetback() != "" && !slices.Contains(facts.Setbacks, e.GetSetback()) {
			facts.Setbacks = append(facts.Setbacks, e.GetSetback())
		}
	}
	c.New.Weight = weight(c.New.GetEvidence())
	return c.Event("noted", &eventsv1.Event{Data: &eventsv1.Event_Strength{Strength: facts}}), nil
}

// weight counts pieces of evidence, and kinds of it beyond the first: what was
// praised and came easily says more than what was praised twice.
func weight(evidence []*journalv1.Evidence) int32 {
	kinds := map[typev1.EvidencePrompt]bool{}
	for _, e := range evidence {
		kinds[e.GetPrompt()] = true
	}
	return int32(len(evidence) + max(0, len(kinds)-1))
}

// MergeStrength takes a twin's evidence and tags over and deletes the twin. These
// are two documents: cut short between them, it is called again, and what was
// taken over already is not taken twice.
func (d *Domain) MergeStrength(ctx context.Context, req *journalv1.MergeStrengthRequest) (*journalv1.Strength, error) {
	owner := resource.Owner(req.GetName())
	switch {
	case req.GetTwin() == req.GetName():
		return nil, fault.Invalid("twin", "REFERENCE_SELF", "must be another strength")
	case req.GetTwin() == "":
		return nil, fault.Invalid("twin", "REQUIRED", "is required")
	}
	if err := d.Strengths.CheckReference(ctx, "twin", owner, req.GetTwin()); err != nil {
		return nil, err
	}
	twin, err := d.Strengths.Fetch(ctx, req.GetTwin())
	if err != nil {
		return nil, err
	}
	merged, err := d.Strengths.Mutate(ctx, "merged", req.GetName(), req.GetEtag(), func(s *journalv1.Strength, _ time.Time) error {
		for _, e := range twin.GetEvidence() {
			if !slices.ContainsFunc(s.Evidence, func(have *journalv1.Evidence) bool { return proto.Equal(have, e) }) {
				s.Evidence = append(s.Evidence, e)
			}
		}
		for _, tag := range twin.GetTags() {
			if !slices.Contains(s.Tags, tag) {
				s.Tags = append(s.Tags, tag)
			}
		}
		if len(s.Evidence) > maxEvidence || len(s.Tags) > maxTags {
			return fault.Precondition("TOO_MUCH_EVIDENCE", "together they have more than %d pieces of evidence or %d tags", maxEvidence, maxTags)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = d.Strengths.Delete(ctx, &journalv1.DeleteStrengthRequest{Name: req.GetTwin()})
	if f, ok := fault.As(err); ok && f.Reason == "NOT_FOUND" {
		err = nil // somebody else has merged it meanwhile
	}
	return merged, err
}
