package main

import (
	"context"
	"os"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/summary"
)

// summaryCommand tells how a person is doing.
type summaryCommand struct {
	api.Target
	Tenant string `required:"" help:"The tenant."`
	Person string `required:"" help:"The person, by id."`
}

// Run prints the summary.
func (s *summaryCommand) Run(ctx context.Context) error {
	client, err := api.New(s.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(s.Tenant, s.Person)
	if err != nil {
		return err
	}
	return summary.Print(ctx, person, os.Stdout)
}
