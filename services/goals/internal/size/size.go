// Package size tells what speaks for making a step smaller: that it takes longer
// than about two hours, or that its title has no verb. The rules are plain: lists of
// words and lengths of time, in one file per language, with a version. Where there is
// no file for a person's language, only the stated duration is looked at. They judge
// how a step is put, never what it is, and keep nobody from anything.
package size

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	"github.com/rebound-hq/rebound/services/kit/words"
)

//go:embed rules.*.json
var files embed.FS

// fallback is the language whose longest step and questions hold for all.
const fallback = "en"

// Rules are those of all languages.
type Rules struct{ byLanguage map[string]*rules }

// rules are those of one language.
type rules struct {
	Version string `json:"version"`
	// MostMinutes is how long a step may take before there is a hint.
	MostMinutes float64 `json:"most_minutes"`
	// Numbers and UnitMinutes make lengths of time, such as "three hours"; after a
	// word of NotALength, such as "in", they are none.
	Numbers     map[string]float64 `json:"numbers"`
	UnitMinutes map[string]float64 `json:"unit_minutes"`
	NotALength  []string           `json:"not_a_length"`
	// Long are lengths of time without a number.
	Long []string `json:"long"`
	// Verbs are those that titles of steps have, as they stand there.
	Verbs     []string          `json:"verbs"`
	Questions map[string]string `json:"questions"`

	verbs  map[string]bool
	length *regexp.Regexp // word before, number, unit
}

// Load reads the rules of all languages.
func Load() (*Rules, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("size: %w", err)
	}
	all := &Rules{byLanguage: map[string]*rules{}}
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, fmt.Errorf("size: %w", err)
		}
		r := &rules{verbs: map[string]bool{}}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("size: %s: %w", e.Name(), err)
		}
		if r.Version == "" || r.MostMinutes <= 0 || len(r.Verbs) == 0 || len(r.UnitMinutes) == 0 || r.Questions[tooLong] == "" || r.Questions[noVerb] == "" {
			return nil, fmt.Errorf("size: %s is not complete", e.Name())
		}
		for _, v := range r.Verbs {
			r.verbs[v] = true
		}
		r.length = regexp.MustCompile(`((?:` + either(r.NotALength) + `)\s+)?\b(\d+(?:[.,]\d+)?|` + either(keys(r.Numbers)) + `)[\s-]*(` + either(keys(r.UnitMinutes)) + `)\b`)
		all.byLanguage[strings.TrimPrefix(strings.TrimSuffix(e.Name(), path.Ext(e.Name())), "rules.")] = r
	}
	if all.byLanguage[fallback] == nil {
		return nil, fmt.Errorf("size: there are no rules for %s", fallback)
	}
	return all, nil
}

// Must is for rules that are part of the program and checked by tests.
func Must(r *Rules, err error) *Rules {
	if err != nil {
		panic(err)
	}
	return r
}

func keys(m map[string]float64) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// either matches one of some words, the longest that fits.
func either(list []string) string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	for i, w := range list {
		list[i] = `\b` + regexp.QuoteMeta(w)
	}
	return strings.Join(list, "|")
}

// Names of the reasons, as the data uses them.
const (
	tooLong = "TOO_LONG"
	noVerb  = "NO_VERB"
)

// Hint tells what speaks for making a step smaller; nil: nothing does. The duration
// is 0 when it is not stated, the locale a BCP 47 tag, or empty.
func (all *Rules) Hint(locale, title string, duration time.Duration) *goalsv1.SizeHint {
	r, known := all.of(locale)
	hint := &goalsv1.SizeHint{RulesVersion: r.Version}
	if duration.Minutes() > r.MostMinutes || known && duration == 0 && r.longTitle(strings.ToLower(title)) {
		hint.Reasons = append(hint.Reasons, goalsv1.SizeReason_SIZE_REASON_TOO_LONG)
		hint.Question = r.Questions[tooLong]
	}
	if known && !slices.ContainsFunc(words.Of(title), func(w string) bool { return r.verbs[w] }) {
		hint.Reasons = append(hint.Reasons, goalsv1.SizeReason_SIZE_REASON_NO_VERB)
		if hint.Question == "" {
			hint.Question = r.Questions[noVerb]
		}
	}
	if len(hint.Reasons) == 0 {
		return nil
	}
	return hint
}

// of gives the rules of a language, and whether they are its own.
func (all *Rules) of(locale string) (r *rules, known bool) {
	if locale == "" {
		locale = fallback
	}
	base, _, _ := strings.Cut(locale, "-")
	if r := all.byLanguage[strings.ToLower(base)]; r != nil {
		return r, true
	}
	return all.byLanguage[fallback], false
}

func (r *rules) hasNumber(said string) bool {
	return strings.ContainsFunc(said, unicode.IsDigit) ||
		slices.ContainsFunc(strings.Fields(said), func(w string) bool { return r.Numbers[w] > 0 })
}

// longTitle tells whether a title, in lower case, names a length of time that is
// too long.
func (r *rules) longTitle(title string) bool {
	said := " " + strings.Join(words.Of(title), " ") + " "
	if slices.ContainsFunc(r.Long, func(long string) bool { return strings.Contains(said, " "+long+" ") }) {
		return true
	}
	if !r.hasNumber(said) { // as most have none, and looking closely takes its time
		return false
	}
	for _, m := range r.length.FindAllStringSubmatch(title, -1) {
		n, ok := r.Numbers[m[2]]
		if !ok {
			n, _ = strconv.ParseFloat(strings.ReplaceAll(m[2], ",", "."), 64)
		}
		if m[1] == "" && n*r.UnitMinutes[m[3]] > r.MostMinutes {
			return true
		}
	}
	return false
}
