package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
	"github.com/rebound-hq/rebound/tools/internal/api"
)

// lines is a stream over REST.
type lines struct {
	in      io.ReadCloser
	scanner *bufio.Scanner
	format  Format
	cancel  context.CancelFunc
}

// maxLine is the longest line that is read, in bytes.
const maxLine = 1 << 20

func newLines(in io.ReadCloser, f Format, cancel context.CancelFunc) *lines {
	l := &lines{in: in, scanner: bufio.NewScanner(in), format: f, cancel: cancel}
	l.scanner.Buffer(nil, maxLine)
	return l
}

// Close implements Stream.
func (l *lines) Close() {
	l.cancel()
	_ = l.in.Close() // it was cut off
}

// Next implements Stream.
func (l *lines) Next() (Frame, error) {
	if l.format == SSE {
		return l.nextEvent()
	}
	if !l.scanner.Scan() {
		return Frame{}, l.ended()
	}
	return parseLine(l.scanner.Bytes())
}

func (l *lines) ended() error {
	if err := l.scanner.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// parseLine reads a line of NDJSON: an insight, alone or in a CloudEvent, or a mark.
func parseLine(text []byte) (Frame, error) {
	var line struct {
		Insight, Data           json.RawMessage
		Type                    string
		Tombstone               *tombstone
		NextToken               string
		SnapshotEnd, HistoryEnd bool
		Error                   *api.Problem
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return Frame{}, fmt.Errorf("a line is not JSON: %w", err)
	}
	if line.Error != nil {
		return Frame{}, line.Error
	}
	f := Frame{Token: line.NextToken, SnapshotEnd: line.SnapshotEnd, HistoryEnd: line.HistoryEnd}
	switch {
	case line.Tombstone != nil:
		f.Gone = line.Tombstone.Person
	case line.Type == tombstoneType:
		return f.gone(line.Data)
	case line.Insight == nil:
		line.Insight = line.Data
	}
	if line.Insight == nil {
		return f, nil
	}
	var err error
	f.Insight, err = parseInsight(line.Insight)
	return f, err
}

// tombstone is what one says, tombstoneType its type as a CloudEvent.
type tombstone struct{ Person string }

const tombstoneType = "dev.rebound.tombstone.v1"

func (f Frame) gone(text []byte) (Frame, error) {
	var t tombstone
	err := json.Unmarshal(text, &t)
	f.Gone = t.Person
	return f, err
}

func parseInsight(text []byte) (*insightsv1.Insight, error) {
	in := &insightsv1.Insight{}
	if err := readJSON.Unmarshal(text, in); err != nil {
		return nil, fmt.Errorf("an insight is not as its type says: %w", err)
	}
	return in, nil
}

// nextEvent reads the fields of a server-sent event up to the empty line that ends it.
func (l *lines) nextEvent() (Frame, error) {
	var f Frame
	event, data := "", ""
	for l.scanner.Scan() {
		field, value, _ := strings.Cut(l.scanner.Text(), ": ")
		switch field {
		case "event":
			event = value
		case "data":
			data = value
		case "id":
			f.Token = value
		case "":
			return f.of(event, data)
		}
	}
	return Frame{}, l.ended()
}

// of completes a frame by what the event says.
func (f Frame) of(event, data string) (Frame, error) {
	var err error
	switch event {
	case "insight":
		f.Insight, err = parseInsight([]byte(data))
	case "tombstone":
		return f.gone([]byte(data))
	case "snapshot-end":
		f.SnapshotEnd = true
	case "history-end":
		f.HistoryEnd = true
	case "error":
		problem := &api.Problem{}
		if err = json.Unmarshal([]byte(data), problem); err == nil {
			err = problem
		}
	}
	return f, err
}
