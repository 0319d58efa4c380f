package facts

import (
	"path/filepath"
	"testing"
	"time"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
)

// TestReloadMends: what a process wrote whose clock is far behind is missed at first,
// and there once the tenant is read anew.
func TestReloadMends(t *testing.T) {
	s, err := sqlite.Open(t.Context(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "insights.db"), Schema: store.Schema{Version: 1, Kinds: []store.Kind{Kind()}}, NewID: ids.Random,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	now := clock.NewManual(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
	table := NewTable(s, now.Now, DefaultTableBytes)
	want := func(n int) {
		t.Helper()
		if got, err := table.People(t.Context(), "tenants/acme"); err != nil || len(got) != n {
			t.Fatalf("%d people, want %d; %v", len(got), n, err)
		}
	}
	want(0)
	owner, late := "tenants/acme/people/ada", now.Now().Add(-time.Hour)
	rec := store.Record{Kind: KindName, Name: Name(owner), Parent: owner, Owner: owner, CreateTime: late, UpdateTime: late, Body: &storagev1.WeeklyFacts{Name: Name(owner)}}
	if res := s.Commit(t.Context(), store.Write{Op: store.Insert, Record: rec})[0]; res.Err != nil {
		t.Fatal(res.Err)
	}
	want(0)
	for range 2 { // the first time it is not due
		if err := table.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		now.Advance(reloadAfter)
	}
	want(1)
}
