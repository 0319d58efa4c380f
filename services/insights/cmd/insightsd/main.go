// Command insightsd serves insights.
package main

import (
	"context"
	"os"

	"github.com/rebound-hq/rebound/services/insights/app"
	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/service"
)

func main() {
	var c struct {
		service.Config
		Source    app.Sources   `embed:"" prefix:"source-"`
		Retention app.Retention `embed:"" prefix:"retention-"`
	}
	os.Exit(service.Main(config.Program{Name: "insightsd", Description: "Serves the insights of Rebound over gRPC."}, &c,
		func(ctx context.Context) error {
			return service.Run(ctx, c.Config, app.Definition(c.Source, c.Retention, nil), os.Stderr)
		}))
}
