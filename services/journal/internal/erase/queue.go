package erase

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/queue"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	formerKind = "erasureQueue"
	formerName = "erasures/queue"
)

// Kinds is what the store must know.
func (s *Service) Kinds() []store.Kind {
	return []store.Kind{s.Erasures.Kind(), {Name: formerKind, New: func() proto.Message { return &storagev1.ErasureQueue{} }}}
}

// newQueue makes the queue of erasures that are begun.
func (s *Service) newQueue() *queue.Queue {
	return &queue.Queue{Name: "erasures", Docs: s.docs, Clock: s.now, Log: s.log, Do: func(ctx context.Context, name string) (time.Time, error) {
		return time.Time{}, s.carryOut(ctx, name)
	}}
}

// Run carries out erasures until ctx ends: those that are begun now, and those that
// were cut short before.
func (s *Service) Run(ctx context.Context) error {
	if err := s.takeOver(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "what an earlier release left to erase could not be taken over; the next start tries again", "cause", err.Error())
	}
	return s.queue.Run(ctx)
}

// takeOver moves what a release before jobs had not finished into the queue.
func (s *Service) takeOver(ctx context.Context) error {
	rec, err := s.docs.Get(ctx, formerKind, formerName)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range rec.Body.(*storagev1.ErasureQueue).GetErasures() {
		if err := s.queue.Add(ctx, name, s.now()); err != nil {
			return err
		}
	}
	return s.docs.Commit(ctx, store.Write{Op: store.Delete, Record: rec})[0].Err
}
