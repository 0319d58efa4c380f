package remind

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rebound-hq/rebound/services/kit/localdate"
)

func calendar(t *testing.T, zone string, dayStart int32) localdate.Calendar {
	t.Helper()
	if _, err := time.LoadLocation(zone); err != nil {
		t.Fatal(err)
	}
	return localdate.CalendarOf(zone, dayStart)
}

// TestOn: golden times, across both changes of the clock in three zones.
func TestOn(t *testing.T) {
	for _, c := range []struct {
		zone            string
		dayStart        int32
		at, from, until int
		date            string
		want            string
	}{
		{"UTC", 0, 7*60 + 30, 0, 0, "2026-11-23", "2026-11-23T07:30:00Z"},
		{"Europe/Berlin", 0, 9 * 60, 0, 0, "2026-11-23", "2026-11-23T08:00:00Z"},
		{"Europe/Berlin", 0, 2*60 + 30, 0, 0, "2026-03-28", "2026-03-28T01:30:00Z"},
		{"Europe/Berlin", 0, 2*60 + 30, 0, 0, "2026-03-29", "2026-03-29T01:00:00Z"}, // 02:30 is left out: at 03:00
		{"Europe/Berlin", 0, 2*60 + 30, 0, 0, "2026-10-25", "2026-10-25T00:30:00Z"}, // 02:30 comes twice: the first
		{"America/New_York", 0, 2*60 + 30, 0, 0, "2026-03-08", "2026-03-08T07:00:00Z"},
		{"America/New_York", 0, 60 + 30, 0, 0, "2026-11-01", "2026-11-01T05:30:00Z"},
		{"Pacific/Auckland", 0, 2*60 + 30, 0, 0, "2026-09-27", "2026-09-26T14:00:00Z"},
		{"Pacific/Auckland", 0, 2*60 + 30, 0, 0, "2026-04-05", "2026-04-04T13:30:00Z"},
		{"Europe/Berlin", 4 * 60, 60, 0, 0, "2026-11-23", "2026-11-24T00:00:00Z"},     // the day is over at 04:00
		{"Europe/Berlin", 4 * 60, 4 * 60, 0, 0, "2026-11-23", "2026-11-23T03:00:00Z"}, // it begins at 04:00
		{"UTC", 0, 23 * 60, 22 * 60, 7 * 60, "2026-11-23", "2026-11-24T07:00:00Z"},    // quiet past midnight
		{"UTC", 0, 6 * 60, 22 * 60, 7 * 60, "2026-11-23", "2026-11-23T07:00:00Z"},     // after midnight
		{"UTC", 0, 7 * 60, 22 * 60, 7 * 60, "2026-11-23", "2026-11-23T07:00:00Z"},     // the end is not quiet
		{"UTC", 0, 13 * 60, 12 * 60, 14 * 60, "2026-11-23", "2026-11-23T14:00:00Z"},   // at noon
		{"UTC", 0, 12 * 60, 12 * 60, 12 * 60, "2026-11-23", "2026-11-23T12:00:00Z"},   // never quiet
		{"Europe/Berlin", 0, 60, 0, 2*60 + 30, "2026-03-29", "2026-03-29T01:00:00Z"},  // the end is left out
	} {
		day, err := localdate.Parse(c.date)
		if err != nil {
			t.Fatal(err)
		}
		timing := Timing{Calendar: calendar(t, c.zone, c.dayStart), At: c.at, QuietFrom: c.from, QuietUntil: c.until}
		if got := timing.On(localdate.Days(day)).Format(time.RFC3339); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestPause(t *testing.T) {
	for ignored, want := range map[int]int{0: 1, 2: 1, 3: 2, 5: 2, 6: 4, 8: 4, 9: 7, 1000: 7, -1: 1} {
		if got := Pause(ignored); got != want {
			t.Errorf("after %d ignored: every %d days", ignored, got)
		}
	}
}

// TestPassed: it is the one day whose time has come while that of the next has not.
func TestPassed(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kathmandu", "Pacific/Kiritimati"}
	rapid.Check(t, func(t *rapid.T) {
		minute := rapid.IntRange(0, minutesPerDay-1)
		timing := Timing{
			Calendar: localdate.CalendarOf(rapid.SampledFrom(zones).Draw(t, "zone"), int32(rapid.IntRange(0, 720).Draw(t, "day start"))),
			At:       minute.Draw(t, "at"), QuietFrom: minute.Draw(t, "from"), QuietUntil: minute.Draw(t, "until"),
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 366*minutesPerDay).Draw(t, "now")) * time.Minute)
		passed := timing.Passed(now)
		if timing.On(passed).After(now) || !timing.On(passed+1).After(now) {
			t.Fatalf("day %d comes at %s, the next at %s; it is %s", passed, timing.On(passed), timing.On(passed+1), now)
		}
		if at := timing.Outside(now); timing.Outside(at) != at || at.Before(now) || at.Sub(now) > 25*time.Hour {
			t.Fatalf("%s is moved to %s", now, at)
		}
	})
}
