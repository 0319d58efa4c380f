package rpc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/grpc/codes"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// authority knows what tests tell it.
type authority struct {
	mu      sync.Mutex
	grants  []*journalv1.Grant
	entries []*journalv1.AccessLogEntry
	// away and full fail asking and recording.
	away, full error
}

func (a *authority) Grants(_ context.Context, owner, reader string) ([]*journalv1.Grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.grants), func(g *journalv1.Grant) bool {
		return g.GetReader() != reader || !strings.HasPrefix(g.GetName(), owner+"/")
	}), a.away
}

func (a *authority) Record(_ context.Context, entries []*journalv1.AccessLogEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full == nil {
		a.entries = append(a.entries, entries...)
	}
	return a.full
}

// TestGrants: a reader is let in by a grant, as far as it reaches, and what they are
// shown is recorded before they see it.
func TestGrants(t *testing.T) {
	r := newRig(t, nil)
	asked := 0
	r.setbacks.get = func(ctx context.Context, req *journalv1.GetSetbackRequest) (*journalv1.Setback, error) {
		asked++
		rec := store.Record{Name: req.GetName(), Owner: "tenants/acme/people/ada", CreateTime: time.Unix(0, 0)}
		if v := access.ViewOf(ctx); v != nil {
			if _, ok := v.Covers(rec); !ok {
				return nil, access.Denied()
			}
		}
		access.Saw(ctx, rec)
		return &journalv1.Setback{Name: req.GetName()}, nil
	}
	ctx := t.Context()
	wants(t, r.get(as(ctx, "cara"), mine), codes.PermissionDenied, "ACCESS_DENIED")
	if asked != 0 {
		t.Error("without a grant the handler was asked")
	}
	grant := &journalv1.Grant{
		Name: "tenants/acme/people/ada/grants/g", Reader: "tenants/acme/people/cara",
		Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Resource{Resource: mine}},
	}
	r.journal.grants = []*journalv1.Grant{grant}
	if err := r.get(as(ctx, "cara"), mine); err != nil {
		t.Fatal(err)
	}
	wants(t, r.get(as(ctx, "cara"), "tenants/acme/people/ada/setbacks/b"), codes.PermissionDenied, "ACCESS_DENIED")
	wants(t, r.get(as(ctx, "cara"), "tenants/acme/people/grace/setbacks/a"), codes.PermissionDenied, "ACCESS_DENIED")
	if err := r.get(as(ctx, "ada"), mine); err != nil {
		t.Fatal(err)
	}
	if len(r.journal.entries) != 1 {
		t.Fatalf("%d entries for one read by somebody else", len(r.journal.entries))
	}
	e := r.journal.entries[0]
	if !strings.HasPrefix(e.GetName(), "tenants/acme/people/ada/accessLog/") || e.GetReader() != "tenants/acme/people/cara" || e.GetMethod() != "GetSetback" ||
		!slices.Equal(e.GetResources(), []string{mine}) || !slices.Equal(e.GetGrants(), []string{grant.GetName()}) || e.GetTime() == nil {
		t.Errorf("%v", e)
	}
	// What cannot be recorded is not shown.
	r.journal.full = fault.Unavailable(errors.New("full"))
	wants(t, r.get(as(ctx, "cara"), mine), codes.Unavailable, "UNAVAILABLE")
	r.journal.full, r.journal.away = nil, fault.Unavailable(errors.New("away"))
	wants(t, r.get(as(ctx, "cara"), mine), codes.Unavailable, "UNAVAILABLE")
	r.journal.away, r.journal.grants = nil, nil
	wants(t, r.get(as(ctx, "cara"), mine), codes.PermissionDenied, "ACCESS_DENIED")
}

// TestViewMustBeHeeded: a handler that does not look at what its caller may see
// shows them nothing.
func TestViewMustBeHeeded(t *testing.T) {
	r := newRig(t, nil) // its handler looks at nothing
	r.journal.grants = []*journalv1.Grant{{
		Name: "tenants/acme/people/ada/grants/g", Reader: "tenants/acme/people/cara",
		Scope: &journalv1.GrantScope{Scope: &journalv1.GrantScope_Kind{Kind: "setbacks"}},
	}}
	wants(t, r.get(as(t.Context(), "cara"), mine), codes.Internal, "INTERNAL")
	if !strings.Contains(r.logs.String(), "did not look") {
		t.Error("the log does not tell of the defect")
	}
}

// TestAuthorityIsNeeded: where grants let readers in, somebody has to know them.
func TestAuthorityIsNeeded(t *testing.T) {
	_, err := NewServer(Options{Limits: DefaultLimits(), Meter: noop.Meter{}}, Service{&journalv1.SetbackService_ServiceDesc, &setbacks{}})
	if err == nil {
		t.Error("a server without an authority was made")
	}
}
