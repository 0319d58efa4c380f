// Package operation takes a person's data out of all services and brings it in, in
// operations that go on until they are done, whatever is restarted meanwhile. Their
// archives lie in the store, encrypted under the person's key.
package operation

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/ids"
	"github.com/rebound-hq/rebound/services/kit/queue"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/rpc"
	"github.com/rebound-hq/rebound/services/kit/store"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

const (
	receiving = journalv1.OperationState_OPERATION_STATE_RECEIVING
	running   = journalv1.OperationState_OPERATION_STATE_RUNNING
	succeeded = journalv1.OperationState_OPERATION_STATE_SUCCEEDED
	failed    = journalv1.OperationState_OPERATION_STATE_FAILED
	canceled  = journalv1.OperationState_OPERATION_STATE_CANCELED
	exporting = journalv1.OperationKind_OPERATION_KIND_EXPORT
	importing = journalv1.OperationKind_OPERATION_KIND_IMPORT
)

// Service keeps operations and carries them out.
type Service struct {
	Operations *resource.Resource[*journalv1.Operation]

	deps *resource.Deps
	// Set by Begin, before anything is served.
	limits  Limits
	sources []transfer.Source
	zone    func(ctx context.Context, owner string) (*time.Location, error)
	log     *slog.Logger
	queue   *queue.Queue
}

// New declares the operations.
func New(deps *resource.Deps) *Service {
	return &Service{deps: deps, Operations: resource.Must(deps, resource.Type[*journalv1.Operation]{
		ReadOnly: true, Order: []string{store.KeyCreateTime},
	})}
}

// Kinds is what the store must know.
func (s *Service) Kinds() []store.Kind {
	return []store.Kind{s.Operations.Kind(), archiveKind(), queue.Kind()}
}

// Parts are what the service works with.
type Parts struct {
	Limits Limits
	// Sources are where a person's records lie, in the order in which they are
	// restored.
	Sources []transfer.Source
	// Zone is a person's time zone.
	Zone func(ctx context.Context, owner string) (*time.Location, error)
	Log  *slog.Logger
}

// Begin gives the service what there is once the store is open.
func (s *Service) Begin(p Parts) error {
	s.limits, s.sources, s.zone, s.log = p.Limits, p.Sources, p.Zone, p.Log
	s.queue = &queue.Queue{Name: "operations", Docs: s.deps.Store, Clock: s.deps.Clock, Log: p.Log, Do: s.carryOut}
	return p.Limits.Check()
}

// Run carries operations out until ctx ends.
func (s *Service) Run(ctx context.Context) error { return s.queue.Run(ctx) }

func (s *Service) chunks(operation string) chunks {
	return chunks{docs: s.deps.Store, now: s.deps.Clock, operation: operation, owner: resource.Owner(operation)}
}

// ExportPerson begins an export.
func (s *Service) ExportPerson(ctx context.Context, req *journalv1.ExportPersonRequest) (*journalv1.Operation, error) {
	if err := checkPerson(req.GetName()); err != nil {
		return nil, err
	}
	id := s.deps.NewID()
	if req.GetRequestId() != "" {
		id = ids.Derived(req.GetName(), "operations", req.GetRequestId())
	}
	op, err := s.begin(ctx, req.GetName(), id, exporting, running)
	if err != nil {
		return nil, err
	}
	return op, s.queue.Ensure(ctx, op.GetName())
}

func checkPerson(name string) error {
	if resource.Owner(name) != name || strings.Count(name, "/") != 3 {
		return fault.Invalid("name", "NAME_INVALID", "must have the form tenants/{tenant}/people/{person}")
	}
	return nil
}

// begin makes an operation, unless there is one of that id.
func (s *Service) begin(ctx context.Context, owner, id string, kind journalv1.OperationKind, state journalv1.OperationState) (*journalv1.Operation, error) {
	name := owner + "/operations/" + id
	there, err := s.Operations.All(ctx, owner)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(there, func(op *journalv1.Operation) bool { return op.GetName() == name }); i >= 0 {
		return there[i], nil
	}
	if state == receiving {
		if there, err = s.giveUp(ctx, there); err != nil {
			return nil, err
		}
	}
	if len(there) >= s.limits.Operations {
		return nil, fault.Precondition("TOO_MANY_OPERATIONS", "a person has at most %d operations; delete one that is done", s.limits.Operations)
	}
	expire := s.deps.Clock().Add(s.limits.Life)
	if err := s.Operations.Put(ctx, name, &journalv1.Operation{
		Kind: kind, State: state, Progress: &journalv1.OperationProgress{}, ExpireTime: timestamppb.New(expire),
	}); err != nil {
		return nil, err
	}
	if state == receiving { // what is never received whole is deleted
		if err := s.queue.Add(ctx, name, expire); err != nil {
			return nil, err
		}
	}
	return s.Operations.Fetch(ctx, name)
}

// giveUp deletes the operations whose archive was not received whole, and gives the
// others.
func (s *Service) giveUp(ctx context.Context, ops []*journalv1.Operation) ([]*journalv1.Operation, error) {
	var kept []*journalv1.Operation
	for _, op := range ops {
		if op.GetState() != receiving {
			kept = append(kept, op)
			continue
		}
		if err := s.remove(ctx, op.GetName()); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// GetOperation gives one operation.
func (s *Service) GetOperation(ctx context.Context, req *journalv1.GetOperationRequest) (*journalv1.Operation, error) {
	return s.Operations.Fetch(ctx, req.GetName())
}

// ListOperations lists a person's operations.
func (s *Service) ListOperations(ctx context.Context, req *journalv1.ListOperationsRequest) (*journalv1.ListOperationsResponse, error) {
	res, err := s.Operations.List(ctx, req)
	if err != nil {
		return nil, err
	}
	return res.(*journalv1.ListOperationsResponse), nil
}

// CancelOperation ends an operation that is not done.
func (s *Service) CancelOperation(ctx context.Context, req *journalv1.CancelOperationRequest) (*journalv1.Operation, error) {
	op, err := s.Operations.Mutate(ctx, "canceled", req.GetName(), "", func(op *journalv1.Operation, _ time.Time) error {
		if !op.GetDone() {
			op.State, op.Done = canceled, true
		}
		return nil
	})
	if err != nil || op.GetState() != canceled {
		return op, err
	}
	return op, s.chunks(req.GetName()).drop(ctx)
}

// DeleteOperation deletes an operation that is done.
func (s *Service) DeleteOperation(ctx context.Context, req *journalv1.DeleteOperationRequest) (*emptypb.Empty, error) {
	op, err := s.Operations.Fetch(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if !op.GetDone() {
		return nil, fault.Precondition("OPERATION_RUNNING", "the operation is not done; cancel it first")
	}
	return &emptypb.Empty{}, s.remove(ctx, req.GetName())
}

// remove deletes an operation with its archive.
func (s *Service) remove(ctx context.Context, name string) error {
	if err := s.chunks(name).drop(ctx); err != nil {
		return err
	}
	return s.Operations.Drop(ctx, name)
}

// DownloadOperation gives the archive of an export.
func (s *Service) DownloadOperation(req *journalv1.DownloadOperationRequest, stream grpc.ServerStreamingServer[journalv1.DownloadOperationResponse]) error {
	ctx := stream.Context()
	op, err := s.Operations.Fetch(ctx, req.GetName())
	switch {
	case err != nil:
		return err
	case op.GetKind() != exporting || op.GetState() != succeeded:
		return fault.Precondition("ARCHIVE_NOT_READY", "there is an archive once an export has succeeded")
	case req.GetOffset() > op.GetArchiveBytes():
		return fault.Invalid("offset", "ARCHIVE_OFFSET", "must be at most %d, the size of the archive", op.GetArchiveBytes())
	}
	stored := s.chunks(req.GetName())
	res := &journalv1.DownloadOperationResponse{ArchiveBytes: op.GetArchiveBytes()}
	for at := req.GetOffset(); at < op.GetArchiveBytes(); {
		data, err := stored.get(ctx, at/chunkBytes)
		if err != nil {
			return err
		}
		res.Data = data[min(at%chunkBytes, int64(len(data))):]
		if len(res.Data) == 0 {
			return fault.Unavailable(errors.New("operation: a chunk is shorter than it was"))
		}
		if err := stream.Send(res); err != nil {
			return err
		}
		at += int64(len(res.Data))
		res = &journalv1.DownloadOperationResponse{}
	}
	if res.GetArchiveBytes() > 0 { // all of it was left out
		return stream.Send(res)
	}
	return nil
}

// carryOut is what the queue does: it runs an operation, and when its time has come
// deletes it.
func (s *Service) carryOut(ctx context.Context, name string) (time.Time, error) {
	op, err := s.Operations.Fetch(ctx, name)
	if f, ok := fault.As(err); ok && f.Reason == "NOT_FOUND" {
		return time.Time{}, s.chunks(name).drop(ctx)
	}
	if err != nil {
		return time.Time{}, err
	}
	expire := op.GetExpireTime().AsTime()
	if !s.deps.Clock().Before(expire) {
		return time.Time{}, s.remove(ctx, name)
	}
	if op.GetState() != running {
		return expire, nil
	}
	t := &tracker{service: s, op: op}
	if op.GetKind() == importing {
		err = s.importArchive(ctx, t)
	} else {
		err = s.export(ctx, t)
	}
	if err = s.end(ctx, t, err); err != nil {
		return time.Time{}, err
	}
	return expire, nil
}

// end writes down how an operation went. An error is one that may pass: the
// operation is to be carried out again.
func (s *Service) end(ctx context.Context, t *tracker, err error) error {
	name := t.op.GetName()
	if err != nil && ctx.Err() != nil {
		return err
	}
	switch f := rpc.Fault(err); {
	case err == nil:
		t.op.State = succeeded
	case errors.Is(err, errStopped) && t.stopped != canceled: // another run ended it: what there is is its
		return nil
	case errors.Is(err, errStopped), f.Code == codes.NotFound: // canceled, deleted or erased meanwhile
		return s.chunks(name).drop(ctx)
	case passing(f.Code):
		return err
	default:
		t.op.State, t.op.Failure = failed, &journalv1.OperationFailure{Reason: f.Reason, Message: messageOf(f)}
		if f.Reason == "INTERNAL" {
			s.log.ErrorContext(ctx, "an operation failed", "cause", err.Error())
		}
	}
	t.op.Done = true
	keep := t.op.GetState() == succeeded && t.op.GetKind() == exporting
	if err := t.save(ctx); err != nil {
		return s.end(ctx, t, err)
	}
	if keep {
		return nil
	}
	return s.chunks(name).drop(ctx)
}

// passing tells whether what went wrong may go well the next time.
func passing(c codes.Code) bool {
	switch c {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted, codes.ResourceExhausted:
		return true
	}
	return false
}

func messageOf(f *fault.Fault) string {
	if len(f.Violations) > 0 {
		return "the archive " + f.Violations[0].Description
	}
	return f.Message
}
