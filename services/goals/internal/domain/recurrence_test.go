package domain

import (
	"testing"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

func TestRecurrence(t *testing.T) {
	for _, c := range []struct {
		rule, before, want string
		count              int
	}{
		{"FREQ=DAILY", "2026-11-23", "2026-11-23", 0},
		{"FREQ=DAILY;INTERVAL=3", "2026-11-23", "2026-11-22", 0},
		{"FREQ=WEEKLY", "2026-11-22", "2026-11-16", 0},
		{"FREQ=WEEKLY;BYDAY=MO,TH;COUNT=8", "2026-11-22", "2026-11-19", 8},
		{"FREQ=MONTHLY;BYMONTHDAY=-1", "2027-03-01", "2027-02-28", 0},
		{"FREQ=MONTHLY;BYDAY=2TU;UNTIL=20270131", "2027-01-31", "2027-01-12", 2},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2031-01-01", "2028-02-29", 0},
		{"FREQ=DAILY;UNTIL=20261118T235959Z", "2030-01-01", "2026-11-18", 3},
		{"FREQ=DAILY", "2026-11-15", "", 0},
	} {
		rule, err := parseRecurrence("f", c.rule, date(2026, 11, 16))
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		on, err := localdate.Parse(c.before)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if d := rule.atOrBefore(on); d != nil {
			got = localdate.Text(d)
		}
		if n, _, finite := rule.count(); got != c.want || n != c.count || finite != (c.count > 0) {
			t.Errorf("%s by %s: %q and %d, want %q and %d", c.rule, c.before, got, n, c.want, c.count)
		}
	}
}

func TestRecurrenceRefused(t *testing.T) {
	for _, rule := range []string{
		"DAILY", "FREQ=", "FREQ=HOURLY", "FREQ=SECONDLY;COUNT=5", "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY;COUNT=10001",
		"FREQ=DAILY;COUNT=-1", "RRULE:FREQ=DAILY", "FREQ=DAILY\nDTSTART:20200101", "DTSTART=20200101;FREQ=DAILY",
		"FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-3", "FREQ=WEEKLY;BYDAY=XX", "FREQ=MONTHLY;BYMONTHDAY=99", "FREQ=DAILY;UNTIL=tomorrow",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
	} {
		_, err := parseRecurrence("f", rule, date(2026, 11, 16))
		if err == nil {
			t.Errorf("%q is taken", rule)
			continue
		}
		resourcetest.Refused(t, err, "RECURRENCE_INVALID")
	}
}

// FuzzRecurrence: whatever a client sends is refused or understood, and ends.
func FuzzRecurrence(f *testing.F) {
	for _, seed := range []string{"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=8", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO", "FREQ=YEARLY;BYWEEKNO=53;UNTIL=99991231"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 500 {
			t.Skip()
		}
		rule, err := parseRecurrence("f", text, date(2026, 11, 16))
		if err != nil {
			if f, ok := fault.As(err); !ok || f.Reason != "RECURRENCE_INVALID" {
				t.Fatalf("%v", err)
			}
			return
		}
		rule.count()
		rule.atOrBefore(date(2036, 11, 16))
		rule.after(date(2036, 11, 16))
		if times, days := rule.pace(); times < 1 || days < 1 || days > longestPace {
			t.Fatalf("it comes to %d in %d", times, days)
		}
	})
}
