package domain

import (
	"context"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

func (d *Domain) stories() resource.Type[*journalv1.Story] {
	return resource.Type[*journalv1.Story]{
		Filter:   []string{"setback", "tags"},
		Order:    []string{"create_time"},
		Children: []string{"versions"},
		Decide:   d.decideStory,
	}
}

func (d *Domain) decideStory(ctx context.Context, c resource.Change[*journalv1.Story]) ([]*eventsv1.Event, error) {
	if c.Deleted() {
		return c.Event("told", nil), nil
	}
	s := c.New
	if c.Created() || c.Old.GetSetback() != s.GetSetback() {
		if err := d.Setbacks.CheckReference(ctx, "story.setback", c.Owner, s.GetSetback()); err != nil {
			return nil, err
		}
	}
	facts := &eventsv1.StoryFacts{Setback: s.GetSetback()}
	for _, part := range []string{s.GetSituation(), s.GetActions(), s.GetResult(), s.GetLearning()} {
		if part != "" {
			facts.Parts++
		}
	}
	return c.Event("told", &eventsv1.Event{Data: &eventsv1.Event_Story{Story: facts}}), nil
}

func (d *Domain) storyVersions() resource.Type[*journalv1.StoryVersion] {
	return resource.Type[*journalv1.StoryVersion]{
		Filter: []string{"audience"},
		Order:  []string{"create_time"},
		Decide: func(_ context.Context, c resource.Change[*journalv1.StoryVersion]) ([]*eventsv1.Event, error) {
			if c.Deleted() {
				return c.Event("told", nil), nil
			}
			return c.Event("told", &eventsv1.Event{Data: &eventsv1.Event_StoryVersion{StoryVersion: &eventsv1.StoryVersionFacts{
				Story: parentName(c.Name), Audience: c.New.GetAudience(),
			}}}), nil
		},
	}
}

// ReviewStoryVersion holds a version against the rules for its audience.
func (d *Domain) ReviewStoryVersion(ctx context.Context, req *journalv1.ReviewStoryVersionRequest) (*journalv1.ReviewStoryVersionResponse, error) {
	v, err := d.StoryVersions.Fetch(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return d.telling.Review(v.GetText(), v.GetAudience()), nil
}
