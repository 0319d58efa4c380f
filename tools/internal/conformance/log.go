package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

// clientLog is all that a client received, in order.
type clientLog struct{ entries []entry }

// entry is a frame, and the connection it came on, from 0.
type entry struct {
	Frame
	connection int
	format     Format
}

// last is the token that the client holds in the end.
func (l *clientLog) last() string {
	for i := len(l.entries) - 1; i >= 0; i-- {
		if l.entries[i].Token != "" {
			return l.entries[i].Token
		}
	}
	return ""
}

// insights are those of the log, in order, each the first time it came.
func (l *clientLog) insights() []*insightsv1.Insight {
	var out []*insightsv1.Insight
	seen := map[string]bool{}
	for _, e := range l.entries {
		if e.Insight != nil && !seen[e.Insight.GetName()] {
			seen[e.Insight.GetName()] = true
			out = append(out, e.Insight)
		}
	}
	return out
}

// subjects are the first subjects of insights.
func subjects(insights []*insightsv1.Insight) []string {
	out := make([]string, 0, len(insights))
	for _, in := range insights {
		if len(in.GetSubjects()) > 0 {
			out = append(out, in.GetSubjects()[0])
		}
	}
	return out
}

// errImpatient is something that should have come by now.
var errImpatient = errors.New("nothing came for as long as the run's patience lasts")

// impatient ends a context when nothing is heard for too long.
func (s Suite) impatient(ctx context.Context) (_ context.Context, heard, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.Patience, func() { cancel(errImpatient) })
	return ctx, func() { timer.Reset(s.Patience) }, func() {
		timer.Stop()
		cancel(nil)
	}
}

// read reads a stream from a place to the end of its history.
func (s Suite) read(ctx context.Context, f Format, at Place) (*clientLog, error) {
	log, err := s.readWith(ctx, func(ctx context.Context) (Stream, error) { return s.System.Open(ctx, f, at) })
	for i := range log.entries {
		log.entries[i].format = f
	}
	return log, err
}

func (s Suite) readWith(ctx context.Context, open func(context.Context) (Stream, error)) (*clientLog, error) {
	log := &clientLog{}
	ctx, heard, stop := s.impatient(ctx)
	defer stop()
	stream, err := open(ctx)
	if err != nil {
		return log, why(ctx, err)
	}
	defer stream.Close()
	for end := false; !end || log.last() == ""; {
		frame, err := stream.Next()
		if err != nil {
			return log, why(ctx, err)
		}
		heard()
		end = end || frame.HistoryEnd
		log.entries = append(log.entries, entry{Frame: frame})
	}
	return log, nil
}

// why says that it was patience that ended, where it was.
func why(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errImpatient) {
		return errImpatient
	}
	return err
}

// maxFrames is how many frames a connection lives at most before it is cut off; more
// when the one before did not live long enough to bring a token, which comes after a
// whole batch.
const maxFrames = 9

// survive reads from a token on, cuts its own connection off after some frames, and
// comes back with the last token it holds, in the next format, until all that is
// wanted has come, and a token after it. When no more comes for too long, the log shows
// what is missing.
func (s Suite) survive(ctx context.Context, token string, e *evidence) (*clientLog, error) {
	log := &clientLog{}
	missing := map[string]bool{}
	for _, subject := range e.wanted {
		missing[subject] = true
	}
	reading, heard, stop := s.impatient(ctx)
	defer stop()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 10*time.Millisecond, time.Second
	frames, open := maxFrames, true // no token has come since the last insight
	for connection := 0; len(missing) > 0 || open; connection++ {
		before := token
		err := s.connection(reading, connection, &token, log, 1+e.rand.IntN(frames), func(f Frame) bool {
			open = f.Token == "" && (open || f.Insight != nil)
			for _, subject := range f.Insight.GetSubjects() {
				if missing[subject] {
					delete(missing, subject)
					heard()
				}
			}
			return len(missing) > 0 || open
		})
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case reading.Err() != nil:
			return log, nil
		case errors.Is(err, ErrRefused):
			e.gaveUp = fmt.Errorf("coming back with the last token: %w", err)
			return log, nil
		case err != nil:
			select {
			case <-time.After(pause.NextBackOff()):
			case <-reading.Done():
			}
			continue
		}
		pause.Reset()
		if frames *= 2; token != before {
			frames = maxFrames
		}
	}
	return log, nil
}

// connection reads some frames of one connection into the log.
func (s Suite) connection(ctx context.Context, number int, token *string, log *clientLog, frames int, more func(Frame) bool) error {
	format := Formats[number%len(Formats)]
	stream, err := s.System.Open(ctx, format, Place{Token: *token})
	if err != nil {
		return err
	}
	defer stream.Close()
	for range frames {
		frame, err := stream.Next()
		if err != nil {
			return err
		}
		log.entries = append(log.entries, entry{frame, number, format})
		if frame.Token != "" {
			*token = frame.Token
		}
		if !more(frame) {
			return nil
		}
	}
	return nil
}
