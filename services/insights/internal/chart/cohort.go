package chart

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// metrics are what the charts of a cohort show, by kind.
var metrics = map[Kind]insightsv1.CohortMetric{
	Mood:      insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL,
	Recovery:  insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE,
	Momentum:  insightsv1.CohortMetric_COHORT_METRIC_STEP_MOMENTUM,
	Practices: insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE,
}

// maxNamed is how many suppressed groups a chart names.
const maxNamed = 8

// group is a group of a cohort with what a report says about it.
type group struct {
	words string
	cell  *insightsv1.CohortCell
}

// cohort is what a chart of a report shows.
type cohort struct {
	report *insightsv1.CohortReport
	shown  []group
	notes  []string
}

// CohortOf gives a chart of a cohort report: a series for each group, at most eight,
// the largest. What is suppressed is named with the reason, and is never drawn.
func CohortOf(kind Kind, report *insightsv1.CohortReport) *Figure {
	c := choose(report, metrics[kind])
	var f *Figure
	switch kind {
	case Recovery:
		f = c.recovery()
	case Momentum:
		f = c.momentum()
	case Practices:
		f = c.practices()
	default:
		f = c.mood()
	}
	f.Description = strings.Join(append([]string{f.Description}, c.notes...), " ")
	f.notes = append(f.notes, c.notes...)
	switch {
	case !slices.Contains(report.GetMetrics(), metrics[kind]):
		f.empty = "This report does not measure it"
	case len(f.notes) > 0:
		f.empty = "Nothing to show, see below"
	default:
		f.empty = "Nothing to show yet"
	}
	if f.body == nil {
		f.keys = nil
		f.Description += " " + f.empty + "."
	}
	return f
}

// choose picks the groups to show: those of the report, or where it has none, all
// people together.
func choose(report *insightsv1.CohortReport, metric insightsv1.CohortMetric) cohort {
	c := cohort{report: report}
	var suppressed []group
	for _, cell := range report.GetCells() {
		if cell.GetMetric() != metric || len(cell.GetGroup()) == 0 && len(report.GetGroupBy()) > 0 {
			continue
		}
		g := group{words: label(report.GetGroupBy(), cell.GetGroup()), cell: cell}
		if cell.GetSuppressed() != insightsv1.SuppressionReason_SUPPRESSION_REASON_UNSPECIFIED || cell.GetValues() == nil {
			suppressed = append(suppressed, g)
		} else {
			c.shown = append(c.shown, g)
		}
	}
	if all := len(c.shown); all > maxSeries {
		order := slices.SortedStableFunc(slices.Values(c.shown), func(a, b group) int { return int(b.cell.GetN() - a.cell.GetN()) })[:maxSeries]
		c.shown = slices.DeleteFunc(c.shown, func(g group) bool { return !slices.Contains(order, g) })
		c.notes = append(c.notes, fmt.Sprintf("The %d largest of %d groups are shown.", maxSeries, all))
	}
	if len(suppressed) > 0 {
		c.notes = append(c.notes, suppressedWords(suppressed))
	}
	return c
}

// reasons are why something is suppressed, in words.
var reasons = map[insightsv1.SuppressionReason]string{
	insightsv1.SuppressionReason_SUPPRESSION_REASON_TOO_FEW:     "too few people",
	insightsv1.SuppressionReason_SUPPRESSION_REASON_COMPLEMENT:  "too few people would be left beside it",
	insightsv1.SuppressionReason_SUPPRESSION_REASON_OVERLAP:     "too close to what was released before",
	insightsv1.SuppressionReason_SUPPRESSION_REASON_OVER_TIME:   "too few people have changed since it was released",
	insightsv1.SuppressionReason_SUPPRESSION_REASON_HOMOGENEOUS: "all people are alike in it",
}

func suppressedWords(of []group) string {
	var named []string
	for _, g := range of[:min(maxNamed, len(of))] {
		why := reasons[g.cell.GetSuppressed()]
		if why == "" {
			why = "not told"
		}
		named = append(named, fmt.Sprintf("%s (%s)", g.words, why))
	}
	words := "Suppressed, to protect people: " + strings.Join(named, ", ")
	if more := len(of) - len(named); more > 0 {
		words += fmt.Sprintf(", and %d more", more)
	}
	return words + "."
}

// label is what a group is called: the values of its attributes in the order of the
// report.
func label(by []string, of map[string]string) string {
	if len(by) == 0 {
		return "All people"
	}
	words := make([]string, len(by))
	for i, key := range by {
		if words[i] = printable(of[key]); words[i] == "" {
			words[i] = "no " + printable(key)
		}
	}
	return strings.Join(words, " · ")
}

// printable is what can be drawn of words that an admin wrote.
func printable(words string) string {
	return strings.Join(strings.FieldsFunc(words, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }), " ")
}

// figure begins a chart of the cohort.
func (c cohort) figure(title, what string) *Figure {
	from, until := localdate.Days(c.report.GetWindow().GetStartDate()), localdate.Days(c.report.GetWindow().GetEndDate())
	f := &Figure{Title: title, subtitle: spell(int32(from)) + " to " + spell(int32(until))}
	var said []string
	for _, g := range c.shown {
		said = append(said, g.words+": "+told(g.cell))
	}
	f.Description = fmt.Sprintf("%s, from %s to %s.", what, iso(int32(from)), iso(int32(until)))
	if len(said) > 0 {
		f.Description += " " + strings.Join(said, "; ") + "."
	}
	for i, g := range c.shown {
		f.keys = append(f.keys, key{g.words + ": " + short(g.cell), func(p *pen, in box) {
			mid := in.center()
			p.line(p.seriesStroke(i), spot{in.left, mid.y}, spot{in.right, mid.y})
			p.mark(i, mid)
		}})
	}
	return f
}

// short is what the legend says about a group.
func short(cell *insightsv1.CohortCell) string {
	switch v := cell.GetValues().(type) {
	case *insightsv1.CohortCell_MoodLevel:
		return "mean " + signed(v.MoodLevel.GetMean())
	case *insightsv1.CohortCell_StepMomentum:
		return "mean " + number(v.StepMomentum.GetActiveDays(), 1)
	case *insightsv1.CohortCell_RecoveryCurve:
		if v.RecoveryCurve.MedianDays == nil {
			return "median not reached"
		}
		return "median " + number(v.RecoveryCurve.GetMedianDays(), 0) + " days"
	}
	return people(cell)
}

// told is what the description says about a group.
func told(cell *insightsv1.CohortCell) string {
	switch v := cell.GetValues().(type) {
	case *insightsv1.CohortCell_MoodLevel:
		return fmt.Sprintf("mean %s (95\u00a0%% interval %s to %s), %s%s", signed(v.MoodLevel.GetMean()),
			signed(v.MoodLevel.GetInterval().GetLow()), signed(v.MoodLevel.GetInterval().GetHigh()), people(cell), lastTold(v.MoodLevel.GetByWeek()))
	case *insightsv1.CohortCell_StepMomentum:
		return fmt.Sprintf("mean %s days (95\u00a0%% interval %s to %s), %s%s", number(v.StepMomentum.GetActiveDays(), 1),
			number(v.StepMomentum.GetInterval().GetLow(), 1), number(v.StepMomentum.GetInterval().GetHigh(), 1), people(cell), lastTold(v.StepMomentum.GetByWeek()))
	case *insightsv1.CohortCell_RecoveryCurve:
		return fmt.Sprintf("%s%s, %s with %s, %d recovered from", short(cell), medianBounds(v.RecoveryCurve), people(cell),
			say.Count(int(v.RecoveryCurve.GetSetbacks()), "setback"), v.RecoveryCurve.GetRecovered())
	case *insightsv1.CohortCell_PracticeUptake:
		var shares []string
		for _, x := range v.PracticeUptake.GetPractices() {
			shares = append(shares, fmt.Sprintf("%s %s", strings.ToLower(practiceName(x.GetPractice())), percent(x.GetShare())))
		}
		return people(cell) + ", " + strings.Join(shares, ", ")
	}
	return people(cell)
}

func people(cell *insightsv1.CohortCell) string {
	if cell.GetN() == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", cell.GetN())
}

func percent(share float64) string { return number(100*share, 0) + "\u00a0%" }

func lastTold(weeks []*insightsv1.CohortWeekValue) string {
	if len(weeks) == 0 {
		return ""
	}
	last := weeks[len(weeks)-1]
	return fmt.Sprintf(", in the week of %s %s", localdate.Text(last.GetWeek()), number(last.GetValue(), 1))
}

func medianBounds(c *insightsv1.CohortRecoveryCurve) string {
	if c.MedianDays == nil {
		return ""
	}
	low, high := "not reached", "not reached"
	if c.MedianDaysLow != nil {
		low = number(c.GetMedianDaysLow(), 0)
	}
	if c.MedianDaysHigh != nil {
		high = number(c.GetMedianDaysHigh(), 0)
	}
	return fmt.Sprintf(" (95\u00a0%% interval %s to %s)", low, high)
}
