package chart

import (
	"strings"
	"testing"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
)

// a person whose numbers one can count by hand: today is Thursday, 2026-11-26.
func counted() *storagev1.Projection {
	p := projection.New("tenants/acme/people/ada")
	for i, c := range []struct{ back, pleasantness int32 }{{200, 1}, {3, 4}, {3, -2}, {1, 2}} {
		day := today - c.back
		p.CheckIns = append(p.CheckIns, &storagev1.CheckInEntry{Id: string(rune('a' + i)), Time: int64(day) * 86_400_000, Day: &day, Pleasantness: c.pleasantness})
	}
	on := int32(today - 10)
	p.Setbacks["a"] = &storagev1.SetbackEntry{Occurred: today - 30, Recovered: &on}
	p.Setbacks["b"] = &storagev1.SetbackEntry{Occurred: today - 5}
	for i, back := range []int32{0, 0, 1, 8} { // this week: two days; the week before: one
		p.Completions = append(p.Completions, &storagev1.CompletionEntry{Id: string(rune('a' + i)), Day: today - back})
	}
	p.Gratitudes = []*storagev1.DayRun{{First: today - 7, Last: today - 3}} // Thursday to Monday
	p.Practices = []*storagev1.PracticeEntry{{Practice: typev1.Practice_PRACTICE_REFRAME, Id: "r", Day: today}}
	return p
}

// TestPersonCharts: each chart has a mark for each number, names its unit, and says
// the numbers in words.
func TestPersonCharts(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		days   int32
		marks  int // filled with the first color, beside one in the legend
		says   []string
		told   []string
		drawn  string // the color of other marks, and how many are drawn in it
		drawnN int
	}{
		{Mood, 90, 2, []string{"Pleasantness, points from \u22125 to +5", "Oct", "29 Aug 2026 to 26 Nov 2026", "mean of a day"},
			[]string{"2 days with 3 check-ins", "On 2026-11-25, the last of them, the mean was +2.0 and the level +1.1"}, hex(light.series[1]), 2},
		{Recovery, 366, 1, []string{"Days from setback to recovery", "21 Nov 2026", "20 days", "5 days…", "open so far"},
			[]string{"2 setbacks", "1 recovered from, 1 open", "since 2026-11-21 for 5 days"}, "", 0},
		{Momentum, 28, 1, []string{"Days of the week", "this week, so far", "23 Nov"},
			[]string{"5 weeks up to 2026-11-26: 3 in all", "Most in the week of 2026-11-23: 2 of 7", "which goes on: 2"}, "", 0},
		{Practices, 28, 2, []string{"Gratitudes", "Steps", "Reframes", "5 days", "Not in this time: debriefs, reflections, visualizations."},
			[]string{"gratitudes on 5 days, 1 of them in the last week", "reframes on 1 day, 1 of them"}, "", 0},
	} {
		d, _ := read(t, Of(c.kind, counted(), last(c.days)), Look{Width: 400})
		if got := d.painted("fill", hex(light.series[0])); got != c.marks+1 {
			t.Errorf("%s has %d marks", c.kind, got)
		}
		if got := d.painted("stroke", c.drawn); c.drawn != "" && got != c.drawnN {
			t.Errorf("%s has %d lines", c.kind, got)
		}
		for _, want := range c.says {
			if !d.says(want) {
				t.Errorf("%s does not say %q", c.kind, want)
			}
		}
		for _, want := range c.told {
			if !strings.Contains(d.Desc.Words, want) {
				t.Errorf("%s is not told with %q: %s", c.kind, want, d.Desc.Words)
			}
		}
	}
}

// TestNothingToShow: a chart of nothing says so.
func TestNothingToShow(t *testing.T) {
	for kind, want := range map[Kind]string{
		Mood: "No check-ins yet", Recovery: "No setbacks in this time", Momentum: "No completed steps in this time", Practices: "Nothing practiced in this time",
	} {
		if d, _ := read(t, Of(kind, life(0), last(90)), Look{Width: 400}); !d.says(want) {
			t.Errorf("%s does not say %q", kind, want)
		}
	}
	p := counted()
	p.CheckIns = p.GetCheckIns()[:1] // 200 days ago
	if d, _ := read(t, Of(Mood, p, last(90)), Look{Width: 400}); !d.says("No check-ins in this time") {
		t.Error("earlier check-ins are not heeded")
	}
	p.CheckIns, p.MoodBase = counted().GetCheckIns()[1:], &storagev1.MoodBase{N: 500, Level: 1}
	if d, _ := read(t, Of(Mood, p, last(90)), Look{Width: 400}); !d.says("Earlier check-ins are no longer kept") {
		t.Error("a chart that lacks check-ins does not say so")
	}
}

// TestManySetbacks: of many setbacks the latest are drawn, and that is said.
func TestManySetbacks(t *testing.T) {
	d, _ := read(t, Of(Recovery, life(60), last(366)), Look{Width: 400})
	if !d.says("The latest 12 of 60 setbacks are shown.") {
		t.Error("it is not said that setbacks are left out")
	}
}
