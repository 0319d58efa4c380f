package summary

import (
	"fmt"
	"strings"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// levels are the heights of a sparkline, lowest first.
var levels = []rune("▁▂▃▄▅▆▇█")

// sparkDays is how many days a sparkline shows.
const sparkDays = 28

// checkIn is a check-in, as far as it is shown. Pleasantness is -5 to 5; nil where
// only something else was recorded.
type checkIn struct {
	LocalDate    api.Date
	Pleasantness *int
}

// spark draws the mean pleasantness of each of the 28 days up to the last one with
// a check-in, whose date it returns; "" when there is none. A day without is a dot.
// The height always spans -5 to 5, so that two lines can be compared.
func spark(all []checkIn) (line string, until time.Time) {
	sum, n := map[time.Time]int{}, map[time.Time]int{}
	for _, c := range all {
		if c.Pleasantness == nil {
			continue
		}
		on := c.LocalDate.Time()
		sum[on] += *c.Pleasantness
		n[on]++
		if on.After(until) {
			until = on
		}
	}
	if len(n) == 0 {
		return "", until
	}
	var b strings.Builder
	for back := sparkDays - 1; back >= 0; back-- {
		on := until.AddDate(0, 0, -back)
		if n[on] == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(level(float64(sum[on]) / float64(n[on])))
	}
	return b.String(), until
}

// week is what was done in a week, in days.
type week struct {
	Week                    api.Date
	StepDays, GratitudeDays int
}

// sparkWeeks draws on how many days of each week something was done, with what the
// line shows; nothing when it never was. A week without is a dot, all 7 days are the
// greatest height.
func sparkWeeks(weeks []week, days func(week) int) []string {
	var b strings.Builder
	any := false
	for _, w := range weeks {
		n := max(0, min(days(w), len(levels)-1))
		if n == 0 {
			b.WriteRune('·')
			continue
		}
		any = true
		b.WriteRune(levels[n])
	}
	if !any {
		return nil
	}
	return []string{fmt.Sprintf("%s  %s to that of %s, days of 7", b.String(), count(len(weeks), "week"), weeks[len(weeks)-1].Week)}
}

// level is the height of a pleasantness of -5 to 5.
func level(pleasantness float64) rune {
	at := int((pleasantness + 5) / 10 * float64(len(levels)))
	return levels[max(0, min(at, len(levels)-1))]
}
