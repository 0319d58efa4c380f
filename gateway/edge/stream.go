package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// streamPath is where insights are streamed.
var streamPath = regexp.MustCompile(`^/v1/(tenants/[^/:]+(?:/people/[^/:]+)?)/insights:stream$`)

const (
	sseType    = "text/event-stream"
	ndjsonType = "application/x-ndjson"
	// flushBytes is how much is gathered before it is sent although more is ready.
	flushBytes = 64 << 10
	// ahead is how many responses are taken from the service ahead of the client.
	ahead = 4
)

// streamInsights serves StreamInsights as Server-Sent Events or NDJSON.
func (e *Edge) streamInsights(w http.ResponseWriter, r *http.Request) {
	frames, ok := chooseFrames(r.Header.Values("Accept"))
	if !ok {
		newProblem(r.Context(), http.StatusNotAcceptable, codes.InvalidArgument, "NOT_ACCEPTABLE", "streams are "+sseType+" or "+ndjsonType).write(w)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	upstream, err := e.openStream(ctx, r)
	if err != nil {
		fromStatus(ctx, err, r.Method).write(w)
		return
	}
	responses, failed := receive(ctx, upstream)
	s := &streamWriter{w: w, frames: frames, control: http.NewResponseController(w), patience: e.options.Limits.WriteTimeout}
	s.end(e.pump(ctx, s, responses, failed), func(err error) problem { return fromStatus(ctx, err, r.Method) })
}

func (e *Edge) openStream(ctx context.Context, r *http.Request) (grpc.ServerStreamingClient[insightsv1.StreamInsightsResponse], error) {
	q := r.URL.Query()
	req := &insightsv1.StreamInsightsRequest{
		Parent: streamPath.FindStringSubmatch(r.URL.Path)[1],
		Start:  q.Get("start"), ResumeToken: q.Get("resumeToken"), Filter: q.Get("filter"),
	}
	if id := r.Header.Get("Last-Event-Id"); id != "" {
		req.ResumeToken = id // a browser that comes back knows better than the address it was opened with
	}
	return insightsv1.NewInsightServiceClient(e.options.Insights).StreamInsights(outgoing(ctx, r), req)
}

// receive takes responses from a service, a few ahead of the client.
func receive(ctx context.Context, upstream grpc.ServerStreamingClient[insightsv1.StreamInsightsResponse]) (<-chan *insightsv1.StreamInsightsResponse, <-chan error) {
	responses, failed := make(chan *insightsv1.StreamInsightsResponse, ahead), make(chan error, 1)
	go func() {
		defer close(responses)
		for {
			res, err := upstream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case responses <- res:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	}()
	return responses, failed
}

// errDrained is a stream that ends because the edge does.
var errDrained = errors.New("edge: stopping")

// pump writes responses as they come, and flushes when no more is ready or
// enough has gathered: never per insight.
func (e *Edge) pump(ctx context.Context, s *streamWriter, responses <-chan *insightsv1.StreamInsightsResponse, failed <-chan error) error {
	for {
		select {
		case res, ok := <-responses:
			if !ok {
				return <-failed
			}
			if err := s.add(res); err != nil {
				return err
			}
			if len(responses) > 0 && s.buf.Len() < flushBytes {
				continue
			}
			if err := s.flush(); err != nil {
				return err
			}
		case <-e.draining:
			return errDrained
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// streamWriter gathers frames and sends them.
type streamWriter struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	frames   frames
	patience time.Duration
	buf      bytes.Buffer
	begun    bool
	gone     bool
}

func (s *streamWriter) add(res *insightsv1.StreamInsightsResponse) error {
	return s.frames.response(&s.buf, res)
}

func (s *streamWriter) flush() error {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", s.frames.contentType())
		s.w.Header().Set("X-Accel-Buffering", "no")
		s.w.WriteHeader(http.StatusOK)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience)) // where it is not supported, the connection's own ends it
	_, err := s.w.Write(s.buf.Bytes())
	s.buf.Reset()
	if err == nil {
		err = s.control.Flush()
	}
	s.gone = err != nil
	return err
}

// end tells the client why the stream ends, as far as it can still be told.
func (s *streamWriter) end(err error, explain func(error) problem) {
	switch {
	case s.gone || errors.Is(err, context.Canceled):
		return
	case errors.Is(err, io.EOF) || errors.Is(err, errDrained):
		if s.begun {
			return // it ends as a connection does; the client comes back with its token
		}
	}
	p := explain(err)
	if !s.begun {
		p.write(s.w)
		return
	}
	if s.frames.failure(&s.buf, p) == nil {
		_ = s.flush() // the stream is over either way
	}
}

// frames is how responses look on the wire.
type frames interface {
	contentType() string
	response(buf *bytes.Buffer, res *insightsv1.StreamInsightsResponse) error
	failure(buf *bytes.Buffer, p problem) error
}

func chooseFrames(accept []string) (frames, bool) {
	switch {
	case len(accept) > 0 && accepts(accept, sseType) && !accepts(accept, ndjsonType):
		return sse{}, true
	case accepts(accept, ndjsonType) || accepts(accept, "application/json"):
		return ndjson{}, true
	}
	return nil, false
}

// sse frames: an event per insight. A token stands for a whole response, so its
// last frame carries it as the id: who comes back with it misses nothing, and
// may get again only what followed. A frame with an id and no data moves the
// browser's bookmark on without an event.
type sse struct{}

func (sse) contentType() string { return sseType }

func (sse) response(buf *bytes.Buffer, res *insightsv1.StreamInsightsResponse) error {
	for i, in := range res.GetInsights() {
		if i == len(res.GetInsights())-1 {
			writeID(buf, res.GetNextToken())
		}
		buf.WriteString("event: insight\ndata: ")
		if err := appendJSON(buf, in); err != nil {
			return err
		}
		buf.WriteString("\n\n")
	}
	switch {
	case res.GetHistoryEnd():
		writeID(buf, res.GetNextToken())
		buf.WriteString("event: history-end\ndata: {}\n\n")
	case len(res.GetInsights()) == 0:
		writeID(buf, res.GetNextToken())
		buf.WriteByte('\n')
	}
	return nil
}

func writeID(buf *bytes.Buffer, token string) {
	buf.WriteString("id: ")
	buf.WriteString(token)
	buf.WriteByte('\n')
}

func (sse) failure(buf *bytes.Buffer, p problem) error {
	text, err := json.Marshal(p)
	buf.WriteString("event: error\ndata: ")
	buf.Write(text)
	buf.WriteString("\n\n")
	return err
}

// ndjson frames: a line per insight, and a line with the token after each
// response.
type ndjson struct{}

func (ndjson) contentType() string { return ndjsonType }

func (ndjson) response(buf *bytes.Buffer, res *insightsv1.StreamInsightsResponse) error {
	for _, in := range res.GetInsights() {
		buf.WriteString(`{"insight":`)
		if err := appendJSON(buf, in); err != nil {
			return err
		}
		buf.WriteString("}\n")
	}
	buf.WriteString(`{"nextToken":"`)
	buf.WriteString(res.GetNextToken()) // base64url needs no quoting
	if res.GetHistoryEnd() {
		buf.WriteString(`","historyEnd":true}` + "\n")
	} else {
		buf.WriteString("\"}\n")
	}
	return nil
}

func (ndjson) failure(buf *bytes.Buffer, p problem) error {
	text, err := json.Marshal(map[string]problem{"error": p})
	buf.Write(append(text, '\n'))
	return err
}

func appendJSON(buf *bytes.Buffer, in *insightsv1.Insight) error {
	out, err := jsonOut.MarshalAppend(buf.AvailableBuffer(), in)
	buf.Write(out)
	return err
}
