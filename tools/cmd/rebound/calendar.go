package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// calendarCommand saves a calendar or minds the link to it.
type calendarCommand struct {
	api.Target
	Tenant     string `required:"" help:"The tenant."`
	Person     string `required:"" help:"The person, by id."`
	Out        string `type:"path" help:"File to save the calendar to. Default: standard output."`
	NewLink    bool   `xor:"link" help:"Print a new secret link for calendar programs to read the calendar by, without a token; the link before it ends."`
	Titles     bool   `help:"With --new-link: whoever has the link sees titles. Default: what it is about only, such as Debrief."`
	RevokeLink bool   `xor:"link" help:"End the secret link."`
}

// Run does one of the three.
func (c *calendarCommand) Run(ctx context.Context) error {
	if c.Titles && !c.NewLink {
		return errors.New("--titles goes with --new-link")
	}
	client, err := api.New(c.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(c.Tenant, c.Person)
	if err != nil {
		return err
	}
	switch {
	case c.NewLink:
		var made struct{ Path string }
		if err := person.Do(ctx, "POST", "/calendarLink:replace", map[string]any{"includeTitles": c.Titles}, &made); err != nil {
			return err
		}
		fmt.Println(c.URL + made.Path)
		return nil
	case c.RevokeLink:
		if err := person.Do(ctx, "POST", "/calendarLink:revoke", map[string]any{}, nil); err != nil {
			return err
		}
		fmt.Println("the link is revoked")
		return nil
	}
	var text []byte
	if err := person.Do(ctx, "GET", "/calendar.ics", nil, &text); err != nil {
		return err
	}
	if c.Out == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(c.Out, text, 0o600)
}
