package cohort

import (
	"context"
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
// counts for all of its family. They are about the same people in the same weeks.
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
func (p *population) report(ctx context.Context, d *privacy.Draft) ([]*insightsv1.CohortCell, []*insightsv1.CurveComparison, error) {
	standing := p.judgeDirectory(ctx, d)
	byMetric := p.judge(ctx, d, standing)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
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
	return out, p.compare(curves), nil
}

// judge decides on the cells of each metric. Families say nothing about each other, so
// several are judged at a time; the metrics of one, in order. Once ctx has ended, what is
// left is not judged any more.
func (p *population) judge(ctx context.Context, d *privacy.Draft, standing *standing) [][]*cell {
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
		var s *spread
		for _, i := range metrics[at] {
			m := p.metrics[i]
			if ctx.Err() != nil {
				return
			}
			if s = p.spread(m, s); m.ByWeek {
				p.judgeWeeks(ctx, branch, s, standing)
			} else {
				p.judgeWindow(branch, s, standing)
			}
			byMetric[i] = s.cells
		}
	})
	for _, branch := range branches {
		d.Join(branch)
	}
	return byMetric
}

// measured is the group of a cell, of those weeks.
func (p *population) measured(c *cell, weeks uint64) measure.Group {
	return measure.Group{Look: &p.look, Rows: c.rows, Counts: c.counts, Weeks: weeks, Minimum: int32(p.least(c.metric))}
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
