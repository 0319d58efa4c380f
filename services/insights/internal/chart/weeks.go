package chart

import (
	"fmt"
	"strings"

	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
)

const daysPerWeek = 7

// MomentumOf draws on how many days of each week steps were completed.
func MomentumOf(span projection.Span, w projection.WeekDays) *Figure {
	f := &Figure{Title: "Momentum", subtitle: weeksTitle(w, span.Until), empty: "No completed steps in this time"}
	if w.Total() == 0 {
		f.Description = fmt.Sprintf("There are no completed steps from %s to %s.", iso(facts.Monday(w.First)), iso(span.Until))
		return f
	}
	best, at := int32(0), w.First
	for i, d := range w.Days {
		if d > best {
			best, at = d, w.First+int32(i)
		}
	}
	f.Description = fmt.Sprintf("Days with completed steps in each of %s up to %s: %d in all. Most in the week of %s: %d of 7. %s.",
		say.Count(len(w.Days), "week"), iso(span.Until), w.Total(), iso(facts.Monday(at)), best, lastWeek(w))
	f.keys = weekKeys(w, "days with completed steps")
	f.height = lineHeight
	f.body = func(p *pen, in box) {
		p.axisName("Days of the week", spot{in.left, in.top + textSize}, start)
		a := weekPanel(w, box{in.left + plain.width("7") + tickGap, in.top + nameRoom, in.right - rightRoom, in.bottom - axisRoom})
		p.valueAxis(a, []tick{{0, "0"}, {2, "2"}, {4, "4"}, {7, "7"}})
		p.weekBars(a, w)
		p.baseAxis(a, weekTicks(w, a.width()), in.right)
	}
	return f
}

// PracticesOf draws on how many days of each week each practice was practiced: one
// row a practice.
func PracticesOf(span projection.Span, of map[typev1.Practice]projection.WeekDays) *Figure {
	var weeks projection.WeekDays
	var shown, missing, words []string
	rows := map[string]projection.WeekDays{}
	for _, each := range say.Practices {
		w := of[each.Practice]
		weeks = w
		if w.Total() == 0 {
			missing = append(missing, strings.ToLower(each.Name))
			continue
		}
		shown, rows[each.Name] = append(shown, each.Name), w
		words = append(words, fmt.Sprintf("%s on %s, %d of them in the last week", strings.ToLower(each.Name), say.Count(int(w.Total()), "day"), w.Days[len(w.Days)-1]))
	}
	f := &Figure{Title: "Practices", subtitle: weeksTitle(weeks, span.Until), empty: "Nothing practiced in this time"}
	if len(shown) == 0 {
		f.Description = fmt.Sprintf("Nothing was practiced from %s to %s.", iso(facts.Monday(weeks.First)), iso(span.Until))
		return f
	}
	f.Description = fmt.Sprintf("Days of each week with a practice, in %s up to %s: %s.", say.Count(len(weeks.Days), "week"), iso(span.Until), strings.Join(words, "; "))
	if len(missing) > 0 {
		f.notes = []string{"Not in this time: " + strings.Join(missing, ", ") + "."}
		f.Description += " " + f.notes[0]
	}
	f.keys = weekKeys(weeks, "days with it, of 7 a week")
	f.height = func(float64) float64 { return float64(len(shown))*rowHeight + axisRoom }
	f.body = func(p *pen, in box) { p.practiceRows(shown, rows, in) }
	return f
}

// rowHeight is that of a row of small bars, in points.
const rowHeight = 60

func (p *pen) practiceRows(shown []string, rows map[string]projection.WeekDays, in box) {
	left := in.left + plain.width("7") + tickGap
	for i, name := range shown {
		w := rows[name]
		top := in.top + float64(i)*rowHeight
		a := weekPanel(w, box{left, top + textSize + 12, in.right - rightRoom, top + rowHeight})
		p.write(name, spot{a.left, top + textSize + 6}, start, strong, p.ink)
		p.write(say.Count(int(w.Total()), "day"), spot{a.right, top + textSize + 6}, end, plain, p.muted)
		p.valueAxis(a, []tick{{0, ""}, {7, "7"}})
		p.weekBars(a, w)
		if i == len(shown)-1 {
			p.baseAxis(a, weekTicks(w, a.width()), in.right)
		}
	}
}

// weekPanel has room for each week, and for 7 days.
func weekPanel(w projection.WeekDays, b box) panel {
	return panel{box: b, x0: float64(facts.Monday(w.First)), x1: float64(facts.Monday(w.First + int32(len(w.Days)))), y1: daysPerWeek}
}

// weekBars draws a bar for each week; one that goes on is hatched.
func (p *pen) weekBars(a panel, w projection.WeekDays) {
	for i, d := range w.Days {
		if d == 0 {
			continue
		}
		monday := float64(facts.Monday(w.First + int32(i)))
		slot := a.x(monday+daysPerWeek) - a.x(monday)
		b := box{a.x(monday) + slot*0.14, a.y(float64(d)), a.x(monday+daysPerWeek) - slot*0.14, a.bottom}
		if w.Running && i == len(w.Days)-1 {
			p.hatched(p.series[0], b)
			continue
		}
		p.fill(p.series[0], corners(b)...)
	}
}

// weekTicks are Mondays, in the middle of their weeks' bars.
func weekTicks(w projection.WeekDays, width float64) []tick {
	const each = 52 // points
	every := 1
	for float64(len(w.Days)/every) > width/each {
		every++
	}
	var out []tick
	for i := (len(w.Days) - 1) % every; i < len(w.Days); i += every {
		monday := facts.Monday(w.First + int32(i))
		out = append(out, tick{float64(monday) + daysPerWeek/2.0, shortDay(monday)})
	}
	return out
}

func weeksTitle(w projection.WeekDays, until int32) string {
	return fmt.Sprintf("%s to %s, weeks by their Mondays", spell(facts.Monday(w.First)), spell(until))
}

func weekKeys(w projection.WeekDays, words string) []key {
	keys := []key{{words, func(p *pen, in box) { p.fill(p.series[0], corners(in)...) }}}
	if w.Running && w.Days[len(w.Days)-1] > 0 {
		keys = append(keys, key{"this week, so far", func(p *pen, in box) { p.hatched(p.series[0], in) }})
	}
	return keys
}

func lastWeek(w projection.WeekDays) string {
	words := "In the last week: "
	if w.Running {
		words = "In the last week, which goes on: "
	}
	return fmt.Sprintf("%s%d", words, w.Days[len(w.Days)-1])
}
