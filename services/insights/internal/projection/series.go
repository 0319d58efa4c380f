package projection

import (
	"cmp"
	"slices"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/say"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// Span is local days in days since 1970, both inclusive.
type Span struct{ From, Until int32 }

func (s Span) has(day int32) bool { return s.From <= day && day <= s.Until }

// DayValue is a number of a local day.
type DayValue struct {
	Day   int32
	Value float64
}

// MoodSeries is how the mood was.
type MoodSeries struct {
	Span
	// CheckIns is how many check-ins the days rest on.
	CheckIns int
	// Means are the mean pleasantness of the days with check-ins.
	Means []DayValue
	// Levels are the mood level, as the summary has it, at the end of those days.
	Levels []DayValue
	// Changes are the change points within the span, of those of the 366 days up to its
	// last one.
	Changes []*insightsv1.ChangePoint
	// Earlier tells that there are check-ins before the span.
	Earlier bool
	// Cut tells that earlier check-ins of the span are no longer kept one by one.
	Cut bool
}

// MoodIn gives the mood of a span.
func MoodIn(p *storagev1.Projection, span Span) MoodSeries {
	s := MoodSeries{Span: span, Cut: checkInsCut(p, span), Earlier: p.GetMoodBase().GetN() > 0}
	var until []*storagev1.CheckInEntry
	e := ewma(p.GetMoodBase(), nil)
	cal := Calendar(p)
	for _, c := range p.GetCheckIns() {
		day := c.GetDay()
		if c.Day == nil {
			day = days(cal.Date(timeOf(c.GetTime())))
		}
		if day > span.Until {
			continue
		}
		until = append(until, c)
		e = e.Add(float64(c.GetPleasantness()), moodWeight)
		if day < span.From {
			s.Earlier = true
			continue
		}
		s.CheckIns++
		if n := len(s.Levels); n > 0 && s.Levels[n-1].Day == day {
			s.Levels[n-1].Value = e.Level
		} else {
			s.Levels = append(s.Levels, DayValue{day, e.Level})
		}
	}
	all := moodDays(p, until)
	for _, m := range all {
		if span.has(m.day) {
			s.Means = append(s.Means, DayValue{m.day, m.mean})
		}
	}
	// Check-ins are in the order of their times; a day told otherwise may step back.
	slices.SortStableFunc(s.Levels, func(a, b DayValue) int { return cmp.Compare(a.Day, b.Day) })
	var mood insightsv1.Mood
	summariseMood(&mood, all, span.Until)
	for _, c := range mood.GetChangePoints() {
		if span.has(days(c.GetOn())) {
			s.Changes = append(s.Changes, c)
		}
	}
	return s
}

// checkInsCut tells whether check-ins of a span may be among those that are no
// longer kept one by one.
func checkInsCut(p *storagev1.Projection, span Span) bool {
	if p.GetMoodBase().GetN() == 0 {
		return false
	}
	kept := p.GetCheckIns()
	return len(kept) == 0 || span.From <= days(Calendar(p).Date(timeOf(kept[0].GetTime())))
}

// SetbackDays is when a setback happened, and when it was recovered from.
type SetbackDays struct {
	Occurred int32
	// Recovered is the day of recovery; nil: it is open at the end of the span.
	Recovered *int32
}

// SetbacksIn gives the setbacks of a span, the latest first: those that happened in
// it.
func SetbacksIn(p *storagev1.Projection, span Span) []SetbackDays {
	var out []SetbackDays
	for _, b := range p.GetSetbacks() {
		if !span.has(b.GetOccurred()) {
			continue
		}
		d := SetbackDays{Occurred: b.GetOccurred()}
		if b.Recovered != nil && b.GetRecovered() <= span.Until {
			on := b.GetRecovered()
			d.Recovered = &on
		}
		out = append(out, d)
	}
	// In the same day's, the open ones first, then by recovery: an order that does not
	// depend on that of a map.
	slices.SortFunc(out, func(a, b SetbackDays) int {
		if c := cmp.Compare(b.Occurred, a.Occurred); c != 0 {
			return c
		}
		switch {
		case a.Recovered == nil && b.Recovered == nil:
			return 0
		case a.Recovered == nil:
			return -1
		case b.Recovered == nil:
			return 1
		}
		return cmp.Compare(*b.Recovered, *a.Recovered)
	})
	return out
}

// WeekDays is how many days of each week something was done on.
type WeekDays struct {
	// First is the number of the first week, as in facts.WeekOf.
	First int32
	// Days are those of the weeks, 0 to 7, in order.
	Days []int32
	// Running tells that the last week goes on at the end of the span.
	Running bool
}

// Total is the days of all weeks.
func (w WeekDays) Total() int32 {
	var sum int32
	for _, d := range w.Days {
		sum += d
	}
	return sum
}

// StepWeeks gives the days with completed steps in the weeks that a span touches.
func StepWeeks(p *storagev1.Projection, span Span) WeekDays {
	return perWeek(practicedIn(p, weeksOf(span))[typev1.Practice_PRACTICE_STEP], span)
}

// PracticeWeeks gives the days with each practice in the weeks that a span touches.
func PracticeWeeks(p *storagev1.Projection, span Span) map[typev1.Practice]WeekDays {
	out := map[typev1.Practice]WeekDays{}
	for practice, on := range practicedIn(p, weeksOf(span)) {
		out[practice] = perWeek(on, span)
	}
	return out
}

// weeksOf is a span with the days of its first week that lie before it.
func weeksOf(span Span) Span { return Span{facts.Monday(facts.WeekOf(span.From)), span.Until} }

// perWeek counts days by week.
func perWeek(on map[int32]bool, span Span) WeekDays {
	w := WeekDays{First: facts.WeekOf(span.From), Running: facts.WeekOf(span.Until+1) == facts.WeekOf(span.Until)}
	w.Days = make([]int32, facts.WeekOf(span.Until)-w.First+1)
	for day := range on {
		w.Days[facts.WeekOf(day)-w.First]++
	}
	return w
}

// practicedIn are the days of a span by what was practiced on them.
func practicedIn(p *storagev1.Projection, span Span) map[typev1.Practice]map[int32]bool {
	out := map[typev1.Practice]map[int32]bool{}
	for _, each := range say.Practices {
		out[each.Practice] = map[int32]bool{}
	}
	note := func(practice typev1.Practice, day int32) {
		if on := out[practice]; on != nil && span.has(day) {
			on[day] = true
		}
	}
	for _, r := range p.GetGratitudes() {
		for day := max(r.GetFirst(), span.From); day <= min(r.GetLast(), span.Until); day++ {
			note(typev1.Practice_PRACTICE_GRATITUDE, day)
		}
	}
	for _, c := range p.GetCompletions() {
		note(typev1.Practice_PRACTICE_STEP, c.GetDay())
	}
	for _, e := range p.GetPractices() {
		note(e.GetPractice(), e.GetDay())
	}
	return out
}

// Today is the local day of an instant in the person's calendar, in days since 1970.
func Today(p *storagev1.Projection, ms int64) int32 {
	return int32(localdate.Days(Calendar(p).Date(timeOf(ms))))
}
