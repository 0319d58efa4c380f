package conformance

import (
	"context"
	"errors"
	"fmt"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

const (
	retracted = insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED
	restated  = insightsv1.InsightCorrection_INSIGHT_CORRECTION_RESTATED
)

// withdraw brings one more insight about, takes back what brought it, and waits for the
// correction. That it does not come, the log will show.
func (s Suite) withdraw(ctx context.Context, e *evidence) error {
	id := s.id("t", 0)
	e.taken = s.System.Subject(id)
	reading, heard, stop := s.impatient(ctx)
	defer stop()
	stream, err := s.System.Open(reading, Formats[0], Place{Start: "LATEST"})
	if err != nil {
		return why(reading, err)
	}
	defer stream.Close()
	if err := s.System.Conclude(ctx, id); err != nil {
		return err
	}
	for withdrawn := false; ; {
		frame, err := stream.Next()
		if err != nil {
			return ctx.Err()
		}
		if subjects := frame.Insight.GetSubjects(); len(subjects) == 0 || subjects[0] != e.taken {
			continue
		}
		if heard(); withdrawn {
			return nil
		}
		if withdrawn = true; s.System.Withdraw(ctx, id) != nil {
			return errors.New("what was written could not be deleted")
		}
	}
}

// standing is what stands by a log: what was told, and is named by no correction.
func (l *clientLog) standing() map[string]*insightsv1.Insight {
	out := map[string]*insightsv1.Insight{}
	all := l.insights()
	for _, in := range all {
		if in.GetCorrection() != retracted {
			out[in.GetName()] = in
		}
	}
	for _, in := range all {
		delete(out, in.GetCorrects())
	}
	return out
}

// corrected: what was taken back is retracted; corrections point at what came before
// them, once, and at what is about the same.
func corrected(_ context.Context, e *evidence) (string, error) {
	seen, before := map[string]*insightsv1.Insight{}, 0
	var took *insightsv1.Insight
	points := map[string]bool{}
	for _, in := range e.whole[Formats[0]].insights() {
		seen[in.GetName()] = in
		if in.GetCorrection() != retracted && in.GetCorrection() != restated {
			if in.GetCorrects() != "" {
				return "", errors.New("an insight names another that it corrects, and not how")
			}
			continue
		}
		ours := len(in.GetSubjects()) > 0 && in.GetSubjects()[0] == e.taken
		if ours {
			took = in
		}
		switch of := seen[in.GetCorrects()]; {
		case points[in.GetCorrects()]:
			return "", errors.New("two corrections correct one insight")
		case of == nil && ours || of == in:
			return "", errors.New("a correction points at nothing that came before it")
		case of == nil:
			before++ // it may be older than what is kept
		case of.GetKind() != in.GetKind():
			return "", errors.New("a correction points at an insight of another kind")
		}
		points[in.GetCorrects()] = true
	}
	if took.GetCorrection() != retracted {
		return "", errors.New("what was taken back was not retracted")
	}
	return fmt.Sprintf("what was taken back was retracted; corrections: %d, of them of what is no longer kept: %d", len(points), before), nil
}

// snapshot: in each format it holds what stands, once, and ends with one mark, before
// which one can come back with a token.
func snapshot(ctx context.Context, e *evidence) (string, error) {
	want, n := e.whole[Formats[0]].standing(), 0
	for _, f := range Formats {
		log, err := e.suite.read(ctx, f, Place{Start: "SNAPSHOT"})
		if err != nil {
			return "", fmt.Errorf("reading a snapshot by %s: %w", f, err)
		}
		if n, err = judgeSnapshot(log, want); err != nil {
			return "", fmt.Errorf("by %s %w", f, err)
		}
		if err := e.fromMiddle(ctx, log, want); err != nil {
			return "", fmt.Errorf("by %s, coming back in the middle of a snapshot: %w", f, err)
		}
	}
	return fmt.Sprintf("%d insights that stand, then one mark, by %v; in the middle a token was good", n, Formats), nil
}

// judgeSnapshot looks at the part of a log before the mark.
func judgeSnapshot(log *clientLog, want map[string]*insightsv1.Insight) (int, error) {
	part, marks := &clientLog{}, 0
	came := map[string]bool{}
	for _, x := range log.entries {
		if x.Insight != nil {
			if came[x.Insight.GetName()] {
				return 0, errors.New("an insight comes twice")
			}
			came[x.Insight.GetName()] = true
		}
		if x.HistoryEnd && marks == 0 {
			return 0, errors.New("history ends before the snapshot does")
		}
		if marks == 0 {
			part.entries = append(part.entries, x)
		}
		if x.SnapshotEnd {
			marks++
		}
	}
	if marks != 1 {
		return 0, fmt.Errorf("there are %d marks", marks)
	}
	in := part.insights()
	have := map[string]bool{}
	for _, i := range in {
		if have[i.GetName()] = true; i.GetCorrection() == retracted {
			return 0, errors.New("a snapshot holds what is retracted")
		}
	}
	for name := range want {
		if !have[name] {
			return 0, errors.New("a snapshot lacks an insight that stands")
		}
	}
	return len(in), nil
}

// fromMiddle comes back with a token from before the mark: what is left, and the mark,
// follow.
func (e *evidence) fromMiddle(ctx context.Context, log *clientLog, want map[string]*insightsv1.Insight) error {
	both := &clientLog{}
	for _, x := range log.entries {
		if x.SnapshotEnd {
			return nil // it was too short for a token
		}
		both.entries = append(both.entries, x)
		if x.Token == "" {
			continue
		}
		rest, err := e.suite.read(ctx, x.format, Place{Start: "SNAPSHOT", Token: x.Token})
		if err != nil {
			return err
		}
		both.entries = append(both.entries, rest.entries...)
		_, err = judgeSnapshot(both, want)
		return err
	}
	return nil
}
