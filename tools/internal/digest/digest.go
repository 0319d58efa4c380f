// Package digest tells in the terminal how a week or a month of a person was, and saves
// that as a page.
package digest

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/terminal"
)

// LastWeek is the id of the digest of the week before that of a time.
func LastWeek(now time.Time) string {
	year, week := now.AddDate(0, 0, -7).ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, week)
}

// Print prints a digest as Markdown.
func Print(ctx context.Context, person api.Caller, id string, out io.Writer) error {
	var d struct{ Markdown string }
	if err := person.Do(ctx, "GET", "/digests/"+url.PathEscape(id), nil, &d); err != nil {
		return err
	}
	for line := range strings.Lines(d.Markdown) {
		if _, err := fmt.Fprintln(out, terminal.Plain(line)); err != nil {
			return err
		}
	}
	return nil
}

// Page gives a digest as an HTML page.
func Page(ctx context.Context, person api.Caller, id string) (page []byte, err error) {
	err = person.Do(ctx, "GET", "/digests/"+url.PathEscape(id)+":page", nil, &page)
	return page, err
}
