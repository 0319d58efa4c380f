package operation

import (
	"context"
	"iter"

	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/transfer"
)

// export writes an archive. Cut short, it begins anew.
func (s *Service) export(ctx context.Context, t *tracker) error {
	owner := resource.Owner(t.op.GetName())
	stored := s.chunks(t.op.GetName())
	if err := stored.drop(ctx); err != nil {
		return err
	}
	if err := s.countAll(ctx, t, owner); err != nil {
		return err
	}
	out := &chunkWriter{ctx: ctx, chunks: stored}
	w := newArchiveWriter(out)
	if err := s.writeLines(ctx, t, owner, w); err != nil {
		return err
	}
	if err := s.writePages(ctx, t, owner, w); err != nil {
		return err
	}
	if err := w.finish(); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	t.op.ArchiveBytes = out.size
	return nil
}

// countAll counts what there is to do.
func (s *Service) countAll(ctx context.Context, t *tracker, owner string) error {
	t.op.Progress, t.op.Counts = &journalv1.OperationProgress{}, nil
	for _, source := range s.sources {
		for c, err := range source.Count(ctx, owner) {
			if err != nil {
				return err
			}
			if c.Entries > 0 {
				t.op.Progress.KindsTotal++
				t.op.Progress.EntriesTotal += 2 * c.Entries // a line each, and Markdown
			}
		}
	}
	return t.save(ctx)
}

func (s *Service) writeLines(ctx context.Context, t *tracker, owner string, w *archiveWriter) error {
	for _, source := range s.sources {
		kinds, err := source.Kinds(ctx)
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			n := int64(0)
			for rec, err := range source.Lines(ctx, owner, kind) {
				if err == nil {
					err = w.line(rec)
				}
				if err != nil {
					return err
				}
				n++
				t.count(kind).Exported++
				if err := t.step(ctx, 1); err != nil {
					return err
				}
			}
			if n > 0 {
				t.op.Progress.KindsDone++
			}
		}
	}
	return nil
}

func (s *Service) writePages(ctx context.Context, t *tracker, owner string, w *archiveWriter) error {
	zone, err := s.zone(ctx, owner)
	if err != nil {
		return err
	}
	p := &pages{archiveWriter: w, zone: zone}
	texts := make([]iter.Seq2[transfer.Record, error], len(s.sources))
	for i, source := range s.sources {
		texts[i] = source.Texts(ctx, owner, zone.String())
	}
	for rec, err := range transfer.Merge(texts...) {
		if err == nil {
			err = p.add(rec)
		}
		if err == nil {
			err = t.step(ctx, 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
