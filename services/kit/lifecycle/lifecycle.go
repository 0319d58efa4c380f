// Package lifecycle starts things in order and ends them in reverse.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// closeTimeout is how long one closer may take.
const closeTimeout = 15 * time.Second

// Stack remembers how to end what was begun. The zero Stack is ready.
type Stack struct {
	mu      sync.Mutex
	closers []closer
}

type closer struct {
	name  string
	close func(context.Context) error
}

// Push adds a closer; name is for its error.
func (s *Stack) Push(name string, close func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closers = append(s.closers, closer{name, close})
}

// PushClose adds a Close method.
func (s *Stack) PushClose(name string, close func() error) {
	s.Push(name, func(context.Context) error { return close() })
}

// Close runs the closers, last first, each with its own deadline, and joins
// their errors. A second Close does nothing.
func (s *Stack) Close() error {
	s.mu.Lock()
	closers := s.closers
	s.closers = nil
	s.mu.Unlock()
	var errs []error
	for i := len(closers) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		if err := closers[i].close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", closers[i].name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// Run runs tasks side by side until ctx ends or one fails, then ends the others
// and waits for them. That ctx has ended is no error.
func Run(ctx context.Context, tasks ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, task := range tasks {
		g.Go(func() error {
			if err := task(ctx); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}
