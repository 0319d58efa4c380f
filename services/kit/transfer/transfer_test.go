package transfer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	goalsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

func TestMain(m *testing.M) {
	// Each check is several journeys through a store: fewer of them than of others.
	_ = flag.Set("rapid.checks", "25") // the flag is rapid's own
	goleak.VerifyTestMain(m)
}

const (
	created   = transferv1.RestoreOutcome_RESTORE_RESULT_CREATED
	unchanged = transferv1.RestoreOutcome_RESTORE_RESULT_UNCHANGED
	conflict  = transferv1.RestoreOutcome_RESTORE_RESULT_CONFLICT
	refused   = transferv1.RestoreOutcome_RESTORE_RESULT_REFUSED
)

// rig is the records of a service, and the same over gRPC.
type rig struct {
	*resourcetest.Rig
	docs    *watched
	records *transfer.Records
	remote  transfer.Remote
}

// watched counts the documents that lists hand out.
type watched struct {
	store.Store
	handed atomic.Int64
}

func (w *watched) List(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := w.Store.List(ctx, q)
	w.handed.Add(int64(len(page.Records)))
	return page, err
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Rig: resourcetest.New(t)}
	declare(r.Deps)
	var kinds []store.Kind
	for _, p := range r.Deps.Portable() {
		kinds = append(kinds, p.Kind())
	}
	r.docs = &watched{Store: r.Open(t, kinds...)}
	r.Deps.Store = r.docs
	r.records = transfer.New(r.Deps)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	transferv1.RegisterTransferServiceServer(server, transfer.NewServer(r.records))
	go func() { _ = server.Serve(lis) }() // until it is stopped
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	r.remote = transfer.Remote{Client: transferv1.NewTransferServiceClient(conn)}
	return r
}

// declare declares types of all shapes, without rules of a domain.
func declare(deps *resource.Deps) {
	resource.Must(deps, resource.Type[*journalv1.Setback]{})
	resource.Must(deps, resource.Type[*journalv1.Debrief]{})
	resource.Must(deps, resource.Type[*journalv1.Lesson]{})
	resource.Must(deps, resource.Type[*journalv1.CheckIn]{})
	resource.Must(deps, resource.Type[*journalv1.Gratitude]{})
	resource.Must(deps, resource.Type[*journalv1.Profile]{})
	resource.Must(deps, resource.Type[*journalv1.Strength]{})
	resource.Must(deps, resource.Type[*journalv1.Reframe]{})
	resource.Must(deps, resource.Type[*journalv1.Reflection]{})
	resource.Must(deps, resource.Type[*journalv1.Visualization]{})
	resource.Must(deps, resource.Type[*journalv1.Connection]{})
	resource.Must(deps, resource.Type[*journalv1.Outreach]{})
	resource.Must(deps, resource.Type[*journalv1.Story]{})
	resource.Must(deps, resource.Type[*journalv1.StoryVersion]{})
	resource.Must(deps, resource.Type[*goalsv1.Goal]{})
	resource.Must(deps, resource.Type[*goalsv1.Milestone]{})
	resource.Must(deps, resource.Type[*goalsv1.Step]{})
}

// live makes random documents of every kind, below each other where they belong.
func (r *rig) live(t *rapid.T, owner string) int {
	d := drawer{t, owner}
	made := map[string][]string{"": {owner}} // names by kind
	n := 0
	for _, p := range r.Deps.Portable() {
		segments := strings.Split(patternOf(p.Descriptor()), "/")
		above, singleton := "", len(segments)%2 == 1
		if len(segments) > 6 {
			above = segments[len(segments)-4]
		}
		var docs []proto.Message
		for _, parent := range made[above] {
			for i := range rapid.IntRange(0, 2).Draw(t, "documents") {
				name := fmt.Sprintf("%s/%s/x%d", parent, p.Kind().Name, i)
				if singleton {
					name = parent + "/" + p.Kind().Name
				}
				doc := r.document(d, p, name)
				if err := p.CheckRestored(doc); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				docs = append(docs, doc)
				n++
				made[p.Kind().Name] = append(made[p.Kind().Name], name)
				if singleton {
					break
				}
			}
		}
		if err := errors.Join(p.Restore(context.Background(), docs, make([]string, len(docs)))...); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (r *rig) document(d drawer, p resource.Portable, name string) proto.Message {
	doc := p.New()
	m := doc.ProtoReflect()
	d.fill(m, 0)
	fields := m.Descriptor().Fields()
	at := time.UnixMilli(rapid.Int64Range(0, 1_700_000_000_000).Draw(d.t, "made"))
	m.Set(fields.ByName("name"), protoreflect.ValueOfString(name))
	m.Set(fields.ByName("create_time"), protoreflect.ValueOfMessage(timestamppb.New(at).ProtoReflect()))
	m.Set(fields.ByName("update_time"), protoreflect.ValueOfMessage(timestamppb.New(at.Add(time.Minute)).ProtoReflect()))
	return doc
}

// lines reads all that a person has.
func lines(t rapid.TB, s transfer.Source, owner string) []transfer.Record {
	kinds, err := s.Kinds(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out []transfer.Record
	for _, kind := range kinds {
		out = append(out, all(t, s.Lines(context.Background(), owner, kind))...)
	}
	return out
}

func all(t rapid.TB, records iter.Seq2[transfer.Record, error]) []transfer.Record {
	var out []transfer.Record
	for rec, err := range records {
		if err != nil {
			t.Fatal(err)
		}
		rec.CreateTime = rec.CreateTime.UTC()
		out = append(out, rec)
	}
	return out
}

func results(t rapid.TB, s transfer.Source, b transfer.Batch) map[transferv1.RestoreOutcome_RestoreResult]int {
	out := map[transferv1.RestoreOutcome_RestoreResult]int{}
	for len(b.Records) > 0 {
		part := b
		n := min(len(b.Records), transfer.MaxBatch)
		part.Records, b.Records = b.Records[:n], b.Records[n:]
		outcomes, err := s.Restore(context.Background(), part)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			out[o.Result]++
		}
	}
	return out
}

// TestRoundTrip: whatever a person has, read out and restored for somebody else, is
// read out again just the same; in this process and over gRPC.
func TestRoundTrip(t *testing.T) {
	r := newRig(t)
	person := 0
	rapid.Check(t, func(t *rapid.T) {
		person++
		from, to, far := fmt.Sprintf("tenants/acme/people/p%d", person), fmt.Sprintf("tenants/other/people/q%d", person), fmt.Sprintf("tenants/far/people/r%d", person)
		n := r.live(t, from)
		first := lines(t, r.records, from)
		if len(first) != n {
			t.Fatalf("%d lines of %d documents", len(first), n)
		}
		for _, rec := range first {
			if strings.Contains(rec.Data, "tenants/") || strings.ContainsAny(rec.Data, "\n\r") || strings.Contains(rec.Data, `"etag":`) {
				t.Fatalf("%s", rec.Data)
			}
		}
		if got := results(t, r.records, transfer.Batch{Owner: to, Operation: "a", ValidateOnly: true, Records: first}); got[created] != n || len(lines(t, r.records, to)) != 0 {
			t.Fatalf("checked: %v of %d", got, n)
		}
		if got := results(t, r.records, transfer.Batch{Owner: to, Operation: "a", Records: first}); got[created] != n {
			t.Fatalf("restored: %v of %d", got, n)
		}
		if got := results(t, r.remote, transfer.Batch{Owner: far, Operation: "a", Records: lines(t, r.remote, to)}); got[created] != n {
			t.Fatalf("restored over gRPC: %v of %d", got, n)
		}
		for _, again := range [][]transfer.Record{lines(t, r.records, to), lines(t, r.remote, far)} {
			if !slices.Equal(first, again) {
				t.Fatalf("\n%v\nis not\n%v", again, first)
			}
		}
		// For the same operation they count as made again, for another one they do not.
		if got := results(t, r.records, transfer.Batch{Owner: to, Operation: "a", Records: first}); got[created] != n {
			t.Fatalf("restored once more: %v of %d", got, n)
		}
		if got := results(t, r.records, transfer.Batch{Owner: to, Operation: "b", Records: first}); got[unchanged] != n {
			t.Fatalf("restored for another operation: %v of %d", got, n)
		}
		texts := all(t, r.records.Texts(context.Background(), from, "Europe/Berlin"))
		if !slices.Equal(texts, all(t, r.remote.Texts(context.Background(), far, "Europe/Berlin"))) || len(texts) != n {
			t.Fatal("the texts differ")
		}
		if !slices.IsSortedFunc(texts, func(a, b transfer.Record) int { return a.CreateTime.Compare(b.CreateTime) }) {
			t.Fatal("the texts are not in the order of time")
		}
	})
}

const ada = "tenants/acme/people/ada"

// TestRefused: a line that is not good is refused for its reason, alone.
func TestRefused(t *testing.T) {
	r := newRig(t)
	const times = `"createTime":"2020-01-01T00:00:00Z","updateTime":"2020-01-01T00:00:00Z"`
	rec := func(kind, name, data string) transfer.Record {
		return transfer.Record{Kind: kind, Name: name, Data: strings.ReplaceAll(data, "TIMES", times)}
	}
	for reason, bad := range map[string]transfer.Record{
		"LINE_INVALID":      rec("setbacks", "setbacks/a", `{"name":"setbacks/a",TIMES,"title":"x","surprise":1}`),
		"NAME_INVALID":      rec("setbacks", "lessons/a", `{"name":"lessons/a",TIMES,"title":"x"}`),
		"REQUIRED":          rec("setbacks", "setbacks/a", `{"name":"setbacks/a",TIMES}`),
		"INT32_GTE_LTE":     rec("setbacks", "setbacks/a", `{"name":"setbacks/a",TIMES,"title":"x","intensity":11}`),
		"TIME_INVALID":      rec("setbacks", "setbacks/a", `{"name":"setbacks/a","title":"x"}`),
		"NOT_FOUND":         rec("debriefs", "setbacks/none/debriefs/d", `{"name":"setbacks/none/debriefs/d",TIMES}`),
		"REFERENCE_FOREIGN": rec("lessons", "lessons/a", `{"name":"lessons/a",TIMES,"statement":"x","setback":"tenants/acme/people/bo/setbacks/a"}`),
	} {
		good := rec("setbacks", "setbacks/good-"+strings.ToLower(strings.ReplaceAll(reason, "_", "-")), "")
		good.Data = `{"name":"` + good.Name + `",` + times + `,"title":"x"}`
		got, err := r.remote.Restore(t.Context(), transfer.Batch{Owner: ada, Operation: "o", Records: []transfer.Record{bad, good}})
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Result != refused || got[0].Reason != reason || got[1].Result != created {
			t.Errorf("want %s: %v", reason, got)
		}
	}
	library := rec("versions", "stories/s/versions/v", `{"name":"stories/s/versions/v",TIMES,"audience":"AUDIENCE_PUBLIC","text":"x","libraryStory":"libraryStories/x"}`)
	if got, err := r.records.Restore(t.Context(), transfer.Batch{Owner: ada, ValidateOnly: true, Records: []transfer.Record{library}}); err != nil || got[0].Reason != "REFERENCE_FOREIGN" {
		t.Error(got, err)
	}
	_, err := r.records.Restore(t.Context(), transfer.Batch{Owner: ada, Records: []transfer.Record{rec("nothings", "nothings/a", "{}")}})
	resourcetest.Refused(t, err, "KIND_UNKNOWN")
	many := make([]transfer.Record, transfer.MaxBatch+1)
	for i := range many {
		many[i] = rec("setbacks", "setbacks/a", "{}")
	}
	if _, err := r.records.Restore(t.Context(), transfer.Batch{Owner: ada, ValidateOnly: true, Records: many[1:]}); err != nil {
		t.Error(err)
	}
	_, err = r.records.Restore(t.Context(), transfer.Batch{Owner: ada, ValidateOnly: true, Records: many})
	resourcetest.Refused(t, err, "BATCH_TOO_LARGE")
}

// TestLargeRecord: one that is larger than a message passes in parts, whatever its
// characters; a conflict is told.
func TestLargeRecord(t *testing.T) {
	r := newRig(t)
	step := &goalsv1.Step{Name: ada + "/goals/g/steps/s", Title: "t", CreateTime: timestamppb.New(time.Unix(1, 0)), UpdateTime: timestamppb.New(time.Unix(2, 0))}
	for i := range 3000 {
		step.Completions = append(step.Completions, &goalsv1.Completion{Id: fmt.Sprint(i), Note: strings.Repeat("ü\U0001F9D7", 250)})
	}
	goal := transfer.Record{Kind: "goals", Name: "goals/g", Data: `{"name":"goals/g","createTime":"2020-01-01T00:00:00Z","updateTime":"2020-01-01T00:00:00Z","title":"x"}`}
	if _, err := r.records.Restore(t.Context(), transfer.Batch{Owner: ada, Records: []transfer.Record{goal}}); err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Deps.Portable() {
		if p.Kind().Name == "steps" {
			if err := p.Restore(t.Context(), []proto.Message{step}, []string{""})[0]; err != nil {
				t.Fatal(err)
			}
		}
	}
	got := lines(t, r.remote, ada)
	if len(got) != 2 || len(got[1].Data) < 4<<20 || !slices.Equal(got, lines(t, r.records, ada)) {
		t.Fatalf("%d records", len(got))
	}
	if n := results(t, r.remote, transfer.Batch{Owner: "tenants/acme/people/bo", Operation: "o", Records: got}); n[created] != 2 {
		t.Error(n)
	}
	got[0].Data = strings.Replace(got[0].Data, `"x"`, `"y"`, 1)
	if n := results(t, r.remote, transfer.Batch{Owner: "tenants/acme/people/bo", Operation: "p", Records: got}); n[conflict] != 1 || n[unchanged] != 1 {
		t.Error(n)
	}
}

// TestBounded: however many entries there are, few are in memory at once, in either
// order; whoever stops reading has read no further.
func TestBounded(t *testing.T) {
	r := newRig(t)
	const n, most = 3000, 50
	var batch []transfer.Record
	for i := range n {
		name := fmt.Sprintf("setbacks/s%05d", i)
		batch = append(batch, transfer.Record{Kind: "setbacks", Name: name, Data: `{"name":"` + name + `","createTime":"2020-01-01T00:00:00Z","updateTime":"2020-01-01T00:00:00Z","title":"x"}`})
	}
	if got := results(t, r.records, transfer.Batch{Owner: ada, Operation: "o", Records: batch}); got[created] != n {
		t.Fatal(got)
	}
	for name, read := range map[string]iter.Seq2[transfer.Record, error]{
		"lines": r.records.Lines(t.Context(), ada, "setbacks"), "texts": r.records.Texts(t.Context(), ada, "UTC"),
	} {
		r.docs.handed.Store(0)
		seen := int64(0)
		for _, err := range read {
			if err != nil {
				t.Fatal(err)
			}
			if over := r.docs.handed.Load() - seen; over > most {
				t.Fatalf("%s: %d documents are in memory after %d", name, over, seen)
			}
			seen++
		}
		if seen != n {
			t.Errorf("%s: %d were read", name, seen)
		}
		r.docs.handed.Store(0)
		for _, err := range read {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if handed := r.docs.handed.Load(); handed > most {
			t.Errorf("%s: %d were read for one", name, handed)
		}
	}
	counted := int64(0)
	for c, err := range r.remote.Count(t.Context(), ada) {
		if err != nil {
			t.Fatal(err)
		}
		counted += c.Entries
	}
	if counted != n {
		t.Errorf("%d were counted", counted)
	}
}
