package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// logs are all logs, by what read them.
func (e *evidence) logs() map[string]*clientLog {
	out := map[string]*clientLog{"the client that was cut off": e.survivor}
	for f, l := range e.whole {
		out["the client that read by "+string(f)] = l
	}
	return out
}

// connections is how many the survivor needed.
func (e *evidence) connections() int {
	if n := len(e.survivor.entries); n > 0 {
		return e.survivor.entries[n-1].connection + 1
	}
	return 0
}

// ordered: insights come in the order in which what they conclude was written.
func ordered(_ context.Context, e *evidence) (string, error) {
	place := map[string]int{}
	for i, subject := range e.wanted {
		place[subject] = i
	}
	for who, log := range e.logs() {
		before := -1
		for _, subject := range subjects(log.insights()) {
			i, ours := place[subject]
			if ours && i < before {
				return "", fmt.Errorf("%s got what was written as number %d after number %d", who, i+1, before+1)
			}
			if ours {
				before = i
			}
		}
	}
	return fmt.Sprintf("%d clients got what was written one after the other in that order", len(e.logs())), nil
}

// unique: on one connection nothing comes twice, and after a cut only what followed
// the token that the client came back with.
func unique(_ context.Context, e *evidence) (string, error) {
	total, again := 0, 0
	for who, log := range e.logs() {
		settled, open := map[string]bool{}, map[string]bool{} // before the last token, and after it
		here, ends, connection := map[string]bool{}, 0, 0
		for _, x := range log.entries {
			if x.connection != connection {
				connection, here, ends = x.connection, map[string]bool{}, 0
			}
			if x.HistoryEnd {
				ends++
			}
			if ends > 1 {
				return "", fmt.Errorf("%s saw history end twice on one connection", who)
			}
			if x.Insight != nil {
				name := x.Insight.GetName()
				switch {
				case here[name]:
					return "", fmt.Errorf("%s got one insight twice on one connection", who)
				case settled[name]:
					return "", fmt.Errorf("%s got an insight again that came before the token it came back with", who)
				case open[name]:
					again++
				default:
					total++
				}
				here[name], open[name] = true, true
			}
			if x.Token != "" {
				for name := range open {
					settled[name] = true
				}
				clear(open)
			}
		}
	}
	return fmt.Sprintf("%d clients got %d insights once; %d came again after a cut, as they may", len(e.logs()), total, again), nil
}

// atomic: an insight comes whole, one for each write, and none for a write that was
// refused.
func atomic(_ context.Context, e *evidence) (string, error) {
	n := map[string]int{}
	for _, in := range e.whole[GRPC].insights() {
		for _, subject := range in.GetSubjects() {
			if n[subject]++; e.refused[subject] {
				return "", errors.New("a write that was refused brought an insight")
			}
		}
	}
	for i, subject := range e.wanted {
		if n[subject] > 1 {
			return "", fmt.Errorf("write number %d brought %d insights instead of one", i+1, n[subject])
		}
	}
	for who, log := range e.logs() {
		for _, in := range log.insights() {
			if err := e.complete(in); err != nil {
				return "", fmt.Errorf("%s got an insight that %w", who, err)
			}
		}
	}
	return fmt.Sprintf("%d writes brought one whole insight each, %d that were refused brought none", len(e.wanted), len(e.refused)), nil
}

// complete tells what an insight lacks, by its kind's schema.
func (e *evidence) complete(in *insightsv1.Insight) error {
	schema := e.schemas[in.GetKind()]
	if schema == nil {
		return fmt.Errorf("is of a kind without a schema: %s", in.GetKind())
	}
	fields := schema.GetJsonSchema().GetFields()
	m := in.ProtoReflect()
	for _, name := range fields["required"].GetListValue().GetValues() {
		fd := m.Descriptor().Fields().ByJSONName(name.GetStringValue())
		if fd == nil || !m.Has(fd) {
			return fmt.Errorf("lacks %s", name.GetStringValue())
		}
	}
	data := m.WhichOneof(m.Descriptor().Oneofs().ByName("data"))
	if in.GetCorrection() == insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED && data == nil {
		return nil
	}
	if data == nil || fields["properties"].GetStructValue().GetFields()[data.JSONName()] == nil {
		return fmt.Errorf("says nothing, or what its schema does not know: %s", nameOf(data))
	}
	return nil
}

func nameOf(fd protoreflect.FieldDescriptor) string {
	if fd == nil {
		return "no data"
	}
	return string(fd.Name())
}

// tried is how many tokens the checks come back with.
const tried = 6

// tokens picks entries of the survivor's log that have a token: it held many.
func (e *evidence) tokens() []int {
	var all []int
	for i, x := range e.survivor.entries {
		if x.Token != "" {
			all = append(all, i)
		}
	}
	e.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(tried, len(all))]
}

// places tells for the entries of the survivor's log how many of all insights lie
// before the token that it held then.
func (e *evidence) places(all []string) []int {
	out := make([]int, len(e.survivor.entries))
	held := 0 // what the person had before the run
	if first := e.survivor.insights(); len(first) > 0 {
		held = max(0, slices.Index(all, first[0].GetName()))
	}
	at, connection := held, 0
	for i, x := range e.survivor.entries {
		if x.connection != connection {
			at, connection = held, x.connection
		}
		if x.Insight != nil {
			at = slices.Index(all, x.Insight.GetName()) + 1
		}
		if x.Token != "" {
			held = at
		}
		out[i] = held
	}
	return out
}

// resumable: from a token on comes what followed it, all of it, and nothing else.
func resumable(ctx context.Context, e *evidence) (string, error) {
	all := names(e.whole[Formats[0]].insights())
	places, tokens := e.places(all), e.tokens()
	if len(tokens) == 0 {
		return "", errors.New("the client that was cut off held no token to come back with")
	}
	for _, i := range tokens {
		x := e.survivor.entries[i]
		got, err := e.suite.read(ctx, x.format, Place{Token: x.Token})
		if err != nil {
			return "", fmt.Errorf("coming back with a token that was held: %w", err)
		}
		if rest := names(got.insights()); !slices.Equal(rest, all[places[i]:]) {
			return "", fmt.Errorf("after a token %d insights are to follow; %d came, or others", len(all)-places[i], len(rest))
		}
	}
	return fmt.Sprintf("from %d tokens, held at random places, came what followed each", len(tokens)), nil
}

func names(insights []*insightsv1.Insight) []string {
	out := make([]string, len(insights))
	for i, in := range insights {
		out[i] = in.GetName()
	}
	return out
}

// reliable: what was acknowledged comes, to the client whose connections are cut off
// too.
func reliable(_ context.Context, e *evidence) (string, error) {
	if e.gaveUp != nil {
		return "", e.gaveUp
	}
	var broken []string
	for _, who := range slices.Sorted(maps.Keys(e.logs())) {
		seen := map[string]bool{}
		for _, subject := range subjects(e.logs()[who].insights()) {
			seen[subject] = true
		}
		lost := slices.DeleteFunc(slices.Clone(e.wanted), func(subject string) bool { return seen[subject] })
		if len(lost) > 0 {
			broken = append(broken, fmt.Sprintf("%s missed %d, from number %d on", who, len(lost), slices.Index(e.wanted, lost[0])+1))
		}
	}
	if len(broken) > 0 {
		return "", fmt.Errorf("of %d insights %s", len(e.wanted), strings.Join(broken, "; "))
	}
	return fmt.Sprintf("all %d insights came, over %d connections that were cut off too", len(e.wanted), e.connections()), nil
}

// same: every format gives the same insights, word for word, in the same order.
func same(_ context.Context, e *evidence) (string, error) {
	want := e.whole[Formats[0]].insights()
	for _, f := range Formats[1:] {
		got := e.whole[f].insights()
		if !slices.EqualFunc(got, want, func(a, b *insightsv1.Insight) bool { return proto.Equal(a, b) }) {
			return "", fmt.Errorf("%s and %s give different insights, or in different order", Formats[0], f)
		}
	}
	return fmt.Sprintf("%d insights, the same by %v", len(want), Formats), nil
}
