package chart

import (
	"math"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// weekly is a number of each week of a group, and of all of them.
type weekly struct {
	mean     float64
	interval *insightsv1.Interval
	byWeek   []*insightsv1.CohortWeekValue
}

func (c cohort) mood() *Figure {
	f := c.figure("Mood", "Mean pleasantness of people's weeks, in points from \u22125 to +5")
	var of []weekly
	for _, g := range c.shown {
		m := g.cell.GetMoodLevel()
		of = append(of, weekly{m.GetMean(), m.GetInterval(), m.GetByWeek()})
	}
	return c.byWeek(f, of, "Pleasantness, points of \u22125 to +5", moodTicks(of))
}

func (c cohort) momentum() *Figure {
	f := c.figure("Momentum", "Days of the week with completed steps, of those who complete any, mean")
	var of []weekly
	for _, g := range c.shown {
		m := g.cell.GetStepMomentum()
		of = append(of, weekly{m.GetActiveDays(), m.GetInterval(), m.GetByWeek()})
	}
	return c.byWeek(f, of, "Days of the week", []tick{{0, "0"}, {2, "2"}, {4, "4"}, {daysPerWeek, "7"}})
}

func signedWhole(v float64) string {
	if v > 0 {
		return "+" + number(v, 0)
	}
	return number(v, 0)
}

// moodTicks are the whole points of pleasantness around what is drawn; all of them
// when that lies nowhere.
func moodTicks(of []weekly) []tick {
	least, greatest := bounds(of)
	var all, around []tick
	for v := -pleasant; v <= pleasant; v++ {
		t := tick{float64(v), signedWhole(float64(v))}
		all = append(all, t)
		if least-1 <= t.at && t.at <= greatest+1 {
			around = append(around, t)
		}
	}
	if len(around) < 2 {
		return all
	}
	return around
}

// bounds are the least and the greatest of numbers and their intervals.
func bounds(of []weekly) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, w := range of {
		for _, v := range w.byWeek {
			low, high = min(low, v.GetValue()), max(high, v.GetValue())
		}
		low, high = min(low, w.mean, w.interval.GetLow()), max(high, w.mean, w.interval.GetHigh())
	}
	return low, high
}

// byWeek draws lines over the weeks of the window. One group alone shows its mean,
// too, with the interval.
func (c cohort) byWeek(f *Figure, of []weekly, name string, ticks []tick) *Figure {
	if len(of) == 0 {
		return f
	}
	if len(of) == 1 {
		f.keys = append(f.keys, key{"mean, with its 95\u00a0% interval", func(p *pen, in box) {
			p.fill(faint(p.series[0]), corners(in)...)
			p.line(p.meanStroke(), spot{in.left, in.center().y}, spot{in.right, in.center().y})
		}})
	}
	f.height = lineHeight
	f.body = func(p *pen, in box) {
		p.axisName(name, spot{in.left, in.top + textSize}, start)
		from, until := localdate.Days(c.report.GetWindow().GetStartDate()), localdate.Days(c.report.GetWindow().GetEndDate())
		a := panel{
			box: box{in.left + plain.width("+0") + tickGap, in.top + nameRoom, in.right - rightRoom, in.bottom - axisRoom},
			x0:  float64(from), x1: float64(until + 1), y0: ticks[0].at, y1: ticks[len(ticks)-1].at,
		}
		p.valueAxis(a, ticks)
		p.baseAxis(a, dayTicks(int32(from), int32(until), a.width()), in.right)
		if len(of) == 1 {
			in := of[0].interval
			p.fill(faint(p.series[0]), corners(box{a.left, a.y(in.GetHigh()), a.right, a.y(in.GetLow())})...)
			p.line(p.meanStroke(), a.spot(a.x0, of[0].mean), a.spot(a.x1, of[0].mean))
		}
		for i, w := range of {
			p.weeks(a, i, w.byWeek)
		}
	}
	return f
}

func (p *pen) meanStroke() stroke {
	return stroke{color: p.series[0], width: 1.2, dashes: dashes[4]}
}

// weeks draws the i-th series, week by week; it does not draw through weeks that are
// left out.
func (p *pen) weeks(a panel, i int, values []*insightsv1.CohortWeekValue) {
	var through []spot
	var before int
	for _, v := range values {
		day := localdate.Days(v.GetWeek())
		if day-before > daysPerWeek {
			p.line(p.seriesStroke(i), through...)
			through = nil
		}
		before = day
		through = append(through, a.spot(float64(day)+daysPerWeek/2.0, v.GetValue()))
	}
	p.line(p.seriesStroke(i), through...)
	for _, v := range values {
		p.mark(i, a.spot(float64(localdate.Days(v.GetWeek()))+daysPerWeek/2.0, v.GetValue()))
	}
}
