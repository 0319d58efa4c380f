package domain

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	_ "github.com/rebound-hq/rebound/proto/gen/go/rebound/goals/v1"    // what of it can be shared
	_ "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1" // the same
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

func (d *Domain) grants() resource.Type[*journalv1.Grant] {
	return resource.Type[*journalv1.Grant]{
		Stays:  true,
		Filter: []string{"reader", "until", "end_time", "revoke_time"},
		Order:  []string{"create_time", "end_time"},
		Lookup: []string{"reader"},
		Decide: d.decideGrant,
		Derive: func(_ context.Context, grants []*journalv1.Grant) error {
			for _, g := range grants {
				g.State = d.grantState(g)
			}
			return nil
		},
	}
}

func (d *Domain) grantState(g *journalv1.Grant) journalv1.Grant_State {
	switch {
	case g.GetRevokeTime() != nil:
		return journalv1.Grant_STATE_REVOKED
	case !d.now().Before(g.GetEndTime().AsTime()):
		return journalv1.Grant_STATE_ENDED
	}
	return journalv1.Grant_STATE_ACTIVE
}

func (d *Domain) holds(g *journalv1.Grant) bool {
	return d.grantState(g) == journalv1.Grant_STATE_ACTIVE
}

func (d *Domain) decideGrant(ctx context.Context, c resource.Change[*journalv1.Grant]) ([]*eventsv1.Event, error) {
	g := c.New
	g.State = journalv1.Grant_STATE_UNSPECIFIED // told when it is read
	if !c.Created() {
		return nil, nil
	}
	if err := checkReader(c.Owner, g.GetReader()); err != nil {
		return nil, err
	}
	if err := d.checkScope(ctx, c.Owner, g.GetScope()); err != nil {
		return nil, err
	}
	for field, t := range map[string]*timestamppb.Timestamp{"grant.shared_from": g.GetSharedFrom(), "grant.shared_until": g.GetSharedUntil()} {
		if t != nil && !t.IsValid() {
			return nil, fault.Invalid(field, "TIME_INVALID", "must be an instant between the years 1 and 9999")
		}
	}
	if g.GetSharedFrom() != nil && g.GetSharedUntil() != nil && !g.GetSharedFrom().AsTime().Before(g.GetSharedUntil().AsTime()) {
		return nil, fault.Invalid("grant.shared_until", "TIME_TOO_EARLY", "must be after shared_from")
	}
	cal, err := d.Calendar(ctx, c.Owner)
	if err != nil {
		return nil, err
	}
	if err := localdate.CheckWhole("grant.until", g.GetUntil()); err != nil {
		return nil, err
	}
	if today := cal.Date(c.Now); localdate.After(today, g.GetUntil()) {
		return nil, fault.Invalid("grant.until", "DATE_IN_PAST", "must not be before today, which is %s for this person", localdate.Text(today))
	}
	g.EndTime = timestamppb.New(cal.Begin(localdate.FromDays(localdate.Days(g.GetUntil()) + 1)))
	return nil, nil
}

func checkReader(owner, reader string) error {
	switch {
	case !access.Fits(reader, "tenants/{tenant}/people/{person}"):
		return fault.Invalid("grant.reader", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}")
	case reader == owner:
		return fault.Invalid("grant.reader", "REFERENCE_SELF", "must be another person")
	case strings.Split(reader, "/")[1] != strings.Split(owner, "/")[1]:
		return fault.Invalid("grant.reader", "REFERENCE_FOREIGN", "must be a person of the same tenant")
	}
	return nil
}

// checkScope holds a scope against what can be shared. What lies in another service
// is taken by its form.
func (d *Domain) checkScope(ctx context.Context, owner string, s *journalv1.GrantScope) error {
	switch scope := s.GetScope().(type) {
	case *journalv1.GrantScope_Kind:
		if access.Shareable()[scope.Kind] == "" {
			return fault.Invalid("grant.scope.kind", "KIND_UNKNOWN", "must be one of %s", strings.Join(slices.Sorted(maps.Keys(access.Shareable())), ", "))
		}
	case *journalv1.GrantScope_Resource:
		pattern := access.Shareable()[access.KindOf(scope.Resource)]
		switch {
		case pattern == "" || !access.Fits(scope.Resource, pattern):
			return fault.Invalid("grant.scope.resource", "NAME_INVALID", "must name something that can be shared, such as tenants/{tenant}/people/{person}/setbacks/{setback}")
		case resource.Owner(scope.Resource) != owner:
			return fault.Invalid("grant.scope.resource", "REFERENCE_FOREIGN", "must name a resource of the same person")
		}
		if _, err := d.find(ctx, scope.Resource); errors.Is(err, store.ErrNotFound) {
			return fault.Invalid("grant.scope.resource", "REFERENCE_UNKNOWN", "names a resource that does not exist")
		} else if err != nil && !errors.Is(err, store.ErrInvalid) {
			return err
		}
	}
	return nil
}

// find reads whatever has a name; store.ErrInvalid where its kind is not the
// journal's.
func (d *Domain) find(ctx context.Context, name string) (store.Record, error) {
	return d.deps.Store.Get(ctx, access.KindOf(name), name)
}

// RevokeGrant ends a grant at once.
func (d *Domain) RevokeGrant(ctx context.Context, req *journalv1.RevokeGrantRequest) (*journalv1.Grant, error) {
	return d.Grants.Mutate(ctx, "revoked", req.GetName(), req.GetEtag(), func(g *journalv1.Grant, now time.Time) error {
		if g.RevokeTime == nil {
			g.RevokeTime = timestamppb.New(now)
		}
		return nil
	})
}

// ListReceivedGrants lists what others let the caller read now.
func (d *Domain) ListReceivedGrants(ctx context.Context, req *journalv1.ListReceivedGrantsRequest) (*journalv1.ListReceivedGrantsResponse, error) {
	res, err := d.Grants.Having(ctx, req, "reader", req.GetReader(), d.holds)
	if err != nil {
		return nil, err
	}
	return res.(*journalv1.ListReceivedGrantsResponse), nil
}

// ResolveGrants tells another service what a reader may see.
func (d *Domain) ResolveGrants(ctx context.Context, req *journalv1.ResolveGrantsRequest) (*journalv1.ResolveGrantsResponse, error) {
	grants, err := d.Authority().Grants(ctx, req.GetOwner(), req.GetReader())
	return &journalv1.ResolveGrantsResponse{Grants: grants}, err
}

// RecordAccesses adds what another service has shown to readers.
func (d *Domain) RecordAccesses(ctx context.Context, req *journalv1.RecordAccessesRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, d.AccessLog.PutAll(ctx, req.GetEntries())
}

// Authority is the journal as it knows its own grants and keeps its own access logs.
func (d *Domain) Authority() access.Authority { return authority{d} }

type authority struct{ d *Domain }

// Grants implements access.Authority.
func (a authority) Grants(ctx context.Context, owner, reader string) ([]*journalv1.Grant, error) {
	grants, err := a.d.Grants.AllHaving(ctx, "reader", reader, owner)
	return slices.DeleteFunc(grants, func(g *journalv1.Grant) bool { return !a.d.holds(g) }), err
}

// Record implements access.Authority.
func (a authority) Record(ctx context.Context, entries []*journalv1.AccessLogEntry) error {
	return a.d.AccessLog.PutAll(ctx, entries)
}

// accessLog is written by those that show something to readers; nobody changes it.
func (d *Domain) accessLog() resource.Type[*journalv1.AccessLogEntry] {
	return resource.Type[*journalv1.AccessLogEntry]{
		ReadOnly: true,
		Filter:   []string{"reader", "time", "method", "resources", "grants"},
		Order:    []string{"time"},
	}
}
