package operation

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/clock"
	"github.com/rebound-hq/rebound/services/kit/store"
)

const (
	chunkKind = "archiveChunks"
	// chunkBytes is the size of each chunk of an archive but the last.
	chunkBytes = 1 << 20
	// cachedChunks is how many chunks a reader holds.
	cachedChunks = 4
	// droppedAtOnce is how many chunks are deleted with one write.
	droppedAtOnce = 16
)

// archiveKind is how archives are stored: in chunks below their operation, which are
// encrypted under the person's key and erased with the person.
func archiveKind() store.Kind {
	return store.Kind{
		Name: chunkKind, New: func() proto.Message { return &storagev1.ArchiveChunk{} },
		Indexes: []store.Index{
			{Name: "by_name", Keys: []string{store.KeyParent, store.KeyName}},
			{Name: "wide_name", Keys: []string{store.KeyOwner, store.KeyName}},
		},
	}
}

// chunks is the archive of an operation.
type chunks struct {
	docs      store.Documents
	now       clock.Clock
	operation string
	owner     string
}

func (c chunks) name(i int64) string { return fmt.Sprintf("%s/%s/%08d", c.operation, chunkKind, i) }

// put writes a chunk, over one that is there.
func (c chunks) put(ctx context.Context, i int64, data []byte) error {
	now := c.now()
	rec, err := c.docs.Get(ctx, chunkKind, c.name(i))
	op := store.Replace
	if errors.Is(err, store.ErrNotFound) {
		op, err = store.Insert, nil
		rec = store.Record{Kind: chunkKind, Name: c.name(i), Parent: c.operation, Owner: c.owner, CreateTime: now}
	}
	if err != nil {
		return err
	}
	rec.UpdateTime = now
	rec.Body = &storagev1.ArchiveChunk{Name: rec.Name, Data: base64.StdEncoding.EncodeToString(data)}
	return c.docs.Commit(ctx, store.Write{Op: op, Record: rec})[0].Err
}

// get reads a chunk.
func (c chunks) get(ctx context.Context, i int64) ([]byte, error) {
	rec, err := c.docs.Get(ctx, chunkKind, c.name(i))
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(rec.Body.(*storagev1.ArchiveChunk).GetData())
}

// drop deletes all chunks.
func (c chunks) drop(ctx context.Context) error {
	for {
		page, err := c.docs.List(ctx, store.Query{Kind: chunkKind, Index: "by_name", Prefix: []store.Value{c.operation}, Limit: droppedAtOnce})
		if err != nil || len(page.Records) == 0 {
			return err
		}
		writes := make([]store.Write, len(page.Records))
		for i, rec := range page.Records {
			writes[i] = store.Write{Op: store.Delete, Record: rec}
		}
		for _, res := range c.docs.Commit(ctx, writes...) {
			if res.Err != nil && !errors.Is(res.Err, store.ErrNotFound) && !errors.Is(res.Err, store.ErrConflict) {
				return res.Err
			}
		}
	}
}

// chunkWriter writes an archive from its beginning. It holds one chunk.
type chunkWriter struct {
	ctx    context.Context //nolint:containedctx // io.Writer has none
	chunks chunks
	buf    []byte
	size   int64 // of what is stored
}

// Write implements io.Writer.
func (w *chunkWriter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		n := min(len(p), chunkBytes-len(w.buf))
		w.buf, p = append(w.buf, p[:n]...), p[n:]
		if len(w.buf) == chunkBytes {
			if err := w.Flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

// Flush stores what was gathered. Only the last chunk may be a short one, so that
// nothing is written after the last Flush.
func (w *chunkWriter) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if err := w.chunks.put(w.ctx, w.size/chunkBytes, w.buf); err != nil {
		return err
	}
	w.size += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// chunkReader reads an archive anywhere. It holds a few chunks.
type chunkReader struct {
	ctx    context.Context //nolint:containedctx // io.ReaderAt has none
	chunks chunks
	size   int64
	held   map[int64][]byte
	order  []int64 // of the chunks held, the oldest first
	failed error   // why a chunk could not be read
}

func newChunkReader(ctx context.Context, c chunks, size int64) *chunkReader {
	return &chunkReader{ctx: ctx, chunks: c, size: size, held: map[int64][]byte{}}
}

// ReadAt implements io.ReaderAt.
func (r *chunkReader) ReadAt(p []byte, off int64) (int, error) {
	read := 0
	for read < len(p) {
		at := off + int64(read)
		if at < 0 || at >= r.size {
			return read, io.EOF
		}
		data, err := r.chunk(at / chunkBytes)
		if err != nil {
			return read, err
		}
		n := 0
		if from := at % chunkBytes; from < int64(len(data)) {
			n = copy(p[read:], data[from:])
		}
		if n == 0 {
			return read, io.ErrUnexpectedEOF
		}
		read += n
	}
	return read, nil
}

func (r *chunkReader) chunk(i int64) ([]byte, error) {
	if data, ok := r.held[i]; ok {
		return data, nil
	}
	data, err := r.chunks.get(r.ctx, i)
	if err != nil {
		r.failed = err
		return nil, err
	}
	if len(r.order) == cachedChunks {
		delete(r.held, r.order[0])
		r.order = r.order[1:]
	}
	r.held[i], r.order = data, append(r.order, i)
	return data, nil
}
