package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// markRadius is the size of a mark, in points.
const markRadius = 3.6

// dashes are those of the series, in order.
var dashes = [maxSeries][]vg.Length{
	nil, {7, 3}, {2, 2.5}, {9, 3, 2, 3}, {4, 4}, {12, 4}, {1.5, 4}, {9, 3, 2, 3, 2, 3},
}

// series is how the i-th of several is drawn as a line.
func (p *pen) seriesStroke(i int) stroke {
	return stroke{color: p.series[i], width: 2, dashes: dashes[i]}
}

// mark draws the mark of the i-th series: each has a shape of its own.
func (p *pen) mark(i int, at spot) { p.shape(i, at, markRadius, p.series[i]) }

func (p *pen) shape(i int, at spot, r float64, c color.NRGBA) {
	switch i % maxSeries {
	case 0:
		p.disc(c, at, r)
	case 1:
		p.polygon(c, at, r*1.25, 4, math.Pi/4)
	case 2:
		p.polygon(c, at, r*1.35, 3, math.Pi/2)
	case 3:
		p.polygon(c, at, r*1.3, 4, 0)
	case 4:
		p.ring(c, at, r)
	case 5:
		p.cross(c, at, r*1.2, math.Pi/4)
	case 6:
		p.polygon(c, at, r*1.35, 3, -math.Pi/2)
	case 7:
		p.cross(c, at, r*1.3, 0)
	}
}

func (p *pen) disc(c color.NRGBA, at spot, r float64) {
	p.canvas.SetColor(exact(c))
	p.canvas.Fill(p.circle(at, r))
}

func (p *pen) ring(c color.NRGBA, at spot, r float64) {
	p.disc(p.paper, at, r)
	p.canvas.SetColor(exact(c))
	p.canvas.SetLineWidth(1.6)
	p.canvas.SetLineDash(nil, 0)
	p.canvas.Stroke(p.circle(at, r))
}

func (p *pen) circle(at spot, r float64) vg.Path {
	var path vg.Path
	center := p.at(at)
	path.Move(vg.Point{X: center.X + vg.Length(r), Y: center.Y})
	path.Arc(center, vg.Length(r), 0, 2*math.Pi)
	path.Close()
	return path
}

// polygon fills a regular polygon, its first corner at an angle.
func (p *pen) polygon(c color.NRGBA, at spot, r float64, n int, angle float64) {
	around := make([]spot, n)
	for i := range around {
		sin, cos := math.Sincos(angle + 2*math.Pi*float64(i)/float64(n))
		around[i] = spot{at.x + r*cos, at.y - r*sin}
	}
	p.fill(c, around...)
}

func (p *pen) cross(c color.NRGBA, at spot, r, angle float64) {
	for _, a := range []float64{angle, angle + math.Pi/2} {
		sin, cos := math.Sincos(a)
		p.line(stroke{color: c, width: 1.8}, spot{at.x - r*cos, at.y - r*sin}, spot{at.x + r*cos, at.y + r*sin})
	}
}

// hatched fills a box with slanted lines within a frame: something that goes on.
func (p *pen) hatched(c color.NRGBA, b box) {
	p.hatch(stroke{color: c, width: 1.1}, b, 5, 1)
	p.frame(stroke{color: c, width: 1.4}, b)
}

// hatch draws lines through a box, gap points apart along its width; slant is how
// far they go to the right for each point up: 1, 0 or -1.
func (p *pen) hatch(s stroke, b box, gap, slant float64) {
	w, h := b.width(), b.height()
	first := -h * max(0, slant)
	for from := first + gap/2; from < w+h*max(0, -slant); from += gap {
		low, high := spot{from, h}, spot{from + slant*h, 0} // within the box
		if clipped(&low, &high, w) {
			p.line(s, spot{b.left + low.x, b.top + low.y}, spot{b.left + high.x, b.top + high.y})
		}
	}
}

// clipped cuts a line to 0 to w across; false: nothing of it is left.
func clipped(a, b *spot, w float64) bool {
	for _, end := range []struct{ near, far *spot }{{a, b}, {b, a}} {
		x := min(max(end.near.x, 0), w)
		switch {
		case x == end.near.x:
		case end.near.x == end.far.x:
			return false
		default:
			part := (x - end.near.x) / (end.far.x - end.near.x)
			if part >= 1 || part < 0 {
				return false
			}
			end.near.y += part * (end.far.y - end.near.y)
			end.near.x = x
		}
	}
	return true
}

// bar fills the bar of the i-th series: each has a pattern of its own.
func (p *pen) bar(i int, b box) {
	c := p.series[i]
	if b.width() < 1 || b.height() < 1 {
		p.fill(c, corners(box{b.left, b.top, max(b.right, b.left+1), max(b.bottom, b.top+1)})...)
		return
	}
	lines := stroke{color: c, width: 1.2}
	switch i % maxSeries {
	case 0:
		p.fill(c, corners(b)...)
		return
	case 1:
		p.hatch(lines, b, 4.5, 1)
	case 2:
		p.hatch(lines, b, 4.5, -1)
	case 3:
		p.fill(faint(c), corners(b)...)
	case 4:
		p.hatch(lines, b, 4, 0)
	case 5:
		p.hatch(lines, b, 7, 1)
		p.hatch(lines, b, 7, -1)
	case 6: // the frame alone
	case 7:
		p.hatch(lines, b, 9, 0)
	}
	p.frame(stroke{color: c, width: 1.2}, b)
}
