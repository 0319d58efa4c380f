package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

var testWindow = windowAt(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), localdate.Calendar{Zone: time.UTC}) // 2025-11-23 to 2028-11-23

func TestSeries(t *testing.T) {
	for _, c := range []struct {
		rule, start string
		done        string // occurrences, by spaces
		want        string // first day, rule, days left out
	}{
		{"FREQ=WEEKLY;BYDAY=MO", "2026-11-25", "", "2026-11-30 FREQ=WEEKLY;BYDAY=MO"}, // begins on an occurrence
		{"FREQ=DAILY", "2026-11-20", "2026-11-20 2026-11-21 2026-11-23", "2026-11-22 FREQ=DAILY 2026-11-23"},
		{"FREQ=DAILY;COUNT=5", "2026-11-20", "2026-11-20 2026-11-21", "2026-11-22 FREQ=DAILY;COUNT=3"},
		{"FREQ=DAILY;COUNT=2", "2026-11-20", "2026-11-20 2026-11-21", ""},
		{"FREQ=DAILY;UNTIL=20261125T235959Z", "2026-11-20", "", "2026-11-20 FREQ=DAILY;UNTIL=20261125"},
		{"FREQ=DAILY;UNTIL=20261125;COUNT=3", "2026-11-20", "", "2026-11-20 FREQ=DAILY;UNTIL=20261122"},
		{"FREQ=DAILY;UNTIL=20261121;COUNT=3", "2026-11-20", "", "2026-11-20 FREQ=DAILY;UNTIL=20261121"},
		{"FREQ=WEEKLY;INTERVAL=2", "2020-01-01", "", "2025-11-12 FREQ=WEEKLY;INTERVAL=2"}, // begins anew, in step
		{"FREQ=WEEKLY;WKST=SU;BYDAY=TU,SU;INTERVAL=2", "2026-11-24", "", "2026-11-24 FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU"},
		{"FREQ=YEARLY", "2028-02-29", "", "2028-02-29 FREQ=YEARLY"},
		{"FREQ=MONTHLY;BYDAY=-1FR", "2026-12-01", "", "2026-12-25 FREQ=MONTHLY;BYDAY=-1FR"},
		{"FREQ=DAILY;COUNT=10", "2020-01-01", "", ""}, // over
		{"FREQ=DAILY", "2029-01-01", "", ""},          // beyond
		{"FREQ=YEARLY;BYEASTER=0", "2026-01-01", "", "2026-04-05"},
		{"nonsense", "2026-01-01", "", ""},
	} {
		s := &goalsv1.Step{Recurrence: c.rule, StartDate: date(t, c.start), Completions: completions(t, strings.Fields(c.done)...)}
		got := ""
		if e, ok := (entry{}).repeating(s, testWindow); ok {
			words := []string{localdate.Text(e.day)}
			if e.series.rule != "" {
				words = append(words, e.series.rule)
			}
			for _, d := range e.series.except {
				words = append(words, localdate.Text(d))
			}
			got = strings.Join(words, " ")
		}
		if got != c.want {
			t.Errorf("%s from %s, done %s: %q, want %q", c.rule, c.start, c.done, got, c.want)
		}
	}
}

// TestSeriesBreaks: days that are skipped, or at which the step rests, are left out.
func TestSeriesBreaks(t *testing.T) {
	for _, c := range []struct{ from, until, want string }{
		{"2026-11-20", "2026-11-21", "2026-11-22 except []"},
		{"2026-11-24", "2026-11-25", "2026-11-20 except [2026-11-24 2026-11-25]"},
		{"2020-01-01", "2026-11-20", "2026-11-21 except []"},
		{"2026-11-20", "", "false"},
		{"2028-11-22", "", "2026-11-20 except [2028-11-22 2028-11-23]"},
	} {
		b := &goalsv1.Break{FromDate: date(t, c.from)}
		if c.until != "" {
			b.UntilDate = date(t, c.until)
		}
		e, ok := (entry{}).repeating(&goalsv1.Step{Recurrence: "FREQ=DAILY", StartDate: date(t, "2026-11-20"), Breaks: []*goalsv1.Break{b}}, testWindow)
		got := fmt.Sprint(ok)
		if ok {
			var except []string
			for _, d := range e.series.except {
				except = append(except, localdate.Text(d))
			}
			got = fmt.Sprintf("%s except %v", localdate.Text(e.day), except)
		}
		if got != c.want {
			t.Errorf("resting from %s to %q: %s, want %s", c.from, c.until, got, c.want)
		}
	}
}

// TestSeriesIsTheStep: what a calendar program makes of an event is, from its
// first day to the end of the window, the step's occurrences less those done.
func TestSeriesIsTheStep(t *testing.T) {
	ahead := 0
	rapid.Check(t, func(rt *rapid.T) {
		text := ruleText(rt)
		start := localdate.FromDays(rapid.IntRange(19358, 21184).Draw(rt, "start")) // 2023 to 2027
		option, err := rrule.StrToROption(text)
		if err != nil {
			rt.Fatal(err)
		}
		option.Dtstart = midnight(start, time.UTC)
		rule, err := rrule.NewRRule(*option)
		if err != nil {
			rt.Fatal(err)
		}
		end := midnight(testWindow.until, time.UTC)
		all := rule.Between(option.Dtstart, end.Add(-time.Second), true)
		var done []string
		for _, at := range all {
			if rapid.IntRange(0, 3).Draw(rt, "done") == 0 {
				done = append(done, at.Format(time.DateOnly))
			}
		}
		s := &goalsv1.Step{Recurrence: text, StartDate: start, Completions: completions(t, done...)}
		e, ok := (entry{kind: stepDue, id: "a"}).repeating(s, testWindow)
		begin := time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)
		var want []string
		for _, at := range all {
			if on := at.Format(time.DateOnly); !at.Before(begin) && !slices.Contains(done, on) {
				want = append(want, on)
			}
		}
		if ok != (len(want) > 0) {
			rt.Fatalf("%s from %v: %v, and there are %d", text, start, ok, len(want))
		}
		if !ok {
			return
		}
		ahead++
		raw, err := render([]entry{e}, look{zone: time.UTC, uid: func(id string) (string, error) { return id, nil }})
		if err != nil {
			rt.Fatal(err)
		}
		if got := occurrences(rt, parse(t, raw).Events()[0], end); !slices.Equal(got, want) {
			rt.Fatalf("%s from %v\n%s\ngot  %v\nwant %v", text, start, raw, got, want)
		}
	})
	if ahead < 20 {
		t.Errorf("only %d rules had something ahead", ahead)
	}
}

func ruleText(rt *rapid.T) string {
	parts := []string{rapid.SampledFrom([]string{
		"FREQ=DAILY", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYDAY=2TU",
		"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=3,9", "FREQ=DAILY;BYDAY=SA,SU",
	}).Draw(rt, "freq")}
	if n := rapid.IntRange(1, 4).Draw(rt, "interval"); n > 1 {
		parts = append(parts, fmt.Sprintf("INTERVAL=%d", n))
	}
	if rapid.Bool().Draw(rt, "counted") {
		parts = append(parts, fmt.Sprintf("COUNT=%d", rapid.IntRange(1, 300).Draw(rt, "count")))
	}
	if rapid.Bool().Draw(rt, "ended") {
		until := localdate.FromDays(rapid.IntRange(20500, 21500).Draw(rt, "until"))
		parts = append(parts, "UNTIL="+strings.ReplaceAll(localdate.Text(until), "-", ""))
	}
	return strings.Join(parts, ";")
}

// occurrences reads an event as RFC 5545 has it.
func occurrences(rt *rapid.T, v *ics.VEvent, end time.Time) []string {
	raw := value(v, ics.ComponentPropertyRrule)
	if strings.Contains(raw, "COUNT") && strings.Contains(raw, "UNTIL") {
		rt.Fatalf("%s has two ends", raw)
	}
	option, err := rrule.StrToROption(raw)
	if err != nil {
		rt.Fatal(err)
	}
	if option.Dtstart, err = v.GetAllDayStartAt(); err != nil {
		rt.Fatal(err)
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		rt.Fatal(err)
	}
	var out []string
	for _, at := range rule.Between(option.Dtstart, end.Add(-time.Second), true) {
		out = append(out, at.Format(time.DateOnly))
	}
	if len(out) == 0 || out[0] != option.Dtstart.Format(time.DateOnly) {
		rt.Fatalf("it begins on %v, which is no occurrence", option.Dtstart)
	}
	for _, p := range v.GetProperties(ics.ComponentPropertyExdate) {
		if p.ICalParameters["VALUE"][0] != "DATE" {
			rt.Fatal("a time is left out of days")
		}
		out = slices.DeleteFunc(out, func(on string) bool { return strings.ReplaceAll(on, "-", "") == p.Value })
	}
	return out
}

func completions(t *testing.T, on ...string) []*goalsv1.Completion {
	t.Helper()
	var out []*goalsv1.Completion
	for _, text := range on {
		out = append(out, &goalsv1.Completion{Occurrence: date(t, text)})
	}
	return out
}

func date(t *testing.T, text string) *datepb.Date {
	t.Helper()
	d, err := localdate.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
