// Package life plays plausible lives through the public API: people have
// setbacks, make sense of them, go for goals, and get up again. The same seed
// gives the same lives.
package life

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/tools/internal/api"
)

// Play is what to play.
type Play struct {
	Client *api.Client
	Tenant string
	People int
	Days   int
	Seed   uint64
	// Today is the last day.
	Today time.Time
	// Done is called after each person's day.
	Done func()
}

// Counts is what was written, by kind.
type Counts struct {
	Setbacks, Debriefs, Lessons, CheckIns, Gratitudes, Goals, Milestones, Steps, Completions, Recoveries atomic.Int64
	// Practices are strengths, reframes, reflections, visualizations and outreaches.
	Practices atomic.Int64
	// Chosen are the avenues that became goals.
	Values, Avenues, Chosen, KeyResultCheckIns, ObstaclesMet atomic.Int64
	// Comments are what coaches say.
	Comments atomic.Int64
	// Stories are told once people are up again, and published.
	Stories atomic.Int64
	// Celebrations are rewards that were taken.
	Celebrations atomic.Int64
}

// workers is how many people live at once.
const workers = 4

// Run plays all lives. What is there from an earlier run with the same seed is
// left as it is.
func (p Play) Run(ctx context.Context) (*Counts, error) {
	counts := &Counts{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range p.People {
		g.Go(func() error {
			name := fmt.Sprintf("demo-%03d", i+1)
			person, err := p.Client.Person(p.Tenant, name)
			if err != nil {
				return err
			}
			reader, err := p.Client.Reader(p.Tenant, coach, name)
			if err != nil {
				return err
			}
			l := &lived{
				play: p, counts: counts, person: person, coach: reader, mood: 1,
				rand: rand.New(rand.NewPCG(p.Seed, uint64(i))), //nolint:gosec // lives are to be foreseeable
			}
			return l.live(ctx)
		})
	}
	return counts, g.Wait()
}

// lived is one life on its way.
type lived struct {
	play    Play
	counts  *Counts
	person  *api.Person
	coach   *api.Person // reads the person's setbacks, once they are let in
	rand    *rand.Rand
	mood    float64 // -5 to 5
	setback string  // open one; "" for none
	since   int     // days since it happened
	lesson  string
	planned string // the lesson that was last made a goal
	goal    string
	steps   []string
	habit   string // a step that is done again and again
}

func (l *lived) live(ctx context.Context) error {
	if err := l.do(ctx, "PATCH", "/profile", body{"timeZone": "Europe/Berlin", "consents": body{"aggregateInsights": true, "shareWithPipeline": l.rand.IntN(4) > 0}}); err != nil {
		return err
	}
	if err := l.matters(ctx); err != nil {
		return err
	}
	if err := l.share(ctx); err != nil {
		return err
	}
	if err := l.remind(ctx); err != nil {
		return err
	}
	for day := range l.play.Days {
		at := l.play.Today.AddDate(0, 0, day-l.play.Days+1)
		if err := l.day(ctx, day, at); err != nil {
			return err
		}
		l.play.Done()
	}
	return nil
}

type body map[string]any

// day is one day: mood, perhaps a setback or a part of the way back up.
func (l *lived) day(ctx context.Context, day int, at time.Time) error {
	l.since++
	l.mood += 0.3*(1-l.mood) + l.rand.NormFloat64()*0.8
	if l.setback == "" && (day == 1 || l.rand.Float64() < 0.04) {
		if err := l.fall(ctx, day, at); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		chance float64
		do     func(context.Context, int, time.Time) error
	}{{0.8, l.checkIn}, {0.6, l.gratitude}, {0.5, l.debrief}, {0.5, l.plan}, {0.7, l.step}, {0.8, l.repeat}, {0.15, l.practice}, {0.15, l.recover}} {
		if l.rand.Float64() < part.chance {
			if err := part.do(ctx, day, at); err != nil {
				return err
			}
		}
	}
	return nil
}

var falls = []struct{ title, area, kind, feeling string }{
	{"The launch slipped by a month", "AREA_PROJECT", "FAILURE_KIND_PROCESS_COMPLEXITY", "FEELING_FRUSTRATION"},
	{"I was passed over for the role", "AREA_CAREER", "FAILURE_KIND_UNCERTAINTY", "FEELING_DISAPPOINTMENT"},
	{"The pitch was turned down", "AREA_BUSINESS", "FAILURE_KIND_HYPOTHESIS_TEST", "FEELING_SADNESS"},
	{"I failed the exam", "AREA_STUDY", "FAILURE_KIND_LACK_OF_ABILITY", "FEELING_SHAME"},
	{"An outage on my watch", "AREA_PROJECT", "FAILURE_KIND_INATTENTION", "FEELING_GUILT"},
	{"The client left", "AREA_BUSINESS", "FAILURE_KIND_TASK_CHALLENGE", "FEELING_FEAR"},
}

func (l *lived) fall(ctx context.Context, day int, at time.Time) error {
	f := falls[l.rand.IntN(len(falls))]
	l.setback, l.since, l.lesson = fmt.Sprintf("setback-%d", day), 0, ""
	l.mood = max(-5, l.mood-3)
	l.counts.Setbacks.Add(1)
	return l.do(ctx, "POST", "/setbacks?setbackId="+l.setback, body{
		"title": f.title, "area": f.area, "failureKind": f.kind, "feelings": []string{f.feeling},
		"intensity": 4 + l.rand.IntN(6), "occurredOn": date(at),
	})
}

func (l *lived) checkIn(ctx context.Context, day int, at time.Time) error {
	l.counts.CheckIns.Add(1)
	return l.do(ctx, "POST", fmt.Sprintf("/checkIns?checkInId=day-%d", day), body{
		"pleasantness": scale(l.mood), "energy": scale(l.mood/2 + l.rand.NormFloat64()),
		"time": at.Add(time.Duration(l.rand.IntN(60)) * time.Minute).Format(time.RFC3339),
	})
}

func (l *lived) gratitude(ctx context.Context, _ int, at time.Time) error {
	l.counts.Gratitudes.Add(1)
	return l.do(ctx, "PATCH", "/gratitudes/"+at.Format(time.DateOnly)+"?allowMissing=true",
		body{"items": []string{"a walk in the sun", "somebody who listened"}[:1+l.rand.IntN(2)]})
}

// debrief makes sense of what happened, a few days after, and draws a lesson.
func (l *lived) debrief(ctx context.Context, day int, at time.Time) error {
	if l.setback == "" || l.since < 2 || l.lesson != "" {
		return nil
	}
	path := "/setbacks/" + l.setback + "/debriefs"
	if err := l.do(ctx, "POST", path+"?debriefId=first", body{
		"moments": []body{{"what": "The moment it was clear", "feelings": []string{"FEELING_FEAR"}}},
		"answers": []body{{"question": "why", "text": "Too much at once, and nobody asked."}, {"question": "learned", "text": "Ask earlier."}},
	}); err != nil {
		return err
	}
	if err := l.do(ctx, "POST", path+"/first:complete", body{}); err != nil {
		return err
	}
	if err := l.comment(ctx); err != nil {
		return err
	}
	l.counts.Debriefs.Add(1)
	l.counts.Lessons.Add(1)
	l.lesson = fmt.Sprintf("lesson-%d", day)
	return l.do(ctx, "POST", "/lessons?lessonId="+l.lesson, body{
		"statement": "Ask earlier", "nextTime": "Say on the first day what is unclear", "setback": l.person.Name + "/setbacks/" + l.setback,
		"reviewOn": date(at.AddDate(0, 1, 0)),
	})
}

// plan makes a lesson a goal with small steps; some first look for other avenues.
func (l *lived) plan(ctx context.Context, day int, at time.Time) error {
	if l.lesson == "" || l.goal != "" || l.planned == l.lesson {
		return nil
	}
	l.planned = l.lesson
	lesson := l.person.Name + "/lessons/" + l.lesson
	if err := l.aim(ctx, day, lesson); err != nil {
		return err
	}
	requests := []struct {
		path string
		body body
	}{
		{"/lessons/" + l.lesson + ":plan", body{"goal": l.person.Name + "/goals/" + l.goal}},
		{"/goals/" + l.goal + "/milestones?milestoneId=first", body{"title": "Asked three times", "reward": "A long weekend"}},
	}
	for i := range 3 {
		id := fmt.Sprintf("step-%d", i)
		l.steps = append(l.steps, l.goal+"/steps/"+id)
		requests = append(requests, struct {
			path string
			body body
		}{"/goals/" + l.goal + "/steps?stepId=" + id, body{"title": "Ask one question", "milestone": l.person.Name + "/goals/" + l.goal + "/milestones/first"}})
	}
	l.habit = l.goal + "/steps/habit"
	requests = append(requests, struct {
		path string
		body body
	}{"/goals/" + l.goal + "/steps?stepId=habit", body{"title": "Ask what is unclear", "times": 3, "days": 7, "startDate": date(at)}})
	for _, r := range requests {
		if err := l.do(ctx, "POST", r.path, r.body); err != nil {
			return err
		}
	}
	l.counts.Goals.Add(1)
	l.counts.Milestones.Add(1)
	l.counts.Steps.Add(4)
	return l.order(ctx)
}

// step completes a step; the last one reaches the milestone and the goal.
func (l *lived) step(ctx context.Context, _ int, at time.Time) error {
	if len(l.steps) == 0 {
		return nil
	}
	step := l.steps[0]
	l.steps = l.steps[1:]
	l.mood = min(5, l.mood+0.5)
	l.counts.Completions.Add(1)
	requestID := ids.Derived(l.person.Name, step)
	if err := l.do(ctx, "POST", "/goals/"+step+":complete", body{"completeTime": at.Format(time.RFC3339), "timeZone": "Europe/Berlin", "requestId": requestID}); err != nil {
		return err
	}
	if err := l.checkInKeyResult(ctx, step); err != nil {
		return err
	}
	if len(l.steps) > 0 {
		return nil
	}
	for _, path := range []string{"/goals/" + l.goal + "/milestones/first:reach", "/lessons/" + l.lesson + ":apply", "/goals/" + l.goal + ":achieve"} {
		if err := l.do(ctx, "POST", path, body{}); err != nil {
			return err
		}
	}
	if err := l.celebrate(ctx); err != nil {
		return err
	}
	l.goal = ""
	return nil
}

func (l *lived) recover(ctx context.Context, _ int, at time.Time) error {
	if l.setback == "" || l.since < 5 || l.lesson == "" || l.goal != "" {
		return nil
	}
	l.counts.Recoveries.Add(1)
	if err := l.tell(ctx); err != nil {
		return err
	}
	path := "/setbacks/" + l.setback + ":recover"
	l.setback, l.lesson = "", ""
	return l.do(ctx, "POST", path, body{"recoveredOn": date(at)})
}

// do sends a request. What a run before has left behind is no failure.
func (l *lived) do(ctx context.Context, method, path string, b body) error {
	return l.doAs(ctx, l.person, method, path, b)
}

func (l *lived) doAs(ctx context.Context, who *api.Person, method, path string, b body) error {
	return l.ask(ctx, who, method, path, b, nil)
}

// ask is do for a request whose answer matters.
func (l *lived) ask(ctx context.Context, who *api.Person, method, path string, b body, out any) error {
	var in any // a nil body is none
	if b != nil {
		in = b
	}
	err := who.Do(ctx, method, path, in, out)
	switch api.Reason(err) {
	case "ALREADY_EXISTS", "SETBACK_RECOVERED", "GOAL_STATE", "STEP_DONE", "OUTREACH_STATE":
		return nil
	}
	return err
}

func date(t time.Time) body {
	return body{"year": t.Year(), "month": int(t.Month()), "day": t.Day()}
}

func scale(x float64) int { return int(max(-5, min(5, x))) }
