package cohort

import (
	"fmt"
	"maps"
	"slices"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/measure"
	"github.com/rebound-hq/rebound/services/insights/internal/privacy"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// families are the metrics that say something about each other: what one releases
// counts for all of its family.
var families = map[insightsv1.CohortMetric]string{
	insightsv1.CohortMetric_COHORT_METRIC_PARTICIPATION:     "participation",
	insightsv1.CohortMetric_COHORT_METRIC_MOOD_LEVEL:        "mood",
	insightsv1.CohortMetric_COHORT_METRIC_MOOD_DISTRIBUTION: "mood",
	insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE:    recovery,
	insightsv1.CohortMetric_COHORT_METRIC_LESSONS_APPLIED:   "lessons",
	insightsv1.CohortMetric_COHORT_METRIC_STEP_MOMENTUM:     "steps",
	insightsv1.CohortMetric_COHORT_METRIC_FAILURE_KINDS:     "kinds",
	insightsv1.CohortMetric_COHORT_METRIC_PRACTICE_UPTAKE:   "practices",
}

const (
	recovery = "recovery"
	// directory is the family of who stands where, whether they may be counted or not.
	// Sets of it have to differ by enough people too: else whoever moves one person
	// could see by what is suppressed whether that person is among those counted.
	directory = "directory"
)

// minimumOf is the least number of people that what follows from a family's numbers
// may be about.
func (q *question) minimumOf(family string) int {
	if family == recovery {
		return q.strict
	}
	return q.minimum
}

// cell is one number of a report on its way. Group is its place; total: all groups.
type cell struct {
	metric measure.Metric
	group  int
	// who has something to say in the group, and in which weeks.
	rows   []int32
	counts []uint64
	// weeks that may be shown.
	weeks   uint64
	refused insightsv1.SuppressionReason
	fill    func(*insightsv1.CohortCell)
}

const total = -1

// report gives the cells that a draft lets show: all groups together, then each.
func (p *population) report(d *privacy.Draft) ([]*insightsv1.CohortCell, []*insightsv1.CurveComparison) {
	standing := p.judgeDirectory(d)
	byMetric := p.judge(d, standing)
	var curves []*cell
	for i, m := range p.metrics {
		if m.Kind == insightsv1.CohortMetric_COHORT_METRIC_RECOVERY_CURVE {
			curves = byMetric[i][1:]
		}
	}
	standing.keep(d)
	var out []*insightsv1.CohortCell
	for place := range len(p.groups) + 1 {
		for _, cells := range byMetric {
			out = append(out, p.shown(cells[place]))
		}
	}
	return out, p.compare(curves)
}

// judge decides on the cells of each metric. Families say nothing about each other, so
// several are judged at a time; the metrics of one, in order.
func (p *population) judge(d *privacy.Draft, standing *standing) [][]*cell {
	byMetric := make([][]*cell, len(p.metrics))
	var branches []*privacy.Draft
	var metrics [][]int // by branch
	places := map[string]int{}
	for i, m := range p.metrics {
		at, ok := places[families[m.Kind]]
		if !ok {
			at = len(branches)
			places[families[m.Kind]] = at
			branches, metrics = append(branches, d.Branch()), append(metrics, nil)
		}
		metrics[at] = append(metrics[at], i)
	}
	each(branches, func(at int, branch *privacy.Draft) {
		for _, i := range metrics[at] {
			m := p.metrics[i]
			byMetric[i] = p.cells(m)
			if m.ByWeek {
				p.judgeWeeks(branch, byMetric[i], standing)
			} else {
				p.judgeWindow(branch, byMetric[i], standing)
			}
		}
	})
	for _, branch := range branches {
		d.Join(branch)
	}
	return byMetric
}

// cells of a metric: all groups together, then each, with who has something to say.
func (p *population) cells(m measure.Metric) []*cell {
	cells := make([]*cell, len(p.groups)+1)
	for i := range cells {
		room := len(p.people)
		if i > 0 { // as if groups were of one size
			room /= len(p.groups)
		}
		cells[i] = &cell{metric: m, group: i - 1, refused: privacy.TooFew, rows: make([]int32, 0, room), counts: make([]uint64, 0, room)}
	}
	for row := range p.people {
		says := m.Mask(p.look, int32(row)) & p.consented[row]
		if says == 0 {
			continue
		}
		if !m.ByWeek { // where they stand on the last day is where they stand
			at := p.stands[(row+1)*p.weeks-1]
			if at != outside {
				cells[0].add(row, says)
			}
			if at >= 0 {
				cells[at+1].add(row, says)
			}
			continue
		}
		p.sortWeeks(cells, row, says)
	}
	return cells
}

// sortWeeks adds each week of a person to the group that they stood in then.
func (p *population) sortWeeks(cells []*cell, row int, says uint64) {
	stands := p.stands[row*p.weeks : (row+1)*p.weeks]
	for left := says; left != 0; {
		var at int16 = outside
		var same uint64
		for i, s := range stands {
			if bit := uint64(1) << i; left&bit != 0 && (same == 0 || s == at) {
				at, same = s, same|bit
			}
		}
		left &^= same
		if at >= 0 {
			cells[at+1].add(row, same)
		}
		if at == outside {
			says &^= same
		}
	}
	if says != 0 {
		cells[0].add(row, says)
	}
}

func (c *cell) add(row int, says uint64) {
	c.rows = append(c.rows, int32(row))
	c.counts = append(c.counts, says)
}

// measured is the group of a cell, of those weeks.
func (p *population) measured(c *cell, weeks uint64) measure.Group {
	return measure.Group{Look: p.look, Rows: c.rows, Counts: c.counts, Weeks: weeks, Minimum: int32(p.least(c.metric))}
}

// shown is a cell as the report has it.
func (p *population) shown(c *cell) *insightsv1.CohortCell {
	out := &insightsv1.CohortCell{
		Metric: c.metric.Kind, Group: map[string]string{}, Method: c.metric.Method, MethodVersion: c.metric.Version,
		Window: &insightsv1.CohortWindow{
			StartDate: localdate.FromDays(int(facts.Monday(p.window.First))), EndDate: localdate.FromDays(int(lastDay(p.window.Last))),
		},
		Suppressed: c.refused,
	}
	if c.group != total {
		out.Group = maps.Clone(p.groups[c.group])
	}
	if c.refused == privacy.Shown {
		c.fill(out)
	}
	return out
}

// maxCompared is how many groups' curves are compared with each other.
const maxCompared = 12

// compare gives the comparisons of curves that are shown; of more groups than
// maxCompared, none.
func (p *population) compare(curves []*cell) []*insightsv1.CurveComparison {
	curves = slices.DeleteFunc(slices.Clone(curves), func(c *cell) bool { return c.refused != privacy.Shown })
	if len(curves) > maxCompared {
		return nil
	}
	var out []*insightsv1.CurveComparison
	for i, a := range curves {
		for _, b := range curves[i+1:] {
			c := measure.CompareCurves(p.measured(a, p.window.All()), p.measured(b, p.window.All()))
			if c == nil {
				continue
			}
			c.Group, c.Other = maps.Clone(p.groups[a.group]), maps.Clone(p.groups[b.group])
			out = append(out, c)
		}
	}
	return out
}

// asks is the digest of what a cell asks for.
func (p *population) asks(c *cell, window bool) int64 {
	about := ""
	if window {
		about = fmt.Sprint(p.window.First, p.window.Last)
	}
	if c.group == total {
		return p.digest(about, nil)
	}
	return p.digest(about, p.groups[c.group])
}
