package calendar

import (
	"strings"
	"testing"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"
	"pgregory.net/rapid"
)

// TestTitles: whatever a title holds, it stays one value of one event, in lines of
// at most 75 bytes; left out, nothing of it is there.
func TestTitles(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		title := rapid.OneOf(
			rapid.String(),
			rapid.StringOfN(rapid.RuneFrom([]rune(`,;:\"n`+"\r\n\t\x00 🧗ü")), 0, 300, -1),
			rapid.Just("x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:made-up"),
		).Draw(rt, "title")
		e := entry{kind: stepDue, id: "a", title: title, updated: time.Unix(0, 0)}.on(day(2026, 12, 1))
		for _, titles := range []bool{true, false} {
			text, err := render([]entry{e}, look{zone: time.UTC, titles: titles, uid: func(id string) (string, error) { return id, nil }})
			if err != nil {
				rt.Fatal(err)
			}
			for _, line := range strings.Split(strings.TrimSuffix(string(text), "\r\n"), "\r\n") {
				if len(line) > 75 || strings.ContainsFunc(line, unicode.IsControl) {
					rt.Fatalf("the line %q", line)
				}
			}
			events := parse(t, text).Events()
			if len(events) != 1 || events[0].Id() != "a@rebound.dev" {
				rt.Fatalf("%d events", len(events))
			}
			got := value(events[0], ics.ComponentPropertySummary)
			if want := e.summary(titles); got != want || len([]rune(want)) > maxTitle+len("Step: …") {
				rt.Fatalf("%q reads %q, want %q", title, got, want)
			}
			if !titles && got != "Step" {
				rt.Fatalf("a title is shown: %q", got)
			}
		}
	})
}

// TestEmpty: a calendar without entries is one.
func TestEmpty(t *testing.T) {
	text, err := render(nil, look{zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	const want = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Rebound//Calendar//EN\r\nCALSCALE:GREGORIAN\r\nNAME:Rebound\r\nX-WR-CALNAME:Rebound\r\n" +
		"X-WR-TIMEZONE:UTC\r\nREFRESH-INTERVAL;VALUE=DURATION:PT1H\r\nX-PUBLISHED-TTL:PT1H\r\nEND:VCALENDAR\r\n"
	if string(text) != want {
		t.Errorf("%q", text)
	}
}
