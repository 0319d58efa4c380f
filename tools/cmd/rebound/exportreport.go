package main

import (
	"context"
	"net/url"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// reportCommand takes a cohort report out of a system as a file for tools that read
// tables.
type reportCommand struct {
	api.Target
	Tenant string `required:"" help:"The tenant."`
	Report string `required:"" help:"Id of the report."`
	Format string `default:"CSV" enum:"NDJSON,CSV,PARQUET" help:"How to write it: NDJSON, CSV or PARQUET."`
	Out    string `required:"" type:"path" help:"Folder to write to, one that is empty or not there."`
}

// Run exports, and checks what came.
func (c *reportCommand) Run(ctx context.Context) error {
	client, err := api.New(c.Target)
	if err != nil {
		return err
	}
	token, err := client.TokenFor(c.Tenant, "", "analyst")
	if err != nil {
		return err
	}
	path := "/v1/tenants/" + url.PathEscape(c.Tenant) + "/cohortReports/" + url.PathEscape(c.Report) + ":export?" + url.Values{"format": {c.Format}}.Encode()
	manifest, err := fetch(ctx, client, token, path, c.Out)
	if err != nil {
		return err
	}
	tell(manifest)
	return nil
}
