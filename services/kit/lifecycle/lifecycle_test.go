package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestStackClosesInReverse(t *testing.T) {
	var s Stack
	var closed []string
	broken := errors.New("broken")
	for _, name := range []string{"a", "b", "c"} {
		s.Push(name, func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a closer has no deadline")
			}
			closed = append(closed, name)
			if name == "b" {
				return broken
			}
			return nil
		})
	}
	err := s.Close()
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "closing b") {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error("a second Close does something")
	}
	if !slices.Equal(closed, []string{"c", "b", "a"}) {
		t.Errorf("closed %v", closed)
	}
}

func TestRun(t *testing.T) {
	broken := errors.New("broken")
	ended := make(chan struct{})
	err := Run(t.Context(),
		func(context.Context) error { return broken },
		func(ctx context.Context) error {
			<-ctx.Done() // the other's failure ends it
			close(ended)
			return ctx.Err()
		})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	<-ended
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, func(ctx context.Context) error { return ctx.Err() }); err != nil {
		t.Errorf("being told to end is an error: %v", err)
	}
}
