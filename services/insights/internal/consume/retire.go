package consume

import (
	"context"
	"errors"
	"slices"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// retire deletes what is left of generations that are neither current nor built, a
// little at a time. It is kept by the current one, and begins when nobody can be at
// work on the others any more. Cut short, it begins again.
func (c *Consumer) retire(ctx context.Context) error {
	if err := clock.Sleep(ctx, c.retireAfter); err != nil {
		return err
	}
	return c.insist(ctx, "old projections could not be deleted; trying again", func(ctx context.Context) error {
		for _, kind := range generational {
			if err := c.retireKind(ctx, kind); err != nil {
				return err
			}
		}
		state, _ := c.Generations.view()
		for old := state.GetOldest(); old < int32(c.generation); old++ {
			if err := c.forget(ctx, Generation(old)); err != nil {
				return err
			}
		}
		return c.Generations.edit(ctx, projection.Version, func(s *storagev1.Generations) {
			s.Oldest = max(s.GetOldest(), int32(c.generation))
		})
	})
}

// retireKind walks through all documents of a kind and deletes the old ones.
func (c *Consumer) retireKind(ctx context.Context, kind string) error {
	q := store.Query{Kind: kind, Index: facts.NameIndex, Limit: retireBatch}
	for {
		page, err := c.docs.List(ctx, q)
		if err != nil {
			return err
		}
		state, _ := c.Generations.view()
		var old []store.Write
		for _, rec := range page.Records {
			if slices.Contains(numbers(state), generationOf(rec)) {
				continue
			}
			if p, ok := rec.Body.(*storagev1.Projection); ok && p.GetErased() {
				if err := c.remember(ctx, rec.Owner); err != nil {
					return err
				}
			}
			old = append(old, store.Write{Op: store.Delete, Record: rec})
		}
		for _, res := range c.docs.Commit(ctx, old...) {
			if res.Err != nil && !errors.Is(res.Err, store.ErrNotFound) {
				return res.Err
			}
		}
		if q.After = page.Next; q.After == nil {
			return nil
		}
		if err := clock.Sleep(ctx, retirePause); err != nil {
			return err
		}
	}
}

// remember keeps the mark of an erased person of whom no source tells any more.
func (c *Consumer) remember(ctx context.Context, owner string) error {
	found, err := c.docs.GetBatch(ctx, Projections, []string{c.generation.Name(projection.Name(owner))})
	if err != nil || len(found) > 0 {
		return err
	}
	return c.mark(ctx, c.generation, owner, false)
}

// forget deletes the checkpoints of a generation.
func (c *Consumer) forget(ctx context.Context, old Generation) error {
	for share := range Shares {
		for _, source := range sourceNames {
			if err := c.checkpoints.Delete(ctx, old.checkpoint(source, share)); err != nil {
				return err
			}
		}
	}
	return nil
}
