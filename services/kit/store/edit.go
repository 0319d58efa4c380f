package store

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
)

// Edit changes a record, with events, if change says so; it begins again when somebody
// else writes first, so that change may be called several times. A record that is not
// there begins as first. It gives the body as it is then.
func Edit[M proto.Message](ctx context.Context, docs Documents, now func() time.Time, first Record, change func(M) bool, events ...*eventsv1.Event) (M, error) {
	for {
		w := Write{Op: Replace, Events: events}
		var err error
		w.Record, err = docs.Get(ctx, first.Kind, first.Name)
		if errors.Is(err, ErrNotFound) {
			w.Op, w.Record, err = Insert, first, nil
			w.Record.CreateTime = now()
		}
		if err != nil {
			var none M
			return none, err
		}
		body := proto.CloneOf(w.Record.Body.(M))
		if !change(body) {
			return body, nil
		}
		w.Record.Body, w.Record.UpdateTime, w.Record.Sealed = body, now(), nil
		if err = docs.Commit(ctx, w)[0].Err; !Outrun(err) {
			return body, err
		}
	}
}

// Outrun tells whether a write failed because somebody else wrote first.
func Outrun(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) || errors.Is(err, ErrNotFound)
}
