package rpc

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	policyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/policy/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/auth"
)

// authorise holds a call against its rule. One that only a grant can let in is
// restricted to what the owner's grants cover, as they are now.
func authorise(o Options) func(context.Context, *Call, proto.Message) error {
	return func(ctx context.Context, c *Call, req proto.Message) error {
		if c.Rule == nil && exempt(c.Method) {
			return nil
		}
		decision, err := o.rules.Authorise(c.Principal, c.Method, req)
		if err != nil {
			return err
		}
		if decision.Relation == policyv1.Relation_RELATION_GRANTED {
			grants, err := o.Authority.Grants(ctx, decision.Owner, c.Principal.Owner())
			if err != nil {
				return err
			}
			if len(grants) == 0 {
				return access.Denied()
			}
			access.FromContext(ctx).Restrict(access.NewView(decision.Owner, c.Principal.Owner(), grants))
		}
		if o.log != nil && readsAnothers(c, decision) {
			access.FromContext(ctx).Watch(o.recorder(c, decision.Owner))
		}
		return nil
	}
}

// readsAnothers tells whether a call reads a person's data with somebody else's
// eyes, and not under a pseudonym.
func readsAnothers(c *Call, d auth.Decision) bool {
	return d.Owner != "" && c.Rule.GetRate() != policyv1.Rate_RATE_WRITE &&
		(d.Relation == policyv1.Relation_RELATION_GRANTED ||
			d.Relation == policyv1.Relation_RELATION_TENANT && !c.Principal.Has(policyv1.Role_ROLE_PIPELINE))
}

// recorder writes what a call shows into the owner's access log.
func (o Options) recorder(c *Call, owner string) access.Recorder {
	reader := c.Principal.Owner()
	if reader == "" {
		reader = c.Principal.Subject
	}
	return func(ctx context.Context, resources, grants []string) error {
		return o.log.Record(ctx, &journalv1.AccessLogEntry{
			Name: owner + "/accessLog/" + o.NewID(), Reader: reader, Time: timestamppb.New(o.Clock()),
			Method: c.Method[strings.LastIndexByte(c.Method, '/')+1:], Resources: resources, Grants: grants,
		})
	}
}

// errUnheeded is a handler that does not keep to what its caller may see: a defect.
var errUnheeded = errors.New("rpc: a handler did not look at what its caller may see")

// sessions gives each call a session, and has what a handler shows of another
// person's data recorded before its answer goes out.
func sessions(ctx context.Context, c *Call, next func(context.Context) error) error {
	ctx, session := access.NewContext(ctx)
	if err := next(ctx); err != nil {
		return err
	}
	if !session.Heeded() {
		return errUnheeded
	}
	if c.Stream {
		return nil // it was recorded as it went
	}
	return session.Flush(ctx)
}
