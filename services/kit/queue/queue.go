// Package queue does work that must be finished however often it is cut short: what
// is to be done lies in the store, any process of a service does it, and never two
// the same at once.
package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	jobKind  = "jobs"
	dueIndex = "by_due"
	dueKey   = "due"

	// lease is how long a job is kept from other processes without being renewed.
	lease = 30 * time.Second
	// renewEach is how often it is renewed.
	renewEach = 10 * time.Second
	// lookEach is how often a process looks for what is due and what others have left.
	lookEach = time.Second
	// again is how soon what failed is tried again.
	again = 2 * time.Second
	// workers is how many jobs of a queue one process does at once.
	workers = 4
	// settleTime is how long writing down what becomes of a job may take.
	settleTime = 5 * time.Second
)

// Kind is what the store must know of jobs.
func Kind() store.Kind {
	return store.Kind{
		Name: jobKind, New: func() proto.Message { return &storagev1.Job{} },
		Keys: []store.Key{{Name: dueKey, Type: store.Number, Of: func(body proto.Message) store.Value {
			return body.(*storagev1.Job).GetDueTime().AsTime().UnixMilli()
		}}},
		Indexes: []store.Index{{Name: dueIndex, Keys: []string{store.KeyOwner, dueKey}}},
	}
}

// Queue is the jobs of one sort.
type Queue struct {
	// Name tells queues of one store apart.
	Name  string
	Docs  store.Documents
	Clock clock.Clock
	Log   *slog.Logger
	// Do does a job. It may be called again for one that it has done, or done in
	// part. The time it returns is when the job is to be done again; zero: never. What
	// fails is done again a little later. Its ctx ends when the job is lost to
	// another process.
	Do func(ctx context.Context, item string) (next time.Time, err error)

	once sync.Once
	wake chan struct{}
}

func (q *Queue) owner() string { return "queues/" + q.Name }

// Add has a job done at a time or soon after; one that is there already is moved to
// that time.
func (q *Queue) Add(ctx context.Context, item string, due time.Time) error {
	_, err := store.Edit(ctx, q.Docs, q.Clock, q.record(item), func(job *storagev1.Job) bool {
		job.Item, job.DueTime = item, dueTime(due)
		return true
	})
	if err == nil {
		q.hurry()
	}
	return err
}

// Ensure has a job done now or soon after, unless it is there already: one that is
// under way is left alone.
func (q *Queue) Ensure(ctx context.Context, item string) error {
	_, err := q.write(ctx, store.Insert, q.record(item), item, q.Clock())
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	if err == nil {
		q.hurry()
	}
	return err
}

// record is that of a job that is not there yet.
func (q *Queue) record(item string) store.Record {
	name := q.owner() + "/" + ids.Derived(item)
	return store.Record{Kind: jobKind, Name: name, Parent: q.owner(), Owner: q.owner(), CreateTime: q.Clock(), Body: &storagev1.Job{Name: name}}
}

func dueTime(due time.Time) *timestamppb.Timestamp { return timestamppb.New(clock.Truncate(due)) }

// write writes a job, due at a time.
func (q *Queue) write(ctx context.Context, op store.Op, rec store.Record, item string, due time.Time) (store.Record, error) {
	rec.UpdateTime, rec.Sealed = q.Clock(), nil
	rec.Body = &storagev1.Job{Name: rec.Name, Item: item, DueTime: dueTime(due)}
	res := q.Docs.Commit(ctx, store.Write{Op: op, Record: rec})[0]
	return res.Record, res.Err
}

// hold is write for jobs that are held: it goes on when ctx ends, so that it is known
// whether it was done.
func (q *Queue) hold(ctx context.Context, rec store.Record, item string, due time.Time) (store.Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	return q.write(ctx, store.Replace, rec, item, due)
}

func (q *Queue) waking() chan struct{} {
	q.once.Do(func() { q.wake = make(chan struct{}, 1) })
	return q.wake
}

func (q *Queue) hurry() {
	select {
	case q.waking() <- struct{}{}:
	default:
	}
}

// Run does what is due until ctx ends: what is added now, and what was cut short
// before. What is under way when ctx ends is left to whoever runs next.
func (q *Queue) Run(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(workers)
	defer func() { _ = g.Wait() }() // jobs write down themselves what became of them
	for {
		if err := q.start(ctx, &g); err != nil && ctx.Err() == nil {
			q.Log.WarnContext(ctx, "a queue could not be read; trying again", "queue", q.Name, "cause", err.Error())
		}
		timer := time.NewTimer(lookEach)
		select {
		case <-q.waking():
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// start claims jobs that are due and begins to do them, as many as there are
// workers free.
func (q *Queue) start(ctx context.Context, g *errgroup.Group) error {
	page, err := q.Docs.List(ctx, store.Query{
		Kind: jobKind, Index: dueIndex, Prefix: []store.Value{q.owner()}, Until: q.Clock().UnixMilli() + 1, Limit: 2 * workers,
	})
	if err != nil {
		return err
	}
	for _, rec := range page.Records {
		if !g.TryGo(func() error { q.claim(ctx, rec); return nil }) {
			return nil
		}
	}
	return nil
}

// claim does one job, if nobody else has it, and looks for more.
func (q *Queue) claim(ctx context.Context, rec store.Record) {
	item := rec.Body.(*storagev1.Job).GetItem()
	rec, err := q.hold(ctx, rec, item, q.Clock().Add(lease))
	if err != nil {
		return // somebody else has it, or nobody can write just now
	}
	held, lose := context.WithCancel(ctx)
	renewed := make(chan store.Record, 1)
	go func() { renewed <- q.renew(held, lose, rec, item) }()
	next, err := q.Do(held, item)
	lose()
	rec = <-renewed
	if err != nil {
		if ctx.Err() == nil {
			q.Log.WarnContext(ctx, "a job is not finished; it is tried again", "queue", q.Name, "cause", err.Error())
			next = q.Clock().Add(again)
		} else {
			next = q.Clock()
		}
	}
	q.settle(ctx, rec, item, next)
	if err == nil {
		q.hurry()
	}
}

// renew holds on to a job until ctx ends, and gives its record as it then is. One
// that is lost ends what is done for it.
func (q *Queue) renew(ctx context.Context, lose func(), rec store.Record, item string) store.Record {
	ticker := time.NewTicker(renewEach)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return rec
		case <-ticker.C:
		}
		kept, err := q.hold(ctx, rec, item, q.Clock().Add(lease))
		switch {
		case err == nil:
			rec = kept
		case errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound):
			lose()
			return rec
		}
	}
}

// settle writes down when a job is to be done next. Where that fails, the job is
// due again when its lease ends.
func (q *Queue) settle(ctx context.Context, rec store.Record, item string, next time.Time) {
	var err error
	if next.IsZero() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		err = q.Docs.Commit(ctx, store.Write{Op: store.Delete, Record: rec})[0].Err
	} else {
		_, err = q.hold(ctx, rec, item, next)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
		q.Log.WarnContext(ctx, "what became of a job could not be written down", "queue", q.Name, "cause", err.Error())
	}
}
