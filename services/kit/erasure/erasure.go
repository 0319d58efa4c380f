// Package erasure erases a person from one service's store: first the data key,
// so that nothing they wrote can be read any more, then every document.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Eraser erases people from a store. What it does can be done again, and goes on
// where it was cut short.
type Eraser struct {
	docs    store.Documents
	keyring *privacy.Keyring
	along   []way

	mu     sync.Mutex
	erased map[string]time.Time // those that Run looks after, and since when
}

// way is how to find one kind of an owner's documents.
type way struct{ kind, index string }

// New gives an eraser for a store: the bare one, not the one that encrypts, which
// could not read what has lost its key.
func New(docs store.Documents, keyring *privacy.Keyring, kinds []store.Kind) *Eraser {
	e := &Eraser{docs: docs, keyring: keyring, erased: map[string]time.Time{}}
	for _, k := range kinds {
		if index := ownerIndex(k); index != "" {
			e.along = append(e.along, way{k.Name, index})
		}
	}
	return e
}

// ownerIndex is the index along all of an owner's documents of a kind; where there
// is none by owner, they lie right below the owner. Empty: neither.
func ownerIndex(k store.Kind) string {
	found := ""
	for _, x := range k.Indexes {
		if len(x.Keys) != 2 || x.Keys[1] != store.KeyName {
			continue
		}
		switch x.Keys[0] {
		case store.KeyOwner:
			return x.Name
		case store.KeyParent:
			found = x.Name
		}
	}
	return found
}

// Count counts an owner's documents.
func (e *Eraser) Count(ctx context.Context, owner string) (int64, error) {
	var n int64
	for _, w := range e.along {
		q := w.query(owner)
		for {
			page, err := e.docs.List(ctx, q)
			if err != nil {
				return 0, err
			}
			n += int64(len(page.Records))
			if q.After = page.Next; page.Next == nil {
				break
			}
		}
	}
	return n, nil
}

func (w way) query(owner string) store.Query {
	return store.Query{Kind: w.kind, Index: w.index, Prefix: []store.Value{owner}, Limit: store.MaxPage}
}

// Erase erases a person, and tells how many documents there were when it was
// begun.
func (e *Eraser) Erase(ctx context.Context, owner string) (int64, error) {
	n, erased, err := e.keyring.Erased(ctx, owner)
	if err != nil {
		return 0, err
	}
	if !erased {
		if n, err = e.Count(ctx, owner); err != nil {
			return 0, err
		}
		if n, err = e.keyring.Destroy(ctx, owner, n); err != nil {
			return 0, err
		}
	}
	if err := e.sweep(ctx, owner); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.erased[owner] = time.Now()
	return n, nil
}

// How long, and how often, Run looks after those who were erased.
const (
	lookAfter = 2 * privacy.CacheTime
	sweepEach = 15 * time.Second
)

// Run deletes once more what others write to erased people while they do not know
// of it yet: calls that were under way, and processes that still hold the key.
func (e *Eraser) Run(ctx context.Context) error {
	ticker := time.NewTicker(sweepEach)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.SweepAll(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// SweepAll is one round of Run. What fails is met by the next.
func (e *Eraser) SweepAll(ctx context.Context) {
	e.mu.Lock()
	owners := maps.Clone(e.erased)
	e.mu.Unlock()
	for owner, since := range owners {
		if err := e.sweep(ctx, owner); err == nil && time.Since(since) > lookAfter {
			e.mu.Lock()
			delete(e.erased, owner)
			e.mu.Unlock()
		}
	}
}

func (e *Eraser) sweep(ctx context.Context, owner string) error {
	for _, w := range e.along {
		if err := e.deleteAll(ctx, w, owner); err != nil {
			return fmt.Errorf("erasing %s: %w", w.kind, err)
		}
	}
	return nil
}

// deleteAll deletes page by page. What changes meanwhile is met again.
func (e *Eraser) deleteAll(ctx context.Context, w way, owner string) error {
	for {
		page, err := e.docs.List(ctx, w.query(owner))
		if err != nil || len(page.Records) == 0 {
			return err
		}
		writes := make([]store.Write, len(page.Records))
		for i, r := range page.Records {
			writes[i] = store.Write{Op: store.Delete, Record: r}
		}
		for _, res := range e.docs.Commit(ctx, writes...) {
			if res.Err != nil && !errors.Is(res.Err, store.ErrNotFound) && !errors.Is(res.Err, store.ErrConflict) {
				return res.Err
			}
		}
	}
}
