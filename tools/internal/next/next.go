// Package next says in the terminal which few steps matter today, why, and what
// is due to be celebrated.
package next

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/terminal"
)

// answer is what the API says, as far as it is shown.
type answer struct {
	Steps []struct {
		Step struct{ Name, Title string }
		Text string
	}
}

// earned is what is due to be celebrated.
type earned struct {
	Celebrations []struct{ Name, Reward, Subject string }
}

// Print prints the steps, the best first, at most limit, each with its goal, its
// reason and how to complete it; then what is due to be celebrated, the latest
// three.
func Print(ctx context.Context, person api.Caller, limit int, out io.Writer) error {
	var next answer
	if err := person.Do(ctx, "GET", fmt.Sprintf("/next?limit=%d", limit), nil, &next); err != nil {
		return err
	}
	var due earned
	if err := person.Do(ctx, "GET", "/celebrations?pageSize=3&filter="+url.QueryEscape("state = DUE"), nil, &due); err != nil {
		return err
	}
	var text strings.Builder
	if len(next.Steps) == 0 {
		text.WriteString("Nothing is waiting for you today.\n")
	}
	width := 0
	for i := range next.Steps {
		s := &next.Steps[i]
		s.Step.Title = terminal.Plain(s.Step.Title)
		width = max(width, utf8.RuneCountInString(s.Step.Title))
	}
	for i, s := range next.Steps {
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(s.Step.Title))
		fmt.Fprintf(&text, "%2d. %s%s  %s  (%s)\n", i+1, s.Step.Title, pad, terminal.Plain(s.Text), below(s.Step.Name))
	}
	for _, c := range due.Celebrations {
		reward := terminal.Plain(c.Reward)
		if reward == "" {
			reward = "whatever does you good"
		}
		fmt.Fprintf(&text, "To celebrate: %s  (%s)\n", reward, below(c.Subject))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// below is a name below the person, which is how other commands and paths go on.
func below(name string) string {
	if parts := strings.SplitN(name, "/", 5); len(parts) == 5 {
		return parts[4]
	}
	return name
}
