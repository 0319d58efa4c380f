package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/erasure"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/keys"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/golang-lru/v2/expirable.NewLRU[...].func1"))
}

const (
	ada   = "tenants/acme/people/ada"
	grace = "tenants/acme/people/grace"
)

// flaky is a store that fails after so many commits.
type flaky struct {
	store.Store
	left int
}

func (f *flaky) Commit(ctx context.Context, writes ...store.Write) []store.Result {
	if f.left--; f.left < 0 {
		out := make([]store.Result, len(writes))
		for i := range out {
			out[i].Err = store.ErrUnavailable
		}
		return out
	}
	return f.Store.Commit(ctx, writes...)
}

// rig is a store with many documents of two people.
type rig struct {
	t       *testing.T
	inner   *flaky
	sealing store.Store
	keyring *privacy.Keyring
	another *privacy.Keyring // of another process
	eraser  *erasure.Eraser
}

const each = 1200

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	set, err := keys.OpenOrCreate(filepath.Join(dir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema := storetest.Schema()
	schema.Kinds = append(schema.Kinds, privacy.Kind())
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "test.db"), Schema: schema, NewID: ids.Random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := &rig{t: t, inner: &flaky{Store: s, left: 1 << 30}}
	r.keyring = privacy.NewKeyring(r.inner, set, clock.System)
	r.another = privacy.NewKeyring(r.inner, set, clock.System)
	r.sealing = privacy.NewStore(r.inner, r.keyring)
	r.eraser = erasure.New(r.inner, r.keyring, schema.Kinds)
	for _, owner := range []string{ada, grace} {
		for _, kind := range []string{"setbacks", "lessons"} {
			writes := make([]store.Write, each)
			for i := range writes {
				writes[i] = store.Write{Op: store.Insert, Record: record(owner, kind, i)}
			}
			for _, res := range r.sealing.Commit(t.Context(), writes...) {
				if res.Err != nil {
					t.Fatal(res.Err)
				}
			}
		}
	}
	return r
}

func record(owner, kind string, i int) store.Record {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	rec := store.Record{Kind: kind, Name: fmt.Sprintf("%s/%s/%d", owner, kind, i), Parent: owner, Owner: owner, CreateTime: now, UpdateTime: now}
	rec.Body = &journalv1.Setback{Name: rec.Name, Title: "words"}
	if kind == "lessons" {
		rec.Body = &journalv1.Lesson{Name: rec.Name, Statement: "words"}
	}
	return rec
}

func (r *rig) count(owner string) int64 {
	r.t.Helper()
	n, err := r.eraser.Count(r.t.Context(), owner)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// TestCutShort: cut short after any commit, it is done by calling again, and
// tells how many documents there were at first.
func TestCutShort(t *testing.T) {
	for commits := range 6 {
		r := newRig(t)
		r.inner.left = commits
		if _, err := r.eraser.Erase(t.Context(), ada); (err == nil) != (commits >= 5) || err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("after %d commits: %v", commits, err)
		}
		if commits > 0 { // the key goes first: from then on nothing can be read
			if got, err := r.sealing.GetBatch(t.Context(), "setbacks", []string{record(ada, "setbacks", each-1).Name}); err != nil || len(got) != 0 {
				t.Fatalf("after %d commits: %v, %v", commits, got, err)
			}
		}
		r.inner.left = 1 << 30
		for range 2 {
			if n, err := r.eraser.Erase(t.Context(), ada); err != nil || n != 2*each {
				t.Fatalf("after %d commits and once more: %d, %v", commits, n, err)
			}
		}
		if left, others := r.count(ada), r.count(grace); left != 0 || others != 2*each {
			t.Fatalf("%d are left, and %d of somebody else", left, others)
		}
		if res := r.sealing.Commit(t.Context(), store.Write{Op: store.Insert, Record: record(ada, "setbacks", 1)}); !errors.Is(res[0].Err, privacy.ErrErased) {
			t.Fatalf("something is written to an erased person: %v", res[0].Err)
		}
	}
}

// TestLateWrites: what another process writes with the key that it still holds is
// deleted by the next round.
func TestLateWrites(t *testing.T) {
	r := newRig(t)
	other := privacy.NewStore(r.inner, r.another)
	write := func(i int) error {
		return other.Commit(t.Context(), store.Write{Op: store.Insert, Record: record(ada, "setbacks", each+i)})[0].Err
	}
	if err := write(0); err != nil { // now it holds the key
		t.Fatal(err)
	}
	if _, err := r.eraser.Erase(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if err := write(1); err != nil || r.count(ada) != 1 {
		t.Fatalf("%v, %d documents", err, r.count(ada))
	}
	r.eraser.SweepAll(t.Context())
	if left, others := r.count(ada), r.count(grace); left != 0 || others != 2*each {
		t.Errorf("%d are left, and %d of somebody else", left, others)
	}
}

// TestPublishedOnce: the event of an erasure is there once, however often it is told.
func TestPublishedOnce(t *testing.T) {
	r := newRig(t)
	if _, err := r.eraser.Erase(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		event := &eventsv1.Event{Id: ids.Random(), Type: erasure.EventType, Subject: ada, Owner: ada}
		if err := r.keyring.Publish(t.Context(), ada, "tenants/acme/erasures/e", event); err != nil {
			t.Fatal(err)
		}
	}
	events, err := r.inner.Read(t.Context(), store.PartitionOf(ada, r.inner.Partitions()), 0, 100)
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if _, erased, err := r.keyring.Erased(t.Context(), ada); err != nil || !erased {
		t.Error("publishing gave her a key again", err)
	}
}
