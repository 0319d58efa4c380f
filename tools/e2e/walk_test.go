package e2e

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/debrief"
)

// TestDebriefInTheTerminal walks through a whole debrief, stopping in between.
func TestDebriefInTheTerminal(t *testing.T) {
	r := newRig(t)
	apiClient, err := api.New(api.Target{URL: "http://" + r.at.HTTP, Data: r.data})
	if err != nil {
		t.Fatal(err)
	}
	person, err := apiClient.Person("acme", "ada")
	if err != nil {
		t.Fatal(err)
	}
	walk := func(lines ...string) string {
		t.Helper()
		var out bytes.Buffer
		w := debrief.Walk{
			Person: person, Name: person.Name, Out: &out, Now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC),
			In: bufio.NewScanner(strings.NewReader(strings.Join(lines, "\n") + "\n")),
		}
		if err := w.Run(t.Context()); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		return out.String()
	}
	out := walk("The pitch failed", "half past", "18:30", "The room went quiet", "They left", "", "Bo, Cy", "nobody", "/quit")
	for _, want := range []string{"What went wrong?", "About: The pitch failed", "no time I understand", "— They left", "See you"} {
		if !strings.Contains(out, want) {
			t.Errorf("the first part does not say %q:\n%s", want, out)
		}
	}
	out = walk(
		"I lost them", "Alone now", // thoughts
		"bliss", "fear, shame", "sadness", // feelings: an unknown one first, then again
		"1, 99", "1, 2", // factors, the same
		"/skip", "/skip", "/skip", // goal, the hardest part and how it was handled
		"Bad luck.", "", "They moved the date, and my slides were not ready.", "", // why, and its follow-up
		"Nobody had tried it, and I did not ask anybody to.", "", "I skipped the rehearsal, they skipped the invitation to it.", "", "/skip",
		"I did not ask", "y", "I was in a hurry", "no", // the why-chain
		"We kept calm and I answered every question they had.", "", "I stay calm", // what went well
		"Ask first what they want to see, and ask in time.", "", "/skip", "Ask first", "I ask on the first day",
		"y", "y",
	)
	for _, want := range []string{"Going on with the debrief", "feelings above only", "go from 1 to", "That is where it ends", "Well done"} {
		if !strings.Contains(out, want) {
			t.Errorf("the second part does not say %q:\n%s", want, out)
		}
	}
	c := r.as("acme", "ada", "person")
	setback := c.must("GET", ada+"/setbacks", "")["setbacks"].([]any)[0].(map[string]any)
	if setback["state"] != "SETBACK_STATE_CLOSED" || len(setback["factors"].([]any)) != 2 {
		t.Errorf("%v", setback)
	}
	d := c.must("GET", "/v1/"+setback["name"].(string)+"/debriefs", "")["debriefs"].([]any)[0].(map[string]any)
	moments := d["moments"].([]any)
	if d["state"] != "DEBRIEF_STATE_COMPLETED" || d["scheduledTime"] != "2026-11-24T18:30:00Z" || len(moments) != 2 ||
		len(moments[0].(map[string]any)["feelings"].([]any)) != 2 || moments[1].(map[string]any)["thought"] != "Alone now" {
		t.Errorf("%v", d)
	}
	for _, a := range d["answers"].([]any) {
		if a := a.(map[string]any); a["question"] == "why" && a["text"] != "Bad luck.\nThey moved the date, and my slides were not ready." {
			t.Errorf("%v", a)
		}
	}
	if l := c.must("GET", ada+"/lessons", "")["lessons"].([]any); len(l) != 1 || l[0].(map[string]any)["nextTime"] != "I ask on the first day" {
		t.Errorf("%v", l)
	}
	if s := c.must("GET", ada+"/strengths", "")["strengths"].([]any); len(s) != 1 || s[0].(map[string]any)["weight"] != 1.0 {
		t.Errorf("%v", s)
	}
	// The next one is about something new.
	if out = walk("/quit"); !strings.Contains(out, "What went wrong?") {
		t.Errorf("%s", out)
	}
}
