package main

import (
	"bufio"
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/debrief"
)

// debriefCommand walks through a guided debrief.
type debriefCommand struct {
	api.Target
	Tenant  string `required:"" help:"The tenant."`
	Person  string `required:"" help:"The person, by id."`
	Setback string `help:"Id of the setback. Default: the latest open one; if there is none, a new one."`
}

// Run asks one prompt at a time, from where it was left.
func (d *debriefCommand) Run(ctx context.Context) error {
	// Whoever presses Ctrl-C while a question waits is done at once: what was said
	// is kept on the server.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	client, err := api.New(d.Target)
	if err != nil {
		return err
	}
	person, err := client.Person(d.Tenant, d.Person)
	if err != nil {
		return err
	}
	w := debrief.Walk{
		Person: person, Name: person.Name, Setback: d.Setback,
		In: bufio.NewScanner(os.Stdin), Out: os.Stdout, Now: time.Now(),
	}
	return w.Run(ctx)
}
