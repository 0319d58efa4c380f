package facts

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

// How much is kept of one person: the latest.
const (
	keptWeeks        = 160
	keptSetbacks     = 200
	keptConsents     = 200
	keptAffiliations = 200
)

// Keeper keeps the weekly facts of one person. The projection tells it what each
// event adds and takes away, between Begin and End; what it no longer knows of is
// never taken away. A nil Keeper keeps nothing.
type Keeper struct {
	f *storagev1.WeeklyFacts
	// dirty: something has changed since the keeper was made.
	dirty bool

	// Of the event under way:
	e       *eventsv1.Event
	applies bool
	changed bool
	touched []touch
}

// touch is a week as it was before an event.
type touch struct {
	week   *storagev1.WeekEntry
	before *storagev1.WeekEntry
}

// NewKeeper keeps facts, which are changed in place.
func NewKeeper(f *storagev1.WeeklyFacts) *Keeper { return &Keeper{f: f} }

// Changed tells whether anything has changed since the keeper was made.
func (k *Keeper) Changed() bool { return k.dirty }

// Begin begins an event. One that changed something before changes nothing: applied
// again after a crash, the projection may lie behind.
func (k *Keeper) Begin(e *eventsv1.Event) {
	if k == nil {
		return
	}
	k.e, k.changed, k.touched = e, false, k.touched[:0]
	k.applies = !k.f.GetErased() && e.GetPosition() > k.f.GetPositions()[e.GetSource()]
}

// End ends an event.
func (k *Keeper) End() {
	if k == nil || !k.applies {
		return
	}
	k.applies = false
	for _, t := range k.touched {
		k.settle(t)
	}
	k.f.Weeks = k.f.GetWeeks()[max(0, len(k.f.GetWeeks())-keptWeeks):]
	if !k.changed {
		return
	}
	if k.f.Positions == nil {
		k.f.Positions = map[string]int64{}
	}
	k.f.Positions[k.e.GetSource()] = k.e.GetPosition()
	k.dirty = true
}

// settle sees whether an event has changed a week.
func (k *Keeper) settle(t touch) {
	for n := len(t.week.GetPracticed()); n > 0 && t.week.GetPracticed()[n-1] == 0; n-- {
		t.week.Practiced = t.week.GetPracticed()[:n-1]
	}
	k.changed = k.changed || !proto.Equal(t.week, t.before)
	if proto.Equal(t.week, &storagev1.WeekEntry{Week: t.week.GetWeek()}) {
		k.f.Weeks = slices.DeleteFunc(k.f.GetWeeks(), func(w *storagev1.WeekEntry) bool { return w == t.week })
	}
}

// week gives a week to change, making it where there is none. One before all that are
// kept is changed in vain.
func (k *Keeper) week(number int32) *storagev1.WeekEntry {
	for _, t := range k.touched {
		if t.week.GetWeek() == number {
			return t.week
		}
	}
	i, found := slices.BinarySearchFunc(k.f.GetWeeks(), number, func(w *storagev1.WeekEntry, n int32) int { return cmp.Compare(w.GetWeek(), n) })
	if found {
		w := k.f.GetWeeks()[i]
		k.touched = append(k.touched, touch{w, proto.CloneOf(w)})
		return w
	}
	w := &storagev1.WeekEntry{Week: number}
	if i == 0 && len(k.f.GetWeeks()) == keptWeeks {
		return w
	}
	k.f.Weeks = slices.Insert(k.f.GetWeeks(), i, w)
	k.touched = append(k.touched, touch{w, &storagev1.WeekEntry{Week: number}})
	return w
}

// CheckIn adds a check-in of a day, or takes it away: n is 1 or -1.
func (k *Keeper) CheckIn(day, pleasantness, n int32) {
	if k == nil || !k.applies {
		return
	}
	if w := k.week(WeekOf(day)); w.GetCheckIns()+n >= 0 {
		w.CheckIns += n
		w.MoodSum += n * pleasantness
	}
}

// Practice adds a time that something was practiced on a day, or takes it away: n is 1
// or -1. Steps have days of their own.
func (k *Keeper) Practice(what typev1.Practice, day, n int32) {
	if k == nil || !k.applies {
		return
	}
	w := k.week(WeekOf(day))
	for len(w.GetPracticed()) <= int(what) {
		w.Practiced = append(w.Practiced, 0)
	}
	w.Practiced[what] = max(0, w.GetPracticed()[what]+n)
}

// StepDay says whether steps were completed on a day.
func (k *Keeper) StepDay(day int32, completed bool) {
	if k == nil || !k.applies {
		return
	}
	w := k.week(WeekOf(day))
	bit := uint32(1) << (day - Monday(w.GetWeek()))
	if completed {
		w.StepDays |= bit
	} else {
		w.StepDays &^= bit
	}
}

// Lesson adds a lesson that was captured on a day, and perhaps applied on one, or takes
// it away: n is 1 or -1.
func (k *Keeper) Lesson(captured int32, applied *int32, n int32) {
	if k == nil || !k.applies {
		return
	}
	w := k.week(WeekOf(captured))
	w.Captured = max(0, w.GetCaptured()+n)
	if applied == nil {
		return
	}
	i, found := slices.BinarySearch(w.GetApplied(), *applied)
	switch {
	case n > 0:
		w.Applied = slices.Insert(w.GetApplied(), i, *applied)
	case found:
		w.Applied = slices.Delete(w.GetApplied(), i, i+1)
	}
}

// Setback says what a setback is like now.
func (k *Keeper) Setback(id string, s *storagev1.SetbackEntry) {
	if k == nil || !k.applies {
		return
	}
	fact := &storagev1.SetbackFact{Id: id, Occurred: s.GetOccurred(), Recovered: s.Recovered, Kind: s.GetFailureKind()}
	was := k.dropSetback(id)
	i, _ := slices.BinarySearchFunc(k.f.GetSetbacks(), fact, func(a, b *storagev1.SetbackFact) int {
		return cmp.Or(cmp.Compare(a.GetOccurred(), b.GetOccurred()), cmp.Compare(a.GetId(), b.GetId()))
	})
	if i == 0 && len(k.f.GetSetbacks()) == keptSetbacks {
		return // before all that are kept
	}
	k.f.Setbacks = slices.Insert(k.f.GetSetbacks(), i, fact)
	k.f.Setbacks = k.f.GetSetbacks()[max(0, len(k.f.GetSetbacks())-keptSetbacks):]
	k.changed = k.changed || !proto.Equal(was, fact)
}

// NoSetback says that a setback is gone.
func (k *Keeper) NoSetback(id string) {
	if k == nil || !k.applies {
		return
	}
	k.changed = k.dropSetback(id) != nil || k.changed
}

// dropSetback takes a setback out; nil when it is not there.
func (k *Keeper) dropSetback(id string) *storagev1.SetbackFact {
	i := slices.IndexFunc(k.f.GetSetbacks(), func(s *storagev1.SetbackFact) bool { return s.GetId() == id })
	if i < 0 {
		return nil
	}
	was := k.f.GetSetbacks()[i]
	k.f.Setbacks = slices.Delete(k.f.GetSetbacks(), i, i+1)
	return was
}

// Consent says whether the person lets themselves be counted, from the event on.
func (k *Keeper) Consent(given bool) {
	if k == nil || !k.applies {
		return
	}
	var last *storagev1.ConsentSpan
	if n := len(k.f.GetConsents()); n > 0 {
		last = k.f.GetConsents()[n-1]
	}
	open := last != nil && last.GetUntil() == 0
	if given == open {
		return
	}
	k.changed = true
	at := k.e.GetTime().AsTime().UnixMilli()
	if given {
		k.f.Consents = append(k.f.GetConsents(), &storagev1.ConsentSpan{From: max(at, last.GetUntil())})
		k.f.Consents = k.f.GetConsents()[max(0, len(k.f.GetConsents())-keptConsents):]
		return
	}
	if last.Until = max(at, last.GetFrom()); last.GetUntil() == last.GetFrom() {
		k.f.Consents = k.f.GetConsents()[:len(k.f.GetConsents())-1]
	}
}

// Affiliation says where the person stands from a day on. It takes the place of what
// was said for that day and later ones.
func (k *Keeper) Affiliation(from int32, attributes map[string]string) {
	if k == nil || !k.applies {
		return
	}
	all := k.f.GetAffiliations()
	i, _ := slices.BinarySearchFunc(all, from, func(a *storagev1.AffiliationFrom, day int32) int { return cmp.Compare(a.GetFrom(), day) })
	if i == len(all)-1 && all[i].GetFrom() == from && maps.Equal(all[i].GetAttributes(), attributes) {
		return
	}
	k.changed = true
	all = append(all[:i:i], &storagev1.AffiliationFrom{From: from, Attributes: maps.Clone(attributes)})
	k.f.Affiliations = all[max(0, len(all)-keptAffiliations):]
}
