package projection

import (
	"math"
	"slices"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/stats"
)

// The mood level and its volatility are an exponentially weighted moving average
// and deviation, see stats.EWMA.
const (
	moodWeight = 0.2
	// moodMinimum is how many check-ins a level needs before it is compared.
	moodMinimum = 10
	// moodShift is how far the level must have moved to be told, on -5 to 5.
	moodShift = 1.0
	// keptCheckIns is how many check-ins are kept; what is older weighs less than
	// 0.8^500 and is folded into the base.
	keptCheckIns = 500
)

func (a *application) checkIn(f *eventsv1.CheckInFacts) {
	known := a.removeCheckIn(a.id)
	entry := &storagev1.CheckInEntry{Id: a.id, Time: f.GetTime().AsTime().UnixMilli(), Pleasantness: f.GetPleasantness()}
	if f.GetLocalDate() != nil {
		day := days(f.GetLocalDate())
		entry.Day = &day
	}
	i, _ := slices.BinarySearchFunc(a.p.GetCheckIns(), entry, compareCheckIns)
	a.p.CheckIns = slices.Insert(a.p.GetCheckIns(), i, entry)
	over := len(a.p.GetCheckIns()) - keptCheckIns
	if known || i >= over || a.e.GetType() != "checkIn.updated" { // else it was counted already, and is no longer kept
		a.noteCheckIn(entry, 1)
	}
	if over > 0 {
		e := ewma(a.p.GetMoodBase(), a.p.GetCheckIns()[:over])
		a.p.MoodBase = &storagev1.MoodBase{Level: e.Level, Variance: e.Variance, N: e.N}
		a.p.CheckIns = slices.Clone(a.p.GetCheckIns()[over:])
	}
	a.moodShift()
}

func compareCheckIns(a, b *storagev1.CheckInEntry) int {
	switch {
	case a.GetTime() != b.GetTime():
		return int(max(-1, min(1, a.GetTime()-b.GetTime())))
	case a.GetId() < b.GetId():
		return -1
	case a.GetId() > b.GetId():
		return 1
	}
	return 0
}

// removeCheckIn takes a check-in back and tells whether it was there.
func (a *application) removeCheckIn(id string) bool {
	i := slices.IndexFunc(a.p.GetCheckIns(), func(c *storagev1.CheckInEntry) bool { return c.GetId() == id })
	if i < 0 {
		return false
	}
	a.noteCheckIn(a.p.GetCheckIns()[i], -1)
	a.p.CheckIns = slices.Delete(a.p.GetCheckIns(), i, i+1)
	return true
}

// noteCheckIn counts a check-in in its week, or takes it back.
func (a *application) noteCheckIn(c *storagev1.CheckInEntry, n int32) {
	if c.Day != nil {
		a.weeks.CheckIn(c.GetDay(), c.GetPleasantness(), n)
	}
}

// ewma goes on from a base over check-ins in the order of their time.
func ewma(base *storagev1.MoodBase, checkIns []*storagev1.CheckInEntry) stats.EWMA {
	e := stats.EWMA{Level: base.GetLevel(), Variance: base.GetVariance(), N: base.GetN()}
	for _, c := range checkIns {
		e = e.Add(float64(c.GetPleasantness()), moodWeight)
	}
	return e
}

// moodShift tells when the level has moved far enough from where it was told
// last. The first level that counts is where it starts, and is not told.
func (a *application) moodShift() {
	e := ewma(a.p.GetMoodBase(), a.p.GetCheckIns())
	level, n := e.Level, e.N
	if n < moodMinimum {
		return
	}
	if a.p.ToldMood == nil {
		a.p.ToldMood, a.p.ToldMoodN = &level, n
		return
	}
	before := a.p.GetToldMood()
	if math.Abs(level-before) < moodShift {
		return
	}
	a.p.ToldMood, a.p.ToldMoodN = &level, n
	a.tell(&insightsv1.Insight{
		Kind: insightsv1.InsightKind_INSIGHT_KIND_MOOD_SHIFT, N: n,
		Data: &insightsv1.Insight_MoodShift{MoodShift: &insightsv1.MoodShift{Before: before, After: level}},
	}, a.e.GetId())
}
