package digest

import (
	"bytes"
	_ "embed"
	"html/template"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/chart"
	"github.com/rebound-hq/rebound/services/insights/internal/projection"
	"github.com/rebound-hq/rebound/services/kit/localdate"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"text": localdate.Text}).Parse(pageSource))

// chartWidth is that of the charts of a page, in pixels: narrow enough to be read on
// a phone.
const chartWidth = 480

// lookBack are the days that the charts of a page show, by what the page is about.
var lookBack = map[string]map[chart.Kind]int32{
	"week":  {chart.Mood: 28, chart.Recovery: 182, chart.Momentum: 84, chart.Practices: 84},
	"month": {chart.Mood: 92, chart.Recovery: 366, chart.Momentum: 182, chart.Practices: 182},
}

// Page gives a digest as one HTML page: its charts and its style are in it, it loads
// nothing and runs nothing.
func Page(p *storagev1.Projection, period Period, d *insightsv1.Digest) ([]byte, error) {
	content := struct {
		Title, Lead, Nothing, Together, Caveat string
		Light, Dark                            template.CSS
		Rows                                   []row
		Unit                                   string
		Over                                   bool
		Insights                               []*insightsv1.DigestInsight
		Associations                           []*insightsv1.Association
		Charts                                 []template.HTML
	}{
		Title: period.Title, Lead: lead(period, d), Nothing: nothing, Together: together, Caveat: caveat,
		Light: template.CSS(chart.Styles(false)), Dark: template.CSS(chart.Styles(true)), //nolint:gosec // colors of the charts' own palette
		Rows: rows(d), Unit: period.Unit, Over: d.GetOver(), Insights: d.GetInsights(), Associations: d.GetAssociations(),
	}
	until := min(period.Span.Until, projection.Today(p, d.GetAsOf().AsTime().UnixMilli()))
	for _, kind := range chart.Kinds {
		span := projection.Span{From: until - lookBack[period.Unit][kind] + 1, Until: until}
		drawn, err := chart.Of(kind, p, span).Draw(chart.Look{Format: chart.SVG, Width: chartWidth, Part: string(kind)})
		if err != nil {
			return nil, err
		}
		content.Charts = append(content.Charts, template.HTML(drawn)) //nolint:gosec // drawn here, of numbers and dates alone
	}
	var out bytes.Buffer
	err := pageTemplate.Execute(&out, content)
	return out.Bytes(), err
}
