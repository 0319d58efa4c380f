package edge

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

// taker is a journal that takes archives.
type taker struct {
	journalv1.UnimplementedOperationServiceServer
	parts []*journalv1.ImportPersonRequest
}

func (s *taker) ImportPerson(_ context.Context, req *journalv1.ImportPersonRequest) (*journalv1.Operation, error) {
	s.parts = append(s.parts, req)
	return &journalv1.Operation{Name: req.GetName() + "/operations/o"}, nil
}

// newTaker gives an edge before such a journal.
func newTaker(t *testing.T, limit int64) (*Edge, *taker) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	journal, server := &taker{}, grpc.NewServer()
	journalv1.RegisterOperationServiceServer(server, journal)
	go func() { _ = server.Serve(lis) }() // until it is stopped
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	e := &Edge{options: Options{Journal: conn, Limits: DefaultLimits()}}
	e.options.Limits.MaxArchiveBytes = limit
	return e, journal
}

// TestUpload: an archive is handed on in whole parts, the last one marked; one that is
// too large is refused at one byte more, whether its size is told or not.
func TestUpload(t *testing.T) {
	const limit = 2*partBytes + 1000
	for _, c := range []struct {
		size   int
		told   bool
		status int
		parts  []int
	}{
		{10, true, http.StatusOK, []int{10}},
		{partBytes, true, http.StatusOK, []int{partBytes}},
		{partBytes + 1, false, http.StatusOK, []int{partBytes, 1}},
		{limit, true, http.StatusOK, []int{partBytes, partBytes, 1000}},
		{limit, false, http.StatusOK, []int{partBytes, partBytes, 1000}},
		{limit + 1, true, http.StatusRequestEntityTooLarge, nil},
		{limit + 1, false, http.StatusRequestEntityTooLarge, []int{partBytes}},
	} {
		e, journal := newTaker(t, limit)
		var body io.Reader = bytes.NewReader(make([]byte, c.size))
		if !c.told {
			body = io.MultiReader(body)
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/tenants/acme/people/ada:import", body)
		r.Header.Set("Content-Type", "application/zip")
		w := httptest.NewRecorder()
		e.upload(w, r)
		if w.Code != c.status || len(journal.parts) != len(c.parts) {
			t.Errorf("%d bytes: %d in %d parts: %s", c.size, w.Code, len(journal.parts), w.Body)
			continue
		}
		offset := int64(0)
		for i, p := range journal.parts {
			last := c.status == http.StatusOK && i == len(c.parts)-1
			operation := ""
			if i > 0 {
				operation = "tenants/acme/people/ada/operations/o"
			}
			if len(p.GetData()) != c.parts[i] || p.GetLast() != last || p.GetOffset() != offset || p.GetOperation() != operation {
				t.Errorf("%d bytes, part %d: %d bytes at %d, last: %v", c.size, i, len(p.GetData()), p.GetOffset(), p.GetLast())
			}
			offset += int64(len(p.GetData()))
		}
	}
}

// TestUploadBreaks: a body that ends too early is not taken for a whole one.
func TestUploadBreaks(t *testing.T) {
	e, journal := newTaker(t, 1000)
	broken := io.MultiReader(strings.NewReader("PK"), errorReader{})
	r := httptest.NewRequest(http.MethodPost, "/v1/tenants/acme/people/ada:import", broken)
	r.Header.Set("Content-Type", "application/zip")
	w := httptest.NewRecorder()
	e.upload(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "BODY_UNREADABLE") || len(journal.parts) != 0 {
		t.Errorf("%d %s, %d parts", w.Code, w.Body, len(journal.parts))
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestRangeStart: only ranges that go on to the end are taken.
func TestRangeStart(t *testing.T) {
	for header, want := range map[string]int64{
		"": 0, "bytes=0-": 0, "bytes=100-": 100, "bytes=100-200": 0, "bytes=-5": 0, "bytes=x-": 0, "lines=1-": 0, "bytes=99999999999999999999-": 0,
	} {
		if got := rangeStart(header); got != want {
			t.Errorf("%q: %d, want %d", header, got, want)
		}
	}
}
