// Package chart draws what is known about a person or a cohort, as SVG or PNG: light
// or dark, readable from 320 pixels on, told apart by more than color, and with what
// it shows in words. It is pure: the same numbers give the same bytes. It is given
// numbers and dates only, so that nothing a person wrote can be in a chart.
package chart

import (
	"fmt"
	"strings"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
)

// Kind is what a chart is about.
type Kind string

// The kinds of charts.
const (
	Mood      Kind = "mood"
	Recovery  Kind = "recovery"
	Momentum  Kind = "momentum"
	Practices Kind = "practices"
)

// Kinds are all kinds, in the order in which they are told of.
var Kinds = []Kind{Mood, Recovery, Momentum, Practices}

// Format is what a chart is drawn as.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// MediaType is that of a format.
func (f Format) MediaType() string {
	if f == PNG {
		return "image/png"
	}
	return "image/svg+xml"
}

// Parse reads the id of a chart, such as "mood.svg".
func Parse(id string) (Kind, Format, bool) {
	name, ending, _ := strings.Cut(id, ".")
	for _, k := range Kinds {
		for _, f := range []Format{SVG, PNG} {
			if Kind(name) == k && Format(ending) == f {
				return k, f, true
			}
		}
	}
	return "", "", false
}

// Of gives the chart of a person over a span.
func Of(kind Kind, p *storagev1.Projection, span projection.Span) *Figure {
	switch kind {
	case Recovery:
		return RecoveryOf(span, projection.SetbacksIn(p, span))
	case Momentum:
		return MomentumOf(span, projection.StepWeeks(p, span))
	case Practices:
		return PracticesOf(span, projection.PracticeWeeks(p, span))
	}
	return MoodOf(projection.MoodIn(p, span))
}

// Bounds of a width, in pixels, and what it is by default.
const (
	MinWidth     = 320
	MaxWidth     = 1600
	DefaultWidth = 640
)

// Look is how a chart is drawn.
type Look struct {
	Format Format
	// Dark is light on black.
	Dark bool
	// Width is in pixels, MinWidth to MaxWidth.
	Width int
	// Part, when not empty, is the id of the chart within an HTML page: it takes its
	// colors from the page, see Styles.
	Part string
}

// Figure is a chart that is not drawn yet.
type Figure struct {
	// Title is what it is about, in a few words.
	Title string
	// Description says in words what it shows.
	Description string

	// subtitle says when, and in what unit.
	subtitle string
	// keys say what the marks mean.
	keys []key
	// notes are said below.
	notes []string
	// height is that of the body, in points, by the width.
	height func(width float64) float64
	// body draws into a box; nil: there is nothing to show, and empty says so.
	body  func(p *pen, in box)
	empty string
}

// key is an entry of a legend.
type key struct {
	words  string
	sample func(p *pen, in box)
}

// Draw draws the figure.
func (f *Figure) Draw(look Look) ([]byte, error) {
	if look.Width < MinWidth || look.Width > MaxWidth {
		return nil, fmt.Errorf("chart: a width of %d pixels", look.Width)
	}
	if look.Format == PNG {
		return f.png(look)
	}
	return f.svg(look)
}

// widest is the width in pixels, and points, up to which letters keep their size.
// Beyond it, everything grows.
const widest = 800

// dots gives how many pixels an inch of 72 points has.
func (l Look) dots() int {
	return max(72, (72*l.Width+widest/2)/widest)
}

// points is the width in points.
func (l Look) points() float64 { return float64(l.Width) * 72 / float64(l.dots()) }
