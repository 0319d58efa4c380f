package facts_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

// TestWeeks: weeks go from Monday to Sunday, before 1970 as after.
func TestWeeks(t *testing.T) {
	for day, week := range map[int32]int32{-3: 0, 3: 0, 4: 1, 0: 0, -4: -1, -10: -1, -11: -2, 20_786: 2_969} {
		if got := facts.WeekOf(day); got != week {
			t.Errorf("day %d lies in week %d, want %d", day, got, week)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		day := rapid.Int32Range(-1e6, 1e6).Draw(rt, "day")
		if since := day - facts.Monday(facts.WeekOf(day)); since < 0 || since > 6 {
			rt.Fatalf("day %d lies %d days after its Monday", day, since)
		}
	})
}

// TestConsented: consent counts for whole weeks, and only while it holds.
func TestConsented(t *testing.T) {
	const day, hour = 86_400_000, 3_600_000
	monday := func(week int32) int64 { return int64(facts.Monday(week)) * day }
	for name, c := range map[string]struct {
		spans []facts.Span
		want  bool
	}{
		"never given":              {nil, false},
		"long before, still holds": {[]facts.Span{{From: 1}}, true},
		"taken back":               {[]facts.Span{{From: 1, Until: monday(200)}}, false},
		"just before the week":     {[]facts.Span{{From: monday(100) - 14*hour}}, true},
		"as it began far east":     {[]facts.Span{{From: monday(100) - 14*hour + 1}}, false},
		"given again later":        {[]facts.Span{{From: 1, Until: monday(101) + 24*hour}, {From: monday(150)}}, true},
		"taken back as it ended":   {[]facts.Span{{From: 1, Until: monday(101) + 24*hour - 1}, {From: monday(150)}}, false},
	} {
		if got := (&facts.Person{Consents: c.spans}).Consented(100); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAt: what is in effect is the latest affiliation that had begun.
func TestAt(t *testing.T) {
	p := &facts.Person{Affiliations: []facts.Affiliation{
		{From: 10, Attributes: map[string]string{"department": "sales"}},
		{From: 20, Attributes: map[string]string{"department": "support"}},
	}}
	for day, want := range map[int32]string{9: "", 10: "sales", 19: "sales", 20: "support", 1000: "support"} {
		if got := p.At(day)["department"]; got != want {
			t.Errorf("day %d: %q, want %q", day, got, want)
		}
	}
}
