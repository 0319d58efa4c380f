package domain

import (
	"context"
	"errors"
	"strings"

	eventsv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/events/v1"
	journalv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/journal/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/resource"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// comments lie with the person they are about. Readers see their own.
func (d *Domain) comments() resource.Type[*journalv1.Comment] {
	return resource.Type[*journalv1.Comment]{
		Filter: []string{"subject", "author"},
		Order:  []string{"create_time"},
		Lookup: []string{"author"},
		Shown:  func(v *access.View, c *journalv1.Comment) bool { return c.GetAuthor() == v.Reader },
		Decide: d.decideComment,
	}
}

func (d *Domain) decideComment(ctx context.Context, c resource.Change[*journalv1.Comment]) ([]*eventsv1.Event, error) {
	if !c.Created() {
		return nil, nil
	}
	c.New.Author = d.person(ctx)
	return nil, d.checkShared(ctx, c.New.GetSubject())
}

// checkShared says whether the caller may see what a comment is about: otherwise they
// are told the same as if they asked for it. What lies in another service is judged
// by its name.
func (d *Domain) checkShared(ctx context.Context, subject string) error {
	view := access.ViewOf(ctx)
	if view == nil {
		return access.Denied() // only readers comment
	}
	rec, err := d.find(ctx, subject)
	covered := false
	switch {
	case err == nil:
		_, covered = view.Covers(rec)
	case errors.Is(err, store.ErrInvalid):
		_, covered = view.CoversName(subject)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if pattern := access.Shareable()[access.KindOf(subject)]; !covered || pattern == "" || !access.Fits(subject, pattern) {
		return access.Denied()
	}
	return nil
}

// deleteComments deletes what a person has said about others' data.
func (d *Domain) deleteComments(ctx context.Context, author string) error {
	people := author[:strings.LastIndexByte(author, '/')]
	comments, err := d.Comments.AllHaving(ctx, "author", author, people)
	if err != nil {
		return err
	}
	for _, c := range comments {
		if err := d.Comments.Drop(ctx, c.GetName()); err != nil {
			return err
		}
	}
	return nil
}
