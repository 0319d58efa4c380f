package operation

import (
	"errors"
	"io"
	"testing"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
)

// memory is an archive that is in memory.
func memory(t *testing.T, data []byte) *chunkReader {
	t.Helper()
	r := newChunkReader(t.Context(), chunks{}, int64(len(data)))
	for i := int64(0); len(data) > 0; i++ {
		n := min(len(data), chunkBytes)
		r.held[i], data = data[:n], data[n:]
	}
	return r
}

// TestChunks: an archive is read back anywhere as it was written, by few chunks at a
// time.
func TestChunks(t *testing.T) {
	r := newRig(t, DefaultLimits())
	data := make([]byte, 3*chunkBytes+12345)
	for i := range data {
		data[i] = byte(i * 7 / 3)
	}
	w := &chunkWriter{ctx: t.Context(), chunks: r.chunks(ada + "/operations/o")}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 300_001)
		if _, err := w.Write(rest[:n]); err != nil || len(w.buf) > chunkBytes {
			t.Fatal(len(w.buf), err)
		}
		rest = rest[n:]
	}
	if err := w.Flush(); err != nil || w.size != int64(len(data)) {
		t.Fatal(w.size, err)
	}
	reader := newChunkReader(t.Context(), w.chunks, w.size)
	for _, span := range [][2]int{{0, 10}, {chunkBytes - 5, 10}, {0, len(data)}, {len(data) - 3, 3}, {chunkBytes, 2 * chunkBytes}} {
		got := make([]byte, span[1])
		if n, err := reader.ReadAt(got, int64(span[0])); n != span[1] || err != nil || string(got) != string(data[span[0]:span[0]+span[1]]) {
			t.Errorf("%v: %d, %v", span, n, err)
		}
	}
	if n, err := reader.ReadAt(make([]byte, 10), int64(len(data)-3)); n != 3 || !errors.Is(err, io.EOF) {
		t.Error(n, err)
	}
	if len(reader.held) > cachedChunks {
		t.Errorf("%d chunks are held", len(reader.held))
	}
}

// TestOneAtATime: the first part of an archive gives up one that never came whole.
func TestOneAtATime(t *testing.T) {
	r := newRig(t, DefaultLimits())
	begin := func() *journalv1.Operation {
		op, err := r.ImportPerson(t.Context(), &journalv1.ImportPersonRequest{Name: ada, Data: make([]byte, chunkBytes)})
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	first, second := begin(), begin()
	if r.kept(ada) != 1 {
		t.Errorf("%d chunks are kept", r.kept(ada))
	}
	more := &journalv1.ImportPersonRequest{Name: ada, Operation: first.GetName(), Offset: chunkBytes, Data: make([]byte, chunkBytes)}
	_, err := r.ImportPerson(t.Context(), more)
	resourcetest.Refused(t, err, "NOT_FOUND")
	more.Operation = second.GetName()
	if op, err := r.ImportPerson(t.Context(), more); err != nil || op.GetArchiveBytes() != 2*chunkBytes {
		t.Error(op, err)
	}
	more.Offset = 3 * chunkBytes
	_, err = r.ImportPerson(t.Context(), more)
	resourcetest.Refused(t, err, "ARCHIVE_OFFSET")
	more.Data = more.Data[1:]
	_, err = r.ImportPerson(t.Context(), more)
	resourcetest.Refused(t, err, "ARCHIVE_PART_SIZE")
	if _, err := r.CancelOperation(t.Context(), &journalv1.CancelOperationRequest{Name: second.GetName()}); err != nil || r.kept(ada) != 0 {
		t.Errorf("%d chunks are kept: %v", r.kept(ada), err)
	}
	more.Offset, more.Data = 2*chunkBytes, make([]byte, chunkBytes)
	_, err = r.ImportPerson(t.Context(), more)
	resourcetest.Refused(t, err, "OPERATION_STATE")
}
