package facts

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// KindName is the kind of record that holds weekly facts.
const KindName = "weeklyFacts"

// NameIndex lists everything of a kind by name, to find what is left of old generations.
const NameIndex = "by_name"

// byChange lists the people of a scope by when they last changed.
const byChange = "by_change"

// Kind declares weekly facts. There is no index by owner: an erasure leaves the mark
// that stands in their place, so that every table drops the person.
func Kind() store.Kind {
	return store.Kind{
		Name: KindName, New: func() proto.Message { return &storagev1.WeeklyFacts{} },
		Keys: []store.Key{{Name: "scope", Type: store.Text, Of: func(body proto.Message) store.Value {
			return scopeOf(body.(*storagev1.WeeklyFacts).GetName())
		}}},
		Indexes: []store.Index{
			{Name: byChange, Keys: []string{"scope", store.KeyUpdateTime}},
			{Name: NameIndex, Keys: []string{store.KeyName}},
		},
	}
}

// Name is the name of a person's weekly facts.
func Name(owner string) string { return owner + "/" + KindName }

// scopeOf is whose facts are read together, by a name: its tenants/{tenant}, with what
// follows the name of the kind, where names go on after it.
func scopeOf(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) < 5 {
		return ""
	}
	return strings.Join(append(parts[:2:2], parts[5:]...), "/")
}

// interner shares attributes between people: most stand in few places.
type interner struct {
	texts map[string]string
	sets  map[string]map[string]string
}

func newInterner() *interner {
	return &interner{texts: map[string]string{}, sets: map[string]map[string]string{}}
}

func (in *interner) text(s string) string {
	if shared, ok := in.texts[s]; ok {
		return shared
	}
	s = strings.Clone(s)
	in.texts[s] = s
	return s
}

// attributes gives the one map of such keys and values.
func (in *interner) attributes(m map[string]string) map[string]string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var id strings.Builder
	for _, k := range keys {
		for _, text := range []string{k, m[k]} { // with their lengths, so that no two sets have one id
			id.WriteString(strconv.Itoa(len(text)))
			id.WriteByte(':')
			id.WriteString(text)
		}
	}
	if shared, ok := in.sets[id.String()]; ok {
		return shared
	}
	shared := make(map[string]string, len(m))
	for k, v := range m {
		shared[in.text(k)] = in.text(v)
	}
	in.sets[id.String()] = shared
	return shared
}

// person gives what readers share of an owner's weekly facts.
func (in *interner) person(owner string, f *storagev1.WeeklyFacts) *Person {
	p := &Person{
		Owner: owner, Consents: make([]Span, len(f.GetConsents())), Affiliations: make([]Affiliation, len(f.GetAffiliations())),
		Weeks: make([]Week, 0, len(f.GetWeeks())), Setbacks: make([]Setback, len(f.GetSetbacks())),
	}
	for i, s := range f.GetConsents() {
		p.Consents[i] = Span{From: s.GetFrom(), Until: s.GetUntil()}
	}
	for i, a := range f.GetAffiliations() {
		p.Affiliations[i] = Affiliation{From: a.GetFrom(), Attributes: in.attributes(a.GetAttributes())}
	}
	for _, w := range f.GetWeeks() {
		p.Weeks = append(p.Weeks, Week{
			Week: w.GetWeek(), Practices: practices(w), MoodSum: w.GetMoodSum(), CheckIns: w.GetCheckIns(),
			StepDays: int32(bits.OnesCount32(w.GetStepDays())), Captured: w.GetCaptured(), Applied: slices.Clone(w.GetApplied()),
		})
	}
	for i, s := range f.GetSetbacks() {
		p.Setbacks[i] = Setback{Occurred: s.GetOccurred(), Recovered: -1, Kind: s.GetKind()}
		if s.Recovered != nil {
			p.Setbacks[i].Recovered = s.GetRecovered()
		}
	}
	return p
}

// practices is a bit for each practice of a week.
func practices(w *storagev1.WeekEntry) uint32 {
	var set uint32
	for p, n := range w.GetPracticed() {
		if n > 0 {
			set |= 1 << p
		}
	}
	if w.GetStepDays() != 0 {
		set |= 1 << typev1.Practice_PRACTICE_STEP
	}
	return set
}
