package measure

import (
	"math/bits"
	"slices"

	"github.com/rebound-hq/rebound/services/insights/internal/facts"
)

// Look is what people did within a window, as far as measures read it. It is gathered
// once for all metrics and groups of a report: the weeks of people lie far apart in
// memory, and to go through those of 100,000 for each metric of each group would take
// far longer than to measure them.
type Look struct {
	people []*facts.Person
	window Window
	asOf   int32
	// active has a bit for each week in which a person did anything.
	active    []uint64
	mood      column[float64]
	steps     column[uint8]
	lessons   column[lessons]
	practices column[uint32]
	setbacks  column[setbacks]
}

// lessons of a week, and how many of them were applied since.
type lessons struct{ captured, applied int32 }

// setbacks of a week: how long the latest of them lasted, or has lasted so far, and
// the set of kinds that they state.
type setbacks struct {
	days      int32
	recovered bool
	kinds     uint32
}

// Stretch is how many rows are read at a time: so few that what was read of these
// people is still at hand for whoever reads them next.
const Stretch = 512

// Begin begins to look at what people did within a window, and what came of it by asOf: a
// day since 1970, UTC, not before the window's end. The row of a person is their place. All
// stretches have to be Read. What was looked at before is forgotten, and its memory used.
func (l *Look) Begin(people []*facts.Person, w Window, asOf int32) {
	n := len(people)
	l.people, l.window, l.asOf, l.active = people, w, asOf, Zeros(l.active, n)
	l.mood.reset(n)
	l.steps.reset(n)
	l.lessons.reset(n)
	l.practices.reset(n)
	l.setbacks.reset(n)
}

// Zeros gives n zeros, in the memory of what was there before if that has room.
func Zeros[T any](before []T, n int) []T {
	out := slices.Grow(before[:0], n)[:n]
	clear(out)
	return out
}

// Stretches are the rows of each stretch: from, until.
func (l *Look) Stretches() [][2]int {
	var out [][2]int
	for from := 0; from < len(l.people); from += Stretch {
		out = append(out, [2]int{from, min(from+Stretch, len(l.people))})
	}
	return out
}

// Read gathers a stretch. Several may be read at the same time.
func (l *Look) Read(rows [2]int) {
	n := rows[1] - rows[0]
	all := n * int(l.window.Last-l.window.First+1)
	l.mood.begin(rows[0], all)
	l.steps.begin(rows[0], all)
	l.lessons.begin(rows[0], n)
	l.practices.begin(rows[0], all)
	l.setbacks.begin(rows[0], n)
	for row := rows[0]; row < rows[1]; row++ {
		l.readWeeks(row, l.people[row])
		l.readSetbacks(row, l.people[row])
	}
}

func (l *Look) readWeeks(row int, p *facts.Person) {
	weeks := weeksOf(p, l.window)
	for i := range weeks {
		w := &weeks[i]
		at := int(w.Week - l.window.First)
		if takesPart(w) {
			l.active[row] |= 1 << at
		}
		if hasMood(w) {
			l.mood.add(row, at, float64(w.MoodSum)/float64(w.CheckIns))
		}
		if hasSteps(w) {
			l.steps.add(row, at, uint8(min(7, w.StepDays)))
		}
		if hasLessons(w) {
			l.lessons.add(row, at, lessons{captured: w.Captured, applied: w.AppliedBy(l.asOf)})
		}
		if w.Practices != 0 {
			l.practices.add(row, at, w.Practices)
		}
	}
	l.mood.end(row)
	l.steps.end(row)
	l.lessons.end(row)
	l.practices.end(row)
}

func (l *Look) readSetbacks(row int, p *facts.Person) {
	var week setbacks
	all := setbacksOf(p, l.window)
	for i, s := range all {
		at := l.window.weekOfDay(s.Occurred)
		week.days, week.recovered = lasted(s, l.asOf)
		week.kinds |= kindOf(s)
		if i == len(all)-1 || l.window.weekOfDay(all[i+1].Occurred) != at {
			l.setbacks.add(row, at, week)
			week = setbacks{}
		}
	}
	l.setbacks.end(row)
}

// Practiced has a bit for each week of the window in which somebody practiced anything.
func (l *Look) Practiced(row int32) uint64 { return l.practices.weeks[row] }

// column is a value for some weeks of each person, one after the other.
type column[T any] struct {
	weeks  []uint64 // which, by person
	until  []int32  // where the values of a person end; the next one's begin there
	values [][]T    // by stretch
}

func (c *column[T]) reset(people int) {
	c.weeks, c.until = Zeros(c.weeks, people), Zeros(c.until, people)
	stretches := (people + Stretch - 1) / Stretch
	c.values = slices.Grow(c.values, max(0, stretches-len(c.values)))[:stretches]
}

// begin a stretch; it has room for so many values, and grows.
func (c *column[T]) begin(row, values int) {
	c.values[row/Stretch] = slices.Grow(c.values[row/Stretch][:0], values)
}

// add a value for a week of a person, the latest so far.
func (c *column[T]) add(row, at int, value T) {
	c.weeks[row] |= 1 << at
	c.values[row/Stretch] = append(c.values[row/Stretch], value)
}

// end of a person, the latest so far.
func (c *column[T]) end(row int) { c.until[row] = int32(len(c.values[row/Stretch])) }

// of a person: values, and the weeks they are of, in order.
func (c *column[T]) of(row int32) (weeks uint64, values []T) {
	var from int32
	if row%Stretch > 0 {
		from = c.until[row-1]
	}
	return c.weeks[row], c.values[row/Stretch][from:c.until[row]]
}

// next takes the first week off a mask; MaxWeeks: there is none left.
func next(weeks uint64) (at int, left uint64) {
	return bits.TrailingZeros64(weeks), weeks & (weeks - 1)
}
