package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
)

// Main is the whole of a daemon: settings from flags and environment, then run
// until a signal. It returns the exit code.
func Main(p config.Program, settings any, run func(ctx context.Context) error) int {
	p.Stdout, p.Stderr = os.Stdout, os.Stderr
	_, err := p.Parse(settings, os.Args[1:], os.Environ())
	if errors.Is(err, config.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		return 2
	}
	lifecycle.RelaxGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}

// Run opens a service and runs it until ctx ends.
func Run(ctx context.Context, c Config, def Definition, logs io.Writer) error {
	r, err := Open(ctx, c, def, Options{Logs: logs})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}
