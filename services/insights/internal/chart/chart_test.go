package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// drawn is what a test reads of an SVG.
type drawn struct {
	XMLName  xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	Width    int      `xml:"width,attr"`
	Height   int      `xml:"height,attr"`
	ViewBox  string   `xml:"viewBox,attr"`
	Role     string   `xml:"role,attr"`
	Labelled string   `xml:"aria-labelledby,attr"`
	Title    words    `xml:"title"`
	Desc     words    `xml:"desc"`
	Group    struct {
		Paths []struct {
			D     string `xml:"d,attr"`
			Style string `xml:"style,attr"`
		} `xml:"path"`
		Texts []struct {
			X     float64 `xml:"x,attr"`
			Y     float64 `xml:"y,attr"`
			Style string  `xml:"style,attr"`
			Words string  `xml:",chardata"`
		} `xml:"text"`
	} `xml:"g"`
}

type words struct {
	ID    string `xml:"id,attr"`
	Words string `xml:",chardata"`
}

// read draws a figure as SVG and reads it again, as strictly as XML is.
func read(t *testing.T, f *Figure, look Look) (drawn, string) {
	t.Helper()
	look.Format = SVG
	text, err := f.Draw(look)
	if err != nil {
		t.Fatal(err)
	}
	var d drawn
	if err := xml.Unmarshal(text, &d); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d, string(text)
}

// painted is how many marks are filled or drawn in a color.
func (d drawn) painted(what, color string) (n int) {
	for _, p := range d.Group.Paths {
		if strings.Contains(p.Style, what+":"+color) {
			n++
		}
	}
	return n
}

// says tells whether some words stand in the drawing.
func (d drawn) says(words string) bool {
	for _, t := range d.Group.Texts {
		if strings.Contains(strings.ReplaceAll(t.Words, "\u00a0", " "), words) {
			return true
		}
	}
	return false
}

var sizeOf = regexp.MustCompile(`font-size:(\d+)px`)

// boxes are where the words of a drawing stand.
func (d drawn) boxes(t *testing.T) (out []box, of []string) {
	t.Helper()
	var w, h float64
	if n, err := fmt.Sscanf(d.ViewBox, "0 0 %g %g", &w, &h); n != 2 {
		t.Fatal(err)
	}
	for _, x := range d.Group.Texts {
		size, err := strconv.Atoi(sizeOf.FindStringSubmatch(x.Style)[1])
		if err != nil {
			t.Fatal(err)
		}
		l := lettering{float64(size), strings.Contains(x.Style, "bold")}
		b := box{x.X, h + x.Y - 0.7*l.size, x.X + l.width(x.Words), h + x.Y}
		if b.left < 0 || b.right > w || b.top < 0 || b.bottom > h {
			t.Errorf("%q is cut off: %v of %g x %g", x.Words, b, w, h)
		}
		out, of = append(out, b), append(of, x.Words)
	}
	return out, of
}

// TestDrawings: every chart, at every width and in both themes, is well-formed, says
// in words what it is, cuts no word off and lets none run into another.
func TestDrawings(t *testing.T) {
	for name, f := range figures() {
		for _, width := range []int{320, 400, 640, 801, 1600} {
			look := Look{Width: width, Dark: width == 400}
			d, _ := read(t, f, look)
			if d.Width != width || d.Height < 100 || d.Height > 3*width {
				t.Errorf("%s: %d x %d pixels instead of a width of %d", name, d.Width, d.Height, width)
			}
			if d.Role != "img" || d.Labelled != d.Title.ID+" "+d.Desc.ID || d.Title.Words != f.Title || d.Desc.Words != f.Description || len(f.Description) < 40 {
				t.Errorf("%s is not accessible: %+v %+v %q", name, d.Title, d.Desc, d.Labelled)
			}
			boxes, of := d.boxes(t)
			for i, a := range boxes {
				for j, b := range boxes[:i] {
					if a.left < b.right-0.5 && b.left < a.right-0.5 && a.top < b.bottom-0.5 && b.top < a.bottom-0.5 {
						t.Errorf("%s, %d wide: %q runs into %q", name, width, of[i], of[j])
					}
				}
			}
			if d.painted("fill", hex(look.palette().paper)) == 0 {
				t.Errorf("%s has no paper", name)
			}
		}
	}
}

// TestPNG: a PNG has the width that was asked for, is not blank, and says what it is.
func TestPNG(t *testing.T) {
	for name, f := range map[string]*Figure{
		"little": Of(Mood, life(3), last(366)), "nothing": Of(Mood, life(0), last(90)), "a cohort": CohortOf(Practices, reportOf(4, 2)),
	} {
		for _, width := range []int{320, 400, 801, 1600} {
			text, err := f.Draw(Look{Format: PNG, Width: width, Dark: width == 400})
			if err != nil {
				t.Fatal(err)
			}
			im, err := png.Decode(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			colors := map[any]int{}
			for y := range im.Bounds().Dy() {
				for x := range width {
					colors[im.At(x, y)]++
				}
			}
			if im.Bounds().Dx() != width || im.Bounds().Dy() < 100 || len(colors) < 10 {
				t.Errorf("%s: %v with %d colors", name, im.Bounds(), len(colors))
			}
			for _, want := range []string{"iTXtTitle\x00\x00\x00\x00\x00" + f.Title, "iTXtDescription\x00\x00\x00\x00\x00" + f.Description} {
				if !bytes.Contains(text, []byte(want)) {
					t.Errorf("%s does not say %q", name, want)
				}
			}
		}
	}
}

// TestSameBytes: the same numbers give the same bytes.
func TestSameBytes(t *testing.T) {
	for _, format := range []Format{SVG, PNG} {
		for _, kind := range Kinds {
			a, err := Of(kind, life(20), last(90)).Draw(Look{Format: format, Width: 400})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := Of(kind, life(20), last(90)).Draw(Look{Format: format, Width: 400}); err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s.%s is drawn otherwise the second time: %v", kind, format, err)
			}
		}
	}
}

// TestPart: a part of a page has the page's colors and ids of its own.
func TestPart(t *testing.T) {
	own := regexp.MustCompile(`#[0-9A-F]{6}`)
	for _, kind := range Kinds {
		d, text := read(t, CohortOf(kind, reportOf(8, 0)), Look{Width: 480, Part: string(kind)})
		if own.MatchString(text) || !strings.Contains(text, "var(--series-8)") || d.Title.ID != string(kind)+"-title" {
			t.Errorf("%s has colors or ids of its own", kind)
		}
	}
	if s := Styles(true); !strings.Contains(s, "--paper:"+hex(dark.paper)+";") || !strings.Contains(s, "--series-8:") {
		t.Errorf("%s", s)
	}
}

// TestContrast: all colors stand out from the paper, words more than marks (WCAG 2.2,
// success criteria 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	for name, p := range map[string]*palette{"light": &light, "dark": &dark} {
		for _, n := range p.names() {
			least := 3.0
			switch n.name {
			case "--paper", "--grid": // neither is read
				continue
			case "--ink", "--muted":
				least = 4.5
			}
			a, b := luminance(n.color.R, n.color.G, n.color.B), luminance(p.paper.R, p.paper.G, p.paper.B)
			if c := (max(a, b) + 0.05) / (min(a, b) + 0.05); c < least {
				t.Errorf("%s %s: %.1f to 1", name, n.name, c)
			}
		}
	}
}

// luminance is the relative luminance of a color (WCAG 2.2).
func luminance(rgb ...uint8) float64 {
	var sum float64
	for i, v := range rgb {
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += c * []float64{0.2126, 0.7152, 0.0722}[i]
	}
	return sum
}

func TestParse(t *testing.T) {
	for id, ok := range map[string]bool{
		"mood.svg": true, "practices.png": true, "mood": false, "mood.gif": false, "foo.svg": false, "mood.svg.png": false, "": false, ".svg": false, "Mood.svg": false,
	} {
		if _, _, got := Parse(id); got != ok {
			t.Errorf("%q: %v", id, got)
		}
	}
	for _, width := range []int{-1, 0, MinWidth - 1, MaxWidth + 1} {
		if _, err := Of(Mood, life(0), last(90)).Draw(Look{Format: SVG, Width: width}); err == nil {
			t.Errorf("a width of %d is drawn", width)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	p, report := life(120), reportOf(8, 4)
	for _, format := range []Format{SVG, PNG} {
		for _, kind := range Kinds {
			b.Run(fmt.Sprintf("%s.%s", kind, format), func(b *testing.B) {
				for b.Loop() {
					if _, err := Of(kind, p, last(366)).Draw(Look{Format: format, Width: DefaultWidth}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("cohort %s.%s", kind, format), func(b *testing.B) {
				for b.Loop() {
					if _, err := CohortOf(kind, report).Draw(Look{Format: format, Width: DefaultWidth}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
