package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/tools/internal/api"
	"github.com/rebound-hq/rebound/tools/internal/system"
)

// upCommand runs everything in one process.
type upCommand struct {
	Data           string        `default:"./data" type:"path" help:"Folder for stores, keys and the development issuer."`
	HTTP           string        `name:"http" default:"127.0.0.1:8080" help:"Address of the REST API, as host:port; port 0 picks a free one."`
	JournalGRPC    string        `name:"journal-grpc" default:"127.0.0.1:9001" help:"Address of the journal service (gRPC)."`
	GoalsGRPC      string        `name:"goals-grpc" default:"127.0.0.1:9002" help:"Address of the goals service (gRPC)."`
	InsightsGRPC   string        `name:"insights-grpc" default:"127.0.0.1:9003" help:"Address of the insights service (gRPC)."`
	Mongo          config.Secret `placeholder:"URI" help:"Keep documents in this MongoDB server. Default: embedded stores in the data folder."`
	MongoDatabase  string        `default:"rebound" help:"With --mongo: how the names of the databases begin, one per service."`
	Demo           bool          `help:"Play the lives of five people of the tenant demo, once everything runs."`
	RetentionDays  int           `default:"30" help:"How many days the insight stream is kept, 1 to 36500."`
	Rebuild        string        `help:"Have what is known about people rebuilt from the first event on, once per label: a date, say. Reads go on meanwhile."`
	AllowedOrigins []string      `help:"Web origins that browsers may call from, such as http://localhost:3000. Default: none."`
}

// Run runs until a signal.
func (u *upCommand) Run(ctx context.Context) error {
	if u.RetentionDays < 1 || u.RetentionDays > 36500 {
		return errors.New("retention-days must be 1 to 36500")
	}
	if err := os.MkdirAll(u.Data, 0o700); err != nil {
		return err
	}
	logPath := filepath.Join(u.Data, "rebound.log")
	logs, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s, err := system.Open(ctx, system.Options{
		Data: u.Data, HTTP: u.HTTP, Journal: u.JournalGRPC, Goals: u.GoalsGRPC, Insights: u.InsightsGRPC,
		Mongo: u.Mongo, MongoDatabase: u.MongoDatabase, AllowedOrigins: u.AllowedOrigins, Logs: logs,
		RetentionDays: u.RetentionDays, Rebuild: u.Rebuild,
	})
	if err != nil {
		return errors.Join(err, logs.Close())
	}
	u.panel(s.Addresses(), logPath)
	if u.Demo {
		d := &demoCommand{Target: api.Target{URL: "http://" + s.Addresses().HTTP, Data: u.Data}, Tenant: "demo", People: 5, Days: 30, Seed: 1}
		go func() {
			if err := d.Run(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "rebound: the demo:", err)
			}
		}()
	}
	err = s.Run(ctx)
	if err == nil {
		fmt.Println("stopped")
	}
	return errors.Join(err, logs.Close())
}

func (u *upCommand) panel(a system.Addresses, logPath string) {
	data := ""
	if u.Data != defaultData() {
		data = " --data " + u.Data
	}
	fmt.Printf(`Rebound is running. Ctrl-C stops it.

  REST      http://%s        reference: http://%[1]s/docs
  gRPC      journal %s   goals %s   insights %s
  data      %s        log: %s

Try next, in another terminal:

  export TOKEN=$(bin/rebound token --tenant acme --person ada --role person%[7]s)
  curl -s -H "Authorization: Bearer $TOKEN" http://%[1]s/v1/tenants/acme/people/ada/setbacks -d '{"title": "The launch failed", "intensity": 7}' -H 'Content-Type: application/json'
  curl -sN -H "Authorization: Bearer $TOKEN" -H 'Accept: text/event-stream' http://%[1]s/v1/tenants/acme/people/ada/insights:stream

`, a.HTTP, a.Journal, a.Goals, a.Insights, u.Data, logPath, data)
}

// defaultData is where data lies when nothing is said.
func defaultData() string {
	path, err := filepath.Abs("data")
	if err != nil {
		return ""
	}
	return path
}
