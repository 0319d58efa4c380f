package chart

import (
	"image/color"
	"math"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// Sizes of letters, in points.
const (
	titleSize = 15
	textSize  = 12
)

// faces are the two faces that charts are lettered in. They lie in the binary: no
// font of the machine is used.
var faces = sync.OnceValue(func() [2]font.Face {
	var out [2]font.Face
	for i, ttf := range [][]byte{liberationsansregular.TTF, liberationsansbold.TTF} {
		parsed, err := opentype.Parse(ttf)
		if err != nil {
			panic("chart: an embedded font cannot be read: " + err.Error())
		}
		out[i] = font.Face{Font: font.Font{Typeface: "Liberation", Variant: "Sans"}, Face: parsed}
	}
	out[1].Font.Weight = xfont.WeightBold
	return out
})

// lettering is how words look.
type lettering struct {
	size float64
	bold bool
}

var (
	heading = lettering{titleSize, true}
	plain   = lettering{textSize, false}
	strong  = lettering{textSize, true}
)

func (l lettering) face() font.Face {
	f := faces()[0]
	if l.bold {
		f = faces()[1]
	}
	f.Font.Size = vg.Length(l.size)
	return f
}

// width is that of words, in points.
func (l lettering) width(words string) float64 {
	f := l.face()
	return f.Width(words).Points()
}

// leading is the distance between two lines.
func (l lettering) leading() float64 { return math.Round(l.size * 1.35) }

// box is a place on the paper, in points from its upper left.
type box struct{ left, top, right, bottom float64 }

func (b box) width() float64  { return b.right - b.left }
func (b box) height() float64 { return b.bottom - b.top }

// spot is a point on the paper.
type spot struct{ x, y float64 }

// pen draws on paper.
type pen struct {
	canvas vg.Canvas
	height float64
	*palette
}

func (p *pen) at(s spot) vg.Point { return vg.Point{X: vg.Length(s.x), Y: vg.Length(p.height - s.y)} }

// align says which part of words stands where they are put.
type align float64

const (
	start  align = 0
	middle align = 0.5
	end    align = 1
)

// write writes words on a base line.
func (p *pen) write(words string, on spot, how align, l lettering, c color.NRGBA) {
	if words == "" {
		return
	}
	f := l.face()
	on.x -= float64(how) * f.Width(words).Points()
	p.canvas.SetColor(exact(c))
	p.canvas.FillString(f, p.at(on), words)
}

// stroke is how a line looks.
type stroke struct {
	color  color.NRGBA
	width  float64
	dashes []vg.Length
}

// line draws a line through spots.
func (p *pen) line(s stroke, through ...spot) {
	if len(through) < 2 {
		return
	}
	p.canvas.SetColor(exact(s.color))
	p.canvas.SetLineWidth(vg.Length(s.width))
	p.canvas.SetLineDash(s.dashes, 0)
	p.canvas.Stroke(p.path(through))
}

// fill fills what lies between spots.
func (p *pen) fill(c color.NRGBA, around ...spot) {
	path := p.path(around)
	path.Close()
	p.canvas.SetColor(exact(c))
	p.canvas.Fill(path)
}

func (p *pen) path(through []spot) vg.Path {
	var path vg.Path
	for i, s := range through {
		if i == 0 {
			path.Move(p.at(s))
		} else {
			path.Line(p.at(s))
		}
	}
	return path
}

func corners(b box) []spot {
	return []spot{{b.left, b.top}, {b.right, b.top}, {b.right, b.bottom}, {b.left, b.bottom}}
}

// frame draws the edge of a box, inside of it.
func (p *pen) frame(s stroke, b box) {
	h := s.width / 2
	c := corners(box{b.left + h, b.top + h, b.right - h, b.bottom - h})
	p.line(s, append(c, c[0], c[1])...)
}
