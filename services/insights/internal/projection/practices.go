package projection

import (
	"cmp"
	"slices"
	"strings"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

const (
	// keptEntries is how many entries of one kind are kept: those that were told of
	// last.
	keptEntries = 500
	// keptPractices is how many days of practices are kept: the latest.
	keptPractices = 2000
)

// keep puts an entry into a map, and drops what was told of longest ago while
// there are more than keptEntries.
func keep[E interface{ GetChanged() int64 }](m *map[string]E, key string, e E) {
	if *m == nil {
		*m = map[string]E{}
	}
	(*m)[key] = e
	for len(*m) > keptEntries {
		oldest, found := "", false
		for k, x := range *m {
			if y := (*m)[oldest]; !found || x.GetChanged() < y.GetChanged() || x.GetChanged() == y.GetChanged() && k < oldest {
				oldest, found = k, true
			}
		}
		delete(*m, oldest)
	}
}

// underParent is the key of what is unique within its parent only.
func (a *application) underParent() string {
	parts := strings.Split(a.e.GetSubject(), "/")
	if len(parts) < 3 {
		return a.id
	}
	return parts[len(parts)-3] + "/" + a.id
}

// times are when an entry was first told of, and last.
func (a *application) times(recorded int64) (int64, int64) {
	if recorded == 0 {
		recorded = a.at.UnixMilli()
	}
	return recorded, a.told.UnixMilli()
}

func (a *application) debrief(f *eventsv1.DebriefFacts) {
	key := a.underParent()
	entry := a.p.GetDebriefs()[key]
	if entry == nil {
		entry = &storagev1.DebriefEntry{}
	}
	entry.Recorded, entry.Changed = a.times(entry.GetRecorded())
	if f.GetState() == typev1.DebriefState_DEBRIEF_STATE_COMPLETED && entry.GetCompleted() == 0 {
		entry.Completed = a.at.UnixMilli()
		a.practice(typev1.Practice_PRACTICE_DEBRIEF, key, days(Calendar(a.p).Date(a.at)))
	}
	var intensity int32
	for _, r := range f.GetRevisits() {
		intensity = cmp.Or(r.GetIntensity(), intensity)
	}
	if n := int32(len(f.GetRevisits())); n != entry.GetRevisits() || intensity != entry.GetIntensity() {
		entry.Revisits, entry.Intensity, entry.Stated = n, intensity, a.at.UnixMilli()
		a.revisited(f.GetSetback(), intensity)
	}
	keep(&a.p.Debriefs, key, entry)
}

// revisited tells how intense a setback is that was looked at again, when that was
// stated then and now.
func (a *application) revisited(setback string, now int32) {
	b := a.p.GetSetbacks()[resource.LastSegment(setback)]
	if a.e.GetType() != "debrief.revisited" || b.GetIntensity() == 0 || now == 0 {
		return
	}
	a.tell(&insightsv1.Insight{
		Kind: insightsv1.InsightKind_INSIGHT_KIND_INTENSITY_REVISITED, N: 2, Subjects: []string{a.e.GetSubject(), setback},
		Data: &insightsv1.Insight_IntensityRevisited{IntensityRevisited: &insightsv1.IntensityRevisited{
			Before: b.GetIntensity(), After: now, Days: max(0, days(Calendar(a.p).Date(a.at))-b.GetOccurred()),
		}},
	}, a.e.GetId())
}

func (a *application) reframe(f *eventsv1.ReframeFacts) {
	entry := a.p.GetReframes()[a.id]
	if entry == nil {
		entry = &storagev1.ReframeEntry{}
	}
	if f.GetReframed() && !entry.GetReframed() {
		a.practice(typev1.Practice_PRACTICE_REFRAME, a.id, days(Calendar(a.p).Date(a.at)))
	}
	entry.Recorded, entry.Changed = a.times(entry.GetRecorded())
	entry.Kind, entry.Reframed, entry.Before, entry.After = f.GetKind(), f.GetReframed(), f.BeliefBefore, f.BeliefAfter
	keep(&a.p.Reframes, a.id, entry)
}

func (a *application) strength(f *eventsv1.StrengthFacts) {
	entry := &storagev1.StrengthEntry{Evidence: f.GetEvidence()}
	entry.Recorded, entry.Changed = a.times(a.p.GetStrengths()[a.id].GetRecorded())
	keep(&a.p.Strengths, a.id, entry)
}

func (a *application) connection(f *eventsv1.ConnectionFacts) {
	entry := &storagev1.ConnectionEntry{Energy: f.Energy}
	entry.Recorded, entry.Changed = a.times(a.p.GetConnections()[a.id].GetRecorded())
	keep(&a.p.Connections, a.id, entry)
}

func (a *application) outreach(f *eventsv1.OutreachFacts) {
	key := a.underParent()
	entry := &storagev1.OutreachEntry{State: f.GetState(), Opportunity: f.GetOpportunity()}
	entry.Recorded, entry.Changed = a.times(a.p.GetOutreaches()[key].GetRecorded())
	keep(&a.p.Outreaches, key, entry)
}

func (a *application) celebration(f *eventsv1.CelebrationFacts) {
	was := a.p.GetCelebrations()[a.id]
	entry := &storagev1.CelebrationEntry{Celebrated: was.GetCelebrated()}
	entry.Recorded, entry.Changed = a.times(was.GetRecorded())
	switch {
	case f.GetState() != typev1.CelebrationState_CELEBRATION_STATE_CELEBRATED:
		entry.Celebrated = 0
	case entry.GetCelebrated() == 0:
		entry.Celebrated = a.at.UnixMilli()
	}
	keep(&a.p.Celebrations, a.id, entry)
}

// stepStrength notes how much of a habit a repeating step has become.
func (a *application) stepStrength(f *eventsv1.StepFacts) {
	key := a.underParent()
	if f.Strength == nil {
		delete(a.p.GetSteps(), key) // it repeats no more
		return
	}
	entry := &storagev1.StepEntry{Strength: f.GetStrength()}
	entry.Recorded, entry.Changed = a.times(a.p.GetSteps()[key].GetRecorded())
	keep(&a.p.Steps, key, entry)
}

func (a *application) reflection(f *eventsv1.ReflectionFacts) {
	if f.GetLocalDate() != nil {
		a.practice(typev1.Practice_PRACTICE_REFLECTION, a.id, days(f.GetLocalDate()))
	}
}

func (a *application) visualization(f *eventsv1.VisualizationFacts) {
	if on := f.GetPracticedOn(); on != nil {
		a.practice(typev1.Practice_PRACTICE_VISUALIZATION, a.id+"/"+localdate.Text(on), days(on))
	}
}

// practice notes a day of a practice, once for each id; what lies long before the
// latest is dropped.
func (a *application) practice(what typev1.Practice, id string, day int32) {
	a.unpractice(what, func(x string) bool { return x == id })
	a.weeks.Practice(what, day, 1)
	entry := &storagev1.PracticeEntry{Practice: what, Id: id, Day: day}
	i, _ := slices.BinarySearchFunc(a.p.GetPractices(), entry, func(x, y *storagev1.PracticeEntry) int {
		return cmp.Or(cmp.Compare(x.GetDay(), y.GetDay()), cmp.Compare(x.GetPractice(), y.GetPractice()), cmp.Compare(x.GetId(), y.GetId()))
	})
	a.p.Practices = slices.Insert(a.p.GetPractices(), i, entry)
	latest := a.p.GetPractices()[len(a.p.GetPractices())-1].GetDay()
	first := max(0, len(a.p.GetPractices())-keptPractices)
	for a.p.GetPractices()[first].GetDay() < latest-keptDays {
		first++
	}
	if first > 0 {
		a.p.Practices = slices.Clone(a.p.GetPractices()[first:])
	}
}

// unpractice takes back the days of a practice whose ids are so.
func (a *application) unpractice(what typev1.Practice, is func(id string) bool) {
	a.p.Practices = slices.DeleteFunc(a.p.GetPractices(), func(x *storagev1.PracticeEntry) bool {
		gone := x.GetPractice() == what && is(x.GetId())
		if gone {
			a.weeks.Practice(what, x.GetDay(), -1)
		}
		return gone
	})
}

// deletedPractice takes back what followed from a subject of a kind that is gone.
func (a *application) deletedPractice(kind string) {
	itself := func(id string) bool { return id == a.id }
	switch kind {
	case "debrief":
		key := a.underParent()
		delete(a.p.GetDebriefs(), key)
		a.unpractice(typev1.Practice_PRACTICE_DEBRIEF, func(id string) bool { return id == key })
	case "reframe":
		delete(a.p.GetReframes(), a.id)
		a.unpractice(typev1.Practice_PRACTICE_REFRAME, itself)
	case "reflection":
		a.unpractice(typev1.Practice_PRACTICE_REFLECTION, itself)
	case "visualization":
		a.unpractice(typev1.Practice_PRACTICE_VISUALIZATION, func(id string) bool { return strings.HasPrefix(id, a.id+"/") })
	case "strength":
		delete(a.p.GetStrengths(), a.id)
	case "connection":
		delete(a.p.GetConnections(), a.id)
	case "outreach":
		delete(a.p.GetOutreaches(), a.underParent())
	case "celebration":
		delete(a.p.GetCelebrations(), a.id)
	case "step":
		delete(a.p.GetSteps(), a.underParent())
	}
}
