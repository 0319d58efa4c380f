package resource_test

import (
	"testing"

	"github.com/rebound-hq/rebound/services/kit/resource"
)

// TestEventType: events are named by one of what happened to it.
func TestEventType(t *testing.T) {
	for kind, want := range map[string]string{
		"setbacks": "setback.x", "checkIns": "checkIn.x", "values": "value.x", "gratitudes": "gratitude.x", "avenues": "avenue.x", "profile": "profile.x",
		"stories": "story.x", "libraryStories": "libraryStory.x", "outreaches": "outreach.x", "boxes": "box.x", "losses": "loss.x", "courses": "course.x",
	} {
		if got := resource.EventType(kind, "x"); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}
