package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/tools/internal/api"
)

// Remote is a system that is reached by its REST address, where gRPC is too.
type Remote struct {
	client *api.Client
	person *api.Person
	conn   *grpc.ClientConn
	tenant string
	// tokens to read the person's and the tenant's stream with.
	own, pipeline string
}

// NewRemote judges a system on behalf of a person. Conn is a connection to its gRPC
// side; pipeline is the token to read the tenant's stream with, "" for the client's.
func NewRemote(client *api.Client, conn *grpc.ClientConn, tenant, person, pipeline string) (*Remote, error) {
	r := &Remote{client: client, conn: conn, tenant: tenant, pipeline: pipeline}
	var err error
	if r.person, err = client.Person(tenant, person); err != nil {
		return nil, err
	}
	if r.own, err = client.TokenFor(tenant, person, "person"); err != nil {
		return nil, err
	}
	if r.pipeline == "" {
		r.pipeline, err = client.TokenFor(tenant, "", "pipeline")
	}
	return r, err
}

type body map[string]any

// Prepare implements System.
func (r *Remote) Prepare(ctx context.Context) error {
	return r.person.Do(ctx, http.MethodPatch, "/profile?updateMask=consents.shareWithPipeline", body{"consents": body{"shareWithPipeline": true}}, nil)
}

// Subject implements System.
func (r *Remote) Subject(id string) string { return r.person.Name + "/setbacks/" + id }

// record writes a setback.
func (r *Remote) record(ctx context.Context, id string) error {
	return r.person.Do(ctx, http.MethodPost, "/setbacks?setbackId="+url.QueryEscape(id), body{"title": "A conformance run"}, nil)
}

// Conclude implements System: somebody who gets up again brings an insight.
func (r *Remote) Conclude(ctx context.Context, id string) error {
	if err := r.record(ctx, id); err != nil {
		return err
	}
	return r.person.Do(ctx, http.MethodPost, "/setbacks/"+id+":recover", body{}, nil)
}

// Withdraw implements System: with the setback goes what was concluded from it.
func (r *Remote) Withdraw(ctx context.Context, id string) error {
	return r.person.Do(ctx, http.MethodDelete, "/setbacks/"+id, nil, nil)
}

// Refuse implements System: nobody gets up again in the year 2999 already.
func (r *Remote) Refuse(ctx context.Context, id string) error {
	if err := r.record(ctx, id); err != nil {
		return err
	}
	err := r.person.Do(ctx, http.MethodPost, "/setbacks/"+id+":recover", body{"recoveredOn": body{"year": 2999, "month": 1, "day": 1}}, nil)
	var refused *api.Problem
	switch {
	case err == nil:
		return errors.New("a recovery in the future was taken")
	case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
		return nil
	}
	return err
}

// Schemas implements System.
func (r *Remote) Schemas(ctx context.Context) ([]*insightsv1.InsightSchema, error) {
	var text []byte
	if err := r.client.Do(ctx, r.own, http.MethodGet, "/v1/insightSchemas", nil, &text); err != nil {
		return nil, err
	}
	var list insightsv1.ListInsightSchemasResponse
	err := readJSON.Unmarshal(text, &list)
	return list.GetInsightSchemas(), err
}

// readJSON reads over fields that a later release may have added.
var readJSON = protojson.UnmarshalOptions{DiscardUnknown: true}

// accept is what a format is asked for by, over REST.
var accept = map[Format]string{
	NDJSON: "application/x-ndjson", SSE: "text/event-stream", CloudEvents: "application/cloudevents+json",
}

// Open implements System.
func (r *Remote) Open(ctx context.Context, f Format, at Place) (Stream, error) {
	if f == GRPC {
		return r.openGRPC(ctx, at)
	}
	return r.openREST(ctx, r.own, r.person.Name, f, at)
}

// OpenTenant implements System.
func (r *Remote) OpenTenant(ctx context.Context, at Place) (Stream, error) {
	s, err := r.openREST(ctx, r.pipeline, "tenants/"+r.tenant, NDJSON, at)
	if reason := api.Reason(err); reason == "ROLE_REQUIRED" || reason == "ACCESS_DENIED" {
		return nil, ErrNoPipeline
	}
	return s, err
}

func (r *Remote) openREST(ctx context.Context, token, parent string, f Format, at Place) (Stream, error) {
	q := url.Values{}
	for key, value := range map[string]string{"start": at.Start, "resumeToken": at.Token, "filter": at.Filter} {
		if value != "" {
			q.Set(key, value)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	in, err := r.client.Stream(ctx, token, "/v1/"+parent+"/insights:stream?"+q.Encode(), accept[f])
	var refused *api.Problem
	if err != nil {
		cancel()
		if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, err
	}
	return newLines(in, f, cancel), nil
}

// overGRPC is a stream over gRPC; its batches are taken apart.
type overGRPC struct {
	stream grpc.ServerStreamingClient[insightsv1.StreamInsightsResponse]
	cancel context.CancelFunc
	frames []Frame
}

func (r *Remote) openGRPC(ctx context.Context, at Place) (Stream, error) {
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.own))
	stream, err := insightsv1.NewInsightServiceClient(r.conn).StreamInsights(ctx, &insightsv1.StreamInsightsRequest{
		Parent: r.person.Name, Start: at.Start, ResumeToken: at.Token, Filter: at.Filter,
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return &overGRPC{stream: stream, cancel: cancel}, nil
}

// Next implements Stream.
func (s *overGRPC) Next() (Frame, error) {
	if len(s.frames) == 0 {
		res, err := s.stream.Recv()
		switch status.Code(err) {
		case codes.OK:
		case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.NotFound, codes.OutOfRange, codes.FailedPrecondition:
			return Frame{}, fmt.Errorf("%w: %w", ErrRefused, err)
		default:
			return Frame{}, err
		}
		for _, in := range res.GetInsights() {
			s.frames = append(s.frames, Frame{Insight: in})
		}
		for _, t := range res.GetTombstones() {
			s.frames = append(s.frames, Frame{Gone: t.GetPerson()})
		}
		if len(s.frames) == 0 || res.GetHistoryEnd() || res.GetSnapshotEnd() {
			s.frames = append(s.frames, Frame{HistoryEnd: res.GetHistoryEnd(), SnapshotEnd: res.GetSnapshotEnd()})
		}
		s.frames[len(s.frames)-1].Token = res.GetNextToken()
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return f, nil
}

// Close implements Stream.
func (s *overGRPC) Close() { s.cancel() }

// RunID makes the id of a run: runs begin at different milliseconds.
func RunID(now time.Time) string { return "run-" + strconv.FormatInt(now.UnixMilli(), 36) }
