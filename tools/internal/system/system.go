// Package system is all of Rebound in one process, on loopback ports and
// embedded stores or a MongoDB server: what a newcomer, a small coaching firm and the tests run.
package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	gateway "github.com/rebound-hq/rebound/gateway/app"
	goals "github.com/rebound-hq/rebound/services/goals/app"
	insights "github.com/rebound-hq/rebound/services/insights/app"
	journal "github.com/rebound-hq/rebound/services/journal/app"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/config"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
	"github.com/rebound-hq/rebound/services/kit/service"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// ErrRunning is a data folder that another process works on.
var ErrRunning = errors.New("another rebound is running on this data folder")

// Options say where and how to run.
type Options struct {
	// Data is the folder for stores, keys and the development issuer.
	Data string
	// HTTP, Journal, Goals and Insights are the addresses to listen on; port 0
	// picks a free one.
	HTTP, Journal, Goals, Insights string
	// Mongo is the URI of a MongoDB server to keep documents in; empty for the
	// embedded stores. MongoDatabase begins the names of its databases, one per
	// service.
	Mongo         config.Secret
	MongoDatabase string
	// AllowedOrigins are the web origins that browsers may call from.
	AllowedOrigins []string
	// Logs is where log lines go.
	Logs io.Writer
	// Clock and NewID; nil: the system's.
	Clock clock.Clock
	NewID ids.Source
	// Heartbeat of streams; 0: the default.
	Heartbeat time.Duration
	// RetentionDays is how many days the insight stream is kept; 0: 30.
	RetentionDays int
	// Rebuild is the label under which projections are to be rebuilt; empty: none.
	Rebuild string
}

func (o Options) retention() insights.Retention {
	return insights.Retention{Days: cmp.Or(o.RetentionDays, 30)}
}

// System is everything, ready to run.
type System struct {
	Issuer *auth.Issuer

	journal, goals, insights *service.Running
	gateway                  *gateway.Running
	stack                    lifecycle.Stack
}

// Addresses are where a running system listens.
type Addresses struct{ HTTP, Journal, Goals, Insights string }

// Open builds everything. What was opened when something fails is closed again.
func Open(ctx context.Context, o Options) (_ *System, err error) {
	s := &System{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(o.Data, "rebound.lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	if !ok {
		return nil, ErrRunning
	}
	s.stack.PushClose("lock", lock.Unlock)
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if s.Issuer, err = auth.OpenIssuer(o.Data, o.Clock); err != nil {
		return nil, err
	}
	// The services call each other, so all have their addresses before any is opened.
	at, err := s.listen(ctx, o.Journal, o.Goals, o.Insights)
	if err != nil {
		return nil, err
	}
	tokens := func(service string) auth.TokenSource {
		return s.Issuer.Source(auth.Claims{Subject: service, Roles: []string{"service"}, TTL: time.Hour})
	}
	journalAt, goalsAt := at[0].Addr().String(), at[1].Addr().String()
	if s.journal, err = s.service(ctx, o, at[0], journal.Definition(journal.Sources{Goals: goalsAt}, tokens("journal"))); err != nil {
		return nil, err
	}
	if s.goals, err = s.service(ctx, o, at[1], goals.Definition(goals.Sources{Journal: journalAt}, tokens("goals"))); err != nil {
		return nil, err
	}
	sources := insights.Sources{Journal: journalAt, Goals: goalsAt}
	if s.insights, err = s.service(ctx, o, at[2], insights.Definition(sources, o.retention(), tokens("insights"), o.Rebuild)); err != nil {
		return nil, err
	}
	s.gateway, err = gateway.Open(ctx, gateway.Config{
		Listen: o.HTTP, Journal: s.journal.Addr(), Goals: s.goals.Addr(), Insights: s.insights.Addr(),
		AllowedOrigins: o.AllowedOrigins, MaxBodyBytes: 2 << 20, MaxArchiveBytes: 1 << 30,
	}, o.Logs)
	return s, err
}

// store is where a service keeps its documents.
func (o Options) store(name string) service.Store {
	if o.Mongo != "" {
		return service.Store{Driver: "mongo", URI: o.Mongo, Database: o.MongoDatabase + "_" + name, Partitions: store.DefaultPartitions}
	}
	return service.Store{Driver: "sqlite", Path: filepath.Join(o.Data, name+".db"), Partitions: store.DefaultPartitions}
}

// listen listens on addresses. What is left of them when something fails is closed
// with the rest.
func (s *System) listen(ctx context.Context, addresses ...string) ([]net.Listener, error) {
	var lc net.ListenConfig
	out := make([]net.Listener, len(addresses))
	for i, address := range addresses {
		var err error
		if out[i], err = lc.Listen(ctx, "tcp", address); err != nil {
			return nil, err
		}
		s.stack.PushClose("listener", func() error {
			if err := out[i].Close(); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil // as its server left it
		})
	}
	return out, nil
}

// service opens one service.
func (s *System) service(ctx context.Context, o Options, lis net.Listener, def service.Definition) (*service.Running, error) {
	c := service.Config{
		KeysFile: filepath.Join(o.Data, "keys.json"),
		Store:    o.store(def.Name),
		Auth:     service.Auth{Issuer: auth.DevIssuer, Audience: auth.DevAudience, JWKSFile: s.Issuer.JWKSFile()},
		Limit:    service.Limits{ReadsPerSecond: 100_000, WritesPerSecond: 100_000, StreamsPerCaller: 4096},
	}
	r, err := service.Open(ctx, c, def, service.Options{Clock: o.Clock, NewID: o.NewID, Logs: o.Logs, Heartbeat: o.Heartbeat, Listener: lis})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", def.Name, err)
	}
	return r, nil
}

// Addresses tells where the system listens.
func (s *System) Addresses() Addresses {
	return Addresses{HTTP: s.gateway.Addr(), Journal: s.journal.Addr(), Goals: s.goals.Addr(), Insights: s.insights.Addr()}
}

// Run serves until ctx ends or a part fails, then ends the parts from the edge
// inwards, each when those that call it have gone.
func (s *System) Run(ctx context.Context) error {
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	var errs []error
	var mu sync.Mutex
	var stops []func()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"gateway", s.gateway.Run}, {"insights", s.insights.Run}, {"goals", s.goals.Run}, {"journal", s.journal.Run}} {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer failed() // one that ends takes the others down
			if err := part.run(own); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
				mu.Unlock()
			}
		}()
		stops = append(stops, func() {
			cancel()
			<-ended
		})
	}
	<-ctx.Done()
	for _, stop := range stops {
		stop()
	}
	return errors.Join(append(errs, s.stack.Close())...)
}

// close ends what Open had opened.
func (s *System) close() error {
	var errs []error
	for _, r := range []*service.Running{s.insights, s.goals, s.journal} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(append(errs, s.stack.Close())...)
}
