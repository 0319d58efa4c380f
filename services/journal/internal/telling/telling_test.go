package telling

import (
	"strings"
	"testing"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

const (
	team      = typev1.Audience_AUDIENCE_TEAM
	self      = typev1.Audience_AUDIENCE_SELF
	interview = typev1.Audience_AUDIENCE_INTERVIEW
)

var padding = strings.Repeat("the launch went on for days ", 10)

func TestReview(t *testing.T) {
	r := Must(Load())
	for _, c := range []struct {
		name, text string
		to         typev1.Audience
		broken     string
	}{
		{"a good one", padding + "I decided too late, and I learned to ask on the first day.", team, ""},
		{"too short", "I learned a lot, and I ask.", team, "LENGTH"},
		{"too long", strings.Repeat("I learned it all the hard way again ", 100), team, "LENGTH"},
		{"no learning", padding + "I did this and I did that.", team, "SHOWS_LEARNING"},
		{"learning inside a word", padding + "I did this and I unlearned that.", team, "SHOWS_LEARNING"},
		{"nobody did it", padding + "Lessons were learned. It was learned that mistakes were made.", team, "OWNS_PART"},
		{"blame", padding + "I learned that it was their own fault, because of them, and I left.", team, "NO_BLAME"},
		{"blame to oneself in private", padding + "Since then I know that they were idiots.", self, ""},
		{"length for an interview", strings.Repeat("I learned it ", 20), interview, "LENGTH"},
		{"nothing", "", self, "LENGTH SHOWS_LEARNING"},
	} {
		got := r.Review(c.text, c.to)
		var broken []string
		for _, check := range got.GetChecks() {
			if !check.GetPassed() {
				broken = append(broken, check.GetRule())
			}
			if check.GetPassed() != (check.GetAdvice() == "") || check.GetLooksFor() == "" {
				t.Errorf("%s: %v", c.name, check)
			}
		}
		if strings.Join(broken, " ") != c.broken {
			t.Errorf("%s: %v, want %s", c.name, broken, c.broken)
		}
	}
}

func TestSpans(t *testing.T) {
	text := "Zürich — it was THEIR fault; they were lazy."
	checks := Must(Load()).Review(text, team).GetChecks()
	var found []string
	for _, s := range checks[len(checks)-1].GetSpans() {
		found = append(found, string([]rune(text)[s.GetStart():s.GetEnd()]))
	}
	if strings.Join(found, "|") != "THEIR fault|lazy" {
		t.Errorf("%q", found)
	}
	if got := Must(Load()).Review(strings.Repeat("word ", 300), team); got.GetWords() != 300 || got.GetSpokenSeconds() != 120 {
		t.Errorf("%v", got)
	}
}
