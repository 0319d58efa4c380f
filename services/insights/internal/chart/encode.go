package chart

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"image/png"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// svg draws the figure as SVG. Letters are not part of it, their family is named:
// those that stand in for it have the same widths.
func (f *Figure) svg(look Look) ([]byte, error) {
	l := f.layOut(look.points())
	canvas := vgsvg.New(vg.Length(l.width), vg.Length(l.height))
	f.draw(&pen{canvas: canvas, height: l.height, palette: look.palette()}, l)
	var drawn bytes.Buffer
	if _, err := canvas.WriteTo(&drawn); err != nil {
		return nil, err
	}
	// What comes before the first group is the library's own head.
	_, marks, ok := strings.Cut(drawn.String(), "<g ")
	if !ok {
		return nil, errors.New("chart: the drawing has no group")
	}
	ids := look.Part
	if ids == "" {
		ids = "chart"
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" viewBox="0 0 %g %g" role="img" aria-labelledby="%s-title %s-desc">`+"\n",
		look.Width, l.height*float64(look.dots())/72, l.width, l.height, ids, ids)
	for _, part := range []struct{ tag, words string }{{"title", f.Title}, {"desc", f.Description}} {
		fmt.Fprintf(&out, `<%s id="%s-%s">`, part.tag, ids, part.tag)
		if err := xml.EscapeText(&out, []byte(part.words)); err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "</%s>\n", part.tag)
	}
	out.WriteString(restyle(look).Replace("<g " + marks))
	return out.Bytes(), nil
}

// restyle names stand-ins for the font, leaves out what says nothing, and makes the
// colors of a part those of its page.
func restyle(look Look) *strings.Replacer {
	pairs := []string{
		"font-family:Liberation Sans", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif",
		"font-variant:normal;", "", ";font-style:normal", "", "font-weight:normal;", "", "\n\tstyle=", " style=",
	}
	if look.Part != "" {
		for _, n := range look.palette().names() {
			pairs = append(pairs, hex(n.color), "var("+n.name+")")
		}
	}
	return strings.NewReplacer(pairs...)
}

// png draws the figure as PNG, with its title and description as text within.
func (f *Figure) png(look Look) ([]byte, error) {
	l := f.layOut(look.points())
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(l.width), vg.Length(l.height)), vgimg.UseDPI(look.dots()), vgimg.UseBackgroundColor(look.palette().paper))
	f.draw(&pen{canvas: canvas, height: l.height, palette: look.palette()}, l)
	var drawn bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&drawn, canvas.Image()); err != nil {
		return nil, err
	}
	// A PNG begins with 8 bytes of signature and the header's 25.
	const head = 8 + 25
	out := append([]byte(nil), drawn.Bytes()[:head]...)
	out = append(out, textChunk("Title", f.Title)...)
	out = append(out, textChunk("Description", f.Description)...)
	return append(out, drawn.Bytes()[head:]...), nil
}

// textChunk is words in a PNG, in UTF-8 (PNG specification, iTXt).
func textChunk(keyword, words string) []byte {
	// keyword, not compressed, no language, no translation of the keyword, words.
	body := "iTXt" + keyword + "\x00\x00\x00\x00\x00" + words
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)-4))
	out = append(out, body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(body)))
}
