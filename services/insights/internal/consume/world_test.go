package consume_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/insights/internal/facts"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/insights/internal/share"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/keys"
	"github.com/rebound-hq/rebound/services/kit/lifecycle"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/store/storetest"
	"github.com/rebound-hq/rebound/services/kit/token"
)

// world is a journal and goals that tell events over gRPC, and what was told.
type world struct {
	t       testing.TB
	logs    map[string]*sqlite.Store // by source of events
	sources []consume.Source
	told    []*eventsv1.Event // with the positions that they have in their logs
	owners  []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, logs: map[string]*sqlite.Store{}}
	for _, name := range []string{consume.Journal, consume.Goals} {
		set, err := keys.OpenOrCreate(filepath.Join(t.TempDir(), "keys.json"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(t.TempDir(), name+".db"), Schema: storetest.Schema(), NewID: ids.Random})
		if err != nil {
			t.Fatal(err)
		}
		hub := eventlog.NewHub(s)
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		eventsv1.RegisterEventServiceServer(server, eventlog.NewServer(hub, eventlog.NewBookmarks(s, s.ID(), token.New(set.Tokens())), time.Minute))
		conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var ends sync.WaitGroup
		ends.Go(func() { _ = hub.Run(ctx) })
		ends.Go(func() { _ = server.Serve(lis) })
		t.Cleanup(func() {
			_ = conn.Close()
			server.Stop()
			cancel()
			ends.Wait()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		w.logs["rebound/"+name] = s
		w.sources = append(w.sources, consume.Source{Name: name, Client: eventlog.NewClient(eventsv1.NewEventServiceClient(conn), slog.New(slog.DiscardHandler))})
	}
	return w
}

// live has three people more live through n events each, or so, all at once.
func (w *world) live(seed uint64, n int) {
	w.t.Helper()
	known := map[string]bool{}
	writes := map[string][]store.Write{}
	for i, e := range history(seed, 3*n) {
		as := func(s string) string { return strings.Replace(s, "people/p", fmt.Sprintf("people/s%d-p", seed), 1) }
		e.Owner, e.Subject = as(e.GetOwner()), as(e.GetSubject())
		if !known[e.GetOwner()] {
			known[e.GetOwner()] = true
			w.owners = append(w.owners, e.GetOwner())
		}
		writes[e.GetSource()] = append(writes[e.GetSource()], store.Write{Op: store.Insert, Record: store.Record{
			Kind: "lessons", Name: fmt.Sprintf("%s/lessons/l%d", e.GetOwner(), i), Parent: e.GetOwner(), Owner: e.GetOwner(),
			CreateTime: begin, UpdateTime: begin, Body: storetest.Schema().Kinds[1].New(),
		}, Events: []*eventsv1.Event{e}})
	}
	for source, writes := range writes {
		for _, res := range w.logs[source].Commit(context.Background(), writes...) {
			if res.Err != nil {
				w.t.Fatal(res.Err)
			}
		}
	}
}

// heads gives the position of each person's last event, by source.
func (w *world) heads() map[string]map[string]int64 {
	w.t.Helper()
	w.told = nil
	out := map[string]map[string]int64{}
	for source, s := range w.logs {
		for p := range s.Partitions() {
			for after := int64(0); ; {
				events, err := s.Read(context.Background(), p, after, store.MaxRead)
				if err != nil {
					w.t.Fatal(err)
				}
				if len(events) == 0 {
					break
				}
				for _, e := range events {
					if out[e.GetOwner()] == nil {
						out[e.GetOwner()] = map[string]int64{}
					}
					out[e.GetOwner()][source], after = e.GetPosition(), e.GetPosition()
				}
				w.told = append(w.told, events...)
			}
		}
	}
	return out
}

// replica is an insights process.
type replica struct {
	*consume.Consumer
	stop func()
}

// replica starts a process on a store, which is stopped when the test ends. A label
// has it rebuild.
func (w *world) replica(docs store.Documents, label string) *replica {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &replica{Consumer: consume.New(docs, clock.System, log)}
	r.RetireAfter(200 * time.Millisecond)
	if err := r.Generations.Begin(context.Background(), projection.Version, label); err != nil {
		w.t.Fatal(err)
	}
	group := share.Group{
		Work: consume.Work, Shares: consume.Shares, Docs: docs, Clock: clock.System, NewID: ids.Random, Log: log,
		Do: func(ctx context.Context, s int) error { return r.Share(ctx, s, w.sources) },
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- lifecycle.Run(ctx, group.Run, r.Generations.Run) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(r.stop)
	return r
}

// await waits until something is so.
func (w *world) await(what string, so func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	w.t.Fatalf("in vain waited for: %s", what)
}

// caughtUp waits until a replica knows everything that was told.
func (w *world) caughtUp(r *replica) {
	w.t.Helper()
	heads := w.heads()
	w.await("all events are applied", func() bool {
		known, err := r.Generations.Projections(w.t.Context(), w.owners...)
		if err != nil {
			w.t.Fatal(err)
		}
		for owner, head := range heads {
			for source, position := range head {
				if known[owner].GetPositions()[source] != position && !known[owner].GetErased() {
					return false
				}
			}
		}
		return true
	})
}

// same checks that what a replica knows is what comes of all that was told, and that
// no insight was told twice.
func (w *world) same(r *replica, s *sqlite.Store) {
	w.t.Helper()
	w.heads()
	_, freshStore := open(w.t)
	fresh := consume.New(freshStore, clock.System, slog.New(slog.DiscardHandler))
	if err := fresh.Apply(w.t.Context(), w.told); err != nil {
		w.t.Fatal(err)
	}
	got, err := r.Generations.Projections(w.t.Context(), w.owners...)
	if err != nil {
		w.t.Fatal(err)
	}
	want, err := fresh.Generations.Projections(w.t.Context(), w.owners...)
	if err != nil {
		w.t.Fatal(err)
	}
	current := r.Generations.Current()
	for _, owner := range w.owners {
		if !proto.Equal(nameless(w.t, got[owner]), nameless(w.t, want[owner])) {
			w.t.Errorf("%s:\nrebuilt %v\nfresh   %v", owner, got[owner], want[owner])
		}
		if got, want := weeklyOf(w.t, s, current, owner), weeklyOf(w.t, freshStore, 0, owner); !proto.Equal(got, want) {
			w.t.Errorf("%s:\nrebuilt %v\nfresh   %v", owner, got, want)
		}
	}
	if a, b := published(w.t, s), published(w.t, freshStore); a != b {
		w.t.Errorf("%d insights were published, want %d", a, b)
	}
}

// nameless is a projection without what is not the same in every life: its name, and
// the order in which insights from two sources were told.
func nameless(t testing.TB, p *storagev1.Projection) *storagev1.Projection {
	t.Helper()
	p = proto.CloneOf(p)
	p.Name = ""
	var told storagev1.Told
	if err := proto.Unmarshal(p.GetTold(), &told); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(told.GetEntries(), func(a, b *storagev1.ToldEntry) int { return strings.Compare(a.GetId(), b.GetId()) })
	var err error
	if p.Told, err = (proto.MarshalOptions{Deterministic: true}).Marshal(&told); err != nil {
		t.Fatal(err)
	}
	return p
}

// weeklyOf gives somebody's weekly facts in a generation, without their name.
func weeklyOf(t testing.TB, s *sqlite.Store, g consume.Generation, owner string) *storagev1.WeeklyFacts {
	t.Helper()
	rec, err := s.Get(t.Context(), facts.KindName, g.Name(facts.Name(owner)))
	if err != nil {
		t.Fatal(err)
	}
	f := rec.Body.(*storagev1.WeeklyFacts)
	f.Name = ""
	return f
}
