package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/csvimport"
)

// importCommand records setbacks from a CSV file.
type importCommand struct {
	api.Target
	File   string            `arg:"" type:"existingfile" help:"CSV file with a header."`
	Tenant string            `required:"" help:"The tenant."`
	Column map[string]string `help:"Which column to read a field from, as field=header; fields are person, title, account, occurred_on, days_ago, feeling, intensity. Default: the column of the field's name."`
	Scale  []float64         `help:"Ends of the file's scale of intensity, such as 1,4; it is brought to 1..10 in a straight line. Default: read from the header when it ends in _LOW_to_HIGH, else 1,10."`
}

// Run imports the file. Running it again adds nothing: a row's id follows from
// what it says. It fails when any row was refused.
func (c *importCommand) Run(ctx context.Context) error {
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
	bar := progressbar.NewOptions(-1, progressbar.OptionSetDescription("importing"), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
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
