package operation

import (
	"context"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

// batchBytes is from how many bytes on a batch is restored.
const batchBytes = 8 << 20

// importArchive brings an archive in: first it checks every entry, then it restores
// them. Cut short, it goes on after the last batch that was written down; those of
// the batch after are restored for the same operation and count as they did.
func (s *Service) importArchive(ctx context.Context, t *tracker) error {
	a, err := openArchive(newChunkReader(ctx, s.chunks(t.op.GetName()), t.op.GetArchiveBytes()), s.limits)
	if err != nil {
		return err
	}
	steps, err := s.plan(ctx, a)
	if err != nil {
		return err
	}
	run := importRun{t, a}
	restored := restoredSoFar(t.op)
	if restored == 0 {
		t.op.Progress = &journalv1.OperationProgress{KindsTotal: int32(len(steps)), EntriesTotal: 2 * a.entries()}
		if err := t.save(ctx); err != nil {
			return err
		}
		for _, step := range steps {
			if err := run.check(ctx, step); err != nil {
				return err
			}
		}
		a.unpacked = 0
	}
	for _, step := range steps {
		skip := min(restored, step.Entries)
		restored -= skip
		if skip == step.Entries {
			continue
		}
		if err := run.restore(ctx, step, skip); err != nil {
			return err
		}
		t.op.Progress.KindsDone++
		if err := t.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

func restoredSoFar(op *journalv1.Operation) int64 {
	var n int64
	for _, c := range op.GetCounts() {
		n += c.GetCreated() + c.GetUnchanged() + c.GetConflicts() + c.GetRefused()
	}
	return n
}

// step is a kind of an archive and where it goes.
type step struct {
	manifestKind
	source transfer.Source
}

// plan puts the kinds of an archive into the order in which they are restored:
// those above others first.
func (s *Service) plan(ctx context.Context, a *archive) ([]step, error) {
	var steps []step
	for _, source := range s.sources {
		kinds, err := source.Kinds(ctx)
		if err != nil {
			return nil, err
		}
		for _, kind := range kinds {
			for _, k := range a.Kinds {
				if k.Kind == kind {
					steps = append(steps, step{k, source})
				}
			}
		}
	}
	if len(steps) != len(a.Kinds) {
		return nil, invalid("has a kind of entry that this release does not know")
	}
	return steps, nil
}

// importRun is one import on its way.
type importRun struct {
	*tracker
	archive *archive
}

// check looks at every entry of a kind and changes nothing: an archive with
// something wrong in it is not brought in at all.
func (r importRun) check(ctx context.Context, st step) error {
	line := int64(0)
	return r.batches(ctx, st, 0, true, func(records []transfer.Record, outcomes []transfer.Outcome) error {
		for i, o := range outcomes {
			if o.Result != transferv1.RestoreOutcome_RESTORE_RESULT_CREATED {
				return invalid("has an entry that is not good at %s, line %d: %s", st.File, line+int64(i)+1, o.Reason)
			}
		}
		line += int64(len(records))
		return r.step(ctx, int64(len(records)))
	})
}

// restore makes the entries of a kind, but for those that were made before.
func (r importRun) restore(ctx context.Context, st step, skip int64) error {
	return r.batches(ctx, st, skip, false, func(records []transfer.Record, outcomes []transfer.Outcome) error {
		count := r.count(st.Kind)
		for i, o := range outcomes {
			switch o.Result {
			case transferv1.RestoreOutcome_RESTORE_RESULT_CREATED:
				count.Created++
			case transferv1.RestoreOutcome_RESTORE_RESULT_UNCHANGED:
				count.Unchanged++
			case transferv1.RestoreOutcome_RESTORE_RESULT_CONFLICT:
				count.Conflicts++
				r.issue(records[i].Name, "CONFLICT")
			default:
				count.Refused++
				r.issue(records[i].Name, o.Reason)
			}
		}
		r.op.Progress.EntriesDone += int64(len(records))
		return r.save(ctx)
	})
}

// batches hands the entries of a kind over, batch by batch, but for the first ones.
func (r importRun) batches(ctx context.Context, st step, skip int64, validateOnly bool, done func([]transfer.Record, []transfer.Outcome) error) error {
	b := transfer.Batch{Owner: resource.Owner(r.op.GetName()), Operation: r.op.GetName(), ValidateOnly: validateOnly}
	size := 0
	flush := func() error {
		if len(b.Records) == 0 {
			return nil
		}
		outcomes, err := st.source.Restore(ctx, b)
		if err != nil {
			return err
		}
		err = done(b.Records, outcomes)
		b.Records, size = nil, 0
		return err
	}
	for rec, err := range r.archive.records(st.manifestKind) {
		if err != nil {
			return err
		}
		if skip > 0 {
			skip--
			continue
		}
		b.Records, size = append(b.Records, rec), size+len(rec.Data)
		if len(b.Records) == transfer.MaxBatch || size >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
