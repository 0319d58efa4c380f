package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/insights/internal/stream"
	"github.com/rebound-hq/rebound/services/kit/auth"
	"github.com/rebound-hq/rebound/services/kit/eventlog"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/store/sqlite"
	"github.com/rebound-hq/rebound/services/kit/token"
)

func now() time.Time { return begin }

// reportOf knows one report.
func reportOf(_ context.Context, name string) (*insightsv1.CohortReport, error) {
	if r := report(); r.GetName() == name {
		return r, nil
	}
	return nil, fault.NotFound(name)
}

// rig is exports and streams of one store.
type rig struct {
	t       testing.TB
	store   *sqlite.Store
	server  *Server
	streams *stream.Server
	n       int
}

// newRig serves what is in the log; nil: the store's own.
func newRig(t testing.TB, log store.Log) *rig {
	t.Helper()
	kinds := append(consume.Kinds(), stream.Kind(store.Kind{
		Name: consume.Insights, New: func() proto.Message { return &insightsv1.Insight{} },
		Keys: []store.Key{{Name: "time", Type: store.Number, Of: func(b proto.Message) store.Value {
			return b.(*insightsv1.Insight).GetTime().AsTime().UnixMilli()
		}}},
		Indexes: []store.Index{{Name: "by_time", Keys: []string{store.KeyParent, "time"}}, {Name: "by_name", Keys: []string{store.KeyParent, store.KeyName}}},
	}))
	s, err := sqlite.Open(t.Context(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "insights.db"), Schema: store.Schema{Version: 1, Kinds: kinds}, Partitions: 4, NewID: ids.Random,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if log == nil {
		log = s
	}
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	key, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := filter.New((&insightsv1.Insight{}).ProtoReflect().Descriptor(), stream.Filterable...)
	if err != nil {
		t.Fatal(err)
	}
	streams := &stream.Server{
		Hub: eventlog.NewHub(log), Bookmarks: eventlog.NewBookmarks(log, s.ID(), token.New(key)), Heartbeat: time.Minute,
		Docs: s, People: stream.NewPeople(consume.New(s, now, slog.New(slog.DiscardHandler)).Generations),
		Fields: fields, Clock: now, Partitions: log.Partitions(),
		Names: func(_, name string) (string, error) { return "pseudo-" + ids.Derived(name)[:8], nil },
	}
	return &rig{t: t, store: s, streams: streams, server: NewServer(streams, reportOf, now)}
}

// conclude writes n insights of seven people.
func (r *rig) conclude(n int) {
	r.t.Helper()
	var writes []store.Write
	for range n {
		in := sample(r.n)
		r.n++
		owner := "tenants/acme/people/" + in.GetName()[len("tenants/acme/people/"):][:2]
		writes = append(writes, store.Write{Op: store.Insert, Record: store.Record{
			Kind: consume.Insights, Name: in.GetName(), Parent: owner, Owner: owner, CreateTime: begin, UpdateTime: begin, Body: in,
		}, Events: []*eventsv1.Event{eventOf(in, owner)}})
	}
	r.commit(writes)
}

func eventOf(in *insightsv1.Insight, owner string) *eventsv1.Event {
	return &eventsv1.Event{
		Id: ids.Derived(in.GetName()), Source: "rebound/insights", Type: "insight.concluded", Subject: in.GetName(), Owner: owner,
		Time: timestamppb.New(in.GetTime().AsTime()), Data: &eventsv1.Event_Insight{Insight: in},
	}
}

// consent lets pipelines read the insights of people p0 and so on.
func (r *rig) consent(people ...int) {
	r.t.Helper()
	var writes []store.Write
	for _, p := range people {
		owner := fmt.Sprintf("tenants/acme/people/p%d", p)
		writes = append(writes, store.Write{Op: store.Insert, Record: store.Record{
			Kind: consume.Projections, Name: projection.Name(owner), Parent: owner, Owner: owner, CreateTime: begin, UpdateTime: begin,
			Body: &storagev1.Projection{Name: projection.Name(owner), ShareWithPipeline: true},
		}})
	}
	r.commit(writes)
}

func (r *rig) commit(writes []store.Write) {
	r.t.Helper()
	for _, res := range r.store.Commit(r.t.Context(), writes...) {
		if res.Err != nil {
			r.t.Fatal(res.Err)
		}
	}
}

// as is a context of a caller.
func (r *rig) as(person string, role policyv1.Role) context.Context {
	return auth.NewContext(r.t.Context(), &auth.Principal{Tenant: "acme", Person: person, Roles: []policyv1.Role{role}})
}

// sink takes what a server sends.
type sink[Res any] struct {
	grpc.ServerStream
	ctx  context.Context
	take func(*Res) error
}

func (s sink[Res]) Context() context.Context { return s.ctx }
func (s sink[Res]) Send(res *Res) error      { return s.take(res) }

// export exports and gives the archive.
func (r *rig) export(ctx context.Context, req *insightsv1.ExportInsightsRequest) (archived, []*insightsv1.Insight) {
	r.t.Helper()
	var out bytes.Buffer
	err := r.server.ExportInsights(req, sink[httpbody.HttpBody]{ctx: ctx, take: func(b *httpbody.HttpBody) error {
		if b.GetContentType() != "application/zip" || len(b.GetData()) == 0 || len(b.GetData()) > partBytes {
			r.t.Errorf("a part of %d bytes is %s", len(b.GetData()), b.GetContentType())
		}
		out.Write(b.GetData())
		return nil
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	got := unpack(r.t.(*testing.T), out.Bytes())
	var insights []*insightsv1.Insight
	for _, f := range got.manifest.GetFiles() {
		for line := range bytes.Lines(got.files[f.GetName()]) {
			in := &insightsv1.Insight{}
			if err := protojson.Unmarshal(line, in); err != nil {
				r.t.Fatal(err)
			}
			insights = append(insights, in)
		}
	}
	return got, insights
}

var errEnough = errors.New("enough")

// history streams what is there.
func (r *rig) history(ctx context.Context, req *insightsv1.StreamInsightsRequest) []*insightsv1.Insight {
	r.t.Helper()
	var out []*insightsv1.Insight
	err := r.streams.StreamInsights(req, sink[insightsv1.StreamInsightsResponse]{ctx: ctx, take: func(res *insightsv1.StreamInsightsResponse) error {
		for _, in := range res.GetInsights() {
			out = append(out, proto.CloneOf(in))
		}
		if res.GetHistoryEnd() {
			return errEnough
		}
		return nil
	}})
	if !errors.Is(err, errEnough) {
		r.t.Fatal(err)
	}
	return out
}

func namesOf(insights []*insightsv1.Insight) map[string]int {
	out := map[string]int{}
	for _, in := range insights {
		out[in.GetName()]++
	}
	return out
}
