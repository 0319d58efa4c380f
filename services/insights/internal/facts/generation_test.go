package facts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/clock"
)

// TestGenerations: a table shows the people of one generation, and those of the next
// as soon as that is current, not both.
func TestGenerations(t *testing.T) {
	s, now := open(t), clock.NewManual(begin)
	for i := range 3 {
		for _, generation := range []string{"", "/1"} {
			f := some(owner(acme, i), int32(i+10*len(generation)))
			f.Name += generation
			put(t, s, now.Now(), f)
		}
	}
	current := int32(0)
	table := facts.NewTable(s, now.Now, facts.DefaultTableBytes)
	table.Generation = func() int32 { return current }
	for _, want := range []int32{0, 20} {
		got := people(t, table, acme)
		if len(got) != 3 {
			t.Fatalf("generation %d: %d people", current, len(got))
		}
		for i, p := range got {
			if p.Owner != owner(acme, i) || p.Weeks[0].MoodSum != want+int32(i) {
				t.Errorf("generation %d: %s", current, fmt.Sprint(p.Owner, p.Weeks))
			}
		}
		now.Advance(time.Minute)
		current++
	}
}
