package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/service"
)

type settings struct {
	Listen string        `default:"127.0.0.1:1" help:"Where."`
	URI    config.Secret `name:"uri" help:"Of what."`
}

func parse(t *testing.T, s any, args []string, env ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	_, err := config.Program{Name: "p", Description: "d", Stdout: &out, Stderr: &out}.Parse(s, args, env)
	return out.String(), err
}

func TestPrecedence(t *testing.T) {
	var s settings
	if _, err := parse(t, &s, nil); err != nil || s.Listen != "127.0.0.1:1" {
		t.Fatalf("%v, %v", s, err)
	}
	if _, err := parse(t, &s, nil, "REBOUND_LISTEN=b:2"); err != nil || s.Listen != "b:2" {
		t.Fatalf("%v, %v", s, err)
	}
	if _, err := parse(t, &s, []string{"--listen", "c:3"}, "REBOUND_LISTEN=b:2"); err != nil || s.Listen != "c:3" {
		t.Fatalf("%v, %v", s, err)
	}
}

func TestUnknown(t *testing.T) {
	var s settings
	if _, err := parse(t, &s, []string{"--lisen", "x"}); err == nil || !strings.Contains(err.Error(), "--lisen") {
		t.Errorf("%v", err)
	}
	if _, err := parse(t, &s, nil, "REBOUND_LISEN=x"); err == nil || !strings.Contains(err.Error(), "REBOUND_LISEN") {
		t.Errorf("%v", err)
	}
	if _, err := parse(t, &s, nil, "OTHER_LISEN=x"); err != nil {
		t.Errorf("%v", err)
	}
}

// TestHelp: every setting of a service says what it is, and its variable.
func TestHelp(t *testing.T) {
	var c service.Config
	out, err := parse(t, &c, []string{"--help"})
	if !errors.Is(err, config.ErrHelp) {
		t.Fatal(err)
	}
	flags := strings.Count(out, "\n      --")
	if vars := strings.Count(strings.ReplaceAll(out, "\n", ""), "$REBOUND_"); flags < 20 || vars != flags {
		t.Errorf("%d flags, %d variables", flags, vars)
	}
}

// TestSecret: a secret is a setting like others, and never printed.
func TestSecret(t *testing.T) {
	var s settings
	if _, err := parse(t, &s, nil, "REBOUND_URI=mongodb://user:geheim@db/"); err != nil || string(s.URI) != "mongodb://user:geheim@db/" {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "uri", s.URI, "all", s)
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	help, _ := parse(t, &s, []string{"--help"})
	all := log.String() + string(js) + help + fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s.URI, s.URI)
	if strings.Contains(all, "geheim") {
		t.Errorf("the secret is printed: %s", all)
	}
}
