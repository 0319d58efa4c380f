package chart

import (
	"math"
	"strings"
	"testing"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// TestCohortCharts: a series for each group that is shown; those that are suppressed
// are named with the reason, in the drawing and in its description, and not drawn.
func TestCohortCharts(t *testing.T) {
	for _, kind := range Kinds {
		d, _ := read(t, CohortOf(kind, reportOf(3, 5)), Look{Width: 640})
		for _, want := range []string{"sales: ", "engineering: ", "support: "} {
			if !d.says(want) || !strings.Contains(d.Desc.Words, want) {
				t.Errorf("%s does not tell of %q", kind, want)
			}
		}
		for _, want := range []string{
			"people and culture (too few people)", "legal (too few people would be left beside it)", "no department (too close to what was released before)",
			"research (too few people have changed since it was released)", "(all people are alike in it)",
		} {
			if !strings.Contains(d.Desc.Words, want) {
				t.Errorf("%s is not told with %q: %s", kind, want, d.Desc.Words)
			}
		}
		for i, c := range light.series {
			if drawn := d.painted("stroke", hex(c))+d.painted("fill", hex(c)) > 0; drawn != (i < 3) {
				t.Errorf("%s: series %d is drawn: %v", kind, i, drawn)
			}
		}
		if !d.says("Suppressed, to protect people") || !d.says("31 Aug 2026") || strings.Contains(d.Desc.Words, "All people") {
			t.Errorf("%s: %s", kind, d.Desc.Words)
		}
	}
}

// TestCohortUnits: axes name their units.
func TestCohortUnits(t *testing.T) {
	for kind, wants := range map[Kind][]string{
		Mood: {"Pleasantness, points of \u22125 to +5"}, Recovery: {"Days after the setback", "Setbacks still open", "100 %"},
		Momentum: {"Days of the week", "7"}, Practices: {"Share of the people of the group", "A practice without a bar is not told"},
	} {
		d, _ := read(t, CohortOf(kind, reportOf(1, 0)), Look{Width: 640})
		for _, want := range append(wants, "All people: ") {
			if !d.says(want) {
				t.Errorf("%s does not say %q", kind, want)
			}
		}
	}
}

// TestManyGroups: of many groups the largest are shown, and that is said.
func TestManyGroups(t *testing.T) {
	f := CohortOf(Mood, reportOf(12, 12))
	if len(f.keys) != maxSeries || !strings.Contains(f.Description, "The 8 largest of 12 groups are shown.") || !strings.Contains(f.Description, "and 4 more.") {
		t.Errorf("%d series: %s", len(f.keys), f.Description)
	}
	if strings.Contains(f.Description, "sales: ") || !strings.Contains(f.Description, "no department: ") {
		t.Errorf("they are not the largest: %s", f.Description)
	}
}

// TestNothingOfACohort: what is not measured, or suppressed all over, is said so.
func TestNothingOfACohort(t *testing.T) {
	for _, kind := range Kinds {
		if f := CohortOf(kind, &insightsv1.CohortReport{}); f.body != nil || !strings.Contains(f.Description, "does not measure it") {
			t.Errorf("%s: %s", kind, f.Description)
		}
		if f := CohortOf(kind, reportOf(0, 1)); f.body != nil || !strings.Contains(f.Description, "All people (too few people)") {
			t.Errorf("%s: %s", kind, f.Description)
		}
	}
}

// TestHostileReports: whatever a report holds, drawing it ends, and words that admins
// wrote are drawn as words.
func TestHostileReports(t *testing.T) {
	const script = "<script>&\"'\x00\u202e]]>"
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64} {
		report := reportOf(2, 1)
		for _, c := range report.GetCells() {
			for key := range c.GetGroup() {
				c.Group[key] = script
			}
			switch v := c.GetValues().(type) {
			case *insightsv1.CohortCell_MoodLevel:
				v.MoodLevel.Mean, v.MoodLevel.ByWeek[0].Value = bad, bad
			case *insightsv1.CohortCell_RecoveryCurve:
				v.RecoveryCurve.Points = nil
			case *insightsv1.CohortCell_StepMomentum:
				v.StepMomentum.ByWeek = nil
			case *insightsv1.CohortCell_PracticeUptake:
				v.PracticeUptake.Practices = nil
			}
		}
		for _, kind := range Kinds {
			d, text := read(t, CohortOf(kind, report), Look{Width: 320})
			if strings.Contains(text, "<script") || !strings.Contains(d.Desc.Words, `<script>&"'`) {
				t.Errorf("%s: %s", kind, d.Desc.Words)
			}
			if _, err := CohortOf(kind, report).Draw(Look{Format: PNG, Width: 320}); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}
