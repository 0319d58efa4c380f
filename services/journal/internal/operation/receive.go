package operation

import (
	"context"
	"time"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/resource"
)

// ImportPerson takes the next part of an archive; with the last one it looks whether
// that is an export at all, and begins to import it.
func (s *Service) ImportPerson(ctx context.Context, req *journalv1.ImportPersonRequest) (*journalv1.Operation, error) {
	if err := s.checkPart(req); err != nil {
		return nil, err
	}
	op, err := s.receiver(ctx, req)
	if err != nil {
		return nil, err
	}
	after := req.GetOffset() + int64(len(req.GetData()))
	repeated := op.GetArchiveBytes() == after
	switch {
	case repeated && (op.GetState() == running || op.GetState() == receiving && !req.GetLast()):
		return op, nil // the same part came again
	case op.GetState() != receiving:
		return nil, fault.Precondition("OPERATION_STATE", "the operation does not receive an archive any more")
	case op.GetArchiveBytes() != req.GetOffset() && !repeated:
		return nil, fault.Invalid("offset", "ARCHIVE_OFFSET", "must be %d, as much as came before", op.GetArchiveBytes())
	}
	stored := s.chunks(op.GetName())
	if err := stored.put(ctx, req.GetOffset()/chunkBytes, req.GetData()); err != nil {
		return nil, err
	}
	if req.GetLast() {
		if _, err := openArchive(newChunkReader(ctx, stored, after), s.limits); err != nil {
			if f, ok := fault.As(err); ok && len(f.Violations) > 0 {
				return nil, prefer(err, s.remove(ctx, op.GetName()))
			}
			return nil, err
		}
	}
	op, err = s.Operations.Mutate(ctx, "received", op.GetName(), "", func(op *journalv1.Operation, _ time.Time) error {
		if op.GetState() != receiving {
			return fault.Precondition("OPERATION_STATE", "the operation does not receive an archive any more")
		}
		op.ArchiveBytes = after
		if req.GetLast() {
			op.State = running
		}
		return nil
	})
	if err != nil || !req.GetLast() {
		return op, err
	}
	return op, s.queue.Add(ctx, op.GetName(), s.deps.Clock())
}

// prefer tells first what went wrong on our side: what is wrong with the archive is
// told when it is sent again.
func prefer(archive, ours error) error {
	if ours != nil {
		return ours
	}
	return archive
}

func (s *Service) checkPart(req *journalv1.ImportPersonRequest) error {
	if err := checkPerson(req.GetName()); err != nil {
		return err
	}
	size := int64(len(req.GetData()))
	switch {
	case size == 0:
		return fault.Invalid("data", "REQUIRED", "is required")
	case !req.GetLast() && size != chunkBytes:
		return fault.Invalid("data", "ARCHIVE_PART_SIZE", "must have %d bytes in each part but the last", chunkBytes)
	case req.GetOffset()%chunkBytes != 0:
		return fault.Invalid("offset", "ARCHIVE_OFFSET", "must be as much as came before, in parts of %d bytes", chunkBytes)
	case req.GetOffset() > s.limits.ArchiveBytes-size:
		return fault.Invalid("data", "ARCHIVE_TOO_LARGE", "must not make the archive larger than %d bytes", s.limits.ArchiveBytes)
	}
	return nil
}

// receiver is the operation that an archive goes to: a new one for its first part.
func (s *Service) receiver(ctx context.Context, req *journalv1.ImportPersonRequest) (*journalv1.Operation, error) {
	if req.GetOperation() == "" {
		if req.GetOffset() != 0 {
			return nil, fault.Invalid("operation", "REQUIRED", "is required for each part but the first")
		}
		return s.begin(ctx, req.GetName(), s.deps.NewID(), importing, receiving)
	}
	op, err := s.Operations.Fetch(ctx, req.GetOperation())
	switch {
	case err != nil:
		return nil, err
	case resource.Owner(op.GetName()) != req.GetName():
		return nil, fault.NotFound(req.GetOperation())
	case op.GetKind() != importing:
		return nil, fault.Precondition("OPERATION_STATE", "the operation is no import")
	}
	return op, nil
}
