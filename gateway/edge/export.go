package edge

import (
	"context"
	"net/http"
	"net/url"
	"regexp"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/kit/filter"
)

// export is one kind of files of the insights service that are made while they are
// sent.
type export struct {
	// path is where it is; its first group is what is exported.
	path *regexp.Regexp
	// file is what a browser calls it.
	file string
	open func(ctx context.Context, o Options, resource string, format insightsv1.ExportFormat, q url.Values) (grpc.ServerStreamingClient[httpbody.HttpBody], error)
}

// exports are all of them.
var exports = []export{
	{
		path: regexp.MustCompile(`^/v1/(tenants/[^/:]+(?:/people/[^/:]+)?)/insights:export$`), file: "rebound-insights.zip",
		open: func(ctx context.Context, o Options, resource string, format insightsv1.ExportFormat, q url.Values) (grpc.ServerStreamingClient[httpbody.HttpBody], error) {
			return insightsv1.NewInsightExportServiceClient(o.Insights).ExportInsights(ctx, &insightsv1.ExportInsightsRequest{
				Parent: resource, Format: format, Start: q.Get("start"), End: q.Get("end"), ResumeToken: q.Get("resumeToken"), Filter: q.Get("filter"),
			})
		},
	},
	{
		path: regexp.MustCompile(`^/v1/(tenants/[^/:]+/cohortReports/[^/:]+):export$`), file: "rebound-cohort-report.zip",
		open: func(ctx context.Context, o Options, resource string, format insightsv1.ExportFormat, _ url.Values) (grpc.ServerStreamingClient[httpbody.HttpBody], error) {
			return insightsv1.NewInsightExportServiceClient(o.Insights).ExportCohortReport(ctx, &insightsv1.ExportCohortReportRequest{Name: resource, Format: format})
		},
	},
}

// exportAt finds the export at a path, and what is exported.
func exportAt(path string) (x export, resource string, ok bool) {
	for _, x := range exports {
		if m := x.path.FindStringSubmatch(path); m != nil {
			return x, m[1], true
		}
	}
	return export{}, "", false
}

// export gives an export as it is made. How long it will be nobody knows.
func (e *Edge) export(w http.ResponseWriter, r *http.Request, x export, resource string) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if !takesArchive(w, r) {
		return
	}
	q := r.URL.Query()
	var format insightsv1.ExportFormat
	if name := q.Get("format"); name != "" {
		value := filter.EnumValue(format.Descriptor(), name)
		if value == nil {
			newProblem(ctx, http.StatusBadRequest, codes.InvalidArgument, "PARAMETER_INVALID", "format is NDJSON, CSV or PARQUET").write(w)
			return
		}
		format = insightsv1.ExportFormat(value.Number())
	}
	stream, err := x.open(outgoing(ctx, r), e.options, resource, format, q)
	var first *httpbody.HttpBody
	if err == nil {
		first, err = stream.Recv()
	}
	if err != nil {
		fromStatus(ctx, err, r.Method).write(w)
		return
	}
	attachment(w.Header(), x.file)
	e.pour(w, first.GetData(), func() ([]byte, error) {
		res, err := stream.Recv()
		return res.GetData(), err
	})
}
