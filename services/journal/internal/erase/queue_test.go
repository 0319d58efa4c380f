package erase

import (
	"log/slog"
	"testing"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/queue"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// TestTakeOver: what an earlier release had not finished is in the queue once, and
// the former place is empty.
func TestTakeOver(t *testing.T) {
	rig := resourcetest.New(t)
	s := New(rig.Deps)
	docs := rig.Open(t, append(s.Kinds(), queue.Kind())...)
	s.Begin(Parts{Docs: docs, Log: slog.New(slog.DiscardHandler)})
	names := []string{"tenants/acme/erasures/a", "tenants/acme/erasures/b"}
	former := store.Record{Kind: formerKind, Name: formerName, Owner: formerName, Body: &storagev1.ErasureQueue{Name: formerName, Erasures: names}}
	if err := docs.Commit(t.Context(), store.Write{Op: store.Insert, Record: former})[0].Err; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.takeOver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	page, err := docs.List(t.Context(), store.Query{Kind: "jobs", Index: "by_due", Prefix: []store.Value{"queues/erasures"}, Limit: 10})
	if err != nil || len(page.Records) != 2 {
		t.Fatalf("%d jobs: %v", len(page.Records), err)
	}
	for _, rec := range page.Records {
		if item := rec.Body.(*storagev1.Job).GetItem(); item != names[0] && item != names[1] {
			t.Errorf("a job for %s", item)
		}
	}
}
