// Command gatewayd serves the REST API.
package main

import (
	"context"
	"os"

	"github.com/rebound-hq/rebound/gateway/app"
	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/service"
)

func main() {
	var c app.Config
	os.Exit(service.Main(config.Program{Name: "gatewayd", Description: "Serves the REST API of Rebound over HTTP."}, &c,
		func(ctx context.Context) error {
			r, err := app.Open(ctx, c, os.Stderr)
			if err != nil {
				return err
			}
			return r.Run(ctx)
		}))
}
