package store_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
)

// TestEditLosesNothing: of many who edit one record at once, each edits what the others
// have made of it, and the event of each is there once.
func TestEditLosesNothing(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "edit.db"), NewID: ids.Random, Partitions: 1,
		Schema: store.Schema{Version: 1, Kinds: []store.Kind{{Name: "counts", New: func() proto.Message { return &wrapperspb.Int64Value{} }}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := clock.NewManual(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)).Now
	first := store.Record{Kind: "counts", Name: "counts/one", Owner: "counts/one", Body: wrapperspb.Int64(0)}
	edit := func(ctx context.Context, by int64) (*wrapperspb.Int64Value, error) {
		return store.Edit(ctx, s, now, first, func(v *wrapperspb.Int64Value) bool {
			v.Value += by
			return by != 0
		}, &eventsv1.Event{Id: ids.Random(), Source: "test", Type: "counted", Subject: first.Name, Owner: first.Owner, Time: timestamppb.New(now())})
	}
	if body, err := edit(t.Context(), 0); err != nil || body.GetValue() != 0 {
		t.Fatalf("%v, %v", body, err)
	}
	const editors, edits = 8, 20
	var all sync.WaitGroup
	for range editors {
		all.Go(func() {
			for range edits {
				if _, err := edit(t.Context(), 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if body, err := edit(t.Context(), 0); err != nil || body.GetValue() != editors*edits {
		t.Errorf("%v, %v", body, err)
	}
	if events, err := s.Read(t.Context(), 0, 0, store.MaxRead); err != nil || len(events) != editors*edits {
		t.Errorf("%d events, %v", len(events), err)
	}
}
