package summary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// answers answers requests by path.
type answers map[string]string

func (a answers) Do(_ context.Context, _, path string, _, out any) error {
	path, _, _ = strings.Cut(path, "?")
	text, known := a[path]
	if !known {
		return errors.New("nothing at " + path)
	}
	return json.Unmarshal([]byte(text), out)
}

func TestPrint(t *testing.T) {
	for _, c := range []struct{ summary, checkIns, want string }{
		{`{}`, `{}`, "Nothing to tell yet.\n"},
		{`{"openSetbacks":1,"recoveredSetbacks":0,"mood":{"level":-1.25,"n":2}}`,
			`{"checkIns":[{"localDate":{"year":2026,"month":3,"day":1},"pleasantness":5},{"localDate":{"year":2026,"month":2,"day":28},"pleasantness":-5}]}`, `
Mood      ··························▁█  28 days to 2026-03-01, -5 to 5
          -1.2 now, by 2 check-ins
Recovery  0 setbacks recovered from, 1 open
`},
		{`{"openSetbacks":0,"recoveredSetbacks":5,"medianDaysToRecovery":8.5,"longestGratitudeRun":6,"lessonsCaptured":4,"lessonsApplied":3,
		   "goalsActive":1,"goalsAchieved":2,"stepsCompletedLast28":12,
		   "mood":{"level":0.66,"n":23,"volatility":0.83,"slope":{"n":23,"perWeek":0.25,"interval":{"low":-0.1,"high":0.5}},
		     "changePoints":[{"on":{"year":2026,"month":11,"day":2},"before":-0.8,"after":0.67,"nBefore":1,"nAfter":18}]},
		   "recovery":{"n":5,"firstStepN":1,"medianDaysToFirstStep":1,"intensity":{"n":3,"before":7,"after":3}},
		   "lessons":{"medianDaysToApply":3},"reframes":{"belief":{"n":4,"before":80,"after":35}},
		   "practice":{"gratitudeDays":18,"gratitudeDaysLast28":16,"debriefsCompleted":1,"revisits":2,"strengths":1,"evidence":3,"celebrationsDue":1,"celebrationsCelebrated":2},
		   "steps":{"n":1,"meanStrength":0.4,"activeDaysLast28":12},
		   "support":{"connections":3,"filling":2,"draining":1,"answered":{"count":1,"n":2}},
		   "weeks":[{"week":{"year":2026,"month":11,"day":9},"stepDays":0,"gratitudeDays":7},{"week":{"year":2026,"month":11,"day":16},"stepDays":1,"gratitudeDays":0},
		     {"week":{"year":2026,"month":11,"day":23},"stepDays":4,"gratitudeDays":2}],
		   "associations":[{"statement":"They go together."}]}`, `{}`, `
Mood      +0.7 now, by 23 check-ins; it swings by 0.8
          +0.2 a week over 23 days (95 % interval: -0.1 to +0.5)
          changed on 2026-11-02: from -0.8 (1 day) to +0.7 (18 days)
Recovery  5 setbacks recovered from, 0 open
          half took at most 8.5 days (5 recoveries)
          the first step came within 1 day in half of them (1 setback)
          intensity 7.0 then, 3.0 now (3 setbacks)
Lessons   4 captured, 3 applied
          half of those applied were so within 3 days
Practice  █·▃  3 weeks to that of 2026-11-23, days of 7
          18 days with gratitudes, 16 of the last 28; longest run 6
          1 debrief, 2 revisits
          1 strength with 3 pieces of evidence
          belief in hard thoughts 80 before reframing, 35 after (4 reframes)
Steps     ·▂▅  3 weeks to that of 2026-11-23, days of 7
          12 completed in 28 days, on 12 days; 1 goal active, 2 achieved
          repeating steps: mean strength 40 % (1 step)
          1 celebration due, 2 celebrated
Support   3 connections: 2 filling, 1 draining; 1 of 2 outreaches answered
Together  They go together.
`},
	} {
		var out bytes.Buffer
		if err := Print(t.Context(), answers{"/summary": c.summary, "/checkIns": c.checkIns}, &out); err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimPrefix(c.want, "\n"); out.String() != want {
			t.Errorf("got\n%swant\n%s", out.String(), want)
		}
	}
	if err := Print(t.Context(), answers{"/summary": `{}`}, &bytes.Buffer{}); err == nil {
		t.Error("check-ins that cannot be had are no error")
	}
}

// TestSpark: days are told apart, a day's check-ins count together, those without a
// pleasantness not at all, and what is older than 28 days is not drawn.
func TestSpark(t *testing.T) {
	at := func(n int) *int { return &n }
	line, until := spark([]checkIn{
		{api.Date{Year: 2026, Month: 3, Day: 28}, at(4)}, {api.Date{Year: 2026, Month: 3, Day: 28}, at(-4)}, {api.Date{Year: 2026, Month: 3, Day: 27}, nil}, {api.Date{Year: 2026, Month: 3, Day: 1}, at(-4)}, {api.Date{Year: 2026, Month: 2, Day: 28}, at(5)},
		{api.Date{Year: 2026, Month: 4, Day: 30}, nil},
	})
	if want := "▁" + strings.Repeat("·", 26) + "▅"; line != want || until.Format("01-02") != "03-28" {
		t.Errorf("%q until %v", line, until)
	}
	if line, _ := spark([]checkIn{{api.Date{Year: 2026, Month: 4, Day: 30}, nil}}); line != "" {
		t.Errorf("a line of nothing: %q", line)
	}
}
