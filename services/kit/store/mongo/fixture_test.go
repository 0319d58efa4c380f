package mongo

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/mongo/mongotest"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
)

// start is when these tests take place.
var start = time.Date(2026, 11, 23, 8, 30, 0, 123e6, time.UTC)

// fixture is a store whose loops do not run: tests drive the relay step by step,
// with a clock that stands.
type fixture struct {
	t     testing.TB
	store *Store
	clock *clock.Manual
	newID ids.Source
}

func newFixture(t testing.TB) fixture {
	t.Helper()
	return fixture{t: t, clock: clock.NewManual(start), newID: ids.Sequence()}.open(mongotest.Database(t))
}

// open opens a database with the fixture's clock and ids.
func (f fixture) open(database string) fixture {
	f.t.Helper()
	s, err := prepare(f.t.Context(), f.options(database))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.t.Error(err)
		}
	})
	f.store = s
	return f
}

func (f fixture) options(database string) Options {
	return Options{
		URI: mongotest.URI(f.t), Database: database, Schema: storetest.Schema(), Partitions: 4,
		NewID: ids.Random, Clock: f.clock.Now,
	}.withDefaults()
}

// beside opens the fixture's database once more.
func (f fixture) beside() fixture { return f.open(f.store.db.database.Name()) }

func (f fixture) record(owner, id string, intensity int32) store.Record {
	name := owner + "/setbacks/" + id
	return store.Record{
		Kind: "setbacks", Name: name, Parent: owner, Owner: owner, CreateTime: start, UpdateTime: start,
		Body: &journalv1.Setback{Name: name, Intensity: intensity},
	}
}

// event makes an event whose type tells the test what it is.
func (f fixture) event(r store.Record, label string) *eventsv1.Event {
	return &eventsv1.Event{Id: f.newID(), Type: label, Subject: r.Name, Owner: r.Owner, Time: timestamppb.New(start)}
}

// write commits a write with one event, and gives the record as it then is.
func (f fixture) write(op store.Op, r store.Record, label string) store.Record {
	f.t.Helper()
	w := store.Write{Op: op, Record: r}
	if label != "" {
		w.Events = []*eventsv1.Event{f.event(r, label)}
	}
	res := f.store.Commit(f.t.Context(), w)[0]
	if res.Err != nil {
		f.t.Fatalf("%s: %v", label, res.Err)
	}
	return res.Record
}

func (f fixture) insert(owner, id string, intensity int32) store.Record {
	f.t.Helper()
	return f.write(store.Insert, f.record(owner, id, intensity), id)
}

// step does one step of the relay.
func (f fixture) step() int {
	f.t.Helper()
	n, err := f.store.relay.step(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// labels gives the types of the events of an owner's partition, in order, after
// checking that positions have neither gaps nor repeats.
func (f fixture) labels(owner string) []string {
	f.t.Helper()
	p := store.PartitionOf(owner, f.store.Partitions())
	events, err := f.store.Read(f.t.Context(), p, 0, store.MaxRead)
	if err != nil {
		f.t.Fatal(err)
	}
	out := []string{}
	for i, e := range events {
		if e.GetPosition() != int64(i)+1 {
			f.t.Fatalf("event %d has position %d", i, e.GetPosition())
		}
		if e.GetOwner() == owner {
			out = append(out, e.GetType())
		}
	}
	return out
}

// wantLabels fails the test unless these are the owner's events.
func (f fixture) wantLabels(owner string, want ...string) {
	f.t.Helper()
	if got := f.labels(owner); fmt.Sprint(got) != fmt.Sprint(want) {
		f.t.Fatalf("events of %s\n got %v\nwant %v", owner, got, want)
	}
}
