package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
)

func openTest(t *testing.T, path string) (*Store, error) {
	t.Helper()
	return Open(t.Context(), Options{Path: path, Schema: storetest.Schema(), NewID: ids.Random})
}

// TestEveryQueryUsesItsIndex explains every shape of every declared query.
func TestEveryQueryUsesItsIndex(t *testing.T) {
	s, err := openTest(t, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, kind := range storetest.Schema().Kinds {
		for _, x := range kind.Indexes {
			for shape := range 16 {
				q := store.Query{Kind: kind.Name, Index: x.Name, Limit: 10, Descending: shape&1 != 0}
				value := func(key string) store.Value {
					if kind.KeyType(key) == store.Number {
						return int64(1)
					}
					return "a"
				}
				for _, key := range x.Keys[:len(x.Keys)-1] {
					q.Prefix = append(q.Prefix, value(key))
				}
				last := value(x.Keys[len(x.Keys)-1])
				if shape&2 != 0 {
					q.From = last
				}
				if shape&4 != 0 {
					q.Until = last
				}
				if shape&8 != 0 {
					q.After = &store.Cursor{Key: last, Name: "n"}
				}
				text, args := s.tables[kind.Name].list(x, q)
				plan := explain(t, s, text, append(args, 10))
				index := "i_" + kind.Name + "_" + x.Name
				if byName(x) {
					index = s.tables[kind.Name].nameIndex() + " (name>? AND name<?)"
				}
				if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%s.%s, shape %b: %s", kind.Name, x.Name, shape, plan)
				}
				if len(q.Prefix) > 0 && !strings.Contains(plan, "SEARCH") {
					t.Errorf("%s.%s, shape %b scans: %s", kind.Name, x.Name, shape, plan)
				}
			}
		}
	}
	for text, args := range map[string][]any{rowsAfter: {1, 9, 10}, firstRow: {1, 9}, lastRow: {1, 9}, nthRow: {1, 9, 10}, trimRows: {1, 9}} {
		if plan := explain(t, s, text, args); !strings.Contains(plan, "SEARCH") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", text, plan)
		}
	}
}

func explain(t *testing.T, s *Store, text string, args []any) string {
	t.Helper()
	rows, err := s.readDB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := openTest(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openTest(t, path); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := openTest(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
