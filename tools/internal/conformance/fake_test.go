package conformance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	insightsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/insights/v1"
)

const owner = "tenants/acme/people/ada"

// fake is a system that keeps all guarantees but the one that defect names.
type fake struct {
	defect string

	mu       sync.Mutex
	log      []*insightsv1.Insight
	held     *insightsv1.Insight // out of order
	changed  chan struct{}
	written  int
	now      time.Time
	judging  bool // all is written; the client that is cut off has ended
	subjects map[string]bool
}

func newFake(defect string) *fake {
	f := &fake{defect: defect, changed: make(chan struct{}), now: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC), subjects: map[string]bool{}}
	for i := range 4 { // what the person had before
		f.add(f.insight(f.Subject(fmt.Sprint("old-", i)), ""))
	}
	return f
}

func (f *fake) Prepare(context.Context) error { return nil }

func (f *fake) Subject(id string) string { return owner + "/setbacks/" + id }

func (f *fake) insight(subject, more string) *insightsv1.Insight {
	f.now = f.now.Add(time.Millisecond)
	return &insightsv1.Insight{
		Name: owner + "/insights/i-" + subject[strings.LastIndexByte(subject, '/')+1:] + more, Kind: insightsv1.InsightKind_INSIGHT_KIND_SETBACK_RECOVERED,
		Subjects: []string{subject}, Time: timestamppb.New(f.now), N: 1, Method: "m", MethodVersion: "1",
		Data: &insightsv1.Insight_SetbackRecovered{SetbackRecovered: &insightsv1.SetbackRecovered{Days: 1}},
	}
}

func (f *fake) add(ins ...*insightsv1.Insight) {
	f.log = append(f.log, ins...)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) Conclude(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.insight(f.Subject(id), "")
	f.written++
	switch {
	case f.defect == "lost" && f.written == 5:
		return nil
	case f.defect == "out of order" && f.written == 5:
		f.held = in
		return nil
	case f.defect == "twice concluded" && f.written == 5:
		f.add(in, f.insight(f.Subject(id), "-again"))
		return nil
	case f.defect == "half" && f.written == 5:
		in.Data = nil
	}
	f.add(in)
	if f.held != nil {
		f.add(f.held)
		f.held = nil
	}
	return nil
}

func (f *fake) Withdraw(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.insight(f.Subject(id), "-gone")
	in.Data, in.Correction, in.Corrects = nil, insightsv1.InsightCorrection_INSIGHT_CORRECTION_RETRACTED, owner+"/insights/i-"+id
	switch f.defect {
	case "never corrects":
		return nil
	case "points nowhere":
		in.Corrects += "-nowhere"
	case "corrects twice":
		again := proto.CloneOf(in)
		again.Name += "-again"
		f.add(again)
	}
	f.add(in)
	return nil
}

// snapshotOf is what stands by a part of the log.
func (f *fake) snapshotOf(head int) []*insightsv1.Insight {
	gone := map[string]bool{}
	for _, in := range f.log[:head] {
		gone[in.GetCorrects()] = true
	}
	var out []*insightsv1.Insight
	for i, in := range f.log[:head] {
		stale := gone[in.GetName()] || in.GetCorrects() != ""
		if !stale && (f.defect != "snapshots lack" || i != 7) || stale && f.defect == "snapshots of what is gone" {
			out = append(out, in)
		}
	}
	return out
}

func (f *fake) Refuse(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.defect == "left behind" {
		f.add(f.insight(f.Subject(id), ""))
	}
	return nil
}

func (f *fake) Schemas(context.Context) ([]*insightsv1.InsightSchema, error) {
	schema, err := structpb.NewStruct(map[string]any{
		"required":   []any{"name", "kind", "subjects", "time", "n", "method", "methodVersion"},
		"properties": map[string]any{"setbackRecovered": map[string]any{}},
	})
	return []*insightsv1.InsightSchema{{Kind: insightsv1.InsightKind_INSIGHT_KIND_SETBACK_RECOVERED, JsonSchema: schema}}, err
}

// place finds where a stream starts; tokens are position/format/filter.
func (f *fake) place(format Format, at Place) (int, error) {
	if at.Token != "" {
		parts := strings.SplitN(at.Token, "/", 3)
		position, err := strconv.Atoi(parts[0])
		switch {
		case err != nil || parts[2] != at.Filter && f.defect != "tokens for anything":
			return 0, fmt.Errorf("%w: another stream's token", ErrRefused)
		case f.defect == "tokens by format" && f.judging && parts[1] != string(format):
			return 0, fmt.Errorf("%w: another format's token", ErrRefused)
		case f.defect == "skips" && f.judging && position < len(f.log):
			position++
		case f.defect == "goes back" && position > 0:
			position--
		case f.defect == "forgets" && !f.judging:
			return 0, fmt.Errorf("%w: this token is no more", ErrRefused)
		}
		return position, nil
	}
	switch at.Start {
	case "EARLIEST":
		f.judging = true
		return 0, nil
	case "LATEST", "SNAPSHOT":
		return len(f.log), nil
	}
	from, err := time.Parse(time.RFC3339Nano, at.Start)
	i := slices.IndexFunc(f.log, func(in *insightsv1.Insight) bool { return !in.GetTime().AsTime().Before(from) })
	switch f.defect {
	case "time too late":
		i += 3
	case "time for nothing":
		i = 0
	}
	return i, err
}

func (f *fake) Open(ctx context.Context, format Format, at Place) (Stream, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := -1 // no snapshot
	if at.Start == "SNAPSHOT" {
		sent = 0
		var more string
		if in, ok := strings.CutPrefix(at.Token, "S"); ok {
			more, at.Token, _ = strings.Cut(in, "-")
			sent, _ = strconv.Atoi(more)
		}
	}
	position, err := f.place(format, at)
	if err != nil {
		return nil, err
	}
	return &fakeStream{fake: f, ctx: ctx, format: format, filter: at.Filter, position: position, sent: sent, show: func(in *insightsv1.Insight) *insightsv1.Insight {
		if f.defect == "formats differ" && format == SSE {
			in = proto.CloneOf(in)
			in.N++
		}
		return in
	}}, nil
}

func (f *fake) OpenTenant(ctx context.Context, at Place) (Stream, error) {
	if f.defect == "no pipeline" {
		return nil, ErrNoPipeline
	}
	s, err := f.Open(ctx, GRPC, at)
	if err != nil {
		return nil, err
	}
	s.(*fakeStream).show = func(in *insightsv1.Insight) *insightsv1.Insight {
		in = proto.CloneOf(in)
		if f.defect != "real names" {
			in.Name = "tenants/acme/people/p-1/insights/" + fmt.Sprintf("%x", in.GetName())
			in.Subjects = []string{"tenants/acme/people/p-1/setbacks/" + fmt.Sprintf("%x", in.GetSubjects()[0])}
			if in.GetCorrects() != "" {
				in.Corrects = "tenants/acme/people/p-1/insights/" + fmt.Sprintf("%x", in.GetCorrects())
			}
		}
		if f.defect == "pipelines see less" {
			in.N = 7
		}
		return in
	}
	if f.defect == "speaks of the dead" {
		s.(*fakeStream).queue = []Frame{{Gone: "tenants/acme/people/p-1"}}
	}
	return s, nil
}

// fakeStream gives batches of three, or long ones.
type fakeStream struct {
	fake     *fake
	ctx      context.Context //nolint:containedctx // it stands in for a connection
	format   Format
	filter   string
	position int
	sent     int // of the snapshot; -1: it was sent, or is not wanted
	ended    bool
	queue    []Frame
	show     func(*insightsv1.Insight) *insightsv1.Insight
}

func (s *fakeStream) Close() {}

func (s *fakeStream) token() string {
	token := s.place()
	if s.sent >= 0 {
		token = fmt.Sprintf("S%d-%s", s.sent, token)
	}
	return token
}

func (s *fakeStream) place() string { return fmt.Sprintf("%d/%s/%s", s.position, s.format, s.filter) }

func (s *fakeStream) Next() (Frame, error) {
	for {
		changed, more := s.more()
		if more {
			f := s.queue[0]
			s.queue = s.queue[1:]
			return f, nil
		}
		beat := time.NewTimer(2 * time.Millisecond)
		select {
		case <-changed:
		case <-beat.C:
			if s.fake.defect != "silent" {
				s.queue = append(s.queue, Frame{Token: s.token()})
			}
		case <-s.ctx.Done():
			beat.Stop()
			return Frame{}, s.ctx.Err()
		}
		beat.Stop()
	}
}

// moreSnapshot puts what follows of the snapshot into the queue, or its end.
func (s *fakeStream) moreSnapshot() {
	if len(s.queue) > 0 {
		return
	}
	all := s.fake.snapshotOf(s.position)
	if s.sent == len(all) {
		s.sent = -1
		s.queue = append(s.queue, Frame{SnapshotEnd: s.fake.defect != "no mark", Token: s.token()})
		return
	}
	n := min(5, len(all)-s.sent)
	for _, in := range all[s.sent : s.sent+n] {
		s.queue = append(s.queue, Frame{Insight: s.show(in)})
	}
	if s.sent += n; s.fake.defect == "snapshots skip" {
		s.sent = len(all)
	}
	s.queue[len(s.queue)-1].Token = s.token()
}

// more fills the queue, as far as there is something to give.
func (s *fakeStream) more() (<-chan struct{}, bool) {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	if s.sent >= 0 {
		s.moreSnapshot()
		return s.fake.changed, true
	}
	batch, size := 0, 3
	if s.fake.defect == "long batches" {
		size = 100
	}
	for ; len(s.queue) < size && s.position < len(s.fake.log); s.position++ {
		if s.filter == "" {
			s.queue = append(s.queue, Frame{Insight: s.show(s.fake.log[s.position])})
			batch++
		}
	}
	switch {
	case batch > 0 && (s.format == SSE || s.format == GRPC):
		s.queue[len(s.queue)-1].Token = s.token()
	case batch > 0:
		s.queue = append(s.queue, Frame{Token: s.token()})
	case len(s.queue) == 0 && !s.ended:
		s.ended = true
		s.queue = append(s.queue, Frame{HistoryEnd: true, Token: s.token()})
	}
	if batch > 0 && s.fake.defect == "twice sent" {
		s.queue = append(s.queue, Frame{Insight: s.queue[0].Insight})
	}
	return s.fake.changed, len(s.queue) > 0
}
