package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/exportcheck"
)

// insightsCommand takes insights out of a system as files for tools that read
// tables.
type insightsCommand struct {
	api.Target
	Tenant      string `required:"" help:"The tenant."`
	Person      string `help:"The person; without one, everybody who consents, under pseudonyms."`
	Format      string `default:"PARQUET" enum:"NDJSON,CSV,PARQUET" help:"How to write them: NDJSON, CSV or PARQUET."`
	Start       string `help:"From where: EARLIEST, LATEST or an RFC 3339 time. Default: EARLIEST."`
	End         string `help:"To where: an RFC 3339 time, exclusive. Default: what is there."`
	Filter      string `help:"Only some, such as: kind = MOOD_SHIFT. Default: all."`
	ResumeToken string `xor:"from" help:"Go on after a token: the last one of an earlier export, or one of the stream."`
	After       string `xor:"from" type:"path" help:"Go on after the export in this folder, with its filter."`
	Out         string `required:"" type:"path" help:"Folder to write to, one that is empty or not there."`
}

// Run exports, checks what came, and tells where to go on.
func (c *insightsCommand) Run(ctx context.Context) error {
	role, parent := "pipeline", "tenants/"+url.PathEscape(c.Tenant)
	if c.Person != "" {
		role, parent = "person", parent+"/people/"+url.PathEscape(c.Person)
	}
	if err := c.goOn(parent); err != nil {
		return err
	}
	client, err := api.New(c.Target)
	if err != nil {
		return err
	}
	token, err := client.TokenFor(c.Tenant, c.Person, role)
	if err != nil {
		return err
	}
	q := url.Values{"format": {c.Format}}
	for name, value := range map[string]string{"start": c.Start, "end": c.End, "filter": c.Filter, "resumeToken": c.ResumeToken} {
		if value != "" {
			q.Set(name, value)
		}
	}
	manifest, err := fetch(ctx, client, token, "/v1/"+parent+"/insights:export?"+q.Encode(), c.Out)
	if err != nil {
		return err
	}
	tell(manifest)
	fmt.Printf("To go on: --after %s, or --resume-token %s\n", c.Out, manifest.GetLastToken())
	return nil
}

// goOn takes where to go on, and the filter, from an earlier export.
func (c *insightsCommand) goOn(parent string) error {
	if c.After == "" {
		return nil
	}
	before, err := exportcheck.Manifest(c.After)
	if err != nil {
		return err
	}
	if before.GetResource() != parent {
		return fmt.Errorf("the export in %s is of %s", c.After, before.GetResource())
	}
	if c.Filter != "" && c.Filter != before.GetFilter() {
		return fmt.Errorf("the export in %s has the filter %q: going on needs the same", c.After, before.GetFilter())
	}
	c.ResumeToken, c.Filter = before.GetLastToken(), before.GetFilter()
	return nil
}

// fetch takes an export into a folder and checks it. A download that breaks off
// leaves nothing, and has to be made again.
func fetch(ctx context.Context, client *api.Client, token, path, folder string) (manifest *insightsv1.ExportManifest, err error) {
	if err := exportcheck.Empty(folder); err != nil {
		return nil, err
	}
	body, err := client.Stream(ctx, token, path, "application/zip")
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	file, err := os.CreateTemp(filepath.Dir(folder), ".rebound-export-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	bar := newBar(-1, "downloading", progressbar.OptionShowBytes(true))
	_, err = io.Copy(io.MultiWriter(file, bar), body)
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("the export broke off: %w", err)
	}
	bar = newBar(-1, "checking", progressbar.OptionShowBytes(true))
	defer func() { _ = bar.Finish() }() // as above
	return exportcheck.Unpack(file.Name(), folder, bar)
}

// tell prints what came.
func tell(manifest *insightsv1.ExportManifest) {
	for _, f := range manifest.GetFiles() {
		fmt.Printf("%10d %s\n", f.GetRows(), f.GetName())
	}
	fmt.Printf("%10d rows, all as the manifest says\n", manifest.GetRows())
}
