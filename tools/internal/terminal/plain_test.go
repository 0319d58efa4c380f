package terminal

import "testing"

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		" A demo\tthat\r\nholds ":   "A demo that holds",
		"\x1b[31mred\x1b]0;title\a": "[31mred ]0;title",
		"\u009b2Jcleared":           "2Jcleared",
		"abc\u202etxt.exe":          "abc txt.exe",
		"Überholen 🧗 \u00e9":        "Überholen 🧗 é",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
