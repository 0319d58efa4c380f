package resource_test

import (
	"fmt"
	"testing"
	"time"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// TestKeep: documents of the service's own are made, changed and left alone, many
// at once, and those that others write in between are changed again.
func TestKeep(t *testing.T) {
	r := newRig(t)
	var names []string
	for i := range store.MaxPage + 1 {
		names = append(names, fmt.Sprintf("tenants/acme/people/p%d/profile", i))
	}
	if err := r.profiles.Keep(t.Context(), names, func(name string, p *journalv1.Profile) {
		if name != names[1] { // a blank one that stays blank is not made
			p.Locale = "de"
		}
	}); err != nil {
		t.Fatal(err)
	}
	first, err := r.profiles.Fetch(t.Context(), names[0])
	if err != nil || first.GetLocale() != "de" || first.GetName() != names[0] || first.GetCreateTime() == nil {
		t.Fatalf("%v, %v", first, err)
	}
	if blank, err := r.profiles.Fetch(t.Context(), names[1]); err != nil || blank.GetCreateTime() != nil {
		t.Errorf("%v, %v", blank, err)
	}
	// What is left as it was is not written; what others write in between is seen.
	calls := 0
	if err := r.profiles.Keep(t.Context(), names[:3], func(name string, p *journalv1.Profile) {
		if name != names[2] {
			return
		}
		if calls++; calls == 1 {
			if _, err := r.profiles.Mutate(t.Context(), "moved", name, "", func(p *journalv1.Profile, _ time.Time) error {
				p.TimeZone = "Asia/Tokyo"
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
		p.Locale = "ja"
	}); err != nil {
		t.Fatal(err)
	}
	last, err := r.profiles.Fetch(t.Context(), names[2])
	if err != nil || calls != 2 || last.GetLocale() != "ja" || last.GetTimeZone() != "Asia/Tokyo" {
		t.Errorf("after %d calls: %v, %v", calls, last, err)
	}
	if again, err := r.profiles.Fetch(t.Context(), names[0]); err != nil || again.GetEtag() != first.GetEtag() {
		t.Errorf("it was written without a change: %v, %v", again, err)
	}
	wants(t, r.profiles.Keep(t.Context(), []string{"nonsense"}, func(string, *journalv1.Profile) {}), "NAME_INVALID", "name")
}

// TestBelow: what lies below a parent that a caller names, or below all of them.
func TestBelow(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"a", "b"} {
		s := r.create(id, &journalv1.Setback{Title: "t"})
		if _, err := r.debriefs.Create(t.Context(), &journalv1.CreateDebriefRequest{Parent: s.GetName(), Debrief: &journalv1.Debrief{}}); err != nil {
			t.Fatal(err)
		}
	}
	for parent, want := range map[string]int{ada + "/setbacks/a": 1, ada + "/setbacks/-": 2} {
		if got, err := r.debriefs.Below(t.Context(), parent); err != nil || len(got) != want {
			t.Errorf("%s: %d, %v", parent, len(got), err)
		}
	}
	_, err := r.debriefs.Below(t.Context(), ada)
	wants(t, err, "NAME_INVALID", "parent")
	_, err = r.debriefs.Below(t.Context(), ada+"/setbacks/absent")
	wants(t, err, "NOT_FOUND", "")
}
