package chart

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
)

// maxBars is how many setbacks a chart shows: the latest.
const maxBars = 12

// barHeight and barGap are those of horizontal bars, in points.
const barHeight, barGap = 13, 7

// RecoveryOf draws how long setbacks took to be recovered from; those that are open,
// up to the end of the span. They come the latest first, as projection.SetbacksIn has
// them.
func RecoveryOf(span projection.Span, setbacks []projection.SetbackDays) *Figure {
	f := &Figure{Title: "Recovery", subtitle: "Setbacks from " + spell(span.From) + " to " + spell(span.Until), empty: "No setbacks in this time"}
	if len(setbacks) == 0 {
		f.Description = fmt.Sprintf("There are no setbacks from %s to %s.", iso(span.From), iso(span.Until))
		return f
	}
	f.Description = recoveryWords(span, setbacks)
	shown := setbacks[:min(maxBars, len(setbacks))]
	if len(shown) < len(setbacks) {
		f.notes = []string{fmt.Sprintf("The latest %d of %d setbacks are shown.", len(shown), len(setbacks))}
	}
	isOpen := func(s projection.SetbackDays) bool { return s.Recovered == nil }
	if !slices.ContainsFunc(shown, isOpen) {
		f.keys = []key{{"recovered from", func(p *pen, in box) { p.fill(p.series[0], corners(in)...) }}}
	} else {
		f.keys = []key{
			{"recovered from", func(p *pen, in box) { p.fill(p.series[0], corners(in)...) }},
			{"open so far", func(p *pen, in box) { p.openBar(in) }},
		}
	}
	f.height = func(float64) float64 {
		return nameRoom + float64(len(shown))*(barHeight+barGap) + axisRoom + nameRoom
	}
	f.body = func(p *pen, in box) { p.recovery(span, shown, in) }
	return f
}

// took is how many days a setback has taken.
func took(span projection.Span, s projection.SetbackDays) int32 {
	if s.Recovered != nil {
		return *s.Recovered - s.Occurred
	}
	return span.Until - s.Occurred
}

// openBar is a bar that goes on: hatched, with an arrow.
func (p *pen) openBar(b box) {
	const arrow = 6
	mid := (b.top + b.bottom) / 2
	if b.width() > arrow+2 {
		p.hatched(p.series[1], box{b.left, b.top, b.right - arrow, b.bottom})
	}
	p.fill(p.series[1], spot{b.right - arrow, b.top - 1}, spot{b.right, mid}, spot{b.right - arrow, b.bottom + 1})
}

func (p *pen) recovery(span projection.Span, shown []projection.SetbackDays, in box) {
	var longest int32 = 1
	labels := 0.0
	for _, s := range shown {
		longest = max(longest, took(span, s))
		labels = max(labels, plain.width(spell(s.Occurred)))
	}
	p.axisName("Happened on", spot{in.left, in.top + textSize}, start)
	a := panel{box: box{in.left + labels + tickGap, in.top + nameRoom, in.right - rightRoom - plain.width("000 days"), in.bottom - axisRoom - nameRoom}}
	ticks := steps(float64(longest), max(2, int(a.width()/60)))
	a.x1, a.y1 = float64(longest), 1
	p.baseAxis(a, ticks, in.right)
	p.axisName("Days from setback to recovery", spot{(a.left + a.right) / 2, in.bottom - 4}, middle)
	for i, s := range shown {
		top := a.top + float64(i)*(barHeight+barGap) + barGap/2
		days := took(span, s)
		bar := box{a.left, top, max(a.x(float64(days)), a.left+2), top + barHeight}
		words := say.Count(int(days), "day")
		if s.Recovered == nil {
			bar.right = max(bar.right, bar.left+8)
			p.openBar(bar)
			words += "…"
		} else {
			p.fill(p.series[0], corners(bar)...)
		}
		base := top + barHeight/2 + textSize*0.35
		p.write(spell(s.Occurred), spot{a.left - tickGap, base}, end, plain, p.muted)
		p.write(words, spot{bar.right + 5, base}, start, plain, p.ink)
	}
}

// recoveryWords say what the chart shows.
func recoveryWords(span projection.Span, setbacks []projection.SetbackDays) string {
	var done []int32
	var open []string
	for _, s := range setbacks {
		if s.Recovered != nil {
			done = append(done, took(span, s))
		} else if len(open) < maxBars {
			open = append(open, fmt.Sprintf("%s for %s", iso(s.Occurred), say.Count(int(took(span, s)), "day")))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s from %s to %s: %d recovered from, %d open.", say.Count(len(setbacks), "setback"), iso(span.From), iso(span.Until), len(done), len(setbacks)-len(done))
	if len(done) > 0 {
		slices.Sort(done)
		fmt.Fprintf(&b, " Recoveries took %d to %s.", done[0], say.Count(int(done[len(done)-1]), "day"))
	}
	if len(open) > 0 {
		fmt.Fprintf(&b, " Open at the end: since %s.", strings.Join(open, ", since "))
	}
	return b.String()
}
