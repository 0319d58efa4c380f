package domain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

func TestQuarters(t *testing.T) {
	for month, want := range map[int32]string{1: "2026-Q1", 3: "2026-Q1", 4: "2026-Q2", 9: "2026-Q3", 10: "2026-Q4", 12: "2026-Q4"} {
		if got := quarterOf(date(2026, month, 28)); got != want {
			t.Errorf("month %d: %s", month, got)
		}
	}
}

// TestLibrary: a version goes into the library as its author confirmed it, tells
// nothing of them, is counted once per person from five on, and comes out again.
func TestLibrary(t *testing.T) {
	r := newRig(t)
	s := r.setback(&journalv1.Setback{OccurredOn: date(2026, 2, 14), Area: typev1.Area_AREA_PROJECT, FailureKind: typev1.FailureKind_FAILURE_KIND_UNCERTAINTY})
	if _, err := r.d.Stories.Create(t.Context(), &journalv1.CreateStoryRequest{Parent: ada, StoryId: "st", Story: &journalv1.Story{Situation: "s", Setback: s.GetName()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.StoryVersions.Create(t.Context(), &journalv1.CreateStoryVersionRequest{Parent: ada + "/stories/st", StoryVersionId: "v", StoryVersion: &journalv1.StoryVersion{
		Audience: typev1.Audience_AUDIENCE_PUBLIC, Text: "I learned to ask.",
	}}); err != nil {
		t.Fatal(err)
	}
	const name = ada + "/stories/st/versions/v"
	publish := func(text string) (*journalv1.StoryVersion, error) {
		return r.d.PublishStoryVersion(t.Context(), &journalv1.PublishStoryVersionRequest{Name: name, ConfirmedText: text})
	}
	_, err := publish("I learned to ask")
	resourcetest.Refused(t, err, "TEXT_NOT_CONFIRMED")
	v, err := publish("I learned to ask.")
	if err != nil || !strings.HasPrefix(v.GetLibraryStory(), "tenants/acme/libraryStories/") {
		t.Fatal(v, err)
	}
	// As if it had been cut short between the two documents, and simply again.
	if err := r.d.LibraryStories.Drop(t.Context(), v.GetLibraryStory()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if again, err := publish("I learned to ask."); err != nil || again.GetLibraryStory() != v.GetLibraryStory() {
			t.Fatal(again, err)
		}
	}
	list := func(filter string) []*journalv1.LibraryStory {
		t.Helper()
		res, err := r.d.LibraryStories.List(t.Context(), &journalv1.ListLibraryStoriesRequest{Parent: "tenants/acme", Filter: filter})
		if err != nil {
			t.Fatal(err)
		}
		return res.(*journalv1.ListLibraryStoriesResponse).GetLibraryStories()
	}
	for filter, want := range map[string]int{"": 1, "area = PROJECT AND failure_kind = UNCERTAINTY": 1, `quarter = "2026-Q1"`: 1, "area = CAREER": 0} {
		if got := list(filter); len(got) != want {
			t.Errorf("%s: %d stories", filter, len(got))
		}
	}
	story := list("")[0]
	if story.GetText() != "I learned to ask." || story.GetQuarter() != "2026-Q1" || strings.Contains(fmt.Sprint(story), "ada") {
		t.Errorf("%v", story)
	}
	for _, field := range []string{"create_time", "update_time"} {
		_, err := r.d.LibraryStories.List(t.Context(), &journalv1.ListLibraryStoriesRequest{Parent: "tenants/acme", OrderBy: field})
		resourcetest.Refused(t, err, "ORDER_FIELD_UNKNOWN")
		_, err = r.d.LibraryStories.List(t.Context(), &journalv1.ListLibraryStoriesRequest{Parent: "tenants/acme", Filter: field + ` > "2026-01-01T00:00:00Z"`})
		resourcetest.Refused(t, err, "FILTER_FIELD_UNKNOWN")
	}
	for i := range 5 {
		r.Caller = fmt.Sprint("reader-", i)
		r.Clock.Advance(time.Minute)
		for range 2 { // once per person
			if story, err = r.d.MarkLibraryStoryHelpful(t.Context(), &journalv1.MarkLibraryStoryHelpfulRequest{Name: story.GetName()}); err != nil {
				t.Fatal(err)
			}
		}
		if shown := story.HelpfulCount != nil; shown != (i == 4) {
			t.Errorf("after %d: %v", i+1, story)
		}
	}
	if story, err = r.d.MarkLibraryStoryMeToo(t.Context(), &journalv1.MarkLibraryStoryMeTooRequest{Name: story.GetName()}); err != nil || story.GetHelpfulCount() != 5 || story.MeTooCount != nil {
		t.Fatal(story, err)
	}
	// Nothing that leads to it is deleted, not even by force.
	_, err = r.d.StoryVersions.Delete(t.Context(), &journalv1.DeleteStoryVersionRequest{Name: name})
	resourcetest.Refused(t, err, "STORY_PUBLISHED")
	_, err = r.d.Stories.Delete(t.Context(), &journalv1.DeleteStoryRequest{Name: ada + "/stories/st", Force: true})
	resourcetest.Refused(t, err, "STORY_PUBLISHED")
	if _, err := r.d.StoryVersions.Fetch(t.Context(), name); err != nil {
		t.Fatal("a delete that was refused took something with it", err)
	}
	_, err = r.d.WithdrawStoryVersion(t.Context(), &journalv1.WithdrawStoryVersionRequest{Name: name, Etag: "stale"})
	resourcetest.Refused(t, err, "ETAG_MISMATCH")
	if v, err = r.d.WithdrawStoryVersion(t.Context(), &journalv1.WithdrawStoryVersionRequest{Name: name}); err != nil || v.GetLibraryStory() != "" || len(list("")) != 0 {
		t.Fatal(v, err)
	}
	_, err = r.d.WithdrawStoryVersion(t.Context(), &journalv1.WithdrawStoryVersionRequest{Name: name})
	resourcetest.Refused(t, err, "NOT_PUBLISHED")
	_, err = r.d.MarkLibraryStoryMeToo(t.Context(), &journalv1.MarkLibraryStoryMeTooRequest{Name: story.GetName()})
	resourcetest.Refused(t, err, "NOT_FOUND")
	if _, err := r.d.Stories.Delete(t.Context(), &journalv1.DeleteStoryRequest{Name: ada + "/stories/st", Force: true}); err != nil {
		t.Fatal(err)
	}
}
