// Package config reads settings from flags and environment. One struct with kong
// tags is the one table: it names each setting, its default and its help; from
// it follow the flag, the environment variable (REBOUND_ and the flag's name)
// and what --help says.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"
)

// EnvPrefix begins every environment variable of Rebound.
const EnvPrefix = "REBOUND"

// ErrHelp is a call for help, which was given.
var ErrHelp = errors.New("config: help was asked for")

// Secret is a setting that is never printed.
type Secret string

const hidden = "[redacted]"

// String implements fmt.Stringer.
func (Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return hidden }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// Program is what is being configured.
type Program struct {
	// Name and Description head the help.
	Name, Description string
	// Stdout and Stderr are where help goes.
	Stdout, Stderr io.Writer
	// Options are further options of the parser, for commands.
	Options []kong.Option
}

// Parse fills settings from arguments (without the program's name) and the
// environment. A flag or REBOUND_ variable that does not exist is an error that
// names it. Variables are read by name from the process's environment; environ
// is the whole of it. ErrHelp: help was printed.
func (p Program) Parse(settings any, args, environ []string) (*kong.Context, error) {
	helped := false
	options := append([]kong.Option{
		kong.Name(p.Name), kong.Description(p.Description), kong.DefaultEnvars(EnvPrefix),
		kong.Writers(p.Stdout, p.Stderr), kong.Exit(func(int) { helped = true }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	}, p.Options...)
	parser, err := kong.New(settings, options...)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if err := unknownVariables(parser, environ); err != nil {
		return nil, err
	}
	ctx, err := parser.Parse(args)
	if helped {
		return nil, ErrHelp
	}
	return ctx, err
}

// unknownVariables finds variables that look like ours and are not: a typing
// mistake must not mean a default.
func unknownVariables(parser *kong.Kong, environ []string) error {
	known := map[string]bool{}
	_ = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, env := range flag.Envs {
				known[env] = true
			}
		}
		return next(nil)
	}) // the visitor itself never fails
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, EnvPrefix+"_") && !known[name] {
			return fmt.Errorf("config: there is no setting for the environment variable %s", name)
		}
	}
	return nil
}
