package app

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/digest"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// getDigest tells how a week or a month of a person was.
func (a *app) getDigest(ctx context.Context, req *insightsv1.GetDigestRequest) (*insightsv1.Digest, error) {
	d, err := a.digestOf(ctx, req.GetName())
	return d.Digest, err
}

// getDigestPage tells it as a page.
func (a *app) getDigestPage(ctx context.Context, req *insightsv1.GetDigestPageRequest) (*httpbody.HttpBody, error) {
	d, err := a.digestOf(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	page, err := digest.Page(d.of, d.period, d.Digest)
	return &httpbody.HttpBody{ContentType: "text/html; charset=utf-8", Data: page}, err
}

// digested is a digest with what it was made of.
type digested struct {
	*insightsv1.Digest
	of     *storagev1.Projection
	period digest.Period
}

// maxDigestBack is how many days ago the period of a digest may have begun: with the
// one before it, that is as far as completions are kept.
const maxDigestBack = 366

func (a *app) digestOf(ctx context.Context, name string) (digested, error) {
	owner := resource.Owner(name)
	id, below := strings.CutPrefix(name, owner+"/digests/")
	period, known := digest.ParsePeriod(id)
	if !below || !known {
		return digested{}, fault.Invalid("name", "NAME_INVALID",
			"must have the form tenants/{tenant}/people/{person}/digests/{digest}, the digest being an ISO week such as 2026-W47 or a month such as 2026-10")
	}
	if err := shows(ctx, name); err != nil {
		return digested{}, err
	}
	p, err := a.projectionOf(ctx, owner)
	if err != nil {
		return digested{}, err
	}
	now := a.deps.Clock()
	switch today := projection.Today(p, now.UnixMilli()); {
	case period.Span.From > today:
		return digested{}, fault.Invalid("name", "TIME_IN_FUTURE", "must name a week or a month that has begun where the person is")
	case period.Span.From < today-maxDigestBack:
		return digested{}, fault.Invalid("name", "TIME_TOO_EARLY", "must name a week or a month that began at most %d days ago: what came before is not kept in full", maxDigestBack)
	}
	insights, err := a.insightsIn(ctx, p, owner, period.Span)
	if err != nil {
		return digested{}, err
	}
	before, err := a.insightsIn(ctx, p, owner, period.Before)
	if err != nil {
		return digested{}, err
	}
	return digested{digest.Of(p, name, period, insights, before, now), p, period}, nil
}

// insightsIn gives the latest insights of a span. It does not matter which of them the
// caller might see one by one: the digest is theirs to see, and tells of each without
// the names of what it is about.
func (a *app) insightsIn(ctx context.Context, p *storagev1.Projection, owner string, span projection.Span) ([]*insightsv1.Insight, error) {
	return a.insights.Latest(access.AsOwner(ctx), owner, "time", projection.Begin(p, span).UnixMilli(), projection.End(p, span).UnixMilli(), store.MaxPage)
}
