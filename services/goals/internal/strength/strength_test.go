package strength

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func perfect(n int) []Day {
	days := make([]Day, n)
	for i := range days {
		days[i].Done = 1
	}
	return days
}

// TestPerfect: the numbers that a daily habit must have.
func TestPerfect(t *testing.T) {
	daily := Habit{Times: 1, Days: 1}
	for days, want := range map[int]float64{0: 0, 1: 0.051922, 7: 0.311495, 13: 0.5, 26: 0.75, 1000: 1} {
		at := daily.Follow(perfect(days), true)
		if math.Abs(at.Strength-want) > 5e-7 || at.Run != days || at.Longest != days {
			t.Errorf("after %d days: %+v, want %v", days, at, want)
		}
	}
}

// habits are those of the golden table.
var habits = map[string]Habit{
	"daily":               {Times: 1, Days: 1},
	"once in three days":  {Times: 1, Days: 3},
	"twice a week":        {Times: 2, Days: 7},
	"eight times a day":   {Times: 8, Days: 1},
	"20 pages a day":      {Times: 1, Days: 1, Amount: 20},
	"three runs of 5 km":  {Times: 3, Days: 7, Amount: 5},
	"at most 2 coffees":   {Times: 1, Days: 1, Amount: 2, AtMost: true},
	"meat at most twice":  {Times: 2, Days: 7, AtMost: true},
	"no cigarette at all": {Times: 0, Days: 1, AtMost: true},
}

// TestGolden follows habits day by day: what was done (s for a skipped day), and
// what strength and runs are by then. The values were worked out from the formula
// in another language.
func TestGolden(t *testing.T) {
	file, err := os.Open("testdata/golden.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	reader := csv.NewReader(file)
	reader.Comment = '#'
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	days := map[string][]Day{}
	for i, row := range rows[1:] {
		habit, ok := habits[row[0]]
		if !ok {
			t.Fatalf("row %d: nobody knows the habit %q", i, row[0])
		}
		day := Day{Skipped: strings.HasSuffix(row[1], "s")}
		day.Done, _ = strconv.ParseFloat(strings.TrimSuffix(row[1], "s"), 64)
		days[row[0]] = append(days[row[0]], day)
		at := habit.Follow(days[row[0]], true)
		if got := strconv.FormatFloat(at.Strength, 'f', 6, 64); got != row[2] || strconv.Itoa(at.Run) != row[3] || strconv.Itoa(at.Longest) != row[4] {
			t.Errorf("row %d, %s, day %d: %s, run %d, longest %d; want %v", i, row[0], len(days[row[0]]), got, at.Run, at.Longest, row[2:])
		}
	}
	if len(days) != len(habits) {
		t.Errorf("%d of %d habits are followed", len(days), len(habits))
	}
}

// TestOpen: a day that is not over takes nothing away, and adds as soon as it can.
func TestOpen(t *testing.T) {
	daily := Habit{Times: 1, Days: 1}
	before := daily.Follow(perfect(7), true)
	if at := daily.Follow(append(perfect(7), Day{}), false); at != before {
		t.Errorf("in the morning: %+v, the evening before %+v", at, before)
	}
	if at := daily.Follow(append(perfect(7), Day{Done: 1}), false); at != daily.Follow(perfect(8), true) {
		t.Errorf("as soon as it is done: %+v", at)
	}
	pages := Habit{Times: 1, Days: 1, Amount: 20}
	if at := pages.Follow([]Day{{Done: 10}}, false); at.Strength <= 0 || at.Run != 0 {
		t.Errorf("half of it: %+v", at)
	}
	limit := Habit{Times: 1, Days: 1, Amount: 2, AtMost: true}
	if at := limit.Follow([]Day{{Done: 1}, {Done: 9}}, false); at != (Standing{Strength: 1, Run: 1, Longest: 1}) {
		t.Errorf("a limit waits for the end of the day: %+v", at)
	}
}

func drawHabit(t *rapid.T) Habit {
	h := Habit{
		Times: rapid.IntRange(1, 10).Draw(t, "times"), Days: rapid.IntRange(1, 30).Draw(t, "days"),
		AtMost: rapid.Bool().Draw(t, "at most"),
	}
	if rapid.Bool().Draw(t, "amounts") {
		h.Amount = rapid.Float64Range(0.001, 1e12).Draw(t, "amount")
	}
	if h.AtMost && rapid.Bool().Draw(t, "not at all") {
		h.Times, h.Amount = 0, 0
	}
	return h
}

func drawDays(t *rapid.T, h Habit) []Day {
	days := make([]Day, rapid.IntRange(0, 100).Draw(t, "n"))
	for i := range days {
		if h.Amount > 0 {
			days[i].Done = rapid.Float64Range(0, 1e12).Draw(t, "done")
		} else {
			days[i].Done = float64(rapid.IntRange(0, 3).Draw(t, "done"))
		}
		days[i].Skipped = rapid.IntRange(0, 4).Draw(t, "skipped") == 0
	}
	return days
}

// TestProperties: strength stays in 0..1, a skipped day changes nothing, a day that
// is not over takes nothing away, more done never makes a habit weaker, and runs
// are no longer than the days.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHabit(t)
		days := drawDays(t, h)
		at := h.Follow(days, true)
		if math.IsNaN(at.Strength) || at.Strength < 0 || at.Strength > 1 || at.Run < 0 || at.Run > at.Longest || at.Longest > len(days) {
			t.Fatalf("%+v", at)
		}
		if skipped := h.Follow(append(days[:len(days):len(days)], Day{Skipped: true}), true); skipped != at {
			t.Fatalf("a skipped day makes %+v of %+v", skipped, at)
		}
		more := Day{Done: rapid.Float64Range(0, 100).Draw(t, "today")}
		if open := h.Follow(append(days[:len(days):len(days)], more), false); open.Strength < at.Strength || open.Run < at.Run {
			t.Fatalf("a day that is not over makes %+v of %+v", open, at)
		}
		if len(days) == 0 {
			return
		}
		i := rapid.IntRange(0, len(days)-1).Draw(t, "day")
		if days[i].Skipped {
			return
		}
		days[i].Done++
		better := h.Follow(days, true)
		if change := better.Strength - at.Strength; h.AtMost && change > 1e-9 || !h.AtMost && change < -1e-9 {
			t.Fatalf("one more on day %d makes %+v of %+v", i, better, at)
		}
	})
}

// TestWholeBreak: days that are skipped together, at any place, leave nothing behind.
func TestWholeBreak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHabit(t)
		days := drawDays(t, h)
		place := rapid.IntRange(0, len(days)).Draw(t, "place")
		rest := make([]Day, rapid.IntRange(1, 40).Draw(t, "rest"))
		for i := range rest {
			rest[i].Skipped = true
		}
		with := append(append(append([]Day(nil), days[:place]...), rest...), days[place:]...)
		if a, b := h.Follow(days, true), h.Follow(with, true); a != b {
			t.Fatalf("with a break of %d days %+v, without %+v", len(rest), b, a)
		}
	})
}

// BenchmarkTenYears: what a list costs for each step that has been going on for
// ten years.
func BenchmarkTenYears(b *testing.B) {
	days := perfect(3650)
	for b.Loop() {
		Habit{Times: 3, Days: 7}.Follow(days, false)
	}
}
