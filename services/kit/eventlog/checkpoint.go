package eventlog

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const checkpoints = "checkpoints"

// CheckpointKind declares what Checkpoints keeps.
func CheckpointKind() store.Kind {
	return store.Kind{Name: checkpoints, New: func() proto.Message { return &storagev1.Checkpoint{} }}
}

// Checkpoints keeps how far a consumer has read its sources. They only say where
// to go on after a restart: a consumer can take an event again.
type Checkpoints struct {
	docs store.Documents
	now  clock.Clock
}

// NewCheckpoints keeps checkpoints in a store.
func NewCheckpoints(docs store.Documents, now clock.Clock) *Checkpoints {
	return &Checkpoints{docs: docs, now: now}
}

// Checkpoint is the place reached in one source.
type Checkpoint struct{ record store.Record }

// Token is where to go on; empty: at the beginning.
func (c Checkpoint) Token() string { return c.record.Body.(*storagev1.Checkpoint).GetToken() }

// Peek gives the token of the place reached in a source; empty: there is none.
func (c *Checkpoints) Peek(ctx context.Context, source string) (string, error) {
	rec, err := c.docs.Get(ctx, checkpoints, "checkpoints/"+source)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return Checkpoint{rec}.Token(), nil
}

// Load reads the place reached in a source, making it when there is none.
func (c *Checkpoints) Load(ctx context.Context, source string) (Checkpoint, error) {
	name := "checkpoints/" + source
	rec, err := c.docs.Get(ctx, checkpoints, name)
	if !errors.Is(err, store.ErrNotFound) {
		return Checkpoint{rec}, err
	}
	now := c.now()
	rec = store.Record{Kind: checkpoints, Name: name, Owner: name, CreateTime: now, UpdateTime: now, Body: &storagev1.Checkpoint{Name: name}}
	res := c.docs.Commit(ctx, store.Write{Op: store.Insert, Record: rec})[0]
	if errors.Is(res.Err, store.ErrExists) {
		rec, err = c.docs.Get(ctx, checkpoints, name)
		return Checkpoint{rec}, err
	}
	return Checkpoint{res.Record}, res.Err
}

// Save writes the place reached down. That it fails now and then is no harm: it
// is only where to go on from.
func (c *Checkpoints) Save(ctx context.Context, at Checkpoint, token string) Checkpoint {
	next := at.record
	next.UpdateTime = c.now()
	next.Body = &storagev1.Checkpoint{Name: next.Name, Token: token}
	res := c.docs.Commit(ctx, store.Write{Op: store.Replace, Record: next})[0]
	if res.Err == nil {
		return Checkpoint{res.Record}
	}
	if again, err := c.docs.Get(ctx, checkpoints, next.Name); err == nil {
		return Checkpoint{again} // another instance reads the same source
	}
	return at
}

// Delete deletes the place reached in a source, if there is one.
func (c *Checkpoints) Delete(ctx context.Context, source string) error {
	rec, err := c.docs.Get(ctx, checkpoints, "checkpoints/"+source)
	if err == nil {
		err = c.docs.Commit(ctx, store.Write{Op: store.Delete, Record: rec})[0].Err
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
