// Package projection turns events into what is known about a person, and sees
// insights come. It is pure: the same events give the same projection and the
// same insights, whenever they are applied.
package projection

import (
	"time"

	datepb "google.golang.org/genproto/googleapis/type/date"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// New gives the projection of a person nothing is known about.
func New(owner string) *storagev1.Projection {
	return &storagev1.Projection{
		Name: Name(owner), Positions: map[string]int64{}, Setbacks: map[string]*storagev1.SetbackEntry{},
		Lessons: map[string]*storagev1.LessonEntry{}, Goals: map[string]*storagev1.GoalEntry{}, ToldMomentum: map[int32]int32{},
	}
}

// Name is the name of a person's projection.
func Name(owner string) string { return owner + "/projection" }

// Applied tells whether an event was applied before: its position is at or below
// the one that was applied last from its source. Events may come again. To an
// erased person, none applies any more.
func Applied(p *storagev1.Projection, e *eventsv1.Event) bool {
	return p.GetErased() || e.GetPosition() <= p.GetPositions()[e.GetSource()]
}

// Apply applies one event and gives the insights it brings. One that was applied
// before changes nothing.
func Apply(p *storagev1.Projection, e *eventsv1.Event) []*insightsv1.Insight {
	return ApplyKeeping(p, nil, e)
}

// ApplyKeeping is Apply, and keeps the weekly facts that follow too.
func ApplyKeeping(p *storagev1.Projection, weeks *facts.Keeper, e *eventsv1.Event) []*insightsv1.Insight {
	if Applied(p, e) {
		return nil
	}
	weeks.Begin(e)
	defer weeks.End()
	fillMaps(p)
	p.Positions[e.GetSource()] = e.GetPosition()
	a := &application{p: p, weeks: weeks, e: e, id: resource.LastSegment(e.GetSubject()), at: e.GetTime().AsTime(), told: e.GetTime().AsTime()}
	if e.GetRecordTime() != nil { // it was lived before it was imported
		a.at = e.GetRecordTime().AsTime()
	}
	if e.GetData() == nil {
		a.deleted()
	} else {
		a.apply()
	}
	a.keepTold()
	return a.insights
}

func (a *application) apply() {
	switch data := a.e.GetData().(type) {
	case *eventsv1.Event_Setback:
		a.setback(data.Setback)
	case *eventsv1.Event_Lesson:
		a.lesson(data.Lesson)
	case *eventsv1.Event_CheckIn:
		a.checkIn(data.CheckIn)
	case *eventsv1.Event_Gratitude:
		a.gratitude(data.Gratitude)
	case *eventsv1.Event_Profile:
		a.p.TimeZone, a.p.DayStartMinutes = data.Profile.GetTimeZone(), localdate.Minutes(data.Profile.GetDayStart())
		a.p.AggregateInsights, a.p.ShareWithPipeline = data.Profile.GetAggregateInsights(), data.Profile.GetShareWithPipeline()
		a.p.SharedWithPipeline = a.p.GetSharedWithPipeline() || a.p.GetShareWithPipeline()
		a.weeks.Consent(data.Profile.GetAggregateInsights())
	case *eventsv1.Event_Affiliation:
		a.weeks.Affiliation(days(data.Affiliation.GetEffectiveFrom()), data.Affiliation.GetAttributes())
	case *eventsv1.Event_Debrief:
		a.debrief(data.Debrief)
	case *eventsv1.Event_Reframe:
		a.reframe(data.Reframe)
	case *eventsv1.Event_Strength:
		a.strength(data.Strength)
	case *eventsv1.Event_Connection:
		a.connection(data.Connection)
	case *eventsv1.Event_Outreach:
		a.outreach(data.Outreach)
	case *eventsv1.Event_Reflection:
		a.reflection(data.Reflection)
	case *eventsv1.Event_Visualization:
		a.visualization(data.Visualization)
	case *eventsv1.Event_Celebration:
		a.celebration(data.Celebration)
	case *eventsv1.Event_Goal:
		a.goal(data.Goal)
	case *eventsv1.Event_Milestone:
		a.milestone(data.Milestone)
	case *eventsv1.Event_Step:
		a.step(data.Step)
	}
}

// fillMaps makes the maps that decoding leaves nil when they are empty.
func fillMaps(p *storagev1.Projection) {
	fresh := New("")
	if p.Positions == nil {
		p.Positions = fresh.Positions
	}
	if p.Setbacks == nil {
		p.Setbacks = fresh.Setbacks
	}
	if p.Lessons == nil {
		p.Lessons = fresh.Lessons
	}
	if p.Goals == nil {
		p.Goals = fresh.Goals
	}
	if p.ToldMomentum == nil {
		p.ToldMomentum = fresh.ToldMomentum
	}
}

// application is one event on its way into a projection.
type application struct {
	p        *storagev1.Projection
	weeks    *facts.Keeper
	e        *eventsv1.Event
	id       string          // of the subject
	at       time.Time       // when it happened
	told     time.Time       // when it was told
	before   *storagev1.Told // what was told; nil while nobody asked
	insights []*insightsv1.Insight
}

func (a *application) deleted() {
	a.takenBack()
	switch kind, _ := splitType(a.e.GetType()); kind {
	case "setback":
		delete(a.p.Setbacks, a.id)
		a.weeks.NoSetback(a.id)
	case "lesson":
		if entry := a.p.Lessons[a.id]; entry != nil {
			a.weeks.Lesson(entry.GetCapturedOn(), entry.AppliedOn, -1)
		}
		delete(a.p.Lessons, a.id)
	case "goal":
		delete(a.p.Goals, a.id)
	case "checkIn":
		at, _ := a.removeCheckIn(a.id)
		a.unshifted(at)
	case "gratitude":
		if date, err := localdate.Parse(a.id); err == nil {
			day := days(date)
			if hasDay(a.p.GetGratitudes(), day) {
				a.weeks.Practice(typev1.Practice_PRACTICE_GRATITUDE, day, -1)
			}
			a.p.Gratitudes = removeDay(a.p.GetGratitudes(), day)
			a.brokenRuns(day)
		}
	default:
		// The completions of a step that goes stay: what was completed was completed.
		a.deletedPractice(kind)
	}
}

func (a *application) setback(f *eventsv1.SetbackFacts) {
	entry := a.p.Setbacks[a.id]
	if entry == nil {
		entry = &storagev1.SetbackEntry{Recorded: a.at.UnixMilli()}
		a.p.Setbacks[a.id] = entry
	}
	entry.Occurred, entry.State, entry.Recovered = days(f.GetOccurredOn()), f.GetState(), nil
	entry.Area, entry.FailureKind, entry.Intensity = f.GetArea(), f.GetFailureKind(), f.GetIntensity()
	if f.GetRecoveredOn() != nil {
		on := days(f.GetRecoveredOn())
		entry.Recovered = &on
	}
	a.weeks.Setback(a.id, entry)
	a.recovered(entry)
	a.intensityChanged(entry)
}

// recovered tells that a setback is recovered from, or that it is not as it was
// told.
func (a *application) recovered(b *storagev1.SetbackEntry) {
	in := &insightsv1.Insight{Kind: insightsv1.InsightKind_INSIGHT_KIND_SETBACK_RECOVERED, N: 1}
	told := a.standing(in.GetKind(), about(a.subject()))
	if b.Recovered == nil {
		a.retract(told...)
		return
	}
	in.Data = &insightsv1.Insight_SetbackRecovered{SetbackRecovered: &insightsv1.SetbackRecovered{
		OccurredOn: localdate.FromDays(int(b.GetOccurred())), RecoveredOn: localdate.FromDays(int(b.GetRecovered())), Days: b.GetRecovered() - b.GetOccurred(),
	}}
	switch {
	case len(told) > 0:
		if told[0].GetFirst() != b.GetOccurred() || told[0].GetLast() != b.GetRecovered() {
			a.restate(told[0], in)
		}
	case a.e.GetType() == "setback.recovered":
		told = append(told, a.tell(in, a.e.GetId()))
	default:
		return
	}
	told[0].First, told[0].Last = b.GetOccurred(), b.GetRecovered()
}

func (a *application) lesson(f *eventsv1.LessonFacts) {
	entry := a.p.Lessons[a.id]
	if entry == nil {
		entry = &storagev1.LessonEntry{Captured: a.at.UnixMilli(), CapturedOn: days(Calendar(a.p).Date(a.at))}
		a.p.Lessons[a.id] = entry
		a.weeks.Lesson(entry.GetCapturedOn(), nil, 1)
	}
	before := entry.GetApplied()
	a.applied(entry, f.GetApplyTime())
	told := a.standing(insightsv1.InsightKind_INSIGHT_KIND_LESSON_APPLIED, about(a.subject()))
	if f.GetApplyTime() == nil {
		a.retract(told...)
		return
	}
	days := wholeDays(entry.GetCaptured(), entry.GetApplied())
	in := &insightsv1.Insight{
		Kind: insightsv1.InsightKind_INSIGHT_KIND_LESSON_APPLIED, N: 1,
		Data: &insightsv1.Insight_LessonApplied{LessonApplied: &insightsv1.LessonApplied{Days: days}},
	}
	if len(told) > 0 {
		if told[0].GetCount() != days {
			told[0].Count = days
			a.restate(told[0], in)
		}
		return
	}
	if before != 0 {
		return
	}
	subjects := []string{a.e.GetSubject()}
	if f.GetSetback() != "" {
		subjects = append(subjects, f.GetSetback())
	}
	in.Subjects = subjects
	a.tell(in, a.e.GetId()).Count = days
}

// applied notes when a lesson was applied first, or that it was not.
func (a *application) applied(l *storagev1.LessonEntry, at *timestamppb.Timestamp) {
	a.weeks.Lesson(l.GetCapturedOn(), l.AppliedOn, -1)
	l.Applied, l.AppliedOn = 0, nil
	if at != nil {
		on := days(Calendar(a.p).Date(at.AsTime()))
		l.Applied, l.AppliedOn = at.AsTime().UnixMilli(), &on
	}
	a.weeks.Lesson(l.GetCapturedOn(), l.AppliedOn, 1)
}

func (a *application) goal(f *eventsv1.GoalFacts) {
	entry := a.p.Goals[a.id]
	if entry == nil {
		entry = &storagev1.GoalEntry{Created: a.at.UnixMilli()}
		a.p.Goals[a.id] = entry
	}
	if entry.State != f.GetState() {
		entry.State, entry.Changed = f.GetState(), a.at.UnixMilli()
	}
	told := a.standing(insightsv1.InsightKind_INSIGHT_KIND_GOAL_ACHIEVED, about(a.subject()))
	switch {
	case f.GetState() != typev1.GoalState_GOAL_STATE_ACHIEVED:
		a.retract(told...)
	case a.e.GetType() == "goal.achieved" && len(told) == 0:
		a.tell(&insightsv1.Insight{
			Kind: insightsv1.InsightKind_INSIGHT_KIND_GOAL_ACHIEVED, N: 1,
			Data: &insightsv1.Insight_GoalAchieved{GoalAchieved: &insightsv1.GoalAchieved{Days: wholeDays(entry.GetCreated(), a.at.UnixMilli())}},
		}, a.e.GetId())
	}
}

func (a *application) milestone(f *eventsv1.MilestoneFacts) {
	in := &insightsv1.Insight{Kind: insightsv1.InsightKind_INSIGHT_KIND_MILESTONE_REACHED, N: 1}
	told := a.standing(in.GetKind(), about(a.subject()))
	on := days(Calendar(a.p).Date(a.at))
	switch {
	case f.GetState() == typev1.MilestoneState_MILESTONE_STATE_AHEAD:
		a.retract(told...)
		return
	case len(told) > 0:
		on = told[0].GetLast()
	case a.e.GetType() != "milestone.reached":
		return
	}
	var early int32
	if f.GetDueDate() != nil {
		early = days(f.GetDueDate()) - on
	}
	in.Data = &insightsv1.Insight_MilestoneReached{MilestoneReached: &insightsv1.MilestoneReached{DaysEarly: early}}
	if len(told) == 0 {
		in.Subjects = []string{a.e.GetSubject(), f.GetGoal()}
		told = append(told, a.tell(in, a.e.GetId()))
	} else if told[0].GetCount() != early {
		a.restate(told[0], in)
	}
	told[0].Last, told[0].Count = on, early
}

// Calendar is how the person counts days; in UTC and from midnight until they say
// otherwise.
func Calendar(p *storagev1.Projection) localdate.Calendar {
	return localdate.CalendarOf(p.GetTimeZone(), p.GetDayStartMinutes())
}

func days(d *datepb.Date) int32 { return int32(localdate.Days(d)) }

const msPerDay = 24 * 60 * 60 * 1000

// wholeDays is the number of whole days between two times; never negative.
func wholeDays(from, to int64) int32 { return int32(max(0, (to-from)/msPerDay)) }
