package chart

import (
	"fmt"
	"slices"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

const (
	// maxBands is up to how many curves have their intervals drawn: more would hide
	// each other.
	maxBands = 2
	// maxCompared is how many comparisons are told of.
	maxCompared = 6
)

var openTicks = []tick{{0, "0\u00a0%"}, {0.25, "25\u00a0%"}, {0.5, "50\u00a0%"}, {0.75, "75\u00a0%"}, {1, "100\u00a0%"}}

// recovery draws the share of setbacks that are still open, by days after the setback.
func (c cohort) recovery() *Figure {
	f := c.figure("Recovery", "Share of setbacks that are not recovered from, by days after the setback (Kaplan and Meier)")
	f.subtitle = "Setbacks of " + f.subtitle
	if !slices.ContainsFunc(c.shown, func(g group) bool { return len(g.cell.GetRecoveryCurve().GetPoints()) > 0 }) {
		return f
	}
	if len(c.shown) <= maxBands {
		f.keys = append(f.keys, key{"95\u00a0% interval", func(p *pen, in box) { p.fill(faint(p.series[0]), corners(in)...) }})
	} else {
		f.notes = append(f.notes, "The report has the intervals; they are not drawn for this many groups.")
	}
	for i, x := range c.report.GetComparisons() {
		if i == maxCompared {
			break
		}
		f.Description += fmt.Sprintf(" Log-rank test of %s and %s: p = %.3f, %d people.",
			label(c.report.GetGroupBy(), x.GetGroup()), label(c.report.GetGroupBy(), x.GetOther()), x.GetPValue(), x.GetN())
	}
	f.height = func(width float64) float64 { return lineHeight(width) + nameRoom }
	f.body = func(p *pen, in box) { p.curves(c.shown, in) }
	return f
}

func (p *pen) curves(shown []group, in box) {
	var longest int32 = 1
	for _, g := range shown {
		for _, c := range g.cell.GetRecoveryCurve().GetPoints() {
			longest = max(longest, c.GetDays())
		}
	}
	p.axisName("Setbacks still open", spot{in.left, in.top + textSize}, start)
	a := panel{
		box: box{in.left + plain.width("100\u00a0%") + tickGap, in.top + nameRoom, in.right - rightRoom, in.bottom - axisRoom - nameRoom},
		x1:  float64(longest), y1: 1,
	}
	p.valueAxis(a, openTicks)
	p.baseAxis(a, within(steps(float64(longest), max(2, int(a.width()/60))), a.x1), in.right)
	p.axisName("Days after the setback", spot{(a.left + a.right) / 2, in.bottom - 4}, middle)
	if len(shown) <= maxBands {
		for i, g := range shown {
			points := g.cell.GetRecoveryCurve().GetPoints()
			upper := stairs(a, points, func(c *insightsv1.CurvePoint) float64 { return c.GetInterval().GetHigh() })
			lower := stairs(a, points, func(c *insightsv1.CurvePoint) float64 { return c.GetInterval().GetLow() })
			slices.Reverse(lower)
			p.fill(faint(p.series[i]), append(upper, lower...)...)
		}
	}
	for i, g := range shown {
		points := g.cell.GetRecoveryCurve().GetPoints()
		p.line(p.seriesStroke(i), stairs(a, points, (*insightsv1.CurvePoint).GetOpen)...)
		every := (len(points) + 7) / 8
		for j, c := range points {
			if j%every == i%every {
				p.mark(i, a.spot(float64(c.GetDays()), c.GetOpen()))
			}
		}
	}
}

// within leaves out the ticks beyond an axis.
func within(ticks []tick, last float64) []tick {
	return slices.DeleteFunc(ticks, func(t tick) bool { return t.at > last })
}

// stairs is a curve that holds its value until the next point. It begins with all.
func stairs(a panel, points []*insightsv1.CurvePoint, of func(*insightsv1.CurvePoint) float64) []spot {
	out := []spot{a.spot(0, 1)}
	for _, c := range points {
		x := a.x(float64(c.GetDays()))
		out = append(out, spot{x, out[len(out)-1].y}, spot{x, a.y(of(c))})
	}
	return out
}
