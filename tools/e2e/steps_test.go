package e2e

import (
	"fmt"
	"testing"
)

// localDateOf completes a step at an instant, takes it back, and gives the local
// date that it was completed on.
func localDateOf(c client, step, at string) string {
	c.r.t.Helper()
	done := c.must("POST", step+":complete", `{"completeTime":"`+at+`"}`)
	c.must("POST", step+":undo", `{}`)
	d := done["completions"].([]any)[0].(map[string]any)["localDate"].(map[string]any)
	return fmt.Sprintf("%v-%v-%v", d["year"], d["month"], d["day"])
}

// TestDayStart: goals learns from the journal where a person is and when their day
// begins, also when it was told before goals listened.
func TestDayStart(t *testing.T) {
	r := newRig(t)
	c := r.as("acme", "ada", "person")
	c.must("POST", ada+"/goals?goalId=g", `{"title":"Sleep"}`)
	const step = ada + "/goals/g/steps/s"
	c.must("POST", ada+"/goals/g/steps?stepId=s", `{"title":"Put the phone away"}`)
	const night = "2026-03-29T01:30:00Z" // in Berlin 03:30, in New York 21:30
	if got := localDateOf(c, step, night); got != "2026-3-29" {
		t.Errorf("in UTC it is %s", got)
	}
	c.refused("PATCH", ada+"/profile", `{"dayStart":{"hours":13}}`, 400, "DAY_START_INVALID")
	c.must("PATCH", ada+"/profile", `{"timeZone":"Europe/Berlin","dayStart":{"hours":4}}`)
	eventually(t, []string{"2026-3-28"}, func() []string { return []string{localDateOf(c, step, night)} })
	r.stop()
	r.start()
	if got := localDateOf(c, step, night); got != "2026-3-28" {
		t.Errorf("after a restart it is %s", got)
	}
	c.must("PATCH", ada+"/profile", `{"dayStart":{}}`)
	eventually(t, []string{"2026-3-29"}, func() []string { return []string{localDateOf(c, step, night)} })
}
