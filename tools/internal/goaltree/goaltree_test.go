package goaltree

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// pages answers requests by path with one page after the other.
type pages map[string][]string

func (p pages) Do(_ context.Context, _, path string, _, out any) error {
	path, query, _ := strings.Cut(path, "?")
	left := p[path]
	if len(left) == 0 {
		return errors.New("nothing left at " + path)
	}
	if asked := strings.Contains(query, "pageToken="); asked != (len(left) == 1 && path == "/goals") {
		return errors.New("the wrong page of " + path + " was asked for")
	}
	p[path] = left[1:]
	return json.Unmarshal([]byte(left[0]), out)
}

func answers() pages {
	const me = "tenants/acme/people/ada/goals/"
	return pages{
		"/goals": {`{"nextPageToken":"2","goals":[
			{"name":"` + me + `a","title":"A demo that\nholds\u001b[31m","state":"GOAL_STATE_ACTIVE","progress":0.5,"targetDate":{"year":2026,"month":12,"day":1},
			 "keyResults":[{"title":"Crashes","start":8,"target":0,"current":2,"score":0.75,"confidence":0.6},{"title":"Sales","target":10,"current":0,"unit":"users"}]},
			{"name":"` + me + `old","title":"Somebody else's dream","state":"GOAL_STATE_DROPPED"}]}`, `{"goals":[
			{"name":"` + me + `b","title":"A calm voice","state":"GOAL_STATE_ON_HOLD","parentGoal":"` + me + `a","progress":1},
			{"name":"` + me + `c","title":"An orphan","state":"GOAL_STATE_ACTIVE","parentGoal":"` + me + `old"}]}`},
		"/goals/-/milestones": {`{"milestones":[{"name":"` + me + `a/milestones/m","title":"First run","state":"MILESTONE_STATE_REACHED","reward":"Cake"},
			{"name":"` + me + `a/milestones/n","title":"Second run","state":"MILESTONE_STATE_AHEAD"}]}`},
		"/goals/-/steps": {`{"steps":[
			{"name":"` + me + `a/steps/s","title":"Book the room","state":"STEP_STATE_DONE","milestone":"` + me + `a/milestones/m"},
			{"name":"` + me + `a/steps/t","title":"Rehearse","state":"STEP_STATE_TO_DO","recurrence":"FREQ=DAILY","completions":[{},{}],"strength":0.25},
			{"name":"` + me + `b/steps/u","title":"Breathe","state":"STEP_STATE_TO_DO","milestone":"` + me + `b/milestones/gone","dueDate":{"year":2026,"month":1,"day":2}}]}`},
	}
}

func TestShow(t *testing.T) {
	for all, want := range map[bool]string{
		false: `
┌─ ██████░░░░░░  50 %  A demo that holds [31m, by 2026-12-01
│  ├─ █████████░░░  75 %  Crashes: at 2, from 8 to 0, 60 % sure
│  ├─ ░░░░░░░░░░░░   0 %  Sales: at 0, from 0 to 10 users
│  ├─ ◆ First run → Cake
│  │  └─ ✓ Book the room
│  ├─ ◇ Second run
│  ├─ · Rehearse, done 2 times, strength ███░░░░░░░░░  25 %
│  └─ ████████████ 100 %  A calm voice, resting
│     └─ · Breathe, by 2026-01-02
└─ ░░░░░░░░░░░░   0 %  An orphan
`,
		true: `
┌─ ██████░░░░░░  50 %  A demo that holds [31m, by 2026-12-01
│  ├─ █████████░░░  75 %  Crashes: at 2, from 8 to 0, 60 % sure
│  ├─ ░░░░░░░░░░░░   0 %  Sales: at 0, from 0 to 10 users
│  ├─ ◆ First run → Cake
│  │  └─ ✓ Book the room
│  ├─ ◇ Second run
│  ├─ · Rehearse, done 2 times, strength ███░░░░░░░░░  25 %
│  └─ ████████████ 100 %  A calm voice, resting
│     └─ · Breathe, by 2026-01-02
└─ ░░░░░░░░░░░░   0 %  Somebody else's dream, let go
   └─ ░░░░░░░░░░░░   0 %  An orphan
`,
	} {
		var out bytes.Buffer
		if err := (View{Person: answers(), All: all, Out: &out}).Show(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + out.String(); got != want {
			t.Errorf("all %v:\n%s", all, got)
		}
	}
}

func TestNoGoals(t *testing.T) {
	var out bytes.Buffer
	p := pages{"/goals": {`{}`, `{}`}, "/goals/-/milestones": {`{}`}, "/goals/-/steps": {`{}`}}
	if err := (View{Person: p, Out: &out}).Show(t.Context()); err != nil || !strings.Contains(out.String(), "No goals yet") {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	p = answers()
	p["/goals"] = []string{`{"nextPageToken":"2","goals":[{"name":"g","state":"GOAL_STATE_ACHIEVED"}]}`, `{}`}
	if err := (View{Person: p, Out: &out}).Show(t.Context()); err != nil || !strings.Contains(out.String(), "--all") {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := (View{Person: pages{}, Out: &out}).Show(t.Context()); err == nil {
		t.Error("a server that does not answer is no reason to stop")
	}
}
