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
		Rebuild   string        `help:"Have what is known about people rebuilt from the first event on, once per label: a date, say. Reads go on meanwhile."`
	}
	os.Exit(service.Main(config.Program{Name: "insightsd", Description: "Serves the insights of Rebound over gRPC."}, &c,
		func(ctx context.Context) error {
			return service.Run(ctx, c.Config, app.Definition(c.Source, c.Retention, nil, c.Rebuild), os.Stderr)
		}))
}
