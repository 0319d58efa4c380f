package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// exportCommand takes all that a person wrote out of a system.
type exportCommand struct {
	api.Target
	Tenant string `required:"" help:"The tenant."`
	Person string `required:"" help:"The person."`
	Out    string `required:"" type:"path" help:"File to write, such as ada.zip; one that is there is replaced."`
}

// Run exports, and writes the file when it is whole.
func (c *exportCommand) Run(ctx context.Context) error {
	client, err := api.New(c.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(c.Tenant, c.Person)
	if err != nil {
		return err
	}
	var op api.Operation
	if err := person.Do(ctx, "POST", ":export", struct{}{}, &op); err != nil {
		return err
	}
	if op, err = follow(ctx, person, op, "exporting"); err != nil {
		return err
	}
	if err := c.download(ctx, person, op); err != nil {
		return err
	}
	for _, k := range op.Counts {
		fmt.Printf("%8d %s\n", k.Exported, k.Kind)
	}
	return person.Do(ctx, "DELETE", op.Path(person), nil, nil)
}

// download writes the archive beside the file and renames it when it is whole.
func (c *exportCommand) download(ctx context.Context, person *api.Person, op api.Operation) (err error) {
	body, err := person.Download(ctx, op.Path(person)+":download")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	file, err := os.CreateTemp(filepath.Dir(c.Out), ".rebound-export-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}()
	bar := newBar(op.ArchiveBytes, "downloading", progressbar.OptionShowBytes(true))
	if _, err := io.Copy(io.MultiWriter(file, bar), body); err != nil {
		return err
	}
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), c.Out)
}

// newBar gives a progress bar on stderr; total -1: nobody knows.
func newBar(total int64, what string, more ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, append([]progressbar.Option{
		progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
	}, more...)...)
}

// askEach is how often an operation is asked how far it is.
const askEach = 200 * time.Millisecond

// follow shows how far an operation is until it is done. One that went wrong is an
// error.
func follow(ctx context.Context, person *api.Person, op api.Operation, what string) (api.Operation, error) {
	bar := newBar(-1, what)
	ticker := time.NewTicker(askEach)
	defer ticker.Stop()
	for !op.Done {
		select {
		case <-ctx.Done():
			return op, ctx.Err()
		case <-ticker.C:
		}
		if err := person.Do(ctx, "GET", op.Path(person), nil, &op); err != nil {
			return op, err
		}
		if total := op.Progress.EntriesTotal; total > 0 {
			if bar.GetMax64() != total {
				bar.ChangeMax64(total)
			}
			_ = bar.Set64(min(op.Progress.EntriesDone, total)) // as above
		}
	}
	_ = bar.Finish()
	if op.State != "OPERATION_STATE_SUCCEEDED" {
		return op, fmt.Errorf("%s: %s", op.Failure.Reason, op.Failure.Message)
	}
	return op, nil
}
