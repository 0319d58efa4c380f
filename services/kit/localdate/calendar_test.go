package localdate

import (
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/timeofday"
	"pgregory.net/rapid"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

// TestCalendar: what is done at night belongs to the day before, on the days on
// which clocks change too, and where they change at midnight.
func TestCalendar(t *testing.T) {
	for _, c := range []struct {
		zone      string
		dayStart  int32
		at, want  string
		beginning string // of that day
	}{
		{"UTC", 0, "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-23T00:00:00Z"},
		{"UTC", 240, "2026-11-23T03:59:59Z", "2026-11-22", "2026-11-22T04:00:00Z"},
		{"UTC", 240, "2026-11-23T04:00:00Z", "2026-11-23", "2026-11-23T04:00:00Z"},
		{"", 720, "2026-11-23T11:59:00Z", "2026-11-22", "2026-11-22T12:00:00Z"},
		{"Mars/Olympus", 0, "2026-11-23T23:59:00Z", "2026-11-23", "2026-11-23T00:00:00Z"},
		{"Pacific/Auckland", 240, "2026-11-22T14:59:00Z", "2026-11-22", "2026-11-21T15:00:00Z"},
		{"America/Los_Angeles", 240, "2026-11-23T11:59:00Z", "2026-11-22", "2026-11-22T12:00:00Z"},
		// Clocks go forward: the day is an hour shorter, and 02:30 is not there.
		{"Europe/Berlin", 240, "2026-03-29T01:59:00Z", "2026-03-28", "2026-03-28T03:00:00Z"},
		{"Europe/Berlin", 240, "2026-03-29T02:00:00Z", "2026-03-29", "2026-03-29T02:00:00Z"},
		{"Europe/Berlin", 150, "2026-03-29T00:59:00Z", "2026-03-28", "2026-03-28T01:30:00Z"},
		{"Europe/Berlin", 150, "2026-03-29T01:00:00Z", "2026-03-29", "2026-03-29T01:00:00Z"},
		// They go back: 02:30 is there twice, and the first one counts.
		{"Europe/Berlin", 150, "2026-10-25T00:29:00Z", "2026-10-24", "2026-10-24T00:30:00Z"},
		{"Europe/Berlin", 150, "2026-10-25T00:30:00Z", "2026-10-25", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", 150, "2026-10-25T01:10:00Z", "2026-10-25", "2026-10-25T00:30:00Z"},
		// Midnight is left out, and there twice.
		{"Africa/Cairo", 0, "2026-04-23T22:00:00Z", "2026-04-24", "2026-04-23T22:00:00Z"},
		{"America/Havana", 0, "2026-11-01T04:30:00Z", "2026-11-01", "2026-11-01T04:00:00Z"},
		{"America/Havana", 0, "2026-11-01T05:30:00Z", "2026-11-01", "2026-11-01T04:00:00Z"},
		// A whole day was left out.
		{"Pacific/Apia", 0, "2011-12-30T10:00:00Z", "2011-12-31", "2011-12-30T10:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		cal := CalendarOf(c.zone, c.dayStart)
		date := cal.Date(at)
		if got, begin := Text(date), cal.Begin(date).UTC().Format(time.RFC3339); got != c.want || begin != c.beginning {
			t.Errorf("%s in %s, from %d minutes: %s, begun %s; want %s, %s", c.at, c.zone, c.dayStart, got, begin, c.want, c.beginning)
		}
	}
}

// TestCalendarProperties: every instant lies in its day, days follow each other
// without gap or overlap, and from midnight they are those of the wall's calendar.
func TestCalendarProperties(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "Asia/Kathmandu", "Pacific/Apia"}
	rapid.Check(t, func(t *rapid.T) {
		c := CalendarOf(rapid.SampledFrom(zones).Draw(t, "zone"), rapid.Int32Range(0, 720).Draw(t, "day start"))
		at := time.Unix(rapid.Int64Range(1_262_304_000, 2_208_988_800).Draw(t, "at"), 0) // 2010 to 2040
		date := c.Date(at)
		next := FromDays(Days(date) + 1)
		if c.Begin(date).After(at) || !c.Begin(next).After(at) {
			t.Fatalf("%v is not within %s", at, Text(date))
		}
		if c.Begin(next).Before(c.Begin(date)) {
			t.Fatalf("the day after %s begins before it", Text(date))
		}
		later := at.Add(time.Duration(rapid.Int64Range(0, 100_000).Draw(t, "later")) * time.Second)
		if After(date, c.Date(later)) {
			t.Fatalf("%v belongs to an earlier day than %v", later, at)
		}
		if plain := (Calendar{Zone: c.Zone}).Date(at); Text(plain) != Text(Of(at, c.zone())) {
			t.Fatalf("%v: %s, on the wall %s", at, Text(plain), Text(Of(at, c.zone())))
		}
	})
}

func TestDayStart(t *testing.T) {
	for _, c := range []struct {
		at   *timeofday.TimeOfDay
		good bool
	}{
		{nil, true}, {&timeofday.TimeOfDay{}, true}, {&timeofday.TimeOfDay{Hours: 4, Minutes: 30}, true}, {&timeofday.TimeOfDay{Hours: 12}, true},
		{&timeofday.TimeOfDay{Hours: 12, Minutes: 1}, false}, {&timeofday.TimeOfDay{Hours: 24}, false}, {&timeofday.TimeOfDay{Hours: -1}, false},
		{&timeofday.TimeOfDay{Minutes: 60}, false}, {&timeofday.TimeOfDay{Seconds: 1}, false}, {&timeofday.TimeOfDay{Nanos: 1}, false},
	} {
		err := CheckDayStart("f", c.at)
		if f, _ := fault.As(err); (err == nil) != c.good || err != nil && f.Reason != "DAY_START_INVALID" {
			t.Errorf("%v: %v", c.at, err)
		}
	}
	if got := Minutes(&timeofday.TimeOfDay{Hours: 4, Minutes: 30}); got != 270 {
		t.Errorf("04:30 is %d minutes", got)
	}
}
