package operation

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
)

const (
	// saveEach is how many entries are done between two times that progress is
	// written down.
	saveEach = 500
	// maxIssues is how many entries that were not imported are named.
	maxIssues = 100
)

// errStopped is an operation that is to go no further: it was canceled, or has ended.
var errStopped = errors.New("operation: stopped")

// tracker is how far a running operation is.
type tracker struct {
	service *Service
	op      *journalv1.Operation
	unsaved int64
	stopped journalv1.OperationState // with errStopped, the state in which it was found
}

// count is the count of a kind.
func (t *tracker) count(kind string) *journalv1.OperationCount {
	i := slices.IndexFunc(t.op.GetCounts(), func(c *journalv1.OperationCount) bool { return c.GetKind() == kind })
	if i < 0 {
		t.op.Counts = append(t.op.Counts, &journalv1.OperationCount{Kind: kind})
		i = len(t.op.Counts) - 1
	}
	return t.op.Counts[i]
}

func (t *tracker) issue(entry, reason string) {
	if len(t.op.GetIssues()) < maxIssues {
		t.op.Issues = append(t.op.Issues, &journalv1.OperationIssue{Entry: entry, Reason: reason})
	}
}

// step says that entries were done, and writes that down now and then.
func (t *tracker) step(ctx context.Context, n int64) error {
	t.op.Progress.EntriesDone += n
	if t.unsaved += n; t.unsaved < saveEach {
		return nil
	}
	return t.save(ctx)
}

// save writes down how far the operation is. One that was canceled, or that another
// run ended, meanwhile is errStopped.
func (t *tracker) save(ctx context.Context) error {
	t.unsaved = 0
	saved, err := t.service.Operations.Mutate(ctx, "progressed", t.op.GetName(), "", func(op *journalv1.Operation, _ time.Time) error {
		if op.GetState() != journalv1.OperationState_OPERATION_STATE_RUNNING {
			t.stopped = op.GetState()
			return errStopped
		}
		now := proto.Clone(t.op).(*journalv1.Operation)
		op.State, op.Done, op.Failure = now.GetState(), now.GetDone(), now.GetFailure()
		op.Progress, op.Counts, op.Issues, op.ArchiveBytes = now.GetProgress(), now.GetCounts(), now.GetIssues(), now.GetArchiveBytes()
		return nil
	})
	if err == nil {
		t.op = proto.Clone(saved).(*journalv1.Operation)
	}
	return err
}
