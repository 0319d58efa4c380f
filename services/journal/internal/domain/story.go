package domain

import (
	"context"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
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
		return c.Event("told", nil), d.checkNotPublished(ctx, c.Name)
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
				return c.Event("told", nil), notPublished(c.Old)
			}
			return c.Event("told", &eventsv1.Event{Data: &eventsv1.Event_StoryVersion{StoryVersion: &eventsv1.StoryVersionFacts{
				Story: parentName(c.Name), Audience: c.New.GetAudience(), Published: c.New.GetLibraryStory() != "",
			}}}), nil
		},
	}
}

// checkNotPublished refuses to delete a story of which a version is in the library.
func (d *Domain) checkNotPublished(ctx context.Context, story string) error {
	versions, err := d.StoryVersions.All(ctx, story)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := notPublished(v); err != nil {
			return err
		}
	}
	return nil
}

// notPublished refuses to lose the way to what is in the library.
func notPublished(v *journalv1.StoryVersion) error {
	if v.GetLibraryStory() != "" {
		return fault.Precondition("STORY_PUBLISHED", "it is in the library; withdraw it first")
	}
	return nil
}

// ReviewStoryVersion holds a version against the rules for its audience.
func (d *Domain) ReviewStoryVersion(ctx context.Context, req *journalv1.ReviewStoryVersionRequest) (*journalv1.ReviewStoryVersionResponse, error) {
	v, err := d.StoryVersions.Fetch(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return d.telling.Review(v.GetText(), v.GetAudience()), nil
}
