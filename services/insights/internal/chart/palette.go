package chart

import (
	"fmt"
	"image/color"
	"strings"
)

// palette is the colors of a theme.
type palette struct {
	// paper lies below all, ink is what is read, muted what is read less, grid guides
	// the eye.
	paper, ink, muted, grid color.NRGBA
	// series are for what is compared, in order.
	series [maxSeries]color.NRGBA
}

// maxSeries is how many series one chart tells apart, by color, dash and marker.
const maxSeries = 8

// The colors are told apart by people who do not see all of them alike, and each
// stands out from its paper: 4.5 to 1 for words, 3 to 1 for marks (a test computes it).
var (
	light = palette{
		paper: rgb(0xFFFFFF), ink: rgb(0x1B1F24), muted: rgb(0x57606A), grid: rgb(0xDDE2E8),
		series: [maxSeries]color.NRGBA{
			rgb(0x0065A8), rgb(0xB84A00), rgb(0x007A5E), rgb(0x8F4191), rgb(0x7A6200), rgb(0x3F4852), rgb(0xC2185B), rgb(0x00798C),
		},
	}
	dark = palette{
		paper: rgb(0x12161C), ink: rgb(0xE8EDF2), muted: rgb(0xA3ADB8), grid: rgb(0x2F3842),
		series: [maxSeries]color.NRGBA{
			rgb(0x5AB4F0), rgb(0xF58F4B), rgb(0x35C9A0), rgb(0xD79BE0), rgb(0xE3C84B), rgb(0xC9CED4), rgb(0xFF7FA8), rgb(0x4FD1E0),
		},
	}
)

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xFF}
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }

// faint is a color that what lies below shines through.
func faint(c color.NRGBA) color.NRGBA {
	c.A = 0x38
	return c
}

// exact is a color that comes out of its premultiplied form as it went in:
// color.NRGBA's own rounds down, to another color.
type exact color.NRGBA

// RGBA implements color.Color.
func (c exact) RGBA() (r, g, b, a uint32) {
	a = uint32(c.A) * 0x101
	up := func(v uint8) uint32 { return (uint32(v)*0x101*a + 0xFFFE) / 0xFFFF }
	return up(c.R), up(c.G), up(c.B), a
}

func (l Look) palette() *palette {
	if l.Dark {
		return &dark
	}
	return &light
}

// names are what the colors of a palette are called on a page.
func (p *palette) names() []struct {
	name  string
	color color.NRGBA
} {
	type named = struct {
		name  string
		color color.NRGBA
	}
	out := []named{{"--paper", p.paper}, {"--ink", p.ink}, {"--muted", p.muted}, {"--grid", p.grid}}
	for i, c := range p.series {
		out = append(out, named{fmt.Sprintf("--series-%d", i+1), c})
	}
	return out
}

// Styles are the colors of a theme as CSS custom properties, for pages that charts
// are part of, and for their own words.
func Styles(dark bool) string {
	var b strings.Builder
	for _, n := range (Look{Dark: dark}).palette().names() {
		fmt.Fprintf(&b, "%s:%s;", n.name, hex(n.color))
	}
	return b.String()
}
