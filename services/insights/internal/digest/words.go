package digest

import (
	"fmt"
	"strings"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// row is a number of a period beside that of the one before.
type row struct{ Name, Now, Before string }

// rows are the numbers of a digest in words. Those that are nothing in both periods
// are left out.
func rows(d *insightsv1.Digest) []row {
	now, before := d.GetPeriod(), d.GetBefore()
	out := []row{{"Check-ins", checkIns(now), checkIns(before)}, {"Mean mood, -5 to +5", mood(now), mood(before)}}
	if now.GetCheckIns()+before.GetCheckIns() == 0 && now.CheckIns != nil && before.CheckIns != nil {
		out = nil
	}
	add := func(name string, of func(*insightsv1.DigestPeriod) int32) {
		if of(now) != 0 || of(before) != 0 {
			out = append(out, row{name, fmt.Sprint(of(now)), fmt.Sprint(of(before))})
		}
	}
	add("Setbacks recorded", (*insightsv1.DigestPeriod).GetSetbacksRecorded)
	add("Setbacks recovered from", (*insightsv1.DigestPeriod).GetSetbacksRecovered)
	add("Lessons captured", (*insightsv1.DigestPeriod).GetLessonsCaptured)
	add("Lessons applied", (*insightsv1.DigestPeriod).GetLessonsApplied)
	add("Steps completed", (*insightsv1.DigestPeriod).GetStepsCompleted)
	add("Days with completed steps", (*insightsv1.DigestPeriod).GetStepDays)
	add("Days with gratitudes", (*insightsv1.DigestPeriod).GetGratitudeDays)
	for _, each := range say.Practices[2:] { // gratitudes and steps are told above
		add("Days with "+each.Done, func(p *insightsv1.DigestPeriod) int32 { return practiceDays(p, each.Practice) })
	}
	add("Milestones reached", (*insightsv1.DigestPeriod).GetMilestonesReached)
	add("Goals achieved", (*insightsv1.DigestPeriod).GetGoalsAchieved)
	add("Celebrations due at its end", (*insightsv1.DigestPeriod).GetCelebrationsDue)
	return out
}

func practiceDays(p *insightsv1.DigestPeriod, practice typev1.Practice) int32 {
	for _, x := range p.GetPractices() {
		if x.GetPractice() == practice {
			return x.GetDays()
		}
	}
	return 0
}

func checkIns(p *insightsv1.DigestPeriod) string {
	switch {
	case p.CheckIns == nil:
		return "no longer kept"
	case p.GetCheckIns() == 0:
		return "0"
	}
	return fmt.Sprintf("%d on %s", p.GetCheckIns(), say.Count(p.GetCheckInDays(), "day"))
}

func mood(p *insightsv1.DigestPeriod) string {
	switch {
	case p.CheckIns == nil:
		return "no longer kept"
	case p.MeanMood == nil:
		return "fewer than 3 days"
	}
	return fmt.Sprintf("%+.1f", p.GetMeanMood())
}

// statement says in words what an insight concludes.
func statement(in *insightsv1.Insight) string {
	switch data := in.GetData().(type) {
	case *insightsv1.Insight_SetbackRecovered:
		x := data.SetbackRecovered
		return fmt.Sprintf("Up again after a setback of %s, in %s.", localdate.Text(x.GetOccurredOn()), say.Count(x.GetDays(), "day"))
	case *insightsv1.Insight_LessonApplied:
		return fmt.Sprintf("A lesson was applied, %s after it was captured.", say.Count(data.LessonApplied.GetDays(), "day"))
	case *insightsv1.Insight_GratitudeRun:
		return fmt.Sprintf("Gratitudes on %s in a row.", say.Count(data.GratitudeRun.GetDays(), "day"))
	case *insightsv1.Insight_MoodShift:
		return fmt.Sprintf("The mood level moved from %+.1f to %+.1f.", data.MoodShift.GetBefore(), data.MoodShift.GetAfter())
	case *insightsv1.Insight_StepMomentum:
		return fmt.Sprintf("Steps were completed on %d of 7 days.", data.StepMomentum.GetActiveDays())
	case *insightsv1.Insight_MilestoneReached:
		switch early := data.MilestoneReached.GetDaysEarly(); {
		case early > 0:
			return fmt.Sprintf("A milestone was reached, %s early.", say.Count(early, "day"))
		case early < 0:
			return fmt.Sprintf("A milestone was reached, %s late.", say.Count(-early, "day"))
		}
		return "A milestone was reached."
	case *insightsv1.Insight_GoalAchieved:
		return fmt.Sprintf("A goal was achieved, %s after it was set.", say.Count(data.GoalAchieved.GetDays(), "day"))
	case *insightsv1.Insight_IntensityRevisited:
		x := data.IntensityRevisited
		return fmt.Sprintf("A setback was looked at again after %s: intensity %d of 10 then, %d now.", say.Count(x.GetDays(), "day"), x.GetBefore(), x.GetAfter())
	}
	return ""
}

// lead says what the digest is about.
func lead(period Period, d *insightsv1.Digest) string {
	words := fmt.Sprintf("%s to %s, beside the %s before.", date(period.Span.From), date(period.Span.Until), period.Unit)
	if !d.GetOver() {
		words += fmt.Sprintf(" The %s goes on: its numbers are those so far, the %s before is whole.", period.Unit, period.Unit)
	}
	return words
}

// caveat says what a digest is not.
const caveat = "Counts and means of what was recorded, and no judgment: nothing here says whether it was a good time, and nothing says what brought about what. Little recorded is not little done."

// together says what associations are about.
const together = "Over the 366 days up to then, not the period alone. What goes together on the same days; not what brings about what."

// markdown writes a digest as CommonMark: headings and lists, which read well as they
// are.
func markdown(period Period, d *insightsv1.Digest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n## Numbers\n\n", period.Title, lead(period, d))
	table := rows(d)
	for _, r := range table {
		fmt.Fprintf(&b, "- %s: %s (before: %s)\n", r.Name, r.Now, r.Before)
	}
	if len(table) == 0 {
		b.WriteString(nothing + "\n")
	}
	if len(d.GetInsights()) > 0 {
		b.WriteString("\n## Insights\n\n")
		for _, in := range d.GetInsights() {
			fmt.Fprintf(&b, "- %s: %s\n", localdate.Text(in.GetOn()), in.GetStatement())
		}
	}
	if len(d.GetAssociations()) > 0 {
		fmt.Fprintf(&b, "\n## What goes together\n\n%s\n\n", together)
		for _, a := range d.GetAssociations() {
			fmt.Fprintf(&b, "- %s\n", a.GetStatement())
		}
	}
	fmt.Fprintf(&b, "\n## What this is not\n\n%s\n", caveat)
	return b.String()
}

// nothing is said of periods without anything in them.
const nothing = "Nothing was recorded in either."
