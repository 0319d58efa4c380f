package erase

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	queueKind = "erasureQueue"
	queueName = "erasures/queue"
	// again is how soon what failed is tried again, and what another instance may
	// have left is looked for.
	again = 5 * time.Second
)

// Kinds is what the store must know.
func (s *Service) Kinds() []store.Kind {
	return []store.Kind{s.Erasures.Kind(), {Name: queueKind, New: func() proto.Message { return &storagev1.ErasureQueue{} }}}
}

// Run carries out what is in the queue until ctx ends: what is begun now, and what
// was cut short before.
func (s *Service) Run(ctx context.Context) error {
	for {
		if err := s.drain(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "an erasure is not finished; it is tried again", "cause", err.Error())
		}
		timer := time.NewTimer(again)
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

func (s *Service) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// drain carries out all that is in the queue. One that fails does not keep the
// others.
func (s *Service) drain(ctx context.Context) error {
	rec, err := s.docs.Get(ctx, queueKind, queueName)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range rec.Body.(*storagev1.ErasureQueue).GetErasures() {
		err := s.carryOut(ctx, name)
		if err == nil {
			err = s.edit(ctx, func(q []string) []string {
				return slices.DeleteFunc(q, func(each string) bool { return each == name })
			})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Service) enqueue(ctx context.Context, name string) error {
	return s.edit(ctx, func(q []string) []string {
		if slices.Contains(q, name) {
			return q
		}
		return append(q, name)
	})
}

// edit changes the queue, again when others do at the same time.
func (s *Service) edit(ctx context.Context, change func([]string) []string) error {
	for {
		now := s.deps.Clock()
		rec, err := s.docs.Get(ctx, queueKind, queueName)
		op := store.Replace
		switch {
		case errors.Is(err, store.ErrNotFound):
			op = store.Insert
			rec = store.Record{Kind: queueKind, Name: queueName, Owner: queueName, CreateTime: now, Body: &storagev1.ErasureQueue{}}
		case err != nil:
			return err
		}
		was := rec.Body.(*storagev1.ErasureQueue).GetErasures()
		next := change(slices.Clone(was))
		if slices.Equal(was, next) {
			return nil
		}
		rec.Body, rec.UpdateTime = &storagev1.ErasureQueue{Name: queueName, Erasures: next}, now
		err = s.docs.Commit(ctx, store.Write{Op: op, Record: rec})[0].Err
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
}
