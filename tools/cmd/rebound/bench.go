package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	journal "github.com/rebound-hq/rebound/services/journal/app"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/tools/internal/bench"
	"github.com/rebound-hq/rebound/tools/internal/system"
)

// benchCommand measures a system of its own, in a temporary folder.
type benchCommand struct {
	Seconds float64 `default:"3" help:"How long to measure each thing, in seconds."`
	Workers int     `default:"64" help:"How many callers at once."`
	Only    string  `help:"Measure only what has this in its name, such as create. Default: everything."`
	Cohorts []int   `default:"500,1000,2000" help:"Sizes of the tenants that cohort reports are measured on, in people."`
	Profile string  `type:"path" help:"File to write a CPU profile of the measuring to. Default: none."`
}

// benchRig is what is measured.
type benchRig struct {
	at      system.Addresses
	http    *http.Client
	journal *grpc.ClientConn
	people  []caller
	service string
	raw     *sqlite.Store
}

// caller is one of the people who call.
type caller struct{ name, token string }

// people is how many there are: one person's writes alone would measure what
// nobody does.
const people = 1000

// Run measures and prints.
func (b *benchCommand) Run(ctx context.Context) error {
	figures, err := b.calls(ctx)
	if err == nil && strings.Contains(cohorting, b.Only) {
		var reports []bench.Figure
		reports, err = b.cohorts(ctx)
		figures = append(figures, reports...)
	}
	if err != nil {
		return err
	}
	return bench.Print(os.Stdout, figures)
}

// calls measures calls and streams.
func (b *benchCommand) calls(ctx context.Context) ([]bench.Figure, error) {
	return onSystem(ctx, nil, func(s *system.System, dir string) (figures []bench.Figure, err error) {
		rig, err := newBenchRig(ctx, s, dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, rig.raw.Close(), rig.journal.Close()) }()
		return b.profiled(ctx, rig)
	})
}

// onSystem measures a system of its own, in a temporary folder, by a clock; nil: the
// machine's.
func onSystem(ctx context.Context, now clock.Clock, do func(s *system.System, dir string) ([]bench.Figure, error)) (figures []bench.Figure, err error) {
	dir, err := os.MkdirTemp("", "rebound-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	const free = "127.0.0.1:0"
	s, err := system.Open(ctx, system.Options{Data: dir, HTTP: free, Journal: free, Goals: free, Insights: free, Logs: io.Discard, Clock: now})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	return do(s, dir)
}

// each does something n times, by several workers at once.
func each(ctx context.Context, workers, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

// profiled measures, and writes a profile of it where one is asked for.
func (b *benchCommand) profiled(ctx context.Context, r *benchRig) (figures []bench.Figure, err error) {
	measurements, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if b.Profile != "" {
		f, err := os.Create(b.Profile)
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer func() {
			pprof.StopCPUProfile()
			err = errors.Join(err, f.Close())
		}()
	}
	return b.measure(ctx, r, measurements)
}

func newBenchRig(ctx context.Context, s *system.System, dir string) (*benchRig, error) {
	r := &benchRig{at: s.Addresses(), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}}
	var err error
	for i := range people {
		c := caller{name: fmt.Sprintf("tenants/bench/people/p%d", i)}
		if c.token, err = s.Issuer.Mint(auth.Claims{Subject: "bench", Tenant: "bench", Person: fmt.Sprintf("p%d", i), Roles: []string{"person"}, TTL: time.Hour}); err != nil {
			return nil, err
		}
		r.people = append(r.people, c)
	}
	if r.service, err = s.Issuer.Mint(auth.Claims{Subject: "bench", Roles: []string{"service"}, TTL: time.Hour}); err != nil {
		return nil, err
	}
	if r.journal, err = rpc.Dial(r.at.Journal, rpc.DialOptions{Limits: rpc.DefaultLimits()}); err != nil {
		return nil, err
	}
	// A store that holds what the journal's holds.
	declared, err := journal.Definition(journal.Sources{}, auth.FileSource("")).Declare(&resource.Deps{})
	if err != nil {
		return nil, err
	}
	r.raw, err = sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "raw.db"), NewID: ids.Random, Schema: store.Schema{Version: 1, Kinds: declared.Kinds()}})
	return r, err
}

// caller gives each call of each worker another person.
func (r *benchRig) caller(worker, i int) caller { return r.people[(worker*131+i)%people] }

// rest is where a caller's setbacks are.
func (r *benchRig) rest(c caller) string {
	return "http://" + r.at.HTTP + "/v1/" + c.name + "/setbacks"
}

// measurement is one thing to measure.
type measurement struct {
	name, floor string
	do          func(ctx context.Context, worker, i int) error
}

// prepare gives what there is to measure: the floors first, then what stands on
// them.
func (r *benchRig) prepare(ctx context.Context) ([]measurement, error) {
	setbacks := journalv1.NewSetbackServiceClient(r.journal)
	health := healthpb.NewHealthClient(r.journal)
	const text = `{"title":"The launch failed","account":"It was all too much at once.","intensity":7,"area":"AREA_PROJECT"}`
	setback := &journalv1.Setback{Title: "The launch failed", Account: "It was all too much at once.", Intensity: 7}
	if err := r.fill(ctx, setbacks, setback); err != nil {
		return nil, err
	}
	return []measurement{
		{"gRPC health check", "", func(ctx context.Context, _, _ int) error {
			_, err := health.Check(ctx, &healthpb.HealthCheckRequest{})
			return err
		}},
		{"HTTP /healthz", "", func(ctx context.Context, _, _ int) error {
			return r.send(ctx, caller{}, http.MethodGet, "http://"+r.at.HTTP+"/healthz", "")
		}},
		{"store commit", "", r.commit},
		{"gRPC create", "store commit", func(ctx context.Context, worker, i int) error {
			c := r.caller(worker, i)
			_, err := setbacks.CreateSetback(r.auth(ctx, c.token), &journalv1.CreateSetbackRequest{Parent: c.name, Setback: setback})
			return err
		}},
		{"REST create", "store commit", func(ctx context.Context, worker, i int) error {
			c := r.caller(worker, i)
			return r.send(ctx, c, http.MethodPost, r.rest(c), text)
		}},
		{"gRPC get", "gRPC health check", func(ctx context.Context, worker, i int) error {
			c := r.caller(worker, i)
			_, err := setbacks.GetSetback(r.auth(ctx, c.token), &journalv1.GetSetbackRequest{Name: c.name + "/setbacks/s0"})
			return err
		}},
		{"REST get", "HTTP /healthz", func(ctx context.Context, worker, i int) error {
			c := r.caller(worker, i)
			return r.send(ctx, c, http.MethodGet, r.rest(c)+"/s0", "")
		}},
		{"gRPC list-20", "gRPC health check", func(ctx context.Context, worker, i int) error {
			c := r.caller(worker, i)
			_, err := setbacks.ListSetbacks(r.auth(ctx, c.token), &journalv1.ListSetbacksRequest{Parent: c.name, PageSize: 20})
			return err
		}},
		{"REST list-20", "HTTP /healthz", func(ctx context.Context, worker, i int) error {
			c := r.caller(worker, i)
			return r.send(ctx, c, http.MethodGet, r.rest(c)+"?pageSize=20", "")
		}},
	}, nil
}

// streaming is what --only finds the streams by.
const streaming = "commit to client, idle watchers, gRPC replay, SSE replay"

func (b *benchCommand) measure(ctx context.Context, r *benchRig, measurements []measurement) ([]bench.Figure, error) {
	var figures []bench.Figure
	for _, m := range measurements {
		if !strings.Contains(m.name, b.Only) {
			continue
		}
		f, err := bench.Measure(ctx, m.name, m.floor, b.Workers, time.Duration(b.Seconds*float64(time.Second)), m.do)
		if err != nil {
			return nil, err
		}
		figures = append(figures, f)
	}
	if !strings.Contains(streaming, b.Only) {
		return figures, nil
	}
	delay, err := b.delay(ctx, r)
	if err != nil {
		return nil, err
	}
	idle, err := r.idle(ctx)
	if err != nil {
		return nil, err
	}
	replays, err := r.replays(ctx)
	return append(append(figures, delay, idle), replays...), err
}

func (r *benchRig) auth(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// sealedText is as long as the words of the setbacks that are created, encrypted.
var sealedText = make([]byte, 120)

// commit is a bare durable write with one event.
func (r *benchRig) commit(ctx context.Context, worker, i int) error {
	now := time.Now().UTC()
	owner := r.caller(worker, i).name
	name := fmt.Sprintf("%s/setbacks/%d-%d", owner, worker, i)
	return r.raw.Commit(ctx, store.Write{Op: store.Insert, Record: store.Record{
		Kind: "setbacks", Name: name, Parent: owner, Owner: owner, CreateTime: now, UpdateTime: now,
		Body: &journalv1.Setback{Name: name, Intensity: 7}, Sealed: sealedText,
	}, Events: []*eventsv1.Event{{
		Id: ids.Random(), Source: "bench", Type: "setback.recorded", Subject: name, Owner: owner, Time: timestamppb.New(now),
		Data: &eventsv1.Event_Setback{Setback: &eventsv1.SetbackFacts{Intensity: 7}},
	}}})[0].Err
}

// fillers is how many at once prepare what is measured.
const fillers = 32

// fill gives everybody twenty setbacks to get and list.
func (r *benchRig) fill(ctx context.Context, setbacks journalv1.SetbackServiceClient, setback *journalv1.Setback) error {
	return each(ctx, fillers, 20*people, func(ctx context.Context, i int) error {
		c := r.people[i%people]
		_, err := setbacks.CreateSetback(r.auth(ctx, c.token), &journalv1.CreateSetbackRequest{Parent: c.name, SetbackId: fmt.Sprintf("s%d", i/people), Setback: setback})
		return err
	})
}

func (r *benchRig) send(ctx context.Context, c caller, method, url, text string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := r.http.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", url, res.Status)
	}
	return errors.Join(err, res.Body.Close())
}

// replays reads the journal's events, which the creates have left, and makes
// insights to read.
func (r *benchRig) replays(ctx context.Context) ([]bench.Figure, error) {
	begun := time.Now()
	n, err := r.replayEvents(ctx)
	if err != nil {
		return nil, err
	}
	figures := []bench.Figure{{Name: fmt.Sprintf("gRPC replay of %d events", n), PerSecond: float64(n) / time.Since(begun).Seconds()}}
	if err = r.conclude(ctx); err != nil {
		return nil, err
	}
	begun = time.Now()
	read, err := r.replaySSE(ctx)
	if err != nil {
		return nil, err
	}
	return append(figures, bench.Figure{Name: fmt.Sprintf("SSE replay of %d insights", read), PerSecond: float64(read) / time.Since(begun).Seconds()}), nil
}

func (r *benchRig) replayEvents(ctx context.Context) (int, error) {
	ctx, cancel := context.WithCancel(r.auth(ctx, r.service))
	defer cancel()
	stream, err := eventsv1.NewEventServiceClient(r.journal).StreamEvents(ctx, &eventsv1.StreamEventsRequest{})
	if err != nil {
		return 0, err
	}
	for n := 0; ; {
		res, err := stream.Recv()
		if err != nil {
			return n, err
		}
		if n += len(res.GetEvents()); res.GetHistoryEnd() {
			return n, nil
		}
	}
}

// concluder is whose insights are replayed over SSE, and conclusions how many.
const conclusions = 5000

func (r *benchRig) concluder() caller { return r.people[0] }

// conclude recovers from setbacks, which makes an insight each.
func (r *benchRig) conclude(ctx context.Context) error {
	c, base := r.concluder(), r.rest(r.concluder())
	return each(ctx, fillers, conclusions, func(ctx context.Context, i int) error {
		id := fmt.Sprintf("c-%d", i)
		if err := r.send(ctx, c, http.MethodPost, base+"?setbackId="+id, `{"title":"x"}`); err != nil {
			return err
		}
		return r.send(ctx, c, http.MethodPost, base+"/"+id+":recover", `{}`)
	})
}

func (r *benchRig) replaySSE(ctx context.Context) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.at.HTTP+"/v1/"+r.concluder().name+"/insights:stream", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+r.concluder().token)
	req.Header.Set("Accept", "text/event-stream")
	res, err := r.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // it is cut off
	scanner := bufio.NewScanner(res.Body)
	scanner.Buffer(nil, 1<<20)
	for n := 0; scanner.Scan(); {
		switch {
		case bytes.Equal(scanner.Bytes(), []byte("event: history-end")):
			return n, nil
		case bytes.HasPrefix(scanner.Bytes(), []byte("data: {")):
			if !json.Valid(scanner.Bytes()[len("data: "):]) {
				return n, errors.New("the stream holds what is no JSON")
			}
			n++
		}
	}
	return 0, errors.Join(scanner.Err(), io.ErrUnexpectedEOF)
}
