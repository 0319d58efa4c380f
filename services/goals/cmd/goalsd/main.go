// Command goalsd serves the goals service.
package main

import (
	"context"
	"os"

	"github.com/rebound-hq/rebound/services/goals/app"
	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/service"
)

func main() {
	var c struct {
		service.Config
		Source app.Sources `embed:"" prefix:"source-"`
	}
	os.Exit(service.Main(config.Program{Name: "goalsd", Description: "Serves the goals service of Rebound over gRPC."}, &c,
		func(ctx context.Context) error {
			return service.Run(ctx, c.Config, app.Definition(c.Source, nil), os.Stderr)
		}))
}
