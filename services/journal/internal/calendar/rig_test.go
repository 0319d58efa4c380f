package calendar

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/journal/internal/domain"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

const ada = "tenants/acme/people/ada"

// rig is the service on a store of its own, beside a goals service as the test
// says.
type rig struct {
	*resourcetest.Rig
	t     *testing.T
	d     *domain.Domain
	s     *Service
	goals *goalsService
}

func newRig(t *testing.T) *rig {
	t.Helper()
	base := resourcetest.New(t)
	r := &rig{Rig: base, t: t, d: domain.New(base.Deps), goals: &goalsService{}}
	r.s = New(base.Deps, r.d)
	base.Open(t, append(r.d.Kinds(), r.s.Kinds()...)...)
	r.s.Begin(Parts{Goals: &Goals{r.goals, r.goals}, Pseudonym: pseudonym})
	return r
}

// pseudonym stands in for the keyed one.
func pseudonym(tenant, name string) (string, error) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(tenant + "\x00" + name))
	return fmt.Sprintf("p-%016x", h.Sum64()), nil
}

// goalsService answers with what it holds, in the pages and orders that are asked
// for.
type goalsService struct {
	goalsv1.GoalServiceClient
	goalsv1.StepServiceClient
	goals    []*goalsv1.Goal
	due      []*goalsv1.Step // latest first, as the service would
	repeats  []*goalsv1.Step
	err      error
	pageSize []int32 // as asked for
	tooLarge int32   // pages of more than this are; 0: none is
	largeErr error
}

func (g *goalsService) ListGoals(_ context.Context, req *goalsv1.ListGoalsRequest, _ ...grpc.CallOption) (*goalsv1.ListGoalsResponse, error) {
	if req.GetParent() != ada || req.GetFilter() != "state = ACTIVE" {
		return nil, fmt.Errorf("asked for %v", req)
	}
	return &goalsv1.ListGoalsResponse{Goals: g.goals}, g.err
}

func (g *goalsService) ListSteps(_ context.Context, req *goalsv1.ListStepsRequest, _ ...grpc.CallOption) (*goalsv1.ListStepsResponse, error) {
	if req.GetParent() != ada+"/goals/-" {
		return nil, fmt.Errorf("asked for %v", req)
	}
	g.pageSize = append(g.pageSize, req.GetPageSize())
	if g.tooLarge > 0 && req.GetPageSize() > g.tooLarge {
		return nil, g.largeErr
	}
	all := map[string][]*goalsv1.Step{"due_date desc": g.due, "start_date desc": g.repeats}[req.GetOrderBy()]
	from := 0
	if req.GetPageToken() != "" {
		if _, err := fmt.Sscan(req.GetPageToken(), &from); err != nil {
			return nil, err
		}
	}
	until := min(from+int(req.GetPageSize()), len(all))
	res := &goalsv1.ListStepsResponse{Steps: all[from:until]}
	if until < len(all) {
		res.NextPageToken = fmt.Sprint(until)
	}
	return res, nil
}

func day(y, m, d int32) *datepb.Date { return &datepb.Date{Year: y, Month: m, Day: d} }

func (r *rig) liveIn(zone string) {
	r.t.Helper()
	_, err := r.d.Profiles.Update(r.t.Context(), &journalv1.UpdateProfileRequest{Profile: &journalv1.Profile{Name: ada + "/profile", TimeZone: zone}})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) setback(id, title string, muted bool) string {
	r.t.Helper()
	_, err := r.d.Setbacks.Create(r.t.Context(), &journalv1.CreateSetbackRequest{Parent: ada, SetbackId: id, Setback: &journalv1.Setback{Title: title, Muted: muted}})
	if err != nil {
		r.t.Fatal(err)
	}
	return ada + "/setbacks/" + id
}

// slot makes a debrief with a slot; no length: none is stated.
func (r *rig) slot(setback, id string, at time.Time, length time.Duration) string {
	r.t.Helper()
	d := &journalv1.Debrief{ScheduledTime: timestamppb.New(at), Moments: []*journalv1.Moment{{What: "w"}}}
	if length > 0 {
		d.Duration = durationpb.New(length)
	}
	if _, err := r.d.Debriefs.Create(r.t.Context(), &journalv1.CreateDebriefRequest{Parent: setback, DebriefId: id, Debrief: d}); err != nil {
		r.t.Fatal(err)
	}
	return setback + "/debriefs/" + id
}

func (r *rig) lesson(id, statement, setback string, on *datepb.Date) {
	r.t.Helper()
	l := &journalv1.Lesson{Statement: statement, Setback: setback, ReviewOn: on}
	if _, err := r.d.Lessons.Create(r.t.Context(), &journalv1.CreateLessonRequest{Parent: ada, LessonId: id, Lesson: l}); err != nil {
		r.t.Fatal(err)
	}
}

// calendar gets the person's calendar and reads it.
func (r *rig) calendar() (*ics.Calendar, string) {
	r.t.Helper()
	body, err := r.s.GetCalendar(r.t.Context(), &journalv1.GetCalendarRequest{Parent: ada})
	if err != nil {
		r.t.Fatal(err)
	}
	if body.GetContentType() != "text/calendar; charset=utf-8" {
		r.t.Errorf("it is %s", body.GetContentType())
	}
	return parse(r.t, body.GetData()), string(body.GetData())
}

func parse(t *testing.T, text []byte) *ics.Calendar {
	t.Helper()
	c, err := ics.ParseCalendar(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// value is one property of an event; "" when it has none.
func value(v *ics.VEvent, p ics.ComponentProperty) string {
	if found := v.GetProperty(p); found != nil {
		return found.Value
	}
	return ""
}

// lines says what is in a calendar, an event a line: start, end, summary.
func lines(c *ics.Calendar) []string {
	out := []string{}
	for _, v := range c.Events() {
		out = append(out, value(v, ics.ComponentPropertyDtStart)+" "+value(v, ics.ComponentPropertyDtEnd)+" "+value(v, ics.ComponentPropertySummary))
	}
	return out
}
