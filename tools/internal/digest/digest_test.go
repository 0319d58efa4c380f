package digest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// digests answers with a digest, or its page.
type digests struct{}

func (digests) Do(_ context.Context, _, path string, _, out any) error {
	switch into := out.(type) {
	case *[]byte:
		*into = []byte("<html> " + path)
	case *struct{ Markdown string }:
		if path != "/digests/2026-W47" {
			return &api.Problem{Reason: "NAME_INVALID", Detail: path}
		}
		into.Markdown = "# Week 47 of 2026\n\n- Check-ins: 4\x1b[31m (before: 2)\n"
	}
	return nil
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	if err := Print(t.Context(), digests{}, "2026-W47", &out); err != nil || out.String() != "# Week 47 of 2026\n\n- Check-ins: 4 [31m (before: 2)\n" {
		t.Errorf("%q %v", out.String(), err)
	}
	var refused *api.Problem
	if err := Print(t.Context(), digests{}, "../summary", &out); !errors.As(err, &refused) || refused.Detail != "/digests/..%2Fsummary" {
		t.Errorf("%v", err)
	}
	if page, err := Page(t.Context(), digests{}, "2026-10"); err != nil || string(page) != "<html> /digests/2026-10:page" {
		t.Errorf("%s %v", page, err)
	}
}

func TestLastWeek(t *testing.T) {
	for day, want := range map[string]string{"2026-11-26": "2026-W47", "2026-11-30": "2026-W48", "2027-01-04": "2026-W53", "2026-01-05": "2026-W01"} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := LastWeek(now); got != want {
			t.Errorf("%s: %s", day, got)
		}
	}
}
