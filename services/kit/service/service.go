package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"buf.build/go/protovalidate"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/keys"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/mongo"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/telemetry"
	"github.com/rebound-hq/rebound/services/kit/token"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

// Definition is what makes one service different from another.
type Definition struct {
	// Name is "journal", "goals" or "insights".
	Name string
	// SchemaVersion is the version of the stored documents.
	SchemaVersion int
	// Declare declares the resource types. The store is opened after it: deps
	// has none yet, and gets it before anything is served.
	Declare func(deps *resource.Deps) (App, error)
}

// App is a declared service.
type App interface {
	// Kinds is what the store must know.
	Kinds() []store.Kind
	// Start gives what to serve, and the tasks that run beside until their
	// context ends.
	Start(ctx context.Context, env *Env) ([]rpc.Service, []Task, error)
}

// Task runs until ctx ends.
type Task func(ctx context.Context) error

// Env is what a service finds around it.
type Env struct {
	Config    Config
	Store     store.Store
	Keyring   *privacy.Keyring
	Eraser    *erasure.Eraser
	Records   *transfer.Records
	Keys      *keys.Set
	Hub       *eventlog.Hub
	Bookmarks *eventlog.Bookmarks
	Heartbeat time.Duration
	Telemetry *telemetry.Telemetry
	Limits    rpc.Limits
	Clock     clock.Clock
	Stack     *lifecycle.Stack
	// Authority knows the grants and keeps the access logs; set by Start.
	Authority access.Authority
	// Screen is what the event stream goes through; nil: nothing. Set by Start.
	Screen eventlog.Screen
}

// Options are what tests and `rebound up` set.
type Options struct {
	// Clock and NewID; nil: the system's.
	Clock clock.Clock
	NewID ids.Source
	// Logs is where log lines go.
	Logs io.Writer
	// Heartbeat of streams; 0: eventlog.DefaultHeartbeat.
	Heartbeat time.Duration
	// Listener to serve on, for those whose address others must know before they
	// are opened; nil: Config.Listen.
	Listener net.Listener
}

// Running is a service that is ready to run.
type Running struct {
	server *rpc.Server
	lis    net.Listener
	tasks  []func(context.Context) error
	stack  lifecycle.Stack
	log    *slog.Logger
}

// Open builds a service up to where it could answer. What was opened when
// something fails is closed again.
func Open(ctx context.Context, c Config, def Definition, o Options) (_ *Running, err error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.NewID == nil {
		o.NewID = ids.Random
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = eventlog.DefaultHeartbeat
	}
	r := &Running{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stack.Close())
		}
	}()
	env := &Env{Config: c, Limits: c.Limit.rpc(), Clock: o.Clock, Stack: &r.stack, Heartbeat: o.Heartbeat}
	if env.Telemetry, err = telemetry.Start(ctx, c.Telemetry, def.Name, o.Logs); err != nil {
		return nil, err
	}
	r.stack.PushClose("telemetry", env.Telemetry.Close)
	r.log = env.Telemetry.Logger
	if env.Keys, err = keys.OpenOrCreate(c.KeysFile); err != nil {
		return nil, err
	}
	deps, app, err := declare(def, env, o)
	if err != nil {
		return nil, err
	}
	schema := store.Schema{Version: def.SchemaVersion, Kinds: append(app.Kinds(), privacy.Kind())}
	inner, err := openStore(ctx, c.Store, schema, o, r.log)
	if err != nil {
		return nil, err
	}
	r.stack.PushClose("store", inner.Close)
	keyring := privacy.NewKeyring(inner, env.Keys, o.Clock)
	if err := keyring.Verify(ctx); err != nil {
		return nil, err
	}
	env.Store, env.Keyring = privacy.NewStore(inner, keyring), keyring
	env.Eraser = erasure.New(inner, keyring, schema.Kinds)
	deps.Store = env.Store
	env.Records = transfer.New(deps)
	env.Hub = eventlog.NewHub(env.Store)
	env.Bookmarks = eventlog.NewBookmarks(env.Store, env.Store.ID(), token.New(env.Keys.Tokens()))
	return r, r.serve(ctx, app, env, o, deps.Validator)
}

func declare(def Definition, env *Env, o Options) (*resource.Deps, App, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, nil, err
	}
	deps := &resource.Deps{
		Clock: o.Clock, NewID: o.NewID, Tokens: token.New(env.Keys.Tokens()), Source: "rebound/" + def.Name, Validator: validator,
		Principal: func(ctx context.Context) string {
			if p, ok := auth.FromContext(ctx); ok {
				return p.ID()
			}
			return ""
		},
		Person: func(ctx context.Context) string {
			if p, ok := auth.FromContext(ctx); ok {
				return p.Owner()
			}
			return ""
		},
	}
	app, err := def.Declare(deps)
	return deps, app, err
}

func openStore(ctx context.Context, c Store, schema store.Schema, o Options, log *slog.Logger) (store.Store, error) {
	if c.Driver == "mongo" {
		if c.URI == "" || c.Database == "" {
			return nil, errors.New("store-uri and store-database are needed when store-driver is mongo")
		}
		return mongo.Open(ctx, mongo.Options{
			URI: string(c.URI), Database: c.Database, Schema: schema, Partitions: c.Partitions,
			NewID: o.NewID, Clock: o.Clock, Log: log,
		})
	}
	if c.Path == "" {
		return nil, errors.New("store-path is needed when store-driver is sqlite")
	}
	return sqlite.Open(ctx, sqlite.Options{Path: c.Path, Schema: schema, Partitions: c.Partitions, NewID: o.NewID})
}

// serve builds the gRPC server and gathers the tasks.
func (r *Running) serve(ctx context.Context, app App, env *Env, o Options, validator protovalidate.Validator) error {
	services, tasks, err := app.Start(ctx, env)
	if err != nil {
		return err
	}
	services = append(services, rpc.Service{
		Desc: &eventsv1.EventService_ServiceDesc,
		Impl: eventlog.NewServer(env.Hub, env.Bookmarks, env.Heartbeat).Screened(env.Screen),
	}, rpc.Service{Desc: &transferv1.TransferService_ServiceDesc, Impl: transfer.NewServer(env.Records)})
	verifier, err := env.Config.Auth.verifier(ctx, o.Clock)
	if err != nil {
		return err
	}
	tlsConfig, err := env.Config.TLS.Server()
	if err != nil {
		return err
	}
	r.server, err = rpc.NewServer(rpc.Options{
		Limits: env.Limits, Verifier: verifier, Validator: validator, Logger: r.log, Meter: env.Telemetry.Meter,
		NewID: o.NewID, TLS: tlsConfig, Tracing: env.Telemetry.Tracing, Check: env.Store.Check,
		Authority: env.Authority, Clock: o.Clock,
	}, services...)
	if err != nil {
		return err
	}
	r.tasks = []func(context.Context) error{env.Hub.Run, env.Eraser.Run}
	for _, t := range tasks {
		r.tasks = append(r.tasks, t)
	}
	if env.Config.Admin != "" {
		r.tasks = append(r.tasks, adminServer(env))
	}
	if r.lis = o.Listener; r.lis != nil {
		return nil
	}
	var lc net.ListenConfig
	r.lis, err = lc.Listen(ctx, "tcp", env.Config.Listen)
	return err
}

// Addr is where the service listens.
func (r *Running) Addr() string { return r.lis.Addr().String() }

// Run serves until ctx ends, then ends everything in order. Tasks end after the
// last call was answered.
func (r *Running) Run(ctx context.Context) error {
	r.log.InfoContext(ctx, "serving", "address", r.Addr())
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	serving, abandon := context.WithCancel(ctx)
	defer abandon()
	go func() {
		err := lifecycle.Run(beside, r.tasks...)
		abandon() // a task that fails takes the service down
		ended <- err
	}()
	err := r.server.Serve(serving, r.lis)
	stop()
	return errors.Join(err, <-ended, r.stack.Close())
}

// Close ends a service that was opened and never run.
func (r *Running) Close() error { return errors.Join(r.lis.Close(), r.stack.Close()) }

// adminServer serves what operators look at.
func adminServer(env *Env) func(context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", env.Telemetry.Metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if env.Store.Check(ctx) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: env.Config.Admin, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return func(ctx context.Context) error {
		failed := make(chan error, 1)
		go func() { failed <- server.ListenAndServe() }()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			return server.Shutdown(ctx)
		}
	}
}
