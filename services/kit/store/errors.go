package store

import "errors"

// The errors of a store, possibly wrapped. None carries a driver's type or text
// to a client: the rpc package maps them to codes.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("store: not found")
	// ErrExists: there is such a record already.
	ErrExists = errors.New("store: already exists")
	// ErrConflict: the record has another revision.
	ErrConflict = errors.New("store: revision is not current")
	// ErrTooLarge: the body is over the limit.
	ErrTooLarge = errors.New("store: record too large")
	// ErrInvalid: the caller's mistake, such as an undeclared index.
	ErrInvalid = errors.New("store: invalid use")
	// ErrUnavailable: try again later.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrGone: the events were trimmed.
	ErrGone = errors.New("store: trimmed")
	// ErrNewerSchema: the store was written by a newer release.
	ErrNewerSchema = errors.New("store: written by a newer release")
	// ErrInUse: another process has the store open.
	ErrInUse = errors.New("store: in use by another process")
)

// MaxBody is the largest body, in bytes of its encoding.
const MaxBody = 8 << 20
