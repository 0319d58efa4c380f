package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/csvimport"
	"github.com/rebound-hq/rebound/tools/internal/terminal"
)

// importCommand records setbacks from a CSV file, or brings an export in.
type importCommand struct {
	api.Target
	File   string            `arg:"" type:"existingfile" help:"CSV file with a header, or a .zip file from export."`
	Tenant string            `required:"" help:"The tenant."`
	Person string            `help:"For a .zip file: who gets it."`
	Column map[string]string `help:"Which column to read a field from, as field=header; fields are person, title, account, occurred_on, days_ago, feeling, intensity. Default: the column of the field's name."`
	Scale  []float64         `help:"Ends of the file's scale of intensity, such as 1,4; it is brought to 1..10 in a straight line. Default: read from the header when it ends in _LOW_to_HIGH, else 1,10."`
}

// Run imports the file. Running it again adds nothing.
func (c *importCommand) Run(ctx context.Context) error {
	if strings.EqualFold(filepath.Ext(c.File), ".zip") {
		return c.archive(ctx)
	}
	return c.rows(ctx)
}

// rows records the rows of a CSV file. A row's id follows from what it says. It
// fails when any row was refused.
func (c *importCommand) rows(ctx context.Context) error {
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	o := csvimport.Options{Columns: c.Column, Tenant: c.Tenant, Today: time.Now()}
	if o.Low, o.High, err = c.scale(); err != nil {
		return err
	}
	rows, err := csvimport.Open(file, o)
	if err != nil {
		return err
	}
	client, err := api.New(c.Target)
	if err != nil {
		return err
	}
	bar := newBar(-1, "importing")
	var added, there, refused int
	var report []string
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if row.Err == nil {
			row.Err = c.record(ctx, client, row)
		}
		switch {
		case row.Err == nil:
			added++
		case api.Reason(row.Err) == "ALREADY_EXISTS":
			there++
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			refused++
			report = append(report, fmt.Sprintf("line %d: %v", row.Line, row.Err))
		}
		_ = bar.Add(1) // a bar that cannot be drawn is no reason to stop
	}
	_ = bar.Finish()
	fmt.Printf("%d added, %d there already, %d refused\n", added, there, refused)
	for _, line := range report {
		fmt.Println(line)
	}
	if refused > 0 {
		return fmt.Errorf("%d rows were refused", refused)
	}
	return nil
}

// archive brings an export in. It fails when something was not brought in.
func (c *importCommand) archive(ctx context.Context) error {
	if c.Person == "" {
		return errors.New("--person is required for a .zip file")
	}
	client, err := api.New(c.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(c.Tenant, c.Person)
	if err != nil {
		return err
	}
	op, err := c.upload(ctx, person)
	if err != nil {
		return err
	}
	if op, err = follow(ctx, person, op, "importing"); err != nil {
		return err
	}
	var left int64
	for _, k := range op.Counts {
		left += k.Conflicts + k.Refused
		fmt.Printf("%8d %s added, %d there already, %d there with other content, %d refused\n", k.Created, k.Kind, k.Unchanged, k.Conflicts, k.Refused)
	}
	for _, issue := range op.Issues {
		fmt.Printf("%s: %s\n", terminal.Plain(issue.Entry), terminal.Plain(issue.Reason))
	}
	if err := person.Do(ctx, "DELETE", op.Path(person), nil, nil); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d entries were left as they are, or out", left)
	}
	return nil
}

func (c *importCommand) upload(ctx context.Context, person *api.Person) (op api.Operation, err error) {
	file, err := os.Open(c.File)
	if err != nil {
		return op, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return op, err
	}
	bar := newBar(info.Size(), "uploading", progressbar.OptionShowBytes(true))
	err = person.Upload(ctx, ":import", io.TeeReader(file, bar), info.Size(), &op)
	_ = bar.Finish() // a bar that cannot be drawn is no reason to stop
	return op, err
}

func (c *importCommand) record(ctx context.Context, client *api.Client, row csvimport.Row) error {
	p, err := client.Person(c.Tenant, row.Person)
	if err != nil {
		return err
	}
	return p.Do(ctx, "POST", "/setbacks?setbackId="+row.ID, row.Setback, nil)
}

// scale gives the ends of the scale: as they were given, or as the header of
// the column says, such as intensity_1_to_4.
func (c *importCommand) scale() (low, high float64, err error) {
	switch len(c.Scale) {
	case 0:
		low, high, _ = csvimport.ScaleOf(c.Column["intensity"])
		return low, high, nil
	case 2:
		if c.Scale[0] < c.Scale[1] {
			return c.Scale[0], c.Scale[1], nil
		}
	}
	return 0, 0, errors.New("--scale takes two numbers, the lower one first, such as 1,4")
}
