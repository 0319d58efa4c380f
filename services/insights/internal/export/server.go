package export

import (
	"bufio"
	"bytes"
	"context"
	"slices"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/services/insights/internal/kind"
	"github.com/rebound-hq/rebound/services/insights/internal/stream"
	"github.com/rebound-hq/rebound/services/kit/clock"
)

const (
	mediaType = "application/zip"
	// partBytes is the size of the parts in which an archive is sent.
	partBytes = 64 << 10
)

// Server serves exports.
type Server struct {
	Streams *stream.Server
	Clock   clock.Clock

	// Report gives a report by name, as far as the caller may see it.
	Report func(ctx context.Context, name string) (*insightsv1.CohortReport, error)

	insights, reports *Table
}

// NewServer gives a server that exports what streams show, and reports.
func NewServer(streams *stream.Server, report func(context.Context, string) (*insightsv1.CohortReport, error), now clock.Clock) *Server {
	return &Server{Streams: streams, Clock: now, Report: report, insights: Insights(), reports: Reports()}
}

// ExportCohortReport implements the RPC.
func (s *Server) ExportCohortReport(req *insightsv1.ExportCohortReportRequest, to grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	report, err := s.Report(to.Context(), req.GetName())
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(parts{to}, partBytes)
	manifest := &insightsv1.ExportManifest{Format: req.GetFormat(), CreateTime: timestamppb.New(s.Clock())}
	if err := WriteReport(w, s.reports, report, manifest); err != nil {
		return err
	}
	return w.Flush()
}

// ExportInsights implements the RPC.
func (s *Server) ExportInsights(req *insightsv1.ExportInsightsRequest, to grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	ctx := to.Context()
	stretch, err := s.Streams.Stretch(ctx, req)
	if err != nil {
		return err
	}
	manifest := &insightsv1.ExportManifest{
		Content: "insights", Format: req.GetFormat(), Resource: req.GetParent(), CreateTime: timestamppb.New(s.Clock()),
		Start: req.GetStart(), End: req.GetEnd(), Filter: req.GetFilter(), FirstToken: stretch.First,
	}
	if req.GetResumeToken() != "" {
		manifest.Start = ""
	}
	w := bufio.NewWriterSize(parts{to}, partBytes)
	archive := NewArchive(w, s.insights, manifest)
	kinds := map[insightsv1.InsightKind]int64{}
	manifest.LastToken, err = stretch.Each(ctx, func(res *insightsv1.StreamInsightsResponse) error {
		for _, in := range res.GetInsights() {
			kinds[in.GetKind()]++
			if err := archive.Add(in); err != nil {
				return err
			}
		}
		manifest.Tombstones = append(manifest.Tombstones, res.GetTombstones()...)
		return nil
	})
	if err != nil {
		return err
	}
	manifest.Kinds = tellKinds(kinds)
	if err := archive.Close(); err != nil {
		return err
	}
	return w.Flush()
}

// tellKinds is how many insights there are of each kind, in the order of the kinds.
func tellKinds(counts map[insightsv1.InsightKind]int64) []*insightsv1.ExportKind {
	var out []*insightsv1.ExportKind
	values := insightsv1.InsightKind(0).Descriptor().Values()
	for i := range values.Len() {
		k := insightsv1.InsightKind(values.Get(i).Number())
		if rows := counts[k]; rows > 0 {
			traits := kind.Traits(k)
			out = append(out, &insightsv1.ExportKind{Kind: k, Schema: traits.GetSchema(), SchemaVersion: traits.GetSchemaVersion(), Rows: rows})
		}
	}
	return out
}

// parts sends what is written to it as parts of an answer.
type parts struct {
	to grpc.ServerStreamingServer[httpbody.HttpBody]
}

// Write implements io.Writer.
func (p parts) Write(b []byte) (int, error) {
	for part := range slices.Chunk(b, partBytes) { // what is larger than the buffer comes past it
		// A message that was sent still belongs to gRPC.
		if err := p.to.Send(&httpbody.HttpBody{ContentType: mediaType, Data: bytes.Clone(part)}); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
