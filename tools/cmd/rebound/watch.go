package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/rebound-hq/rebound/tools/internal/api"
)

// watchCommand follows the insight stream.
type watchCommand struct {
	api.Target
	Tenant string `required:"" help:"The tenant."`
	Person string `help:"The person; without one, everybody who consents, under pseudonyms."`
	Kind   string `help:"Only this kind, such as GOAL_ACHIEVED. Default: all."`
	Start  string `default:"EARLIEST" help:"Where to start: EARLIEST, LATEST, SNAPSHOT (what stands, then what comes) or an RFC 3339 time."`
}

// streamLine is one line of the NDJSON stream.
type streamLine struct {
	Insight    map[string]any `json:"insight"`
	Tombstone  map[string]any `json:"tombstone"`
	NextToken  string         `json:"nextToken"`
	HistoryEnd bool           `json:"historyEnd"`
	Error      *api.Problem   `json:"error"`
}

// Run follows until a signal; when the server goes away it comes back by itself
// and goes on where it was.
func (w *watchCommand) Run(ctx context.Context) error {
	client, err := api.New(w.Target)
	if err != nil {
		return err
	}
	role, parent := "pipeline", "tenants/"+w.Tenant
	if w.Person != "" {
		role, parent = "person", parent+"/people/"+w.Person
	}
	q := url.Values{"start": {w.Start}}
	if w.Kind != "" {
		q.Set("filter", "kind = "+w.Kind)
	}
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 5 * time.Second
	for {
		token, err := client.TokenFor(w.Tenant, w.Person, role)
		if err != nil {
			return err
		}
		err = w.follow(ctx, client, token, "/v1/"+parent+"/insights:stream", q, pause.Reset)
		var refused *api.Problem
		if errors.As(err, &refused) && refused.Status < 500 {
			return err
		}
		fmt.Fprintln(os.Stderr, "the stream ended; coming back")
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return nil
		}
	}
}

// follow prints one stream; q keeps where to go on.
func (w *watchCommand) follow(ctx context.Context, client *api.Client, token, path string, q url.Values, well func()) error {
	body, err := client.Stream(ctx, token, path+"?"+q.Encode(), "application/x-ndjson")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // what was to be said was said
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line streamLine
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return err
		}
		switch {
		case line.Error != nil:
			return line.Error
		case line.Insight != nil:
			fmt.Println(readable(line.Insight))
		case line.Tombstone != nil:
			fmt.Printf("%v  %-17s  %v\n", line.Tombstone["time"], "ERASED", line.Tombstone["person"])
		case line.NextToken != "":
			well()
			q.Set("resumeToken", line.NextToken)
		}
	}
	return errors.Join(scanner.Err(), io.EOF)
}

// readable is an insight on one line.
func readable(in map[string]any) string {
	str := func(key string) string { s, _ := in[key].(string); return s }
	who := ""
	if s := strings.Split(str("name"), "/"); len(s) > 3 {
		who = s[3]
	}
	var says []string
	for _, v := range in {
		data, ok := v.(map[string]any)
		if !ok {
			continue
		}
		for field, value := range data {
			says = append(says, field+" "+short(value))
		}
	}
	slices.Sort(says)
	if does := strings.TrimPrefix(str("correction"), "INSIGHT_CORRECTION_"); does != "" && does != "UNSPECIFIED" {
		corrects := str("corrects")
		says = append(says, strings.ToLower(does)+": "+corrects[strings.LastIndexByte(corrects, '/')+1:])
	}
	return fmt.Sprintf("%s  %-17s  %s  %s  (n=%v, %s v%s)", str("time"), strings.TrimPrefix(str("kind"), "INSIGHT_KIND_"), who,
		strings.Join(says, ", "), in["n"], str("method"), str("methodVersion"))
}

// short is a value in few words; a date as it is written.
func short(v any) string {
	if d, ok := v.(map[string]any); ok {
		return fmt.Sprintf("%04.0f-%02.0f-%02.0f", d["year"], d["month"], d["day"])
	}
	if f, ok := v.(float64); ok {
		return fmt.Sprintf("%.4g", f)
	}
	return fmt.Sprint(v)
}
