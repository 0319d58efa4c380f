package chart

import (
	"math"
	"strings"
)

const (
	// margin is left free around a chart, in points.
	margin = 12
	// keyGap lies between the entries of a legend, sampleWidth is that of what they show.
	keyGap, sampleWidth = 16, 22
)

// layout is where the words of a figure go.
type layout struct {
	width, height float64
	title, sub    []string
	keys          [][]key
	body          box
	notes         []string
}

// layOut breaks words into lines, and gives each part its place.
func (f *Figure) layOut(width float64) layout {
	inner := width - 2*margin
	l := layout{width: width, title: wrap(f.Title, heading, inner), sub: wrap(f.subtitle, plain, inner), keys: f.keyRows(inner)}
	for _, n := range f.notes {
		l.notes = append(l.notes, wrap(n, plain, inner)...)
	}
	top := margin + float64(len(l.title))*heading.leading() + float64(len(l.sub)+len(l.keys))*plain.leading() + 8
	height := emptyHeight
	if f.body != nil {
		height = f.height(inner)
	}
	l.body = box{margin, top, width - margin, top + math.Round(height)}
	l.height = l.body.bottom + margin
	if len(l.notes) > 0 {
		l.height += float64(len(l.notes)) * plain.leading()
	}
	return l
}

// emptyHeight is that of a body with nothing to show.
const emptyHeight = 120.0

// keyRows puts the entries of the legend into rows.
func (f *Figure) keyRows(width float64) [][]key {
	var rows [][]key
	used := math.Inf(1)
	for _, k := range f.keys {
		k.words = shorten(k.words, plain, width-sampleWidth-6)
		w := sampleWidth + 6 + plain.width(k.words)
		if used+keyGap+w > width {
			rows, used = append(rows, nil), -keyGap
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], k)
		used += keyGap + w
	}
	return rows
}

// draw draws the figure.
func (f *Figure) draw(p *pen, l layout) {
	p.fill(p.paper, corners(box{0, 0, l.width, l.height})...)
	y := float64(margin)
	for _, line := range l.title {
		p.write(line, spot{margin, y + titleSize}, start, heading, p.ink)
		y += heading.leading()
	}
	for _, line := range l.sub {
		p.write(line, spot{margin, y + textSize}, start, plain, p.muted)
		y += plain.leading()
	}
	for _, row := range l.keys {
		x := float64(margin)
		for _, k := range row {
			mid := y + 2 + textSize*0.55
			k.sample(p, box{x, mid - 5, x + sampleWidth, mid + 5})
			p.write(k.words, spot{x + sampleWidth + 6, y + 2 + textSize}, start, plain, p.ink)
			x += sampleWidth + 6 + plain.width(k.words) + keyGap
		}
		y += plain.leading()
	}
	if f.body != nil {
		f.body(p, l.body)
	} else {
		b := l.body
		p.frame(stroke{color: p.grid, width: 1}, b)
		p.write(f.empty, spot{(b.left + b.right) / 2, (b.top+b.bottom)/2 + textSize*0.35}, middle, plain, p.ink)
	}
	for i, line := range l.notes {
		p.write(line, spot{margin, l.body.bottom + float64(i+1)*plain.leading()}, start, plain, p.muted)
	}
}

// wrap breaks words into lines of at most a width; no words are no line.
func wrap(words string, l lettering, width float64) []string {
	var lines []string
	if words == "" {
		return nil
	}
	for word := range strings.SplitSeq(words, " ") {
		if n := len(lines); n > 0 && l.width(lines[n-1]+" "+word) <= width {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, shorten(word, l, width))
	}
	return lines
}

// shorten cuts what is too wide.
func shorten(words string, l lettering, width float64) string {
	if l.width(words) <= width {
		return words
	}
	letters := []rune(words)
	for len(letters) > 1 && l.width(string(letters)+"…") > width {
		letters = letters[:len(letters)-1]
	}
	return string(letters) + "…"
}
