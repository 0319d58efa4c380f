package main

import (
	"context"
	"os"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/goaltree"
)

// goalsCommand shows a person's goals.
type goalsCommand struct {
	api.Target
	Tenant string `required:"" help:"The tenant."`
	Person string `required:"" help:"The person, by id."`
	All    bool   `help:"Show goals that were achieved or let go too."`
}

// Run prints the tree of goals.
func (g *goalsCommand) Run(ctx context.Context) error {
	client, err := api.New(g.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(g.Tenant, g.Person)
	if err != nil {
		return err
	}
	return goaltree.View{Person: person, All: g.All, Out: os.Stdout}.Show(ctx)
}
