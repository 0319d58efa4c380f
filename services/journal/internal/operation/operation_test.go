package operation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/journal/internal/domain"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource/resourcetest"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

const (
	ada   = "tenants/acme/people/ada"
	grace = "tenants/acme/people/grace"
)

// rig is the service on a journal's records.
type rig struct {
	*resourcetest.Rig
	*Service
	t      *testing.T
	d      *domain.Domain
	source *restoring
}

// restoring is a source that is told what happens before each batch.
type restoring struct {
	transfer.Source
	before func(transfer.Batch) error
}

func (r *restoring) Restore(ctx context.Context, b transfer.Batch) ([]transfer.Outcome, error) {
	if r.before != nil {
		if err := r.before(b); err != nil {
			return nil, err
		}
	}
	return r.Source.Restore(ctx, b)
}

func newRig(t *testing.T, limits Limits) *rig {
	t.Helper()
	r := &rig{Rig: resourcetest.New(t), t: t}
	r.d, r.Service = domain.New(r.Deps), New(r.Deps)
	r.Open(t, append(r.d.Kinds(), r.Kinds()...)...)
	r.source = &restoring{Source: transfer.New(r.Deps)}
	if err := r.Begin(Parts{Limits: limits, Sources: []transfer.Source{r.source}, Zone: r.d.Zone, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	return r
}

// setbacks records setbacks of ada.
func (r *rig) setbacks(n int) {
	r.t.Helper()
	for i := range n {
		req := &journalv1.CreateSetbackRequest{Parent: ada, SetbackId: fmt.Sprintf("s%04d", i), Setback: &journalv1.Setback{Title: "t"}}
		if _, err := r.d.Setbacks.Create(r.t.Context(), req); err != nil {
			r.t.Fatal(err)
		}
	}
}

// run carries an operation out and gives what has become of it.
func (r *rig) run(op *journalv1.Operation) *journalv1.Operation {
	r.t.Helper()
	if _, err := r.carryOut(r.t.Context(), op.GetName()); err != nil {
		r.t.Fatal(err)
	}
	return r.get(op)
}

func (r *rig) get(op *journalv1.Operation) *journalv1.Operation {
	r.t.Helper()
	op, err := r.Operations.Fetch(r.t.Context(), op.GetName())
	if err != nil {
		r.t.Fatal(err)
	}
	return op
}

// send sends an archive in parts and gives the operation that imports it.
func (r *rig) send(owner string, archive []byte) (op *journalv1.Operation, err error) {
	for at := 0; ; at += chunkBytes {
		end := min(len(archive), at+chunkBytes)
		op, err = r.ImportPerson(r.t.Context(), &journalv1.ImportPersonRequest{
			Name: owner, Operation: op.GetName(), Offset: int64(at), Data: archive[at:end], Last: end == len(archive),
		})
		if err != nil || end == len(archive) {
			return op, err
		}
	}
}

// sink is a stream that keeps what it is sent.
type sink struct {
	grpc.ServerStreamingServer[journalv1.DownloadOperationResponse]
	ctx  context.Context
	data []byte
}

func (s *sink) Context() context.Context { return s.ctx }
func (s *sink) Send(res *journalv1.DownloadOperationResponse) error {
	s.data = append(s.data, res.GetData()...)
	return nil
}

func (r *rig) download(op *journalv1.Operation) ([]byte, error) {
	s := &sink{ctx: r.t.Context()}
	err := r.DownloadOperation(&journalv1.DownloadOperationRequest{Name: op.GetName()}, s)
	return s.data, err
}

func (r *rig) export(owner string) []byte {
	r.t.Helper()
	op, err := r.ExportPerson(r.t.Context(), &journalv1.ExportPersonRequest{Name: owner})
	if err != nil {
		r.t.Fatal(err)
	}
	if op = r.run(op); op.GetState() != succeeded {
		r.t.Fatal(op)
	}
	data, err := r.download(op)
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

// kept counts the chunks of all archives of a person.
func (r *rig) kept(owner string) int {
	r.t.Helper()
	page, err := r.Deps.Store.List(r.t.Context(), store.Query{Kind: chunkKind, Index: "wide_name", Prefix: []store.Value{owner}, Limit: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	return len(page.Records)
}

func created(op *journalv1.Operation) (made, unchanged int64) {
	for _, c := range op.GetCounts() {
		made, unchanged = made+c.GetCreated(), unchanged+c.GetUnchanged()
	}
	return made, unchanged
}

// TestCutShort: an import that is cut short before any batch goes on when it is taken
// up again, and counts as if nothing had been; its archive goes when it is done.
func TestCutShort(t *testing.T) {
	r := newRig(t, DefaultLimits())
	const n = 2*transfer.MaxBatch + 50 // three batches to check, and three to restore
	r.setbacks(n)
	archive := r.export(ada)
	broken := errors.New("broken")
	for cut := range 7 {
		owner := fmt.Sprintf("tenants/other/people/p%d", cut)
		op, err := r.send(owner, archive)
		if err != nil {
			t.Fatal(err)
		}
		batch := 0
		r.source.before = func(b transfer.Batch) error {
			if len(b.Records) > transfer.MaxBatch {
				t.Errorf("%d records in a batch", len(b.Records))
			}
			if batch++; batch > cut {
				return fault.Unavailable(broken)
			}
			return nil
		}
		if _, err := r.carryOut(t.Context(), op.GetName()); (err != nil) != (cut < 6) || err != nil && !errors.Is(err, broken) {
			t.Fatalf("cut before batch %d: %v", cut, err)
		}
		if got := r.get(op); got.GetDone() != (cut == 6) {
			t.Errorf("cut before batch %d: %v", cut, got)
		}
		r.source.before = nil
		op = r.run(op)
		made, unchanged := created(op)
		p := op.GetProgress()
		if op.GetState() != succeeded || made != n || unchanged != 0 || p.GetEntriesDone() != 2*n || p.GetEntriesTotal() != 2*n || p.GetKindsDone() != 1 {
			t.Errorf("cut before batch %d: %v", cut, op)
		}
		if left := r.kept(owner); left != 0 {
			t.Errorf("%d chunks are left", left)
		}
	}
}

// TestCutBetween: what was restored and not written down counts as created all the
// same.
func TestCutBetween(t *testing.T) {
	r := newRig(t, DefaultLimits())
	r.setbacks(3)
	op, err := r.send(grace, r.export(ada))
	if err != nil {
		t.Fatal(err)
	}
	ctx, die := context.WithCancel(t.Context())
	r.source.Source = &dying{r.source.Source, die}
	if _, err := r.carryOut(ctx, op.GetName()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if made, _ := created(r.get(op)); made != 0 {
		t.Fatalf("%d are written down", made)
	}
	op = r.run(op)
	if made, unchanged := created(op); made != 3 || unchanged != 0 {
		t.Errorf("%v", op)
	}
}

// dying is a process that ends right after it has restored something.
type dying struct {
	transfer.Source
	die func()
}

func (d *dying) Restore(ctx context.Context, b transfer.Batch) ([]transfer.Outcome, error) {
	out, err := d.Source.Restore(ctx, b)
	if !b.ValidateOnly {
		d.die()
	}
	return out, err
}

// TestExpires: an operation goes with its archive when its time has come, and not
// before; one whose archive never came whole goes, too.
func TestExpires(t *testing.T) {
	r := newRig(t, DefaultLimits())
	r.setbacks(1)
	archive := r.export(ada)
	half, err := r.ImportPerson(t.Context(), &journalv1.ImportPersonRequest{Name: ada, Data: make([]byte, chunkBytes)})
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.Operations.All(t.Context(), ada)
	if err != nil || len(all) != 2 || r.kept(ada) != 2 {
		t.Fatal(all, err)
	}
	r.Clock.Advance(24*time.Hour - time.Millisecond)
	for _, op := range all {
		next, err := r.carryOut(t.Context(), op.GetName())
		if err != nil || !next.Equal(op.GetExpireTime().AsTime()) {
			t.Error(next, err)
		}
	}
	for _, op := range all {
		if again, err := r.download(op); op.GetKind() == exporting && (err != nil || len(again) != len(archive)) {
			t.Error(len(again), err)
		}
	}
	r.Clock.Advance(time.Millisecond)
	for _, op := range all {
		if next, err := r.carryOut(t.Context(), op.GetName()); err != nil || !next.IsZero() {
			t.Error(next, err)
		}
	}
	if all, err = r.Operations.All(t.Context(), ada); err != nil || len(all) != 0 || r.kept(ada) != 0 {
		t.Errorf("%v is left, and %d chunks: %v", all, r.kept(ada), err)
	}
	_, err = r.ImportPerson(t.Context(), &journalv1.ImportPersonRequest{Name: ada, Operation: half.GetName(), Offset: chunkBytes, Data: []byte("x"), Last: true})
	resourcetest.Refused(t, err, "NOT_FOUND")
}

// TestCancel: a canceled import stops at the next batch, and leaves no archive.
func TestCancel(t *testing.T) {
	r := newRig(t, DefaultLimits())
	r.setbacks(2 * transfer.MaxBatch)
	op, err := r.send(grace, r.export(ada))
	if err != nil {
		t.Fatal(err)
	}
	batches := 0
	r.source.before = func(b transfer.Batch) error {
		if batches++; b.ValidateOnly {
			return nil
		}
		_, err := r.CancelOperation(t.Context(), &journalv1.CancelOperationRequest{Name: op.GetName()})
		return err
	}
	op = r.run(op)
	if op.GetState() != canceled || !op.GetDone() || batches != 3 || r.kept(grace) != 0 {
		t.Errorf("%v after %d batches, %d chunks", op, batches, r.kept(grace))
	}
	if _, err := r.DeleteOperation(t.Context(), &journalv1.DeleteOperationRequest{Name: op.GetName()}); err != nil {
		t.Error(err)
	}
}

// TestFails: what will not go well the next time either is told and not tried again;
// its cause is not told.
func TestFails(t *testing.T) {
	r := newRig(t, DefaultLimits())
	r.setbacks(1)
	op, err := r.send(grace, r.export(ada))
	if err != nil {
		t.Fatal(err)
	}
	r.source.before = func(transfer.Batch) error { return errors.New("with a secret in it") }
	op = r.run(op)
	if op.GetState() != failed || op.GetFailure().GetReason() != "INTERNAL" || strings.Contains(op.GetFailure().GetMessage(), "secret") || r.kept(grace) != 0 {
		t.Errorf("%v", op)
	}
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

// TestLimitsCheck: no limit may be left out.
func TestLimitsCheck(t *testing.T) {
	if err := (Limits{}).Check(); err == nil {
		t.Error("no limits are good")
	}
	if err := DefaultLimits().Check(); err != nil {
		t.Error(err)
	}
}

func deletion(op *journalv1.Operation) *journalv1.DeleteOperationRequest {
	return &journalv1.DeleteOperationRequest{Name: op.GetName()}
}

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

// TestExportCutShort: an export that is cut short begins anew, and gives what it would
// have given.
func TestExportCutShort(t *testing.T) {
	r := newRig(t, DefaultLimits())
	r.setbacks(3)
	want := r.export(ada)
	op, err := r.ExportPerson(t.Context(), &journalv1.ExportPersonRequest{Name: ada})
	if err != nil {
		t.Fatal(err)
	}
	zone, broken := r.zone, errors.New("broken")
	r.zone = func(context.Context, string) (*time.Location, error) { return nil, fault.Unavailable(broken) }
	if _, err := r.carryOut(t.Context(), op.GetName()); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	r.zone = zone
	if got := r.get(op); got.GetDone() || got.GetState() != running {
		t.Errorf("%v", got)
	}
	op = r.run(op)
	got, err := r.download(op)
	if err != nil || string(got) != string(want) || op.GetCounts()[0].GetExported() != 3 || op.GetProgress().GetEntriesDone() != 6 {
		t.Errorf("%v, %d bytes of %d: %v", op, len(got), len(want), err)
	}
}
