package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

const (
	sseType    = "text/event-stream"
	ndjsonType = "application/x-ndjson"
	// flushBytes is how much is gathered before it is sent although more is ready.
	flushBytes = 64 << 10
	// ahead is how many responses are taken from the service ahead of the client.
	ahead = 4
)

// batch is one response of a stream, whatever it streams.
type batch struct {
	items []proto.Message
	// gone are the tombstones, which come after the items.
	gone  []proto.Message
	token string
	// snapshotEnd and end are the marks after a snapshot and after history.
	snapshotEnd, end bool
}

// stream serves a feed as Server-Sent Events or NDJSON.
func (e *Edge) stream(w http.ResponseWriter, r *http.Request, f feed, parent string) {
	frames, ok := chooseFrames(r, f)
	if !ok {
		newProblem(r.Context(), http.StatusNotAcceptable, codes.InvalidArgument, "NOT_ACCEPTABLE", "streams are "+sseType+" or "+ndjsonType+", of items or of "+eventJSON).write(w)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	next, err := e.openStream(ctx, r, f, parent)
	if err != nil {
		fromStatus(ctx, err, r.Method).write(w)
		return
	}
	batches, failed := receive(ctx, next)
	s := &streamWriter{w: w, frames: frames, control: http.NewResponseController(w), patience: e.options.Limits.WriteTimeout}
	s.end(e.pump(ctx, s, batches, failed), func(err error) problem { return fromStatus(ctx, err, r.Method) })
}

func (e *Edge) openStream(ctx context.Context, r *http.Request, f feed, parent string) (func() (batch, error), error) {
	q := r.URL.Query()
	from := place{parent: parent, start: q.Get("start"), token: q.Get("resumeToken"), filter: q.Get("filter")}
	if id := r.Header.Get("Last-Event-Id"); id != "" {
		from.token = id // a browser that comes back knows better than the address it was opened with
	}
	return f.open(outgoing(ctx, r), e.options, from)
}

// receive takes batches from a service, a few ahead of the client.
func receive(ctx context.Context, next func() (batch, error)) (<-chan batch, <-chan error) {
	batches, failed := make(chan batch, ahead), make(chan error, 1)
	go func() {
		defer close(batches)
		for {
			b, err := next()
			if err != nil {
				failed <- err
				return
			}
			select {
			case batches <- b:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
	}()
	return batches, failed
}

// errDrained is a stream that ends because the edge does.
var errDrained = errors.New("edge: stopping")

// pump writes batches as they come, and flushes when no more is ready or enough
// has gathered: never per item.
func (e *Edge) pump(ctx context.Context, s *streamWriter, batches <-chan batch, failed <-chan error) error {
	for {
		select {
		case b, ok := <-batches:
			if !ok {
				return <-failed
			}
			if err := s.frames.batch(&s.buf, b); err != nil {
				return err
			}
			if len(batches) > 0 && s.buf.Len() < flushBytes {
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

// frames is how batches look on the wire.
type frames interface {
	contentType() string
	batch(buf *bytes.Buffer, b batch) error
	failure(buf *bytes.Buffer, p problem) error
}

// itemWriter writes one item.
type itemWriter func(buf *bytes.Buffer, item proto.Message) error

// chooseFrames picks what the client accepts. A client that names CloudEvents gets
// the items as such, in events when it names these too, else in lines.
func chooseFrames(r *http.Request, f feed) (frames, bool) {
	accept := r.Header.Values("Accept")
	events := len(accept) > 0 && named(accept, eventJSON)
	item, at := appendJSON, origin(r)
	if events {
		item = func(buf *bytes.Buffer, m proto.Message) error { return appendEvent(buf, f.attributes(m), at, m) }
	}
	switch {
	case len(accept) > 0 && accepts(accept, sseType) && !accepts(accept, ndjsonType):
		gone := itemWriter(appendJSON)
		if events {
			gone = tombstoneEvent(at)
		}
		return sse{begin: "event: " + f.item + "\ndata: ", item: item, gone: gone}, true
	case events:
		return ndjson{end: "\n", item: item, gone: tombstoneEvent(at)}, true
	case accepts(accept, ndjsonType) || accepts(accept, "application/json"):
		return ndjson{begin: `{"` + f.item + `":`, end: "}\n", item: item, gone: tombstoneLine}, true
	}
	return nil, false
}

// sse frames: an event per item. A token stands for a whole batch, so its last
// frame carries it as the id: who comes back with it misses nothing, and may get
// again only what followed. A frame with an id and no data moves the browser's
// bookmark on without an event.
type sse struct {
	begin string
	item  itemWriter
	gone  itemWriter
}

func (sse) contentType() string { return sseType }

func (f sse) batch(buf *bytes.Buffer, b batch) error {
	marks := b.marks()
	left := len(b.items) + len(b.gone) + len(marks)
	if left == 0 {
		writeID(buf, b.token)
		buf.WriteByte('\n')
	}
	frame := func(begin string, item proto.Message, write itemWriter) error {
		if left--; left == 0 {
			writeID(buf, b.token)
		}
		buf.WriteString(begin)
		err := write(buf, item)
		buf.WriteString("\n\n")
		return err
	}
	for _, item := range b.items {
		if err := frame(f.begin, item, f.item); err != nil {
			return err
		}
	}
	for _, item := range b.gone {
		if err := frame("event: tombstone\ndata: ", item, f.gone); err != nil {
			return err
		}
	}
	for _, m := range marks {
		if err := frame("event: "+m.event+"\ndata: {}", nil, nothing); err != nil {
			return err
		}
	}
	return nil
}

// mark is what a batch says of the stream itself: as an event, and as a field of a line.
type mark struct{ event, field string }

func (b batch) marks() []mark {
	var out []mark
	if b.snapshotEnd {
		out = append(out, mark{"snapshot-end", "snapshotEnd"})
	}
	if b.end {
		out = append(out, mark{"history-end", "historyEnd"})
	}
	return out
}

func nothing(*bytes.Buffer, proto.Message) error { return nil }

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

// ndjson frames: a line per item, and a line with the token after each batch.
type ndjson struct {
	begin, end string
	item       itemWriter
	gone       itemWriter
}

func (ndjson) contentType() string { return ndjsonType }

func (f ndjson) batch(buf *bytes.Buffer, b batch) error {
	for _, item := range b.items {
		buf.WriteString(f.begin)
		if err := f.item(buf, item); err != nil {
			return err
		}
		buf.WriteString(f.end)
	}
	for _, item := range b.gone {
		if err := f.gone(buf, item); err != nil {
			return err
		}
		buf.WriteByte('\n')
	}
	buf.WriteString(`{"nextToken":"`)
	buf.WriteString(b.token) // base64url needs no quoting
	buf.WriteByte('"')
	for _, m := range b.marks() {
		buf.WriteString(`,"` + m.field + `":true`)
	}
	buf.WriteString("}\n")
	return nil
}

func (ndjson) failure(buf *bytes.Buffer, p problem) error {
	text, err := json.Marshal(map[string]problem{"error": p})
	buf.Write(append(text, '\n'))
	return err
}

func appendJSON(buf *bytes.Buffer, item proto.Message) error {
	out, err := jsonOut.MarshalAppend(buf.AvailableBuffer(), item)
	buf.Write(out)
	return err
}
