package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// downloadPath is where archives are given, uploadPath where they are taken.
var (
	downloadPath = regexp.MustCompile(`^/v1/(tenants/[^/:]+/people/[^/:]+/operations/[^/:]+):download$`)
	uploadPath   = regexp.MustCompile(`^/v1/(tenants/[^/:]+/people/[^/:]+):import$`)
)

const (
	zipType = "application/zip"
	// archiveFile is what a browser calls an archive that it keeps.
	archiveFile = "rebound-export.zip"
	// partBytes is the size of the parts in which the journal takes an archive.
	partBytes = 1 << 20
)

// outgoing is a context for calls in the name of a request.
func outgoing(ctx context.Context, r *http.Request) context.Context {
	md := metadata.Pairs("x-request-id", requestIDOf(ctx))
	if a := r.Header.Get("Authorization"); a != "" {
		md.Set("authorization", a)
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// download gives the archive of an export, as it comes. With a Range header of the
// form bytes=N- it goes on where an earlier answer ended.
func (e *Edge) download(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if !takesArchive(w, r) {
		return
	}
	ranged := rangeStart(r.Header.Get("Range"))
	offset := ranged
	if q := r.URL.Query().Get("offset"); q != "" {
		var err error
		if offset, err = strconv.ParseInt(q, 10, 64); err != nil {
			newProblem(ctx, http.StatusBadRequest, codes.InvalidArgument, "PARAMETER_INVALID", "offset is a number of bytes").write(w)
			return
		}
		ranged = 0
	}
	stream, err := journalv1.NewOperationServiceClient(e.options.Journal).DownloadOperation(outgoing(ctx, r), &journalv1.DownloadOperationRequest{
		Name: downloadPath.FindStringSubmatch(r.URL.Path)[1], Offset: offset,
	})
	var res *journalv1.DownloadOperationResponse
	if err == nil {
		res, err = stream.Recv()
	}
	if err != nil {
		fromStatus(ctx, err, r.Method).write(w)
		return
	}
	h, size := w.Header(), res.GetArchiveBytes()
	if ranged > 0 && ranged >= size { // an empty answer would look like the whole archive
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		newProblem(ctx, http.StatusRequestedRangeNotSatisfiable, codes.OutOfRange, "RANGE_NOT_SATISFIABLE", "the archive ends there").write(w)
		return
	}
	attachment(h, archiveFile)
	h.Set("Content-Length", strconv.FormatInt(size-offset, 10))
	h.Set("Accept-Ranges", "bytes")
	if ranged > 0 {
		h.Set("Content-Range", "bytes "+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(size-1, 10)+"/"+strconv.FormatInt(size, 10))
		w.WriteHeader(http.StatusPartialContent)
	}
	e.pour(w, res.GetData(), func() ([]byte, error) {
		res, err := stream.Recv()
		return res.GetData(), err
	})
}

// takesArchive tells whether the client takes an archive; one that does not is told
// so.
func takesArchive(w http.ResponseWriter, r *http.Request) bool {
	if accepts(r.Header.Values("Accept"), zipType) {
		return true
	}
	newProblem(r.Context(), http.StatusNotAcceptable, codes.InvalidArgument, "NOT_ACCEPTABLE", "archives are "+zipType).write(w)
	return false
}

// attachment says that the answer is a file, and how a browser may call it.
func attachment(h http.Header, name string) {
	h.Set("Content-Type", zipType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// pour writes the parts of an answer as they come, the first one and then those that
// next gives, to its end.
func (e *Edge) pour(w http.ResponseWriter, part []byte, next func() ([]byte, error)) {
	control := http.NewResponseController(w)
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // what follows on this connection has its own
	var err error
	for err == nil {
		_ = control.SetWriteDeadline(time.Now().Add(e.options.Limits.WriteTimeout)) // where it is not supported, the connection's own ends it
		if _, err := w.Write(part); err != nil {
			return // the client has gone
		}
		part, err = next()
	}
	if !errors.Is(err, io.EOF) {
		panic(http.ErrAbortHandler) // the client must not take what it has got for all of it
	}
}

// rangeStart is where a range begins that goes on to the end; 0 for others, which are
// answered with all there is.
func rangeStart(header string) int64 {
	from, ok := strings.CutPrefix(header, "bytes=")
	if !ok || !strings.HasSuffix(from, "-") {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(from, "-"), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// upload hands an archive on as it comes, part by part, and answers with the
// operation that imports it.
func (e *Edge) upload(w http.ResponseWriter, r *http.Request) {
	ctx, limit := r.Context(), e.options.Limits.MaxArchiveBytes
	tooLarge := newProblem(ctx, http.StatusRequestEntityTooLarge, codes.InvalidArgument, "BODY_TOO_LARGE", "the archive is over "+strconv.FormatInt(limit, 10)+" bytes")
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || t != zipType:
		newProblem(ctx, http.StatusUnsupportedMediaType, codes.InvalidArgument, "CONTENT_TYPE_UNSUPPORTED", "archives are "+zipType).write(w)
		return
	case r.ContentLength > limit:
		tooLarge.write(w)
		return
	}
	u := &uploader{e: e, r: r, control: http.NewResponseController(w), body: http.MaxBytesReader(w, r.Body, limit)}
	op, err := u.run(outgoing(ctx, r))
	var over *http.MaxBytesError
	var broken *unreadable
	switch {
	case errors.As(err, &over):
		tooLarge.write(w)
	case errors.As(err, &broken):
		newProblem(ctx, http.StatusBadRequest, codes.InvalidArgument, "BODY_UNREADABLE", "the body could not be read to its end").write(w)
	case err != nil:
		fromStatus(ctx, err, r.Method).write(w)
	default:
		e.writeMessage(w, op)
	}
}

// writeMessage answers with a message as JSON.
func (e *Edge) writeMessage(w http.ResponseWriter, m proto.Message) {
	text, err := jsonOut.Marshal(m)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that has gone is no concern of ours
}

// unreadable is a body that ends too early.
type unreadable struct{ error }

func (u *unreadable) Unwrap() error { return u.error }

// uploader sends the parts of a body. It holds two of them.
type uploader struct {
	e       *Edge
	r       *http.Request
	control *http.ResponseController
	body    io.Reader
}

func (u *uploader) run(ctx context.Context) (*journalv1.Operation, error) {
	client := journalv1.NewOperationServiceClient(u.e.options.Journal)
	req := &journalv1.ImportPersonRequest{Name: uploadPath.FindStringSubmatch(u.r.URL.Path)[1]}
	part, err := u.next()
	if err != nil {
		return nil, err
	}
	for {
		var after []byte
		if len(part) == partBytes { // there may be more
			if after, err = u.next(); err != nil {
				return nil, err
			}
		}
		req.Data, req.Last = part, len(after) == 0
		op, err := u.send(ctx, client, req)
		if err != nil || req.GetLast() {
			return op, err
		}
		req.Operation, req.Offset, part = op.GetName(), req.GetOffset()+int64(len(part)), after
	}
}

func (u *uploader) send(ctx context.Context, client journalv1.OperationServiceClient, req *journalv1.ImportPersonRequest) (*journalv1.Operation, error) {
	ctx, cancel := context.WithTimeout(ctx, u.e.options.Limits.CallTimeout)
	defer cancel()
	return client.ImportPerson(ctx, req)
}

// next reads a part: fewer bytes than one are the end.
func (u *uploader) next() ([]byte, error) {
	_ = u.control.SetReadDeadline(time.Now().Add(u.e.options.Limits.BodyTimeout)) // where it is not supported, the server's own holds
	part := bytes.NewBuffer(make([]byte, 0, partBytes+bytes.MinRead))
	if _, err := part.ReadFrom(io.LimitReader(u.body, partBytes)); err != nil {
		return nil, &unreadable{err}
	}
	return part.Bytes(), nil
}
