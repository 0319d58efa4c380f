package domain

import (
	"cmp"
	"regexp"
	"slices"
	"unicode/utf8"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
)

// reframeRulesVersion grows when a rule changes.
const reframeRulesVersion = "1"

// reframeRule finds one kind of wording that closes a thought off, and asks a
// question that may open it again. The question is about the thought; it never
// says what to think.
type reframeRule struct {
	name    string
	pattern *regexp.Regexp
	kind    typev1.ReframeKind
	prompt  string
}

// reframeRules are tried in this order; of matches that overlap, the first counts.
var reframeRules = []reframeRule{
	{
		"NOT_GOOD_ENOUGH", regexp.MustCompile(`(?i)\b(?:not|never|isn['’]t|wasn['’]t)\s+(?:\w+\s+)?(?:good|smart|strong|clever|talented|experienced|fast)\s+enough\b`),
		typev1.ReframeKind_REFRAME_KIND_NOT_YET,
		"If you put the word “yet” behind this, what would have to come between now and then?",
	},
	{
		"LABEL", regexp.MustCompile(`(?i)\bI(?:\s+am|['’]m|\s+was)\s+(?:just\s+|such\s+|only\s+)?(?:an?\s+)?(?:total\s+|complete\s+)?(?:failure|loser|idiot|fraud|impostor|useless|worthless|stupid|hopeless|incompetent|a mess)\b`),
		typev1.ReframeKind_REFRAME_KIND_SELF_COMPASSION,
		"This names all of you by one thing. What would you say to a friend who had done the same?",
	},
	{
		"ALL_MY_FAULT", regexp.MustCompile(`(?i)\b(?:all|entirely|completely|only)\s+my\s+(?:own\s+)?fault\b`),
		typev1.ReframeKind_REFRAME_KIND_SELF_COMPASSION,
		"Which part of it was in your hands, and what was not?",
	},
	{
		"HINDSIGHT", regexp.MustCompile(`(?i)\bI\s+(?:should|ought\s+to)(?:n['’]t|\s+not)?\s+have\b|\bI\s+should['’]ve\b`),
		typev1.ReframeKind_REFRAME_KIND_SELF_COMPASSION,
		"What did you know at that moment, and what only afterwards?",
	},
	{
		"CANNOT", regexp.MustCompile(`(?i)\bI\s+(?:can['’]t|cannot|can\s+not|could\s+never|will\s+never|['’]ll\s+never)\b|\bI['’]ll\s+never\b`),
		typev1.ReframeKind_REFRAME_KIND_NOT_YET,
		"Which part of it can you do already, and who could show you the next?",
	},
	{
		"MIND_READING", regexp.MustCompile(`(?i)\b(?:everyone|everybody|they(?:\s+all)?|people|the\s+whole\s+\w+)\s+(?:must\s+)?(?:thinks?|hates?|knows?|laughs?|despises?)\b`),
		typev1.ReframeKind_REFRAME_KIND_BIGGER_PICTURE,
		"What did they say or do that you saw yourself? What else could it mean?",
	},
	{
		"CATASTROPHE", regexp.MustCompile(`(?i)\b(?:disaster|catastrophe|ruined|(?:is|['’]s)\s+over|no\s+way\s+back|the\s+end\s+of)\b`),
		typev1.ReframeKind_REFRAME_KIND_BIGGER_PICTURE,
		"How much of this will still matter in a year, and what will be left that is good?",
	},
	{
		"ALL_OR_NOTHING", regexp.MustCompile(`(?i)\b(?:always|never|every\s+(?:single\s+)?time|everything|nothing|nobody|no\s+one)\b`),
		typev1.ReframeKind_REFRAME_KIND_BIGGER_PICTURE,
		"When was it otherwise, even once, even a little?",
	},
}

// suggestions applies the rules to a thought.
func suggestions(original string) []*journalv1.ReframeSuggestion {
	type span struct{ start, end int }
	var taken []span
	var out []*journalv1.ReframeSuggestion
	for _, rule := range reframeRules {
		for _, m := range rule.pattern.FindAllStringIndex(original, -1) {
			if slices.ContainsFunc(taken, func(s span) bool { return m[0] < s.end && s.start < m[1] }) {
				continue
			}
			taken = append(taken, span{m[0], m[1]})
			start := utf8.RuneCountInString(original[:m[0]])
			out = append(out, &journalv1.ReframeSuggestion{
				Rule: rule.name, Kind: rule.kind, Prompt: rule.prompt,
				Start: int32(start), End: int32(start + utf8.RuneCountInString(original[m[0]:m[1]])),
			})
		}
	}
	slices.SortStableFunc(out, func(a, b *journalv1.ReframeSuggestion) int { return cmp.Compare(a.GetStart(), b.GetStart()) })
	return out
}
