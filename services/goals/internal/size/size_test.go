package size

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHint(t *testing.T) {
	rules := Must(Load())
	for _, c := range []struct {
		locale, title string
		duration      time.Duration
		want          string
	}{
		{"", "Write one test", 0, ""},
		{"", "Book the room for an hour", 0, ""},
		{"en-GB", "CALL Bo", 2 * time.Hour, ""},
		{"en", "Call Bo", 2*time.Hour + time.Second, "TOO_LONG"},
		{"en", "Presentation", 0, "NO_VERB"},
		{"en", "New résumé", 3 * time.Hour, "TOO_LONG NO_VERB"},
		{"en", "Work on it for three hours", 0, "TOO_LONG"},
		{"en", "Work on it for 2.5 hours", 0, "TOO_LONG"},
		{"en", "Work on it for 150 min", 0, "TOO_LONG"},
		{"en", "Work on it for 2 hours", 0, ""},
		{"en", "Work on it for half-hour", 0, ""},
		{"en", "Write all weekend", 0, "TOO_LONG"},
		{"en", "Walk ten minutes a day", 0, ""},
		{"en", "Call back in 3 days", 0, ""},
		{"en", "Water the plants every two days", 0, ""},
		{"en", "Write for 3 hours", 90 * time.Minute, ""}, // what is stated counts
		{"en", "Review the room for three hourglasses", 0, ""},
		// In other languages only what is stated is looked at.
		{"de-CH", "Lebenslauf", 0, ""},
		{"de", "Lebenslauf", 3 * time.Hour, "TOO_LONG"},
		{"not a locale", "Lebenslauf", 0, ""},
	} {
		hint := rules.Hint(c.locale, c.title, c.duration)
		var got []string
		for _, r := range hint.GetReasons() {
			got = append(got, strings.TrimPrefix(r.String(), "SIZE_REASON_"))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, %s: %v, want %q", c.title, c.duration, got, c.want)
		}
		if hint != nil && (hint.GetQuestion() == "" || hint.GetRulesVersion() != "1") {
			t.Errorf("%q: %v", c.title, hint)
		}
	}
}

// TestAnyTitle: whatever a title is, it is looked at, and case does not matter.
func TestAnyTitle(t *testing.T) {
	rules := Must(Load())
	rapid.Check(t, func(t *rapid.T) {
		title := rapid.String().Draw(t, "title")
		if l := strings.ToLower(title); strings.ToLower(strings.ToUpper(l)) != l {
			return // letters that have no one way back
		}
		a, b := rules.Hint("en", strings.ToLower(title), 0), rules.Hint("en", strings.ToUpper(title), 0)
		if len(a.GetReasons()) != len(b.GetReasons()) {
			t.Fatalf("%q: %v and %v", title, a, b)
		}
	})
}
