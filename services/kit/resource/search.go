package resource

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// maxWords is how many words a query may have.
const maxWords = 20

// matcher holds documents against a list request's filter and query; nil: all
// match. Both look at documents as they are read, decrypted: there is no index
// over anybody's words.
func (r *Resource[T]) matcher(req protoreflect.Message) (filter.Matcher, error) {
	match, err := r.filter.Compile(stringField(req, "filter"))
	if err != nil {
		return nil, err
	}
	words := strings.Fields(fold(stringField(req, "query")))
	switch {
	case len(words) == 0:
		return match, nil
	case len(words) > maxWords:
		return nil, fault.Invalid("query", "QUERY_TOO_LONG", "must have at most %d words", maxWords)
	}
	return func(m protoreflect.Message) bool {
		return (match == nil || match(m)) && hasWords(m, words)
	}, nil
}

func hasWords(m protoreflect.Message, words []string) bool {
	text := fold(strings.Join(privacy.Texts(m.Interface()), "\n"))
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// fold makes texts that differ only in case, or in how an accent is written,
// the same.
func fold(text string) string {
	return cases.Fold().String(norm.NFKC.String(text))
}

// Batch gives the documents of those names that exist, by name, with one read.
// Names are ones that documents held: they are not checked.
func (r *Resource[T]) Batch(ctx context.Context, names []string) (map[string]T, error) {
	out := make(map[string]T, len(names))
	for len(names) > 0 {
		n := min(len(names), store.MaxPage)
		found, err := r.deps.Store.GetBatch(ctx, r.kind, names[:n])
		if err != nil {
			return nil, err
		}
		view := access.ViewOf(ctx)
		for name, rec := range found {
			if view == nil || r.visible(view, rec) {
				out[name] = r.show(rec)
			}
		}
		names = names[n:]
	}
	return out, nil
}

// Between gives the documents below a parent, or with "/-" at its end below all of
// the person's parents, whose value of an order field or key lies from one value
// (inclusive) to another (exclusive), in that order, at most limit.
func (r *Resource[T]) Between(ctx context.Context, parent, field string, from, until store.Value, limit int) ([]T, error) {
	q := r.along(parent, field)
	q.From, q.Until, q.Limit = from, until, limit
	return r.within(ctx, q)
}

// Latest is Between from the other end: latest first, so that of more than limit
// the earliest are left out.
func (r *Resource[T]) Latest(ctx context.Context, parent, field string, from, until store.Value, limit int) ([]T, error) {
	q := r.along(parent, field)
	q.From, q.Until, q.Limit, q.Descending = from, until, limit, true
	return r.within(ctx, q)
}

// AllBetween is Between without a limit, for work on documents: what is derived when
// they are shown is not.
func (r *Resource[T]) AllBetween(ctx context.Context, parent, field string, from, until store.Value) ([]T, error) {
	q := r.along(parent, field)
	q.From, q.Until = from, until
	return r.every(ctx, q)
}

func (r *Resource[T]) within(ctx context.Context, q store.Query) ([]T, error) {
	page, err := r.deps.Store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	records := r.visibleOf(ctx, page.Records)
	docs := make([]T, len(records))
	for i, rec := range records {
		docs[i] = r.show(rec)
	}
	if r.Derive != nil && len(docs) > 0 {
		err = r.Derive(ctx, docs)
	}
	return docs, err
}
