package chart

import (
	"math"
	"strconv"
	"time"

	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// panel is a place where numbers are drawn: x to the right, y upwards.
type panel struct {
	box
	x0, x1, y0, y1 float64
}

// x and y are where numbers lie. What lies beyond an axis, or is no number, is drawn at
// its end: off the paper, a library may take very long over it.
func (a panel) x(v float64) float64 { return a.left + part(v, a.x0, a.x1)*a.width() }
func (a panel) y(v float64) float64 { return a.bottom - part(v, a.y0, a.y1)*a.height() }

// part is how far a number lies between two others, 0 to 1.
func part(v, from, until float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return (min(max(v, from), until) - from) / (until - from)
}

func (a panel) spot(x, y float64) spot { return spot{a.x(x), a.y(y)} }

// tick is a place on an axis, and what is written there.
type tick struct {
	at    float64
	words string
}

// room is what lies around a panel, in points.
const (
	tickGap   = 6
	axisRoom  = textSize + tickGap + 4
	nameRoom  = textSize + 12
	rightRoom = 14
)

// valueAxis draws lines across the panel, and what they stand for left of it.
func (p *pen) valueAxis(a panel, ticks []tick) {
	for _, t := range ticks {
		y := a.y(t.at)
		s := stroke{color: p.grid, width: 1}
		if t.at == 0 && a.y0 <= 0 {
			s.color = p.muted
		}
		p.line(s, spot{a.left, y}, spot{a.right, y})
		p.write(t.words, spot{a.left - tickGap, y + textSize*0.35}, end, plain, p.muted)
	}
}

// baseAxis draws the line below the panel, with what it stands for under it. Words
// that would run into each other, or off the paper, are left out.
func (p *pen) baseAxis(a panel, ticks []tick, edge float64) {
	p.line(stroke{color: p.muted, width: 1}, spot{a.left, a.bottom}, spot{a.right, a.bottom})
	free := 0.0
	for _, t := range ticks {
		x := a.x(t.at)
		p.line(stroke{color: p.muted, width: 1}, spot{x, a.bottom}, spot{x, a.bottom + 4})
		half := plain.width(t.words) / 2
		if x-half < free || x+half > edge {
			continue
		}
		x = max(x, margin+half)
		p.write(t.words, spot{x, a.bottom + tickGap + textSize}, middle, plain, p.muted)
		free = x + half + 8
	}
}

// axisName writes what an axis is, and in what unit.
func (p *pen) axisName(words string, on spot, how align) {
	p.write(words, on, how, plain, p.muted)
}

// number writes a number with a sign that is a minus, and not a hyphen.
func number(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if neg := s[0] == '-'; neg {
		if v, _ := strconv.ParseFloat(s, 64); v == 0 {
			return s[1:]
		}
		return "\u2212" + s[1:]
	}
	return s
}

// signed is a number with its sign, whichever.
func signed(v float64) string {
	s := number(v, 1)
	if s != "0.0" && v > 0 {
		return "+" + s
	}
	return s
}

// steps gives round ticks from 0 to at least top, at most n of them beside 0.
func steps(top float64, n int) []tick {
	step := math.Pow(10, math.Floor(math.Log10(max(1, top)/float64(n))))
	for _, by := range []float64{1, 2, 5, 10, 20} {
		if s := step * by; s >= 1 && top/s <= float64(n) {
			step = s
			break
		}
	}
	var out []tick
	for v := 0.0; ; v += step {
		out = append(out, tick{v, number(v, 0)})
		if v >= top {
			return out
		}
	}
}

func dayTime(day int32) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }

// iso is a day as in 2026-11-26.
func iso(day int32) string { return localdate.Text(localdate.FromDays(int(day))) }

// spell is a day as in 26 Nov 2026, in one piece.
func spell(day int32) string { return dayTime(day).Format("2\u00a0Jan\u00a02006") }

// shortDay is a day as in 26 Nov.
func shortDay(day int32) string { return dayTime(day).Format("2\u00a0Jan") }

// dayTicks gives days to write below an axis from one day to another, so that they
// have room: each day, each week's Monday, or first days of months.
func dayTicks(from, until int32, width float64) []tick {
	const each = 58 // points
	most := max(2, int(width/each))
	span := int(until - from)
	for _, by := range []int32{1, 2, 7, 14} {
		if span/int(by) <= most {
			return everyDays(from, until, by)
		}
	}
	for _, by := range []int{1, 2, 3, 6, 12, 24, 60} {
		if float64(span)/(30.4*float64(by)) <= float64(most) {
			return everyMonths(from, until, by)
		}
	}
	return everyMonths(from, until, 120)
}

func everyDays(from, until, by int32) []tick {
	var out []tick
	first := from
	if by >= 7 {
		first += (4 - from%7 + 7) % 7 // the first Monday: 1970-01-05 was day 4
	}
	for day := first; day <= until; day += by {
		out = append(out, tick{float64(day), shortDay(day)})
	}
	return out
}

func everyMonths(from, until int32, by int) []tick {
	var out []tick
	t := dayTime(from)
	for at := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC); ; at = at.AddDate(0, 1, 0) {
		day := int32(at.Unix() / 86400)
		switch months := at.Year()*12 + int(at.Month()) - 1; {
		case day > until:
			return out
		case day < from || months%by != 0:
		case at.Month() == time.January || by >= 12:
			out = append(out, tick{float64(day), at.Format("Jan 2006")})
		default:
			out = append(out, tick{float64(day), at.Format("Jan")})
		}
	}
}
