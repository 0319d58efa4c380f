// Package terminal makes texts that anybody wrote fit to be shown in a terminal.
package terminal

import (
	"strings"
	"unicode"
)

// Plain is a text on one line, without what a terminal would obey: control
// characters, and those that turn the direction of writing.
func Plain(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	}), " ")
}
