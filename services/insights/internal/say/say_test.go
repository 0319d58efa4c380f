package say_test

import (
	"testing"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
)

// TestPracticesHaveNames: each practice that there is has one.
func TestPracticesHaveNames(t *testing.T) {
	named := map[typev1.Practice]bool{}
	for _, p := range say.Practices {
		if named[p.Practice] || p.Name == "" || p.Done == "" {
			t.Errorf("%v is said twice, or not", p.Practice)
		}
		named[p.Practice] = true
	}
	for n := range typev1.Practice_name {
		if p := typev1.Practice(n); p != 0 && !named[p] {
			t.Errorf("%v has no name", p)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 days", 1: "1 day", 2: "2 days"} {
		if got := say.Count(n, "day"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
