// Package words cuts texts into words.
package words

import (
	"strings"
	"unicode"
)

// Of gives the words of a text in lower case; an apostrophe is part of a word.
func Of(text string) []string {
	return strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(text, "’", "'")), func(r rune) bool {
		return r != '\'' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
