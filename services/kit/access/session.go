package access

import (
	"context"
	"slices"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// Session is what one call may see and has seen. It belongs to the goroutine of
// the call.
type Session struct {
	view   *View
	asked  bool
	record Recorder // nil: the call reads nothing that is another person's
	saw    []string
	grants []string
}

// Recorder keeps what a call has shown, before it is shown.
type Recorder func(ctx context.Context, resources, grants []string) error

type sessionKey struct{}

// NewContext begins the session of a call.
func NewContext(ctx context.Context) (context.Context, *Session) {
	s := &Session{}
	return context.WithValue(ctx, sessionKey{}, s), s
}

// FromContext finds the session of a call; nil outside of calls.
func FromContext(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// AsOwner gives a context in which a handler reads with the owner's eyes what it
// needs to do its work, such as their time zone. Nothing that is read so may be
// shown.
func AsOwner(ctx context.Context) context.Context {
	if ViewOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, sessionKey{}, (*Session)(nil))
}

// Restrict narrows the session to a view.
func (s *Session) Restrict(v *View) { s.view = v }

// Watch has what the call shows recorded.
func (s *Session) Watch(r Recorder) { s.record = r }

// View is what the call is restricted to; nil: nothing. To have asked is what
// shows that a handler keeps to it.
func (s *Session) View() *View {
	if s == nil {
		return nil
	}
	s.asked = true
	return s.view
}

// Heeded tells whether the view, if there is one, was asked for at all.
func (s *Session) Heeded() bool { return s.view == nil || s.asked }

// ViewOf is what a call is restricted to; nil: nothing.
func ViewOf(ctx context.Context) *View { return FromContext(ctx).View() }

// Saw notes records that are shown to the caller.
func Saw(ctx context.Context, records ...store.Record) {
	s := FromContext(ctx)
	if s == nil || s.record == nil {
		return
	}
	for _, r := range records {
		grant := ""
		if s.view != nil {
			grant, _ = s.view.Covers(r)
		}
		s.note(r.Name, grant)
	}
}

// SawNames notes what is shown to the caller and is no record here.
func SawNames(ctx context.Context, names ...string) {
	s := FromContext(ctx)
	if s == nil || s.record == nil {
		return
	}
	for _, name := range names {
		grant := ""
		if s.view != nil {
			grant, _ = s.view.CoversName(name)
		}
		s.note(name, grant)
	}
}

func (s *Session) note(name, grant string) {
	s.saw = append(s.saw, name)
	if grant != "" && !slices.Contains(s.grants, grant) {
		s.grants = append(s.grants, grant)
	}
}

// Flush records what was shown since the last time. Unary calls are flushed when
// their handler has answered; a stream flushes before each message it sends.
func (s *Session) Flush(ctx context.Context) error {
	if s == nil || s.record == nil {
		return nil
	}
	resources, grants := s.saw, s.grants
	s.saw, s.grants = nil, nil
	return s.record(ctx, resources, grants)
}
