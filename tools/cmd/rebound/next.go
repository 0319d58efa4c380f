package main

import (
	"context"
	"os"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/next"
)

// nextCommand says what matters today.
type nextCommand struct {
	api.Target
	Tenant string `required:"" help:"The tenant."`
	Person string `required:"" help:"The person, by id."`
	Limit  int    `default:"5" help:"How many steps at most, 1 to 20."`
}

// Run prints the steps, the best first.
func (n *nextCommand) Run(ctx context.Context) error {
	client, err := api.New(n.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(n.Tenant, n.Person)
	if err != nil {
		return err
	}
	return next.Print(ctx, person, n.Limit, os.Stdout)
}
