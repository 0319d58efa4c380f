// Command journald serves the journal.
package main

import (
	"context"
	"os"

	"github.com/rebound-hq/rebound/services/journal/app"
	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/service"
)

func main() {
	var c struct {
		service.Config
		Source app.Sources `embed:"" prefix:"source-"`
	}
	os.Exit(service.Main(config.Program{Name: "journald", Description: "Serves the journal of Rebound over gRPC."}, &c,
		func(ctx context.Context) error {
			return service.Run(ctx, c.Config, app.Definition(c.Source, nil), os.Stderr)
		}))
}
