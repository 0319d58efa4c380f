package projection

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/ids"
)

// keptTold is how many of the insights that were told are remembered; what is
// older can no longer be corrected.
const keptTold = 500

// remember keeps what was told, for what it rests on may be taken back.
func (a *application) remember(in *insightsv1.Insight) *storagev1.ToldEntry {
	entry := &storagev1.ToldEntry{Id: in.GetName()[len(a.e.GetOwner()+"/insights/"):], Kind: in.GetKind(), N: in.GetN()}
	for _, s := range in.GetSubjects() {
		entry.Subjects = append(entry.Subjects, strings.TrimPrefix(s, a.e.GetOwner()+"/"))
	}
	all := a.toldBefore()
	all.Entries = append(all.Entries, entry)
	if over := len(all.GetEntries()) - keptTold; over > 0 {
		all.Entries = slices.Clone(all.GetEntries()[over:])
	}
	return entry
}

// toldBefore gives what was told; keepTold keeps what has become of it.
func (a *application) toldBefore() *storagev1.Told {
	if a.before == nil {
		a.before = &storagev1.Told{}
		if proto.Unmarshal(a.p.GetTold(), a.before) != nil { // it was written by keepTold
			a.before = &storagev1.Told{}
		}
	}
	return a.before
}

func (a *application) keepTold() {
	if a.before == nil {
		return
	}
	if text, err := (proto.MarshalOptions{Deterministic: true}).Marshal(a.before); err == nil { // ids are text
		a.p.Told = text
	}
}

// retractedBefore tells whether an insight by that id was told and retracted: then
// the same conclusion, reached again, needs another name.
func (a *application) retractedBefore(id string) bool {
	return slices.ContainsFunc(a.toldBefore().GetEntries(), func(t *storagev1.ToldEntry) bool { return t.GetRetracted() && t.GetFirstId() == id })
}

// standing gives what was told of a kind about a subject and still stands.
func (a *application) standing(k insightsv1.InsightKind, about func(subjects []string) bool) []*storagev1.ToldEntry {
	var out []*storagev1.ToldEntry
	for _, t := range a.toldBefore().GetEntries() {
		if t.GetKind() == k && !t.GetRetracted() && about(t.GetSubjects()) {
			out = append(out, t)
		}
	}
	return out
}

// about finds what is first of all about a subject, by its name below the person.
func about(subject string) func([]string) bool {
	return func(subjects []string) bool { return subjects[0] == subject }
}

// subject is the name of the event's subject below the person.
func (a *application) subject() string {
	return strings.TrimPrefix(a.e.GetSubject(), a.e.GetOwner()+"/")
}

// retract takes back what was told.
func (a *application) retract(entries ...*storagev1.ToldEntry) {
	for _, t := range entries {
		a.correct(t, &insightsv1.Insight{Correction: insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED, N: t.GetN()})
		t.Retracted = true
	}
}

// restate tells what was told with other numbers; in holds them.
func (a *application) restate(t *storagev1.ToldEntry, in *insightsv1.Insight) {
	in.Correction = insightsv1.InsightCorrection_INSIGHT_CORRECTION_RESTATED
	a.correct(t, in)
	t.N = in.GetN()
}

// correct tells a correction. What it corrects and the event become its id.
func (a *application) correct(t *storagev1.ToldEntry, in *insightsv1.Insight) {
	above := a.e.GetOwner() + "/insights/"
	if t.FirstId == "" {
		t.FirstId = t.GetId()
	}
	in.Kind, in.Corrects = t.GetKind(), above+t.GetId()
	t.Id = ids.Derived(in.GetCorrects(), a.e.GetId())
	in.Name = above + t.GetId()
	for _, s := range t.GetSubjects() {
		in.Subjects = append(in.Subjects, a.e.GetOwner()+"/"+s)
	}
	a.add(in)
}

// takenBack retracts what rests on a subject that was deleted, or on something
// below it.
func (a *application) takenBack() {
	gone := a.subject()
	about := func(subjects []string) bool { return subjects[0] == gone || strings.HasPrefix(subjects[0], gone+"/") }
	for _, k := range restOnSubject {
		a.retract(a.standing(k, about)...)
	}
}

// restOnSubject are the kinds that rest on their first subject alone. The others
// rest on days and levels, of which one event is a part.
var restOnSubject = []insightsv1.InsightKind{
	insightsv1.InsightKind_INSIGHT_KIND_SETBACK_RECOVERED, insightsv1.InsightKind_INSIGHT_KIND_LESSON_APPLIED,
	insightsv1.InsightKind_INSIGHT_KIND_MILESTONE_REACHED, insightsv1.InsightKind_INSIGHT_KIND_GOAL_ACHIEVED,
	insightsv1.InsightKind_INSIGHT_KIND_INTENSITY_REVISITED,
}
