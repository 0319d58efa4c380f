package recurrence_test

import (
	"testing"
	"time"

	"github.com/teambition/rrule-go"
	datepb "google.golang.org/genproto/googleapis/type/date"

	"github.com/rebound-hq/rebound/services/kit/recurrence"
)

func TestOption(t *testing.T) {
	start := &datepb.Date{Year: 2026, Month: 11, Day: 26}
	o, err := recurrence.Option("FREQ=DAILY;INTERVAL=2;UNTIL=20261201T183000Z", start)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Dtstart.Equal(time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)) || !o.Until.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("from %v until %v", o.Dtstart, o.Until)
	}
	rule, err := rrule.NewRRule(*o)
	if err != nil || len(rule.All()) != 3 { // 26, 28, 30 November
		t.Errorf("%v %v", rule, err)
	}
	for _, bad := range []string{"", "FREQ=OFTEN", "DAILY"} {
		if _, err := recurrence.Option(bad, start); err == nil {
			t.Errorf("%q is taken for a rule", bad)
		}
	}
}
