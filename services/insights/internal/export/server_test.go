package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/proto"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/consume"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// TestJoin: exports one after the other, each from the last token of the one before,
// and the stream from any of their tokens, give every insight once; an export gives
// what the stream gives, in the same order.
func TestJoin(t *testing.T) {
	r := newRig(t, nil)
	r.consent(0, 1, 2, 3, 5)
	for name, c := range map[string]struct {
		ctx            context.Context
		parent, filter string
	}{
		"pipeline": {r.as("", policyv1.Role_ROLE_PIPELINE), "tenants/acme", ""},
		"filtered": {r.as("", policyv1.Role_ROLE_PIPELINE), "tenants/acme", "kind = MOOD_SHIFT OR n > 100"},
		"own":      {r.as("p4", policyv1.Role_ROLE_PERSON), "tenants/acme/people/p4", ""},
	} {
		var all []*insightsv1.Insight
		last := ""
		random := rand.New(rand.NewPCG(1, 2))
		for range 5 {
			r.conclude(random.IntN(700))
			got, insights := r.export(c.ctx, &insightsv1.ExportInsightsRequest{Parent: c.parent, Filter: c.filter, ResumeToken: last})
			if want := r.history(c.ctx, &insightsv1.StreamInsightsRequest{Parent: c.parent, Filter: c.filter, ResumeToken: got.manifest.GetFirstToken()}); !equal(insights, want) {
				t.Fatalf("%s: the export has %d insights, the stream %d, or others", name, len(insights), len(want))
			}
			r.conclude(50)
			after := r.history(c.ctx, &insightsv1.StreamInsightsRequest{Parent: c.parent, Filter: c.filter, ResumeToken: got.manifest.GetLastToken()})
			both := namesOf(append(append([]*insightsv1.Insight(nil), insights...), after...))
			whole := r.history(c.ctx, &insightsv1.StreamInsightsRequest{Parent: c.parent, Filter: c.filter, ResumeToken: got.manifest.GetFirstToken()})
			if len(after) == 0 || len(both) != len(whole) || len(insights)+len(after) != len(whole) {
				t.Fatalf("%s: %d insights exported and %d streamed after them, %d in all", name, len(insights), len(after), len(whole))
			}
			all, last = append(all, insights...), got.manifest.GetLastToken()
		}
		_, rest := r.export(c.ctx, &insightsv1.ExportInsightsRequest{Parent: c.parent, Filter: c.filter, ResumeToken: last})
		all = append(all, rest...)
		whole := r.history(c.ctx, &insightsv1.StreamInsightsRequest{Parent: c.parent, Filter: c.filter})
		if seen := namesOf(all); len(seen) != len(all) || len(seen) != len(namesOf(whole)) {
			t.Errorf("%s: six exports have %d insights, %d different ones; the stream has %d", name, len(all), len(seen), len(whole))
		}
	}
}

func equal(a, b []*insightsv1.Insight) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// TestTimes: from a time to another come those in between, and the exports of
// neighboring times join.
func TestTimes(t *testing.T) {
	r := newRig(t, nil)
	r.conclude(700)
	ctx := r.as("p1", policyv1.Role_ROLE_PERSON)
	at := func(minute int) string {
		return begin.Add(time.Duration(minute) * time.Minute).Format(time.RFC3339Nano)
	}
	seen := 0
	for i, cuts := range [][2]int{{0, 100}, {100, 401}, {401, 402}, {402, 10_000}} {
		req := &insightsv1.ExportInsightsRequest{Parent: "tenants/acme/people/p1", Start: at(cuts[0]), End: at(cuts[1])}
		got, insights := r.export(ctx, req)
		for _, in := range insights {
			if m := int(in.GetTime().AsTime().Sub(begin).Minutes()); m < cuts[0] || m >= cuts[1] {
				t.Errorf("from %d to %d there is one of %d", cuts[0], cuts[1], m)
			}
		}
		if m := got.manifest; m.GetStart() != req.GetStart() || m.GetEnd() != req.GetEnd() || m.GetResource() != req.GetParent() || m.GetContent() != "insights" {
			t.Errorf("%d: the manifest says %v", i, m)
		}
		counted := int64(0)
		for _, k := range got.manifest.GetKinds() {
			counted += k.GetRows()
			if k.GetSchema() == "" || k.GetSchemaVersion() < 1 {
				t.Errorf("%v", k)
			}
		}
		if counted != got.manifest.GetRows() {
			t.Errorf("%d rows by kind, %d in all", counted, got.manifest.GetRows())
		}
		seen += len(insights)
	}
	if seen != 100 {
		t.Errorf("the exports have %d insights", seen)
	}
	if got, insights := r.export(ctx, &insightsv1.ExportInsightsRequest{Parent: "tenants/acme/people/p1", Start: "LATEST"}); len(insights) != 0 || got.manifest.GetLastToken() == "" {
		t.Errorf("from the end on there are %d", len(insights))
	}
}

// TestPseudonymous: a pipeline gets those who consent, under pseudonyms.
func TestPseudonymous(t *testing.T) {
	r := newRig(t, nil)
	r.consent(2, 4)
	r.conclude(70)
	got, insights := r.export(r.as("", policyv1.Role_ROLE_PIPELINE), &insightsv1.ExportInsightsRequest{Parent: "tenants/acme"})
	if len(insights) != 20 {
		t.Errorf("%d insights of two people", len(insights))
	}
	for name, text := range got.files {
		for p := range 7 {
			if bytes.Contains(text, fmt.Appendf(nil, "people/p%d/", p)) {
				t.Errorf("%s names p%d", name, p)
			}
		}
	}
	r.conclude(70)
	one := insights[0].GetName()[:len("tenants/acme/people/pseudo-12345678")]
	if _, own := r.export(r.as("", policyv1.Role_ROLE_PIPELINE), &insightsv1.ExportInsightsRequest{Parent: one}); len(own) != 20 {
		t.Errorf("%d insights of one person", len(own))
	}
}

// TestSnapshot: an export can begin with all that stands, and the stream goes on after
// it, from any token of a stream that began so, too.
func TestSnapshot(t *testing.T) {
	r := newRig(t, nil)
	r.consent(0, 1, 2)
	r.conclude(1400)
	ctx := r.as("", policyv1.Role_ROLE_PIPELINE)
	got, insights := r.export(ctx, &insightsv1.ExportInsightsRequest{Parent: "tenants/acme", Start: "SNAPSHOT"})
	if len(insights) != 600 || len(namesOf(insights)) != 600 || got.manifest.GetFirstToken() != "" {
		t.Errorf("%d insights, from %q", len(insights), got.manifest.GetFirstToken())
	}
	r.conclude(70)
	after := r.history(ctx, &insightsv1.StreamInsightsRequest{Parent: "tenants/acme", ResumeToken: got.manifest.GetLastToken()})
	if len(after) != 30 || len(namesOf(append(insights, after...))) != 630 {
		t.Errorf("%d insights came after a snapshot", len(after))
	}
	var tokens []string
	err := r.streams.StreamInsights(&insightsv1.StreamInsightsRequest{Parent: "tenants/acme", Start: "SNAPSHOT"}, sink[insightsv1.StreamInsightsResponse]{
		ctx: ctx, take: func(res *insightsv1.StreamInsightsResponse) error {
			if tokens = append(tokens, res.GetNextToken()); res.GetHistoryEnd() {
				return errEnough
			}
			return nil
		},
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	for i, token := range tokens {
		_, exported := r.export(ctx, &insightsv1.ExportInsightsRequest{Parent: "tenants/acme", ResumeToken: token})
		if streamed := r.history(ctx, &insightsv1.StreamInsightsRequest{Parent: "tenants/acme", ResumeToken: token}); !equal(exported, streamed) {
			t.Errorf("after response %d of %d, %d insights are exported and %d streamed", i, len(tokens), len(exported), len(streamed))
		}
	}
}

// TestTombstones: who was erased is in no export any more, and the next one of a
// pipeline says so.
func TestTombstones(t *testing.T) {
	r := newRig(t, nil)
	r.consent(1, 2)
	r.conclude(70)
	ctx := r.as("", policyv1.Role_ROLE_PIPELINE)
	before, _ := r.export(ctx, &insightsv1.ExportInsightsRequest{Parent: "tenants/acme"})
	_, err := consume.New(r.store, now, nil).Erase(t.Context(), "tenants/acme/people/p1", func(context.Context, string) (int64, error) { return 0, nil })
	if err != nil {
		t.Fatal(err)
	}
	r.conclude(70)
	after, insights := r.export(ctx, &insightsv1.ExportInsightsRequest{Parent: "tenants/acme", ResumeToken: before.manifest.GetLastToken()})
	if gone := after.manifest.GetTombstones(); len(before.manifest.GetTombstones()) != 0 || len(gone) != 1 || !strings.HasPrefix(gone[0].GetPerson(), "tenants/acme/people/pseudo-") || len(insights) != 10 {
		t.Errorf("%d insights, %v", len(insights), gone)
	}
	for _, in := range insights {
		if strings.HasPrefix(in.GetName(), after.manifest.GetTombstones()[0].GetPerson()) {
			t.Errorf("%s is there", in.GetName())
		}
	}
}

// TestRefusals: what is wrong with a request is told by field.
func TestRefusals(t *testing.T) {
	r := newRig(t, nil)
	r.conclude(10)
	ctx := r.as("p1", policyv1.Role_ROLE_PERSON)
	got, _ := r.export(ctx, &insightsv1.ExportInsightsRequest{Parent: "tenants/acme/people/p1"})
	for reason, req := range map[string]*insightsv1.ExportInsightsRequest{
		"NAME_INVALID":         {Parent: "tenants/acme/people/p1/insights/i"},
		"END_INVALID":          {End: "tomorrow"},
		"END_NOT_AFTER_START":  {Start: "2026-11-23T08:00:00Z", End: "2026-11-23T08:00:00Z"},
		"END_WITH_SNAPSHOT":    {Start: "SNAPSHOT", End: "2026-11-23T08:00:00Z"},
		"START_INVALID":        {Start: "yesterday"},
		"RESUME_TOKEN_INVALID": {ResumeToken: "garbage"},
		"RESUME_TOKEN_FOREIGN": {ResumeToken: got.manifest.GetLastToken(), Filter: "n > 1"},
		"FILTER_INVALID":       {Filter: "n >"},
	} {
		if req.GetParent() == "" {
			req.Parent = "tenants/acme/people/p1"
		}
		err := r.server.ExportInsights(req, sink[httpbody.HttpBody]{ctx: ctx, take: func(*httpbody.HttpBody) error {
			t.Errorf("%s: something was sent", reason)
			return nil
		}})
		if f, ok := fault.As(err); !ok || f.Reason != reason {
			t.Errorf("%v, want %s", err, reason)
		}
	}
}

// TestClientGone: an export ends when its client is gone.
func TestClientGone(t *testing.T) {
	r := newRig(t, nil)
	r.conclude(5000)
	for _, format := range formats {
		sent := 0
		err := r.server.ExportInsights(&insightsv1.ExportInsightsRequest{Parent: "tenants/acme/people/p1", Format: format}, sink[httpbody.HttpBody]{
			ctx: r.as("p1", policyv1.Role_ROLE_PERSON), take: func(*httpbody.HttpBody) error { sent++; return errEnough },
		})
		if !errors.Is(err, errEnough) || sent != 1 {
			t.Errorf("%v: %v after %d parts", format, err, sent)
		}
	}
}
