package chart

import (
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
)

// maxLabeled is up to how many groups bars are thick enough to bear numbers.
const maxLabeled = 4

func practiceName(of typev1.Practice) string {
	for _, each := range say.Practices {
		if each.Practice == of {
			return each.Name
		}
	}
	return "Another practice"
}

// practices draws which share of each group took up each practice.
func (c cohort) practices() *Figure {
	f := c.figure("Practices", "Share of the people of a group who practiced at least once")
	shares := map[typev1.Practice]map[int]float64{}
	for i, g := range c.shown {
		for _, x := range g.cell.GetPracticeUptake().GetPractices() {
			if shares[x.GetPractice()] == nil {
				shares[x.GetPractice()] = map[int]float64{}
			}
			shares[x.GetPractice()][i] = x.GetShare()
		}
		f.keys[i].sample = func(p *pen, in box) { p.bar(i, in) }
	}
	var told []typev1.Practice
	whole := true
	for _, each := range say.Practices {
		if of := shares[each.Practice]; len(of) > 0 {
			told = append(told, each.Practice)
			whole = whole && len(of) == len(c.shown)
		}
	}
	if len(told) == 0 {
		return f
	}
	if !whole || len(told) < len(say.Practices) {
		f.notes = append(f.notes, "A practice without a bar is not told: too few people took it up, or too few did not.")
	}
	thick := 10.0
	if len(c.shown) > maxLabeled {
		thick = 7
	}
	row := textSize + 12 + float64(len(c.shown))*(thick+3)
	f.height = func(float64) float64 { return row*float64(len(told)) + axisRoom + nameRoom }
	f.body = func(p *pen, in box) {
		a := panel{box: box{in.left, in.top, in.right - rightRoom - plain.width("100\u00a0%"), in.bottom - axisRoom - nameRoom}, x1: 1, y1: 1}
		p.baseAxis(a, []tick{{0, "0\u00a0%"}, {0.25, "25\u00a0%"}, {0.5, "50\u00a0%"}, {0.75, "75\u00a0%"}, {1, "100\u00a0%"}}, in.right)
		p.axisName("Share of the people of the group", spot{(a.left + a.right) / 2, in.bottom - 4}, middle)
		for i, practice := range told {
			p.shareBars(a, shares[practice], len(c.shown), practiceName(practice), box{a.left, a.top + float64(i)*row, a.right, thick})
		}
	}
	return f
}

// shareBars draws the bars of one practice below each other; place is where they
// begin, and, as its bottom, how thick they are.
func (p *pen) shareBars(a panel, of map[int]float64, groups int, words string, place box) {
	thick := place.bottom
	p.write(words, spot{place.left, place.top + textSize + 2}, start, strong, p.ink)
	for i := range groups {
		share, ok := of[i]
		if !ok {
			continue
		}
		top := place.top + textSize + 8 + float64(i)*(thick+3)
		b := box{a.left, top, a.x(share), top + thick}
		p.bar(i, b)
		if groups <= maxLabeled {
			p.write(percent(share), spot{b.right + 5, top + thick/2 + textSize*0.35}, start, plain, p.ink)
		}
	}
}
