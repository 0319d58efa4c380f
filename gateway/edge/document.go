package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// documentPolicy lets documents have styles within, and neither load nor run anything.
const documentPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

// serveDocument serves an answer that is a document of its own media type: with an
// ETag of its content, so that programs which come again and again get only what
// has changed.
func serveDocument(w http.ResponseWriter, r *http.Request, next http.Handler) {
	g := &gathered{ResponseWriter: w, status: http.StatusOK}
	get := *r
	get.Method = http.MethodGet // of a HEAD, the body is left out at the end
	next.ServeHTTP(g, &get)
	if g.status != http.StatusOK {
		w.WriteHeader(g.status)
		_, _ = w.Write(g.body.Bytes()) // a client that has gone is no concern of ours
		return
	}
	h := w.Header()
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || !accepts(r.Header.Values("Accept"), mediaType) {
		newProblem(r.Context(), http.StatusNotAcceptable, codes.InvalidArgument, "NOT_ACCEPTABLE", "the answer is "+mediaType).write(w)
		return
	}
	sum := sha256.Sum256(g.body.Bytes())
	// Weak: the same content may go out compressed or not.
	h.Set("ETag", `W/"`+base64.RawURLEncoding.EncodeToString(sum[:18])+`"`)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Security-Policy", documentPolicy)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(g.body.Bytes()))
}

// gathered holds an answer back.
type gathered struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (g *gathered) WriteHeader(status int) { g.status = status }

// Write implements http.ResponseWriter.
func (g *gathered) Write(b []byte) (int, error) { return g.body.Write(b) }
