package resource

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// decide asks the domain, checks what is required, and completes the events.
func (r *Resource[T]) decide(ctx context.Context, c Change[T]) ([]*eventsv1.Event, error) {
	if !c.Deleted() {
		if vs := r.behavior.missing(c.New.ProtoReflect(), r.singular+".", nil); len(vs) > 0 {
			return nil, fault.Invalids(vs...)
		}
	}
	if r.Decide == nil {
		return nil, nil
	}
	events, err := r.Decide(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		e.Id = r.deps.NewID()
		e.Source = r.deps.Source
		e.Subject = c.Name
		e.Owner = c.Owner
		e.Time = timestamppb.New(c.Now)
	}
	return events, nil
}

// clearChildren refuses to leave orphans behind: without force, anything below
// stops a delete; with it, what is below goes first, so that a delete that is
// cut short can be sent again.
func (r *Resource[T]) clearChildren(ctx context.Context, name string, force bool) error {
	for _, kind := range r.Children {
		if err := r.clearKind(ctx, name, kind, force); err != nil {
			return err
		}
	}
	for _, kind := range r.Along {
		if err := r.clearKind(ctx, name, kind, true); err != nil {
			return err
		}
	}
	return nil
}

func (r *Resource[T]) clearKind(ctx context.Context, name, kind string, force bool) error {
	limit := 1
	if force {
		limit = store.MaxPage
	}
	for {
		page, err := r.deps.Store.List(ctx, store.Query{Kind: kind, Index: childIndex, Prefix: []store.Value{name}, Limit: limit})
		if err != nil || len(page.Records) == 0 {
			return err
		}
		if !force {
			return fault.Precondition("HAS_CHILDREN", "there are %s below it; delete them first, or with force", kind)
		}
		if err := r.deleteAll(ctx, page.Records); err != nil {
			return err
		}
	}
}

func (r *Resource[T]) deleteAll(ctx context.Context, records []store.Record) error {
	now := r.deps.Clock()
	writes := make([]store.Write, len(records))
	for i, rec := range records {
		// A child that goes with its parent says so by a deleted event of its
		// own kind, so that readers need not know what lay below what.
		writes[i] = store.Write{Op: store.Delete, Record: rec, Events: []*eventsv1.Event{{
			Id: r.deps.NewID(), Source: r.deps.Source, Type: EventType(rec.Kind, "deleted"),
			Subject: rec.Name, Owner: rec.Owner, Time: timestamppb.New(now),
		}}}
	}
	for _, res := range r.deps.Store.Commit(ctx, writes...) {
		if res.Err != nil && !errors.Is(res.Err, store.ErrNotFound) && !errors.Is(res.Err, store.ErrConflict) {
			return res.Err
		}
	}
	return nil
}

// Event makes the one event that most changes are: the kind's name and what
// happened to it, with data, or without when it was deleted. What creating is
// called differs from type to type.
func (c Change[T]) Event(created string, data *eventsv1.Event) []*eventsv1.Event {
	verb := c.Verb
	switch {
	case c.Created():
		verb = created
	case c.Deleted():
		return []*eventsv1.Event{{Type: EventType(c.Kind, "deleted")}}
	case verb == updateVerb:
		verb = "updated"
	}
	data.Type = EventType(c.Kind, verb)
	return []*eventsv1.Event{data}
}

// EventType names what happened to a kind of resource: "setbacks", "closed"
// gives "setback.closed"; "stories" and "outreaches" are made singular as English
// makes them.
func EventType(kind, verb string) string {
	if stem, ok := strings.CutSuffix(kind, "ies"); ok {
		return stem + "y." + verb
	}
	for _, hiss := range []string{"ch", "sh", "ss", "x"} {
		if strings.HasSuffix(kind, hiss+"es") {
			return strings.TrimSuffix(kind, "es") + "." + verb
		}
	}
	return strings.TrimSuffix(kind, "s") + "." + verb
}
