package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

var lifeCases = []testCase{
	{"id-stable", func(t *testing.T, f fixture) {
		id, other := f.store.ID(), f.open.Open(t, Schema()).ID()
		if id == "" || id == other {
			t.Fatalf("ids %q and %q", id, other)
		}
		s, err := f.open.Reopen(t, f.store, Schema())
		if err != nil || s.ID() != id {
			t.Fatalf("%v, %v", s, err)
		}
	}},
	{"check", func(t *testing.T, f fixture) {
		ctx, cancel := context.WithTimeout(f.ctx(), 5*time.Second)
		defer cancel()
		if err := f.store.Check(ctx); err != nil {
			t.Fatal(err)
		}
	}},
	{"close-use", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 1))
		waiting := make(chan error, 1)
		seen, _ := f.store.Wait(f.ctx(), nil)
		go func() {
			_, err := f.store.Wait(f.ctx(), seen)
			waiting <- err
		}()
		if err := f.store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; !errors.Is(err, store.ErrClosed) {
			t.Errorf("Wait: %v", err)
		}
		q := store.Query{Kind: setbacks, Index: "by_name", Prefix: []store.Value{ada}, Limit: 1}
		for name, call := range map[string]func() error{
			"Commit":   func() error { return f.commit(store.Write{Op: store.Insert, Record: r}).Err },
			"Get":      func() error { _, err := f.store.Get(f.ctx(), setbacks, r.Name); return err },
			"GetBatch": func() error { _, err := f.store.GetBatch(f.ctx(), setbacks, []string{r.Name}); return err },
			"List":     func() error { _, err := f.store.List(f.ctx(), q); return err },
			"Read":     func() error { _, err := f.store.Read(f.ctx(), 0, 0, 1); return err },
			"Wait":     func() error { _, err := f.store.Wait(f.ctx(), nil); return err },
			"Seek":     func() error { _, err := f.store.Seek(f.ctx(), 0, start); return err },
			"Check":    func() error { return f.store.Check(f.ctx()) },
		} {
			if err := call(); !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
	}},
	{"close-twice", func(t *testing.T, f fixture) {
		for range 2 {
			if err := f.store.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"schema-newer", func(t *testing.T, f fixture) {
		older := Schema()
		older.Version--
		if _, err := f.open.Reopen(t, f.store, older); !errors.Is(err, store.ErrNewerSchema) {
			t.Fatalf("got %v", err)
		}
	}},
	{"schema-upgrade", func(t *testing.T, f fixture) {
		var want []store.Record
		for i, id := range []string{"a", "b", "c"} {
			r := f.setback(ada, id, int32(3-i))
			r.Body.(*journalv1.Setback).Etag = id
			want = append(want, f.insert(r))
		}
		next := Schema()
		next.Version++
		next.Kinds[0].Keys = append(next.Kinds[0].Keys, store.Key{Name: "mark", Type: store.Text, Of: func(b proto.Message) store.Value {
			return b.(*journalv1.Setback).GetEtag()
		}})
		next.Kinds[0].Indexes = append(next.Kinds[0].Indexes, store.Index{Name: "by_mark", Keys: []string{store.KeyOwner, "mark"}})
		next.Kinds[0].Indexes = next.Kinds[0].Indexes[1:] // by_name is dropped
		for range 2 {                                     // the second time there is nothing to do
			s, err := f.open.Reopen(t, f.store, next)
			if err != nil {
				t.Fatal(err)
			}
			f.store = s
			got := all(t, f, store.Query{Kind: setbacks, Index: "by_mark", Prefix: []store.Value{ada}, From: "b", Limit: 10})
			if len(got) != 2 {
				t.Fatalf("%d records along the new index", len(got))
			}
			same(t, got[0], want[1])
			same(t, got[1], want[2])
		}
		if _, err := f.store.List(f.ctx(), store.Query{Kind: setbacks, Index: "by_name", Prefix: []store.Value{ada}, Limit: 1}); !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("dropped index: %v", err)
		}
	}},
}
