// Package strength tells how strong a habit is: a number from 0 to 1 that grows
// with every day on which the target is met and fades with every day on which it
// is not, so that one missed day takes away little of what was built.
//
// Each day, in order:
//
//	f  = times/days                how often it is to be done
//	m  = 0.5^(sqrt(f)/13)          what a day leaves of the strength before
//	s' = s*m + done*(1-m)
//
// Done is the share of the target that is met in the window of days that ends on
// this day, at most 1. Who does a daily habit without fail is halfway after 13
// days. For what is done or not, without an amount, and less than daily, both
// numbers of the window are doubled: two times in fourteen days instead of one in
// seven, so that the day of the week does not matter.
//
// A limit (at most so much) starts at 1. Within it, done is 1; beyond it, done falls
// with the share by which it is exceeded, to 0 at twice the limit.
//
// A day that is skipped leaves the strength as it is, and windows reach over it.
package strength

import "math"

// halfway is after how many days a daily habit that is done without fail has half
// of its strength.
const halfway = 13

// slack is how much of a target rounding may miss.
const slack = 1e-9

// Habit is what is to be done, again and again.
type Habit struct {
	// Times and Days say how often: times in any days in a row, both 1 or more. Times
	// may be 0 for a limit: not at all.
	Times, Days int
	// Amount is how much it is each time; 0: it is done or not.
	Amount float64
	// AtMost makes it a limit.
	AtMost bool
}

// Day is one day of a habit.
type Day struct {
	// Done is how much was done: in amounts, or, where there are none, how many times.
	Done float64
	// Skipped days count neither way, unless it was done all the same and is no limit.
	Skipped bool
}

// Standing is where a habit stands.
type Standing struct {
	// Strength is from 0 to 1.
	Strength float64
	// Run is how many days in a row the target was met, up to the last day or, while
	// that is not over, the one before; Longest is the longest run so far. Skipped
	// days are passed over.
	Run, Longest int
}

// Follow tells where a habit stands after days, one by one from the first to the
// last. Unless it is over, the last day can only add: a limit waits for its end,
// and what is not done yet may still be.
func (h Habit) Follow(days []Day, over bool) Standing {
	m := math.Pow(0.5, math.Sqrt(h.frequency())/halfway)
	var at Standing
	if h.AtMost {
		at.Strength = 1
	}
	widening := 1
	if h.Amount == 0 && h.frequency() < 1 {
		widening = 2
	}
	wide, narrow := window{days: widening * h.Days}, window{days: h.Days}
	counted := make([]float64, 0, len(days))
	for i, d := range days {
		open := i == len(days)-1 && !over
		if d.Skipped && (h.AtMost || d.Done == 0) || open && h.AtMost {
			continue
		}
		counted = append(counted, d.Done)
		done := h.met(wide.add(counted), widening)
		kept := h.met(narrow.add(counted), 1) == 1
		if open {
			done = max(done, at.Strength)
		}
		at.Strength += (done - at.Strength) * (1 - m)
		switch {
		case kept:
			at.Run++
		case !open:
			at.Run = 0
		}
		at.Longest = max(at.Longest, at.Run)
	}
	return at
}

// frequency is how often it is to be done per day; a limit of nothing at all counts
// as one of once.
func (h Habit) frequency() float64 { return float64(max(1, h.Times)) / float64(h.Days) }

// met is the share of the target that a sum over a window meets, 0 to 1. The window
// is so many times as wide as the habit's days.
func (h Habit) met(sum float64, widening int) float64 {
	target := float64(h.Times * widening)
	if h.Amount > 0 {
		target *= h.Amount
	}
	switch {
	case h.AtMost && sum <= target*(1+slack):
		return 1
	case h.AtMost && target == 0:
		return 0
	case h.AtMost:
		return max(0, 2-sum/target)
	case sum >= target*(1-slack):
		return 1
	}
	return max(0, sum/target)
}

// window sums the last so many days.
type window struct {
	days int
	sum  float64
}

// add takes the last of all days in, and gives the sum.
func (w *window) add(all []float64) float64 {
	w.sum += all[len(all)-1]
	if out := len(all) - 1 - w.days; out >= 0 {
		w.sum -= all[out]
	}
	return w.sum
}
