// Package conformance tells whether a running system keeps the guarantees of its
// insight stream: it writes what brings insights, reads the stream as clients do,
// cuts its own connections off, and judges by the log of what it received.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// Format is a way to read the stream.
type Format string

// The formats that are compared.
const (
	NDJSON      Format = "NDJSON"
	SSE         Format = "SSE"
	CloudEvents Format = "CloudEvents"
	GRPC        Format = "gRPC"
)

// Formats are all formats.
var Formats = []Format{NDJSON, SSE, CloudEvents, GRPC}

// Place is where a stream begins, and what of it, as the API has it.
type Place struct{ Start, Token, Filter string }

// Frame is the least that a stream gives at once.
type Frame struct {
	// Insight is nil on a mark.
	Insight *insightsv1.Insight
	// Token is where to go on after this frame; "" when none came with it.
	Token string
	// SnapshotEnd is true on the mark after a snapshot, HistoryEnd on that between
	// history and what is live.
	SnapshotEnd, HistoryEnd bool
	// Gone is the person whom a tombstone is about; "" for none.
	Gone string
}

// Stream is an open stream.
type Stream interface {
	// Next waits for the next frame, until the context that the stream was opened
	// with ends.
	Next() (Frame, error)
	// Close cuts the connection off.
	Close()
}

// System is what is judged, on behalf of one person.
type System interface {
	// Prepare makes the person ready: they let pipelines read.
	Prepare(ctx context.Context) error
	// Subject is the name of what an id stands for.
	Subject(id string) string
	// Conclude does what brings one insight about the subject of an id.
	Conclude(ctx context.Context, id string) error
	// Withdraw takes back what brought the insight about the subject of an id.
	Withdraw(ctx context.Context, id string) error
	// Refuse tries what the system has to refuse, about the subject of an id. That it
	// was not refused is an error.
	Refuse(ctx context.Context, id string) error
	// Schemas are what insights look like.
	Schemas(ctx context.Context) ([]*insightsv1.InsightSchema, error)
	// Open opens the person's stream.
	Open(ctx context.Context, f Format, at Place) (Stream, error)
	// OpenTenant opens the tenant's stream, as a pipeline. ErrNoPipeline: there is no
	// token for that.
	OpenTenant(ctx context.Context, at Place) (Stream, error)
}

// ErrNoPipeline is a caller who may not read the tenant's stream.
var ErrNoPipeline = errors.New("the token lacks the role pipeline")

// ErrRefused is what a system answers that will not do something, however often it
// is asked.
var ErrRefused = errors.New("refused")

// Suite is one run.
type Suite struct {
	System System
	// Run begins the ids of what is written; no two runs may share it.
	Run string
	// Insights is how many are brought about, at least MinInsights.
	Insights int
	// Seed is what the places follow from at which connections are cut off.
	Seed uint64
	// Patience is how long anything may take that should come at once, heartbeats
	// included.
	Patience time.Duration
}

// MinInsights is how many insights the checks need to tell anything.
const MinInsights = 10

// Verdict is how a check ended.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "FAIL"
	// Skip is what the caller may not look at.
	Skip Verdict = "skip"
)

// Result is what a check found.
type Result struct {
	Guarantee string
	Verdict   Verdict
	// Found says in one line what was done and what came of it.
	Found string
}

// evidence is what the checks judge by.
type evidence struct {
	suite    Suite
	rand     *rand.Rand
	schemas  map[insightsv1.InsightKind]*insightsv1.InsightSchema
	wanted   []string // subjects, in the order in which they were written
	refused  map[string]bool
	survivor *clientLog // a client whose connections were cut off
	whole    map[Format]*clientLog
	gaveUp   error  // why that client could not come back; nil when it could
	taken    string // the subject of what was taken back
	tenant   string // where the tenant's stream stood before; "" without a pipeline
}

// check judges one guarantee. What it gives is what it found; an error is how the
// guarantee was broken.
type check struct {
	guarantee string
	judge     func(ctx context.Context, e *evidence) (string, error)
}

var checks = []check{
	{"ordered", ordered}, {"unique", unique}, {"atomic", atomic}, {"resumable", resumable}, {"reliable", reliable},
	{"bookmarkable", bookmarkable}, {"same in all formats", same}, {"corrected", corrected}, {"snapshot", snapshot}, {"pseudonymous", pseudonymous},
}

// Execute gathers the evidence and judges it. An error is a run that could not be
// made, not a guarantee that was broken.
func (s Suite) Execute(ctx context.Context) ([]Result, error) {
	if s.Insights < MinInsights {
		return nil, fmt.Errorf("a run needs at least %d insights", MinInsights)
	}
	e, err := s.gather(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(checks))
	for i, c := range checks {
		found, err := c.judge(ctx, e)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		results[i] = Result{Guarantee: c.guarantee, Verdict: Pass, Found: found}
		switch {
		case errors.Is(err, ErrNoPipeline):
			results[i].Verdict, results[i].Found = Skip, err.Error()
		case err != nil:
			results[i].Verdict, results[i].Found = Fail, err.Error()
		}
	}
	return results, nil
}

// gather writes while one client reads and is cut off again and again, then reads
// everything in each format.
func (s Suite) gather(ctx context.Context) (*evidence, error) {
	e := &evidence{
		suite: s, refused: map[string]bool{}, whole: map[Format]*clientLog{},
		rand: rand.New(rand.NewPCG(s.Seed, 0)), //nolint:gosec // the places are to be foreseeable
	}
	if err := s.System.Prepare(ctx); err != nil {
		return nil, fmt.Errorf("making the person ready: %w", err)
	}
	schemas, err := s.System.Schemas(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the schemas: %w", err)
	}
	e.schemas = map[insightsv1.InsightKind]*insightsv1.InsightSchema{}
	for _, schema := range schemas {
		e.schemas[schema.GetKind()] = schema
	}
	if e.tenant, err = s.tenantToken(ctx); err != nil {
		return nil, fmt.Errorf("opening the tenant's stream: %w", err)
	}
	from, err := s.read(ctx, NDJSON, Place{Start: "LATEST"})
	if err != nil {
		return nil, fmt.Errorf("opening the stream: %w", err)
	}
	for i := range s.Insights {
		e.wanted = append(e.wanted, s.System.Subject(s.id("w", i)))
	}
	g, both := errgroup.WithContext(ctx)
	g.Go(func() error { return s.write(both, e) })
	g.Go(func() (err error) {
		e.survivor, err = s.survive(both, from.last(), e)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := s.withdraw(ctx, e); err != nil {
		return nil, fmt.Errorf("taking something back: %w", err)
	}
	for _, f := range Formats {
		if e.whole[f], err = s.read(ctx, f, Place{Start: "EARLIEST"}); err != nil {
			return nil, fmt.Errorf("reading all of it by %s: %w", f, err)
		}
	}
	return e, nil
}

func (s Suite) id(kind string, i int) string { return fmt.Sprintf("%s-%s%d", s.Run, kind, i) }

// refuseEvery is how often something is tried that is refused.
const refuseEvery = 5

func (s Suite) write(ctx context.Context, e *evidence) error {
	for i := range s.Insights {
		if i%refuseEvery == 0 {
			id := s.id("r", i)
			e.refused[s.System.Subject(id)] = true
			if err := s.System.Refuse(ctx, id); err != nil {
				return fmt.Errorf("trying what is to be refused: %w", err)
			}
		}
		if err := s.System.Conclude(ctx, s.id("w", i)); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return nil
}

// tenantToken is where the tenant's stream ends now.
func (s Suite) tenantToken(ctx context.Context) (string, error) {
	log, err := s.readWith(ctx, func(ctx context.Context) (Stream, error) { return s.System.OpenTenant(ctx, Place{Start: "LATEST"}) })
	if errors.Is(err, ErrNoPipeline) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return log.last(), nil
}
