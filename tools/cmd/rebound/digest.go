package main

import (
	"context"
	"os"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/digest"
)

// digestCommand tells how a week or a month of a person was.
type digestCommand struct {
	api.Target
	Tenant string `required:"" help:"The tenant."`
	Person string `required:"" help:"The person, by id."`
	Period string `arg:"" optional:"" help:"A week, such as 2026-W47, or a month, such as 2026-10. Default: the last week that is over."`
	HTML   string `name:"html" type:"path" help:"File to save the digest to, as a page with charts. Default: print it as Markdown."`
}

// Run prints the digest, or saves it.
func (d *digestCommand) Run(ctx context.Context) error {
	client, err := api.New(d.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(d.Tenant, d.Person)
	if err != nil {
		return err
	}
	if d.Period == "" {
		d.Period = digest.LastWeek(time.Now())
	}
	if d.HTML == "" {
		return digest.Print(ctx, person, d.Period, os.Stdout)
	}
	page, err := digest.Page(ctx, person, d.Period)
	if err != nil {
		return err
	}
	return os.WriteFile(d.HTML, page, 0o600)
}
