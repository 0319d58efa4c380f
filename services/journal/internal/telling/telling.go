// Package telling holds a story against what a good telling has, for whom it is
// told to. The rules are named and plain: word counts and word lists, in a file
// with a version, ready for other languages. They judge the telling, never what
// is told.
package telling

import (
	_ "embed" // the rules
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/words"
)

//go:embed rules.en.json
var english []byte

// wordsPerMinute is how fast people tell a story.
const wordsPerMinute = 150

// Rules are the rules of one language.
type Rules struct {
	Version       string   `json:"version"`
	LearningWords []string `json:"learning_words"`
	SelfWords     []string `json:"self_words"`
	// LeastSelfWords is how many of them a telling has that owns its part.
	LeastSelfWords int                 `json:"least_self_words"`
	Blame          []string            `json:"blame"`
	Texts          map[string]ruleText `json:"rules"`
	Audiences      map[string]audience `json:"audiences"`

	blame *regexp.Regexp
}

type ruleText struct {
	LooksFor string `json:"looks_for"`
	Advice   string `json:"advice"`
	TooShort string `json:"too_short"`
	TooLong  string `json:"too_long"`
}

// audience is how long a telling is for somebody, in words, and which rules count.
type audience struct {
	Least int      `json:"least"`
	Most  int      `json:"most"`
	Rules []string `json:"rules"`
}

// verdict is what a rule finds.
type verdict struct {
	passed bool
	advice string
	spans  []*journalv1.TextSpan
}

// checks are the rules, by the names that the data uses.
var checks = map[string]func(r *Rules, text string, said []string, a audience) verdict{
	"LENGTH":         (*Rules).length,
	"SHOWS_LEARNING": (*Rules).showsLearning,
	"OWNS_PART":      (*Rules).ownsPart,
	"NO_BLAME":       (*Rules).noBlame,
}

// Load reads the rules.
func Load() (*Rules, error) {
	r := &Rules{}
	err := json.Unmarshal(english, r)
	if err != nil {
		return nil, fmt.Errorf("telling: %w", err)
	}
	if r.blame, err = regexp.Compile(`(?i)\b(?:` + strings.Join(r.Blame, "|") + `)\b`); err != nil {
		return nil, fmt.Errorf("telling: %w", err)
	}
	for number, name := range typev1.Audience_name {
		a, ok := r.Audiences[strings.TrimPrefix(name, "AUDIENCE_")]
		if number != 0 && (!ok || a.Least < 1 || a.Most <= a.Least) {
			return nil, fmt.Errorf("telling: there is no good length for %s", name)
		}
		for _, rule := range a.Rules {
			if checks[rule] == nil || r.Texts[rule].LooksFor == "" {
				return nil, fmt.Errorf("telling: nobody knows the rule %s", rule)
			}
		}
	}
	return r, nil
}

// Must is for rules that are part of the program and checked by tests.
func Must(r *Rules, err error) *Rules {
	if err != nil {
		panic(err)
	}
	return r
}

// Review holds a text against the rules of an audience.
func (r *Rules) Review(text string, to typev1.Audience) *journalv1.ReviewStoryVersionResponse {
	said := words.Of(text)
	a := r.Audiences[strings.TrimPrefix(to.String(), "AUDIENCE_")]
	out := &journalv1.ReviewStoryVersionResponse{
		Words: int32(len(said)), SpokenSeconds: int32(60 * len(said) / wordsPerMinute), RulesVersion: r.Version,
	}
	for _, rule := range a.Rules {
		v := checks[rule](r, text, said, a)
		check := &journalv1.StoryCheck{Rule: rule, Passed: v.passed, LooksFor: r.Texts[rule].LooksFor, Spans: v.spans}
		if !v.passed {
			if check.Advice = v.advice; check.Advice == "" {
				check.Advice = r.Texts[rule].Advice
			}
		}
		out.Checks = append(out.Checks, check)
	}
	return out
}

func (r *Rules) length(_ string, said []string, a audience) verdict {
	switch n := len(said); {
	case n < a.Least:
		return verdict{advice: r.Texts["LENGTH"].TooShort}
	case n > a.Most:
		return verdict{advice: r.Texts["LENGTH"].TooLong}
	}
	return verdict{passed: true}
}

func (r *Rules) showsLearning(_ string, said []string, _ audience) verdict {
	text := " " + strings.Join(said, " ") + " "
	for _, w := range r.LearningWords {
		if strings.Contains(text, " "+w+" ") {
			return verdict{passed: true}
		}
	}
	return verdict{}
}

func (r *Rules) ownsPart(_ string, said []string, _ audience) verdict {
	n := 0
	for _, w := range said {
		for _, self := range r.SelfWords {
			if w == self {
				n++
			}
		}
	}
	return verdict{passed: n >= r.LeastSelfWords}
}

func (r *Rules) noBlame(text string, _ []string, _ audience) verdict {
	v := verdict{passed: true}
	for _, m := range r.blame.FindAllStringIndex(text, -1) {
		start := utf8.RuneCountInString(text[:m[0]])
		v.passed = false
		v.spans = append(v.spans, &journalv1.TextSpan{Start: int32(start), End: int32(start + utf8.RuneCountInString(text[m[0]:m[1]]))})
	}
	return v
}
