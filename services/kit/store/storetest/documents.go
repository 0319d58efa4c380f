package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	typev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/type/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

var documentCases = []testCase{
	{"commit-atomic", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 3))
		same(t, f.get(r.Name), r)
		events := f.events(ada, 1)
		if len(events) != 1 || events[0].GetSubject() != r.Name {
			t.Fatalf("want the one event of the insert, got %v", events)
		}
	}},
	{"commit-alone", func(t *testing.T, f fixture) {
		there := f.insert(f.setback(ada, "there", 1))
		stale := there
		stale.Revision--
		results := f.store.Commit(f.ctx(),
			store.Write{Op: store.Insert, Record: f.setback(ada, "new", 1)},
			store.Write{Op: store.Insert, Record: f.setback(ada, "there", 1)},
			store.Write{Op: store.Replace, Record: stale},
			store.Write{Op: store.Delete, Record: f.setback(ada, "absent", 1)},
			store.Write{Op: store.Insert, Record: f.setback(grace, "new", 1)},
		)
		want := []error{nil, store.ErrExists, store.ErrConflict, store.ErrNotFound, nil}
		for i, res := range results {
			if !errors.Is(res.Err, want[i]) {
				t.Errorf("write %d: got %v, want %v", i, res.Err, want[i])
			}
		}
		f.get(ada + "/setbacks/new")
		f.get(grace + "/setbacks/new")
	}},
	{"commit-durable", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 3))
		s, err := f.open.Reopen(t, f.store, Schema())
		if err != nil {
			t.Fatal(err)
		}
		f.store = s
		same(t, f.get(r.Name), r)
	}},
	{"insert-exists", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 3))
		again := f.setback(ada, "a", 9)
		res := f.commit(store.Write{Op: store.Insert, Record: again, Events: []*eventsv1.Event{f.event(again, "recorded")}})
		if !errors.Is(res.Err, store.ErrExists) || res.Replayed {
			t.Fatalf("got %v, replayed %v", res.Err, res.Replayed)
		}
		same(t, f.get(r.Name), r)
		if n := len(f.events(ada, 1)); n != 1 {
			t.Fatalf("%d events after a failed insert", n)
		}
	}},
	{"insert-replay", func(t *testing.T, f fixture) {
		first := f.setback(ada, "a", 3)
		first.RequestID = "r1"
		r := f.insert(first)
		again := f.setback(ada, "a", 9)
		again.RequestID = "r1"
		res := f.commit(store.Write{Op: store.Insert, Record: again, Events: []*eventsv1.Event{f.event(again, "recorded")}})
		if res.Err != nil || !res.Replayed {
			t.Fatalf("got %v, replayed %v", res.Err, res.Replayed)
		}
		same(t, res.Record, r)
		if n := len(f.events(ada, 1)); n != 1 {
			t.Fatalf("%d events after a replay", n)
		}
		again.RequestID = "r2"
		if res := f.commit(store.Write{Op: store.Insert, Record: again}); !errors.Is(res.Err, store.ErrExists) {
			t.Fatalf("another request: got %v", res.Err)
		}
	}},
	{"replace-absent", func(t *testing.T, f fixture) {
		r := f.setback(ada, "absent", 1)
		r.Revision = 7
		for _, op := range []store.Op{store.Replace, store.Delete} {
			if res := f.commit(store.Write{Op: op, Record: r}); !errors.Is(res.Err, store.ErrNotFound) {
				t.Errorf("op %d: got %v", op, res.Err)
			}
		}
	}},
	{"replace-stale", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 3))
		next := r
		next.Body = &journalv1.Setback{Name: r.Name, Intensity: 4}
		if res := f.commit(store.Write{Op: store.Replace, Record: next}); res.Err != nil {
			t.Fatal(res.Err)
		}
		for _, op := range []store.Op{store.Replace, store.Delete} {
			res := f.commit(store.Write{Op: op, Record: next, Events: []*eventsv1.Event{f.event(next, "updated")}})
			if !errors.Is(res.Err, store.ErrConflict) {
				t.Errorf("op %d: got %v", op, res.Err)
			}
		}
		if got := f.get(r.Name).Body.(*journalv1.Setback).GetIntensity(); got != 4 {
			t.Errorf("a stale write changed the record: %d", got)
		}
		if n := len(f.events(ada, 1)); n != 1 {
			t.Errorf("a stale write left an event: %d", n)
		}
	}},
	{"replace-keeps", func(t *testing.T, f fixture) {
		first := f.setback(ada, "a", 3)
		first.RequestID = "r1"
		r := f.insert(first)
		next := r
		next.CreateTime, next.RequestID = f.now.Add(time.Hour), "other"
		next.UpdateTime = f.now.Add(time.Hour)
		res := f.commit(store.Write{Op: store.Replace, Record: next})
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		got := f.get(r.Name)
		same(t, got, res.Record)
		if !got.CreateTime.Equal(f.now) || got.RequestID != "r1" || !got.UpdateTime.Equal(next.UpdateTime) {
			t.Fatalf("got %v, %q, %v", got.CreateTime, got.RequestID, got.UpdateTime)
		}
	}},
	{"revision-grows", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 1))
		for range 5 { // all within one millisecond
			res := f.commit(store.Write{Op: store.Replace, Record: r})
			if res.Err != nil || res.Record.Revision <= r.Revision {
				t.Fatalf("%v: %d after %d", res.Err, res.Record.Revision, r.Revision)
			}
			r = res.Record
		}
	}},
	{"revision-recreate", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 1))
		for range 4 {
			if res := f.commit(store.Write{Op: store.Replace, Record: r}); res.Err == nil {
				r = res.Record
			}
		}
		if res := f.commit(store.Write{Op: store.Delete, Record: r, Events: []*eventsv1.Event{f.event(r, "deleted")}}); res.Err != nil {
			t.Fatal(res.Err)
		}
		f.events(ada, 2)
		if again := f.insert(f.setback(ada, "a", 1)); again.Revision <= r.Revision {
			t.Fatalf("revision %d after %d", again.Revision, r.Revision)
		}
	}},
	{"order-within-commit", func(t *testing.T, f fixture) {
		var writes []store.Write
		for i := range 20 {
			r := f.setback(ada, string(rune('a'+i)), int32(i%10))
			writes = append(writes, store.Write{Op: store.Insert, Record: r, Events: []*eventsv1.Event{f.event(r, "recorded")}})
		}
		for i, res := range f.store.Commit(f.ctx(), writes...) {
			if res.Err != nil {
				t.Fatalf("write %d: %v", i, res.Err)
			}
		}
		for i, e := range f.events(ada, 20) {
			if want := writes[i].Record.Name; e.GetSubject() != want {
				t.Fatalf("event %d is about %s, want %s", i, e.GetSubject(), want)
			}
		}
	}},
	{"names", func(t *testing.T, f fixture) {
		good := f.setback(ada, "a", 1)
		for _, wrong := range []func(*store.Record){
			func(r *store.Record) { r.Parent = grace },
			func(r *store.Record) { r.Owner = grace },
			func(r *store.Record) { r.Parent = ada + "/setback" }, // the beginning, but no whole segment
			func(r *store.Record) { r.Owner = ada + "/setbacks/a/b" },
		} {
			r := good
			wrong(&r)
			if res := f.commit(store.Write{Op: store.Insert, Record: r}); !errors.Is(res.Err, store.ErrInvalid) {
				t.Errorf("parent %s, owner %s: %v", r.Parent, r.Owner, res.Err)
			}
		}
		own := good
		own.Owner, own.Parent = good.Name, ""
		if res := f.commit(store.Write{Op: store.Insert, Record: own}); res.Err != nil {
			t.Error(res.Err)
		}
	}},
	{"no-alias", func(t *testing.T, f fixture) {
		given := f.setback(ada, "a", 3)
		event := f.event(given, "recorded")
		res := f.commit(store.Write{Op: store.Insert, Record: given, Events: []*eventsv1.Event{event}})
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		if event.GetPosition() != 0 {
			t.Error("Commit wrote into the caller's event")
		}
		want := proto.Clone(given.Body)
		given.Body.(*journalv1.Setback).Intensity = 9
		res.Record.Body.(*journalv1.Setback).Intensity = 8
		got := f.get(given.Name)
		if !proto.Equal(got.Body, want) {
			t.Fatalf("the store shares memory with its caller: %v", got.Body)
		}
		got.Body.(*journalv1.Setback).Intensity = 7
		if again := f.get(given.Name); !proto.Equal(again.Body, want) {
			t.Fatalf("the store gave out what it keeps: %v", again.Body)
		}
	}},
	{"round-trip", func(t *testing.T, f fixture) {
		for id, text := range map[string]string{
			"unicode": "Zürich 東京 \U0001F9D7 e\u0301", "case": "straße STRASSE", "nul": "a\x00b", "empty": "",
			"large": strings.Repeat("0123456789", 100_000), "quotes": `'"; DROP TABLE r_setbacks; -- $where {"$gt": ""}`,
		} {
			r := f.setback(ada, id, -3)
			if o, ok := f.open.(interface{ Seals() bool }); !ok || !o.Seals() {
				r.Sealed = []byte(text + "\x00\xff")
			}
			r.Body.(*journalv1.Setback).Title = text
			r.Body.(*journalv1.Setback).Feelings = []typev1.Feeling{typev1.Feeling_FEELING_SHAME, typev1.Feeling(99)}
			same(t, f.get(f.insert(r).Name), func() store.Record { r.Revision = f.get(r.Name).Revision; return r }())
		}
		upper := f.setback(ada, "CASE", 1)
		f.insert(upper)
		if f.get(ada+"/setbacks/case").Revision == f.get(upper.Name).Revision {
			t.Fatal("names that differ in case are one")
		}
	}},
	{"too-large", func(t *testing.T, f fixture) {
		r := f.setback(ada, "a", 1)
		r.Body.(*journalv1.Setback).Account = strings.Repeat("x", store.MaxBody+1)
		if res := f.commit(store.Write{Op: store.Insert, Record: r}); !errors.Is(res.Err, store.ErrTooLarge) {
			t.Fatalf("got %v", res.Err)
		}
		if _, err := f.store.Get(f.ctx(), setbacks, r.Name); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("got %v", err)
		}
	}},
	{"get-absent", func(t *testing.T, f fixture) {
		if _, err := f.store.Get(f.ctx(), setbacks, ada+"/setbacks/absent"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("got %v", err)
		}
		r := f.insert(f.setback(ada, "a", 1))
		got, err := f.store.GetBatch(f.ctx(), setbacks, []string{r.Name, ada + "/setbacks/absent", r.Name})
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		same(t, got[r.Name], r)
		if none, err := f.store.GetBatch(f.ctx(), setbacks, nil); err != nil || len(none) != 0 {
			t.Fatalf("%v, %v", none, err)
		}
	}},
	{"read-your-writes", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 0))
		for i := range int32(30) {
			r.Body = &journalv1.Setback{Name: r.Name, Intensity: i}
			res := f.commit(store.Write{Op: store.Replace, Record: r})
			if res.Err != nil {
				t.Fatal(res.Err)
			}
			r = res.Record
			same(t, f.get(r.Name), r)
		}
		if res := f.commit(store.Write{Op: store.Delete, Record: r}); res.Err != nil {
			t.Fatal(res.Err)
		}
		if _, err := f.store.Get(f.ctx(), setbacks, r.Name); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("deleted, but: %v", err)
		}
	}},
	{"kind-wall", func(t *testing.T, f fixture) {
		r := f.insert(f.setback(ada, "a", 1))
		if _, err := f.store.Get(f.ctx(), lessons, r.Name); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("got %v", err)
		}
		if _, err := f.store.Get(f.ctx(), "unknown", r.Name); !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("unknown kind: got %v", err)
		}
	}},
}
