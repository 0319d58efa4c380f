package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

var listCases = []testCase{
	{"list-order", func(t *testing.T, f fixture) {
		fill(f, ada, 9)
		byName := all(t, f, store.Query{Kind: setbacks, Index: "by_name", Prefix: []store.Value{ada}, Limit: 100})
		if !slices.IsSortedFunc(byName, func(a, b store.Record) int { return cmpString(a.Name, b.Name) }) || len(byName) != 9 {
			t.Fatalf("%d records, out of order", len(byName))
		}
		q := store.Query{Kind: setbacks, Index: "by_create_time", Prefix: []store.Value{ada}, Limit: 100}
		up := all(t, f, q)
		q.Descending = true
		down := all(t, f, q)
		slices.Reverse(down)
		if !slices.Equal(names(up), names(down)) {
			t.Fatal("descending is not the reverse of ascending")
		}
		// Equal keys are ordered by name.
		for i := 1; i < len(up); i++ {
			if up[i-1].CreateTime.After(up[i].CreateTime) || (up[i-1].CreateTime.Equal(up[i].CreateTime) && up[i-1].Name > up[i].Name) {
				t.Fatalf("%s before %s", up[i-1].Name, up[i].Name)
			}
		}
	}},
	{"list-prefix", func(t *testing.T, f fixture) {
		fill(f, ada, 5)
		fill(f, ada+"x", 5)
		fill(f, grace, 5)
		for _, r := range all(t, f, store.Query{Kind: setbacks, Index: "by_name", Prefix: []store.Value{ada}, Limit: 100}) {
			if r.Parent != ada {
				t.Fatalf("%s is not %s's", r.Name, ada)
			}
		}
		got := all(t, f, store.Query{Kind: setbacks, Index: "by_state", Prefix: []store.Value{ada, "SETBACK_STATE_OPEN"}, Limit: 100})
		if len(got) != 5 {
			t.Fatalf("%d records", len(got))
		}
		if none := all(t, f, store.Query{Kind: setbacks, Index: "by_state", Prefix: []store.Value{ada, "SETBACK_STATE_CLOSED"}, Limit: 100}); len(none) != 0 {
			t.Fatalf("%d records of another state", len(none))
		}
	}},
	{"list-range", func(t *testing.T, f fixture) {
		fill(f, ada, 10)
		q := store.Query{Kind: setbacks, Index: "by_state", Prefix: []store.Value{ada, "SETBACK_STATE_OPEN"}, From: int64(2), Until: int64(5), Limit: 100}
		for _, down := range []bool{false, true} {
			q.Descending = down
			got := all(t, f, q)
			if len(got) == 0 {
				t.Fatal("nothing in range")
			}
			for _, r := range got {
				if i := r.Body.(*journalv1.Setback).GetIntensity(); i < 2 || i >= 5 {
					t.Fatalf("intensity %d is not in 2..4", i)
				}
			}
		}
	}},
	{"list-page", func(t *testing.T, f fixture) {
		const n = 12
		fill(f, ada, n)
		q := store.Query{Kind: setbacks, Index: "by_state", Prefix: []store.Value{ada, "SETBACK_STATE_OPEN"}, Limit: 100}
		for _, down := range []bool{false, true} {
			q.Descending = down
			want := names(all(t, f, q))
			for _, size := range []int{1, 2, n - 1, n, n + 1} {
				paged := q
				paged.Limit = size
				if got := names(all(t, f, paged)); !slices.Equal(got, want) {
					t.Fatalf("size %d, descending %v:\n got %v\nwant %v", size, down, got, want)
				}
			}
		}
		if page, err := f.store.List(f.ctx(), store.Query{Kind: setbacks, Index: "by_name", Prefix: []store.Value{grace}, Limit: 5}); err != nil || len(page.Records) != 0 || page.Next != nil {
			t.Fatalf("empty list: %v, %v", page, err)
		}
	}},
	{"list-stable", func(t *testing.T, f fixture) { pagingProperty(t, f) }},
	{"list-anchor", func(t *testing.T, f fixture) {
		fill(f, ada, 6)
		q := store.Query{Kind: setbacks, Index: "by_name", Prefix: []store.Value{ada}, Limit: 3}
		want := names(all(t, f, q))
		page, err := f.store.List(f.ctx(), q)
		if err != nil {
			t.Fatal(err)
		}
		if res := f.commit(store.Write{Op: store.Delete, Record: page.Records[2]}); res.Err != nil {
			t.Fatal(res.Err)
		}
		q.After = page.Next
		rest, err := f.store.List(f.ctx(), q)
		if err != nil || !slices.Equal(names(rest.Records), want[3:]) {
			t.Fatalf("%v, %v", names(rest.Records), err)
		}
	}},
	{"list-declared", func(t *testing.T, f fixture) {
		good := store.Query{Kind: setbacks, Index: "by_name", Prefix: []store.Value{ada}, Limit: 1}
		for name, spoil := range map[string]func(*store.Query){
			"kind":        func(q *store.Query) { q.Kind = "nothing" },
			"index":       func(q *store.Query) { q.Index = "by_title" },
			"few values":  func(q *store.Query) { q.Prefix = nil },
			"many values": func(q *store.Query) { q.Prefix = []store.Value{ada, ada} },
			"value type":  func(q *store.Query) { q.Prefix = []store.Value{int64(1)} },
			"bound type":  func(q *store.Query) { q.From = int64(1) },
			"cursor type": func(q *store.Query) { q.After = &store.Cursor{Key: int64(1), Name: "x"} },
			"no cursor":   func(q *store.Query) { q.After = &store.Cursor{} },
			"limit 0":     func(q *store.Query) { q.Limit = 0 },
			"limit over":  func(q *store.Query) { q.Limit = store.MaxPage + 1 },
		} {
			q := good
			spoil(&q)
			if _, err := f.store.List(f.ctx(), q); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}},
}

// pagingProperty: whatever is inserted and deleted between pages, what is there
// all the time is seen exactly once.
func pagingProperty(t *testing.T, f fixture) {
	rapid.Check(t, func(rt *rapid.T) {
		owner := "tenants/acme/people/p" + f.newID()
		kept := map[string]bool{}
		for i := range rapid.IntRange(0, 8).Draw(rt, "kept") {
			r := f.setback(owner, fmt.Sprintf("kept-%d", i), int32(rapid.IntRange(0, 3).Draw(rt, "intensity")))
			kept[f.insert(r).Name] = true
		}
		q := store.Query{
			Kind: setbacks, Index: "by_state", Prefix: []store.Value{owner, "SETBACK_STATE_OPEN"},
			Descending: rapid.Bool().Draw(rt, "descending"), Limit: rapid.IntRange(1, 3).Draw(rt, "limit"),
		}
		seen := map[string]bool{}
		var passing []store.Record
		for n := 0; ; n++ {
			page, err := f.store.List(f.ctx(), q)
			if err != nil {
				rt.Fatal(err)
			}
			for _, r := range page.Records {
				if seen[r.Name] {
					rt.Fatalf("%s was given twice", r.Name)
				}
				seen[r.Name] = true
			}
			if q.After = page.Next; page.Next == nil {
				break
			}
			if n < 6 && rapid.Bool().Draw(rt, "insert") {
				r := f.setback(owner, fmt.Sprintf("passing-%d", n), int32(rapid.IntRange(0, 3).Draw(rt, "intensity")))
				passing = append(passing, f.insert(r))
			}
			if len(passing) > 0 && rapid.Bool().Draw(rt, "delete") {
				f.commit(store.Write{Op: store.Delete, Record: passing[0]})
				passing = passing[1:]
			}
		}
		for name := range kept {
			if !seen[name] {
				rt.Fatalf("%s was never given", name)
			}
		}
	})
}

// fill makes n records with few different keys, so that ties are common.
func fill(f fixture, owner string, n int) {
	f.t.Helper()
	for i := range n {
		f.now = start.Add(time.Duration(i%3) * time.Second)
		f.insert(f.setback(owner, fmt.Sprintf("s%02d", (i*7)%n), int32(i%6)))
	}
}

// all reads every page of a query.
func all(t testing.TB, f fixture, q store.Query) []store.Record {
	t.Helper()
	var out []store.Record
	for {
		page, err := f.store.List(f.ctx(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Records) > q.Limit {
			t.Fatalf("%d records for a limit of %d", len(page.Records), q.Limit)
		}
		out = append(out, page.Records...)
		if q.After = page.Next; page.Next == nil {
			return out
		}
	}
}

func names(records []store.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = r.Name
	}
	return out
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
