package projection

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
)

// How many it takes before a number is told. Below, it is unset.
const (
	minimumShare    = 5
	minimumMean     = 3
	minimumPairs    = 5
	minimumQuartile = 4
	minimumToApply  = 3
)

func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func share(count, n int) *insightsv1.Share {
	s := &insightsv1.Share{Count: int32(count), N: int32(n)}
	if n >= minimumShare {
		part := float64(count) / float64(n)
		s.Share, s.Interval = &part, interval(stats.Wilson(count, n, stats.Level))
	}
	return s
}

// change compares pairs of numbers.
func change(before, after []float64) *insightsv1.Change {
	c := &insightsv1.Change{N: int32(len(before))}
	if len(before) < minimumMean {
		return c
	}
	was, is := stat.Mean(before, nil), stat.Mean(after, nil)
	c.Before, c.After = &was, &is
	if len(before) < minimumPairs {
		return c
	}
	differences := make([]float64, len(before))
	for i := range before {
		differences[i] = after[i] - before[i]
	}
	if _, _, in, ok := stats.Mean(differences, stats.Level); ok {
		c.Interval = interval(in)
	}
	return c
}

// known gives the entries that had been told of by a time, by key, so that what
// is summed up does not depend on the order of a map.
func known[E interface{ GetRecorded() int64 }](entries map[string]E, ms int64, each func(key string, e E)) {
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if e := entries[key]; e.GetRecorded() <= ms {
			each(key, e)
		}
	}
}

// recovery tells how setbacks are recovered from.
func recovery(p *storagev1.Projection, ms int64, today int32) *insightsv1.Recovery {
	r := &insightsv1.Recovery{}
	now := intensities(p, ms)
	firstStep := firstStepAfter(p)
	var setbacks []*storagev1.SetbackEntry
	var took, toStep, before, after []float64
	known(p.GetSetbacks(), ms, func(id string, b *storagev1.SetbackEntry) {
		if b.GetOccurred() > today {
			return
		}
		setbacks = append(setbacks, b)
		if b.Recovered != nil && b.GetRecovered() <= today {
			took = append(took, float64(b.GetRecovered()-b.GetOccurred()))
		}
		if day, ok := firstStep(b.GetOccurred()); ok && day <= today {
			toStep = append(toStep, float64(day-b.GetOccurred()))
		}
		if then := b.GetIntensity(); then != 0 && now[id] != 0 {
			before, after = append(before, float64(then)), append(after, float64(now[id]))
		}
	})
	r.N, r.FirstStepN = int32(len(took)), int32(len(toStep))
	if len(took) >= minimumQuartile {
		slices.Sort(took)
		lower, upper := stat.Quantile(0.25, stat.Empirical, took, nil), stat.Quantile(0.75, stat.Empirical, took, nil)
		r.LowerQuartileDays, r.UpperQuartileDays = &lower, &upper
	}
	if len(toStep) > 0 {
		m := stats.Median(toStep)
		r.MedianDaysToFirstStep = &m
	}
	r.Repeats, r.Intensity = repeats(setbacks), change(before, after)
	return r
}

// repeats counts the setbacks of an area and a kind of failure that there was one
// of before.
func repeats(setbacks []*storagev1.SetbackEntry) *insightsv1.Share {
	type sort struct {
		area typev1.Area
		kind typev1.FailureKind
	}
	seen := map[sort]bool{}
	count, n := 0, 0
	for _, b := range setbacks {
		of := sort{b.GetArea(), b.GetFailureKind()}
		if of.area == 0 || of.kind == 0 {
			continue
		}
		n++
		if seen[of] {
			count++
		}
		seen[of] = true
	}
	return share(count, n)
}

// intensities are how intense setbacks, by id, were when a debrief of theirs was
// revisited last.
func intensities(p *storagev1.Projection, ms int64) map[string]int32 {
	stated := map[string]*storagev1.DebriefEntry{}
	known(p.GetDebriefs(), ms, func(key string, d *storagev1.DebriefEntry) {
		setback, _, _ := strings.Cut(key, "/")
		if d.GetIntensity() != 0 && d.GetStated() <= ms && d.GetStated() >= stated[setback].GetStated() {
			stated[setback] = d
		}
	})
	out := map[string]int32{}
	for setback, d := range stated {
		out[setback] = d.GetIntensity()
	}
	return out
}

// firstStepAfter gives what finds the first day from a day on, that included, on
// which a step was completed.
func firstStepAfter(p *storagev1.Projection) func(from int32) (day int32, ok bool) {
	kept := make([]int32, len(p.GetCompletions()))
	for i, c := range p.GetCompletions() {
		kept[i] = c.GetDay()
	}
	slices.Sort(kept)
	runs := p.GetEarlierStepDays()
	return func(from int32) (int32, bool) {
		var found []int32
		if i, _ := slices.BinarySearch(kept, from); i < len(kept) {
			found = append(found, kept[i])
		}
		if i, _ := slices.BinarySearchFunc(runs, from, func(r *storagev1.DayRun, d int32) int { return cmp.Compare(r.GetLast(), d) }); i < len(runs) {
			found = append(found, max(from, runs[i].GetFirst()))
		}
		if len(found) == 0 {
			return 0, false
		}
		return slices.Min(found), true
	}
}

// practiceCounts counts what is practiced.
func practiceCounts(p *storagev1.Projection, ms int64, today int32) *insightsv1.PracticeCounts {
	c := &insightsv1.PracticeCounts{}
	for _, r := range p.GetGratitudes() {
		last := min(r.GetLast(), today)
		c.GratitudeDays += max(0, last-r.GetFirst()+1)
		c.GratitudeDaysLast_28 += max(0, last-max(r.GetFirst(), today-27)+1)
	}
	known(p.GetDebriefs(), ms, func(_ string, d *storagev1.DebriefEntry) {
		if d.GetCompleted() != 0 && d.GetCompleted() <= ms {
			c.DebriefsCompleted++
			c.Revisits += d.GetRevisits()
		}
	})
	known(p.GetStrengths(), ms, func(_ string, s *storagev1.StrengthEntry) {
		c.Strengths++
		c.Evidence += s.GetEvidence()
	})
	known(p.GetCelebrations(), ms, func(_ string, x *storagev1.CelebrationEntry) {
		if x.GetCelebrated() != 0 && x.GetCelebrated() <= ms {
			c.CelebrationsCelebrated++
		} else {
			c.CelebrationsDue++
		}
	})
	return c
}

// lessonFlow tells what becomes of lessons.
func lessonFlow(p *storagev1.Projection, ms int64) *insightsv1.LessonFlow {
	captured := 0
	var took []float64
	for _, l := range p.GetLessons() {
		if l.GetCaptured() > ms {
			continue
		}
		captured++
		if l.GetApplied() != 0 && l.GetApplied() <= ms {
			took = append(took, float64(wholeDays(l.GetCaptured(), l.GetApplied())))
		}
	}
	f := &insightsv1.LessonFlow{Applied: share(len(took), captured)}
	if len(took) >= minimumToApply {
		m := stats.Median(took)
		f.MedianDaysToApply = &m
	}
	return f
}

// reframeShift tells what reframes do to thoughts.
func reframeShift(p *storagev1.Projection, ms int64) *insightsv1.ReframeShift {
	notYet, n := 0, 0
	var before, after []float64
	known(p.GetReframes(), ms, func(_ string, r *storagev1.ReframeEntry) {
		if r.GetReframed() {
			n++
			if r.GetKind() == typev1.ReframeKind_REFRAME_KIND_NOT_YET {
				notYet++
			}
		}
		if r.Before != nil && r.After != nil {
			before, after = append(before, float64(r.GetBefore())), append(after, float64(r.GetAfter()))
		}
	})
	return &insightsv1.ReframeShift{NotYet: share(notYet, n), Belief: change(before, after)}
}

// support counts who supports the person, and what comes of asking.
func support(p *storagev1.Projection, ms int64) *insightsv1.Support {
	s := &insightsv1.Support{}
	known(p.GetConnections(), ms, func(_ string, c *storagev1.ConnectionEntry) {
		s.Connections++
		if c.Energy == nil {
			return
		}
		switch cmp.Compare(c.GetEnergy(), 0) {
		case 1:
			s.Filling++
		case -1:
			s.Draining++
		default:
			s.Neutral++
		}
	})
	answered, sent := 0, 0
	known(p.GetOutreaches(), ms, func(_ string, o *storagev1.OutreachEntry) {
		switch o.GetState() {
		case typev1.OutreachState_OUTREACH_STATE_ANSWERED:
			answered++
			sent++
		case typev1.OutreachState_OUTREACH_STATE_SENT, typev1.OutreachState_OUTREACH_STATE_DECLINED, typev1.OutreachState_OUTREACH_STATE_NO_ANSWER:
			sent++
		}
		if o.GetOpportunity() {
			s.Opportunities++
		}
	})
	s.Answered = share(answered, sent)
	return s
}

// stepPractice tells how steps become habits.
func stepPractice(p *storagev1.Projection, ms int64, today int32) *insightsv1.StepPractice {
	s := &insightsv1.StepPractice{}
	var strengths []float64
	known(p.GetSteps(), ms, func(_ string, e *storagev1.StepEntry) { strengths = append(strengths, e.GetStrength()) })
	if s.N = int32(len(strengths)); s.N > 0 {
		m := stat.Mean(strengths, nil)
		s.MeanStrength = &m
	}
	s.ActiveDaysLast_7, _ = activeDays(p, today-6, today)
	s.ActiveDaysLast_28, _ = activeDays(p, today-27, today)
	return s
}
