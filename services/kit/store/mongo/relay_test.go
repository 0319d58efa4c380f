package mongo

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	ada   = "tenants/acme/people/ada"
	grace = "tenants/acme/people/grace"
)

// all are the fixture's partitions.
func (f fixture) all() []int32 { return []int32{0, 1, 2, 3} }

// scanned does the first part of a step.
func (f fixture) scanned() []*waiting {
	f.t.Helper()
	found, err := f.store.relay.scan(f.t.Context(), f.all())
	if err != nil {
		f.t.Fatal(err)
	}
	return found
}

// finish does the rest of a step.
func (f fixture) finish(scanned []*waiting) {
	f.t.Helper()
	ctx, r := f.t.Context(), f.store.relay
	gathered, err := r.gather(ctx, scanned)
	if err != nil {
		f.t.Fatal(err)
	}
	done, err := r.append(ctx, f.store.leases.holds(), gathered)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := r.clear(ctx, done); err != nil {
		f.t.Fatal(err)
	}
}

// pending counts the records the relay has something to do with.
func (f fixture) pending() int64 {
	f.t.Helper()
	n, err := f.store.db.records.CountDocuments(f.t.Context(), inPartitions(f.all()))
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// TestTrap: a scan that met a record and missed one acknowledged before it.
func TestTrap(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(ada, "a", 1)
	f.insert(ada, "b", 1)
	scanned := f.scanned()
	scanned = slices.DeleteFunc(scanned, func(w *waiting) bool { return w.Name == ada+"/setbacks/a" })
	if len(scanned) != 1 {
		t.Fatalf("scanned %d records", len(scanned))
	}
	// Written between the two reads: the second may see it without what came
	// before it, so it waits.
	f.insert(ada, "c", 1)
	f.finish(scanned)
	f.wantLabels(ada, "a", "b")
	if n := f.pending(); n != 1 {
		t.Fatalf("%d records wait", n)
	}
	f.step()
	f.wantLabels(ada, "a", "b", "c")
	if f.step() != 0 || f.pending() != 0 {
		t.Fatal("something still waits")
	}
}

// TestOutboxOrder: one record's events keep the order of its writes, though a
// number may have been drawn before another that was written earlier.
func TestOutboxOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.insert(ada, "a", 1)
	late := &write{Write: store.Write{Op: store.Insert, Record: f.record(ada, "a", 2)}}
	late, err := f.store.encode(store.Write{Op: store.Insert, Record: late.Record, Events: []*eventsv1.Event{f.event(late.Record, "again")}})
	if err != nil {
		t.Fatal(err)
	}
	late.result = &store.Result{}
	if err := f.store.reserve(t.Context(), ada, []*write{late}); err != nil {
		t.Fatal(err)
	}
	f.write(store.Delete, r, "deleted") // drawn later, written earlier
	f.insert(ada, "b", 1)
	f.store.insertAll(t.Context(), []*write{late})
	if late.result.Err != nil || late.result.Record.Revision <= r.Revision {
		t.Fatalf("%v, revision %d after %d", late.result.Err, late.result.Record.Revision, r.Revision)
	}
	f.step()
	f.wantLabels(ada, "a", "deleted", "again", "b")
}

// TestInterrupted: a step that ended anywhere is made up for by the next.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, r := t.Context(), f.store.relay
	for i := range 6 {
		f.insert(ada, fmt.Sprint(i), 1)
	}
	gathered, err := r.gather(ctx, f.scanned())
	if err != nil {
		t.Fatal(err)
	}
	// It dies half way through the log.
	p := int32(store.PartitionOf(ada, 4))
	docs, _ := number(p, end{}, inOrder(gathered)[p][:3])
	if _, err := f.store.db.events.InsertMany(ctx, docs); err != nil {
		t.Fatal(err)
	}
	f.insert(ada, "6", 1)
	f.step()
	f.wantLabels(ada, "0", "1", "2", "3", "4", "5", "6")
	// It dies between log and outbox.
	f.insert(ada, "7", 1)
	if gathered, err = r.gather(ctx, f.scanned()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.append(ctx, f.store.leases.holds(), gathered); err != nil {
		t.Fatal(err)
	}
	f.insert(ada, "8", 1)
	clear(r.ends)
	f.step()
	f.wantLabels(ada, "0", "1", "2", "3", "4", "5", "6", "7", "8")
	if n := f.pending(); n != 0 {
		t.Fatalf("%d records wait", n)
	}
}

// TestWrittenMeanwhile: what is pushed while a step clears stays, and tombstones
// that were written over are not taken away.
func TestWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := f.insert(ada, "a", 1), f.insert(ada, "b", 1)
	c := f.insert(ada, "c", 1)
	f.step()
	a = f.write(store.Replace, a, "a1")
	f.write(store.Delete, b, "b deleted")
	f.write(store.Delete, c, "")
	scanned := f.scanned()
	gathered, err := f.store.relay.gather(t.Context(), scanned)
	if err != nil {
		t.Fatal(err)
	}
	f.write(store.Replace, a, "a2")
	f.insert(ada, "b", 2)
	f.write(store.Insert, f.record(ada, "c", 2), "")
	done, err := f.store.relay.append(t.Context(), f.store.leases.holds(), gathered)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.store.relay.clear(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	f.step()
	f.wantLabels(ada, "a", "b", "c", "a1", "b deleted", "a2", "b")
	for _, id := range []string{"a", "b", "c"} {
		if _, err := f.store.Get(t.Context(), "setbacks", ada+"/setbacks/"+id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if f.step(); f.pending() != 0 {
		t.Fatal("something still waits")
	}
}

// TestTombstonesGo: of a deleted record nothing remains, neither with events nor
// without, and its name gets higher revisions all the same.
func TestTombstonesGo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, label := range []string{"deleted", ""} {
		r := f.insert(ada, "a", 1)
		for range 3 {
			r = f.write(store.Replace, r, "")
		}
		f.write(store.Delete, r, label)
		f.step()
		n, err := f.store.db.records.CountDocuments(t.Context(), bson.D{})
		if err != nil || n != 0 {
			t.Fatalf("%d documents are left: %v", n, err)
		}
		again := f.insert(ada, "a", 1)
		if again.Revision <= r.Revision {
			t.Fatalf("revision %d after %d", again.Revision, r.Revision)
		}
		f.write(store.Delete, again, "")
		f.step()
	}
}

// TestHandOver: a store that closes hands its partitions over; nothing is lost,
// repeated or out of order.
func TestHandOver(t *testing.T) {
	t.Parallel()
	one := newFixture(t)
	two := one.beside()
	if n := len(two.store.leases.holds()); n != 0 {
		t.Fatalf("the second store holds %d leases", n)
	}
	one.insert(ada, "a", 1)
	one.step()
	two.insert(ada, "b", 1)
	if two.step() != 0 {
		t.Fatal("a store relayed without a lease")
	}
	one.insert(grace, "c", 1)
	if err := one.store.Close(); err != nil { // it relays what waits
		t.Fatal(err)
	}
	two.wantLabels(ada, "a", "b")
	two.wantLabels(grace, "c")
	two.insert(ada, "d", 1)
	if err := two.store.leases.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(two.store.leases.holds()); n != 4 {
		t.Fatalf("the second store holds %d leases", n)
	}
	two.step()
	two.wantLabels(ada, "a", "b", "d")
}

// TestDeath: a relay that died is replaced when its leases end; when it was only
// asleep it cannot do harm.
func TestDeath(t *testing.T) {
	t.Parallel()
	one := newFixture(t)
	two := one.beside()
	take := func(f fixture, want int) {
		t.Helper()
		if err := f.store.leases.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(f.store.leases.holds()); n != want {
			t.Fatalf("holds %d leases, want %d", n, want)
		}
	}
	one.insert(ada, "a", 1)
	one.step()
	one.insert(ada, "b", 1)
	one.insert(ada, "c", 1)
	asleep := one.store.leases.holds()
	gathered, err := one.store.relay.gather(t.Context(), one.scanned())
	if err != nil {
		t.Fatal(err)
	}
	one.clock.Advance(defaultLeaseTTL - time.Millisecond)
	take(two, 0)
	one.clock.Advance(time.Millisecond)
	take(two, 4)
	if n := len(one.store.leases.holds()); n != 0 {
		t.Fatalf("the first store believes to hold %d leases", n)
	}
	two.insert(ada, "d", 1)
	two.step()
	// The first wakes up in the middle of its step: the log refuses it.
	done, err := one.store.relay.append(t.Context(), asleep, gathered)
	if err != nil || len(done) != 0 {
		t.Fatalf("a relay without a lease added events of %d records: %v", len(done), err)
	}
	take(one, 0)
	two.wantLabels(ada, "a", "b", "c", "d")
	// And if it was first, the second goes on behind it.
	two.insert(ada, "e", 1)
	if gathered, err = one.store.relay.gather(t.Context(), one.scanned()); err != nil {
		t.Fatal(err)
	}
	if done, err = one.store.relay.append(t.Context(), asleep, gathered); err != nil || len(done) != 1 {
		t.Fatalf("%d records, %v", len(done), err)
	}
	two.insert(ada, "f", 1)
	two.step()
	two.wantLabels(ada, "a", "b", "c", "d", "e", "f")
	if two.pending() != 0 {
		t.Fatal("something still waits")
	}
}

// TestOtherProcess: whoever waits in one process hears of what another relays.
func TestOtherProcess(t *testing.T) {
	t.Parallel()
	one := newFixture(t)
	two := one.beside()
	one.store.start()
	two.store.start()
	seen := make([]int64, 4)
	p := store.PartitionOf(ada, 4)
	for i := range 3 {
		two.insert(ada, fmt.Sprint(i), 1)
		for seen[p] < int64(i)+1 {
			heads, err := two.store.Wait(t.Context(), seen)
			if err != nil {
				t.Fatal(err)
			}
			seen = heads
		}
	}
	two.wantLabels(ada, "0", "1", "2")
}

// TestTakeOverUnderLoad: stores come and go, in good order and not, while many
// write; the log is what it must be.
func TestTakeOverUnderLoad(t *testing.T) {
	t.Parallel()
	first := newFixture(t)
	database := first.store.db.database.Name()
	o := first.options(database)
	o.LeaseTTL, o.Clock = 300*time.Millisecond, nil
	o = o.withDefaults()
	const rounds, each = 4, 25
	for round := range rounds {
		s, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		f := first
		f.store = s
		for i := range each {
			f.insert(ada, fmt.Sprintf("r%d-%d", round, i), 1)
			f.insert(grace, fmt.Sprintf("r%d-%d", round, i), 1)
		}
		if round%2 == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		// It dies: its leases stay, its outboxes too.
		s.stop()
		s.loops.Wait()
		if err := s.disconnect(); err != nil {
			t.Fatal(err)
		}
	}
	last, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := last.Close(); err != nil {
			t.Error(err)
		}
	}()
	f := first
	f.store = last
	var want []string
	for round := range rounds {
		for i := range each {
			want = append(want, fmt.Sprintf("r%d-%d", round, i))
		}
	}
	var heads []int64
	for f.pending() > 0 {
		if heads, err = last.Wait(t.Context(), heads); err != nil {
			t.Fatal(err)
		}
		if slices.Max(heads) == int64(len(want))*2 {
			break
		}
	}
	for _, owner := range []string{ada, grace} {
		f.wantLabels(owner, want...)
	}
}

// TestHeadsOfADeadRelay: a relay that died after it had added events and before
// it said so does not hide them: whoever has read one finds it below the heads.
func TestHeadsOfADeadRelay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 3 {
		f.insert(ada, fmt.Sprint(i), 1)
	}
	gathered, err := f.store.relay.gather(t.Context(), f.scanned())
	if err != nil {
		t.Fatal(err)
	}
	p := int32(store.PartitionOf(ada, 4))
	docs, _ := number(p, end{}, inOrder(gathered)[p])
	if _, err := f.store.db.events.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	heads, err := f.beside().store.Wait(t.Context(), nil)
	if err != nil || heads[p] != 3 {
		t.Fatalf("heads %v, %v", heads, err)
	}
}

// TestClosedStore: the loops and every call end with the store.
func TestClosedStore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.store.start()
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.Check(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}
