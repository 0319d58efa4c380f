package chart

import (
	"fmt"
	"strings"

	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// pleasant is how far pleasantness reaches. The axis always shows all of it, so that
// two charts can be compared.
const pleasant = 5

// longGap is after how many days without a check-in the level is not drawn through.
const longGap = 21

var pleasantTicks = []tick{{-4, number(-4, 0)}, {-2, number(-2, 0)}, {0, "0"}, {2, "+2"}, {4, "+4"}}

// MoodOf draws the mood of a person.
func MoodOf(s projection.MoodSeries) *Figure {
	f := &Figure{Title: "Mood", subtitle: spell(s.From) + " to " + spell(s.Until), empty: "No check-ins yet"}
	if len(s.Means) == 0 {
		f.Description = fmt.Sprintf("There are no check-ins from %s to %s.", iso(s.From), iso(s.Until))
		if s.Earlier {
			f.empty = "No check-ins in this time"
		}
		return f
	}
	f.Description = moodWords(s)
	f.keys = []key{
		{"mean of a day", func(p *pen, in box) { p.disc(p.series[0], in.center(), 2.4) }},
		{"level", func(p *pen, in box) {
			p.line(p.levelStroke(), spot{in.left, in.center().y}, spot{in.right, in.center().y})
		}},
	}
	if len(s.Changes) > 0 {
		f.keys = append(f.keys, key{"change of the mean", func(p *pen, in box) {
			p.line(p.changeStroke(), spot{in.center().x, in.top - 1}, spot{in.center().x, in.bottom + 1})
			p.shape(6, spot{in.center().x, in.top}, 4, p.series[3])
		}})
	}
	if s.Cut {
		f.notes = []string{"Earlier check-ins are no longer kept one by one; the level counts them."}
	}
	f.height = lineHeight
	f.body = func(p *pen, in box) { p.mood(s, in) }
	return f
}

// lineHeight is the height of a chart of lines.
func lineHeight(width float64) float64 { return min(300, max(210, width*0.42)) }

func (b box) center() spot { return spot{(b.left + b.right) / 2, (b.top + b.bottom) / 2} }

func (p *pen) levelStroke() stroke { return stroke{color: p.series[1], width: 2} }

func (p *pen) changeStroke() stroke {
	return stroke{color: p.series[3], width: 1.4, dashes: dashes[4]}
}

// mood draws into a box.
func (p *pen) mood(s projection.MoodSeries, in box) {
	p.axisName("Pleasantness, points from \u22125 to +5", spot{in.left, in.top + textSize}, start)
	a := panel{
		box: box{in.left + plain.width("+4") + tickGap, in.top + nameRoom, in.right - rightRoom, in.bottom - axisRoom},
		x0:  float64(s.From) - 0.5, x1: float64(s.Until) + 0.5, y0: -pleasant, y1: pleasant,
	}
	p.valueAxis(a, pleasantTicks)
	p.baseAxis(a, dayTicks(s.From, s.Until, a.width()), in.right)
	for _, c := range s.Changes {
		x := a.x(float64(localdate.Days(c.GetOn())) - 0.5)
		p.line(p.changeStroke(), spot{x, a.top - 6}, spot{x, a.bottom})
		p.shape(6, spot{x, a.top - 6}, 3.5, p.series[3])
	}
	for _, m := range s.Means {
		p.disc(p.series[0], a.spot(float64(m.Day), m.Value), 2.4)
	}
	var through []spot
	for i, l := range s.Levels {
		if i > 0 && l.Day-s.Levels[i-1].Day > longGap {
			p.line(p.levelStroke(), through...)
			through = nil
		}
		through = append(through, a.spot(float64(l.Day), l.Value))
	}
	p.line(p.levelStroke(), through...)
}

// moodWords say what the chart shows.
func moodWords(s projection.MoodSeries) string {
	last, level := s.Means[len(s.Means)-1], s.Levels[len(s.Levels)-1]
	var b strings.Builder
	fmt.Fprintf(&b, "Mean pleasantness of %s with %s, from %s to %s, in points from \u22125 to +5. On %s, the last of them, the mean was %s and the level %s.",
		say.Count(len(s.Means), "day"), say.Count(s.CheckIns, "check-in"), iso(s.From), iso(s.Until), iso(last.Day), signed(last.Value), signed(level.Value))
	for _, c := range s.Changes {
		fmt.Fprintf(&b, " The mean changed on %s: from %s (%s) to %s (%s).", localdate.Text(c.GetOn()),
			signed(c.GetBefore()), say.Count(int(c.GetNBefore()), "day"), signed(c.GetAfter()), say.Count(int(c.GetNAfter()), "day"))
	}
	return b.String()
}
