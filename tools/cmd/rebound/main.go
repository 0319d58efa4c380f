// Command rebound runs Rebound on one machine and works with a running one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
)

// cli is all commands.
type cli struct {
	Up          upCommand          `cmd:"" help:"Run everything in one process, on embedded stores."`
	Token       tokenCommand       `cmd:"" help:"Print a development token for a system that runs with up."`
	Demo        demoCommand        `cmd:"" help:"Play plausible lives of people through the API."`
	Export      exportCommand      `cmd:"" help:"Take all that a person wrote out, as a zip file."`
	Insights    insightsCommand    `cmd:"" name:"export-insights" help:"Take insights out as files for tools that read tables."`
	Report      reportCommand      `cmd:"" name:"export-report" help:"Take a report on a cohort out as a file for tools that read tables."`
	Import      importCommand      `cmd:"" help:"Bring such a zip file in, or record setbacks from a CSV file."`
	Debrief     debriefCommand     `cmd:"" help:"Walk through a guided debrief, one prompt at a time."`
	Goals       goalsCommand       `cmd:"" help:"Show goals, milestones and steps as a tree."`
	Next        nextCommand        `cmd:"" help:"Say which few steps matter today, and why."`
	Calendar    calendarCommand    `cmd:"" help:"Save a person's calendar, or make a link to it for calendar programs."`
	Summary     summaryCommand     `cmd:"" help:"Tell how a person is doing, in numbers."`
	Digest      digestCommand      `cmd:"" help:"Tell how a week or a month of a person was, in numbers."`
	Watch       watchCommand       `cmd:"" help:"Follow the insight stream."`
	Conformance conformanceCommand `cmd:"" help:"Check the guarantees of the insight stream of a running system."`
	Bench       benchCommand       `cmd:"" help:"Measure a system of its own beside bare floors."`
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := config.Program{
		Name: "rebound", Description: "Helps people get up again after a professional failure.",
		Stdout: os.Stdout, Stderr: os.Stderr,
		Options: []kong.Option{kong.BindTo(ctx, (*context.Context)(nil))},
	}
	var c cli
	command, err := p.Parse(&c, args, os.Environ())
	switch {
	case errors.Is(err, config.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "rebound:", err)
		return 2
	}
	lifecycle.RelaxGC()
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "rebound:", err)
		return 1
	}
	return 0
}
