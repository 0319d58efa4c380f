package app

import (
	"cmp"
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/chart"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// shows tells whether the caller may see what a name stands for, all of it, and notes
// that they do. Errors: that they may not.
func shows(ctx context.Context, name string) error {
	if view := access.ViewOf(ctx); view != nil {
		if _, ok := view.CoversName(name); !ok {
			return access.Denied()
		}
	}
	access.SawNames(ctx, name)
	return nil
}

// projectionOf gives what is known about a person; an empty one of whom nothing is.
func (a *app) projectionOf(ctx context.Context, owner string) (*storagev1.Projection, error) {
	known, err := a.generations.Projections(ctx, owner)
	if err != nil {
		return nil, err
	}
	if p := known[owner]; p != nil {
		return p, nil
	}
	return projection.New(owner), nil
}

// chartDays are how many days charts look back by default.
var chartDays = map[chart.Kind]int32{chart.Mood: 90, chart.Recovery: 366, chart.Momentum: 182, chart.Practices: 182}

// getChart draws a chart of a person.
func (a *app) getChart(ctx context.Context, req *insightsv1.GetChartRequest) (*httpbody.HttpBody, error) {
	owner := resource.Owner(req.GetName())
	id, below := strings.CutPrefix(req.GetName(), owner+"/charts/")
	kind, format, known := chart.Parse(id)
	if !below || !known {
		return nil, fault.Invalid("name", "NAME_INVALID",
			"must have the form tenants/{tenant}/people/{person}/charts/{chart}, the chart being mood, recovery, momentum or practices, with .svg or .png")
	}
	if err := shows(ctx, req.GetName()); err != nil {
		return nil, err
	}
	p, err := a.projectionOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	today := projection.Today(p, a.deps.Clock().UnixMilli())
	span := projection.Span{From: today - cmp.Or(req.GetDays(), chartDays[kind]) + 1, Until: today}
	return draw(chart.Of(kind, p, span), format, req.GetTheme(), req.GetWidthPx())
}

// getCohortChart draws a chart of a cohort report.
func (a *app) getCohortChart(ctx context.Context, req *insightsv1.GetCohortChartRequest) (*httpbody.HttpBody, error) {
	report, id, _ := strings.Cut(req.GetName(), "/charts/")
	kind, format, known := chart.Parse(id)
	if !known {
		return nil, fault.Invalid("name", "NAME_INVALID",
			"must have the form tenants/{tenant}/cohortReports/{cohort_report}/charts/{chart}, the chart being mood, recovery, momentum or practices, with .svg or .png")
	}
	shown, err := a.cohorts.Reports.Fetch(ctx, report)
	if err != nil {
		return nil, err
	}
	return draw(chart.CohortOf(kind, shown), format, req.GetTheme(), req.GetWidthPx())
}

func draw(figure *chart.Figure, format chart.Format, theme insightsv1.ChartTheme, width int32) (*httpbody.HttpBody, error) {
	drawn, err := figure.Draw(chart.Look{
		Format: format, Width: int(cmp.Or(width, chart.DefaultWidth)), Dark: theme == insightsv1.ChartTheme_CHART_THEME_DARK,
	})
	return &httpbody.HttpBody{ContentType: format.MediaType(), Data: drawn}, err
}
