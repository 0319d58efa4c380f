package localdate

import (
	"testing"
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"pgregory.net/rapid"

	"github.com/rebound-hq/rebound/services/kit/fault"
)

func day(y, m, d int32) *datepb.Date { return &datepb.Date{Year: y, Month: m, Day: d} }

func TestOf(t *testing.T) {
	at := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{"UTC": "2026-03-29", "Europe/Berlin": "2026-03-29", "America/New_York": "2026-03-28", "Pacific/Kiritimati": "2026-03-29"} {
		loc, err := CheckZone("f", zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := Text(Of(at, loc)); got != want {
			t.Errorf("in %s it is %s", zone, got)
		}
	}
}

func TestChecks(t *testing.T) {
	today := day(2026, 11, 23)
	for _, c := range []struct {
		date   *datepb.Date
		reason string
	}{
		{nil, ""}, {today, ""}, {day(2024, 2, 29), ""}, {day(2026, 11, 24), "DATE_IN_FUTURE"}, {day(2026, 2, 29), "DATE_INVALID"},
		{day(2026, 0, 1), "DATE_INVALID"}, {day(2026, 1, 0), "DATE_INVALID"}, {day(0, 1, 1), "DATE_INVALID"}, {day(2026, 13, 1), "DATE_INVALID"},
		{day(10000, 1, 1), "DATE_INVALID"}, {day(-1, 1, 1), "DATE_INVALID"},
	} {
		err := CheckNotInFuture("f", c.date, today)
		f, _ := fault.As(err)
		if (err == nil) != (c.reason == "") || err != nil && f.Reason != c.reason {
			t.Errorf("%v: %v, want %q", c.date, err, c.reason)
		}
	}
	for _, zone := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "+02:00"} {
		if _, err := CheckZone("f", zone); err == nil {
			t.Errorf("the zone %q is taken", zone)
		}
	}
}

// TestDays: days count one by one, and come back as they were.
func TestDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-719162, 2932896).Draw(t, "days") // years 1 to 9999
		d := FromDays(n)
		if !Valid(d) || Days(d) != n {
			t.Fatalf("%d gives %v, which is %d", n, d, Days(d))
		}
		parsed, err := Parse(Text(d))
		if err != nil || Days(parsed) != n {
			t.Fatalf("%v: %v, %v", d, parsed, err)
		}
		if n < 2932896 && (!After(FromDays(n+1), d) || Between(d, FromDays(n+1)) != 1) {
			t.Fatalf("%v and the day after", d)
		}
	})
}
