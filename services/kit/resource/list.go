package resource

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	"go.einride.tech/aip/ordering"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/storage/v1"
	"github.com/rebound-hq/rebound/services/kit/access"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/filter"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// Limits of lists.
const (
	// DefaultPageSize is the page size when none is asked for; larger ones than
	// store.MaxPage are brought down to it (AIP-158).
	DefaultPageSize = 50
	// maxExamined is how many documents one call looks at for a filter; then it
	// answers with what it has and a token.
	maxExamined = 5000
	// pageTokenLife is how long a page token is good.
	pageTokenLife = 72 * time.Hour
	pageTokenUse  = "page"
)

// List is the AIP-132 method.
func (r *Resource[T]) List(ctx context.Context, req proto.Message) (proto.Message, error) {
	m := req.ProtoReflect()
	parent := stringField(m, "parent")
	if err := r.names.checkParent("parent", parent, true); err != nil {
		return nil, err
	}
	query, err := r.query(ctx, parent, stringField(m, "order_by"))
	if err != nil {
		return nil, err
	}
	return r.page(ctx, m, query, nil)
}

// page answers a list request along an index, with those documents that its filter
// and its query let through, and that keep, unless that is nil, is true of.
func (r *Resource[T]) page(ctx context.Context, m protoreflect.Message, query store.Query, keep func(T) bool) (proto.Message, error) {
	size, err := pageSize(m)
	if err != nil {
		return nil, err
	}
	match, err := r.matcher(m)
	if err != nil {
		return nil, err
	}
	if keep != nil {
		match = both(func(m protoreflect.Message) bool { return keep(m.Interface().(T)) }, match)
	}
	fingerprint := requestHash(m)
	if query.After, err = r.openPageToken(ctx, stringField(m, "page_token"), fingerprint); err != nil {
		return nil, err
	}
	docs, next, err := r.collect(ctx, query, size, match)
	if err != nil {
		return nil, err
	}
	if r.Derive != nil && len(docs) > 0 {
		if err := r.Derive(ctx, docs); err != nil {
			return nil, err
		}
	}
	token, err := r.sealPageToken(ctx, next, fingerprint)
	if err != nil {
		return nil, err
	}
	return r.listResponse(m, docs, token)
}

func pageSize(m protoreflect.Message) (int, error) {
	n := m.Get(m.Descriptor().Fields().ByName("page_size")).Int()
	switch {
	case n < 0:
		return 0, fault.Invalid("page_size", "PAGE_SIZE_INVALID", "must not be negative")
	case n == 0:
		return DefaultPageSize, nil
	}
	return int(min(n, store.MaxPage)), nil
}

// query chooses the index: by parent, or by owner when the parent ends in "/-".
func (r *Resource[T]) query(ctx context.Context, parent, orderBy string) (store.Query, error) {
	field, descending, err := r.order(orderBy)
	if err != nil {
		return store.Query{}, err
	}
	q := r.along(parent, field)
	q.Descending = descending
	if strings.HasSuffix(parent, "/"+wildcard) {
		return q, nil
	}
	return q, r.parentExists(ctx, parent)
}

func (r *Resource[T]) order(orderBy string) (field string, descending bool, err error) {
	if orderBy == "" {
		return r.orderFields()[0], !r.Ascending, nil
	}
	var by ordering.OrderBy
	if err := by.UnmarshalString(orderBy); err != nil || len(by.Fields) != 1 {
		return "", false, fault.Invalid("order_by", "ORDER_INVALID", `must be one field, with " desc" after it or nothing`)
	}
	if r.listIndex[by.Fields[0].Path] == "" {
		return "", false, fault.Invalid("order_by", "ORDER_FIELD_UNKNOWN", "must be one of %s", strings.Join(r.orderFields(), ", "))
	}
	return by.Fields[0].Path, by.Fields[0].Desc, nil
}

func both(a, b filter.Matcher) filter.Matcher {
	if b == nil {
		return a
	}
	return func(m protoreflect.Message) bool { return a(m) && b(m) }
}

// collect reads along the index until the page is full, the records end, or
// enough were looked at. The cursor it returns is nil at the end. For a reader it
// goes on until it knows whether there is more of what they may see: neither a
// short page nor a token tells of anything else.
func (r *Resource[T]) collect(ctx context.Context, q store.Query, size int, match filter.Matcher) ([]T, *store.Cursor, error) {
	view := access.ViewOf(ctx)
	var docs []T
	var full *store.Cursor // where the page was full
	for examined := 0; view != nil || examined < maxExamined; {
		q.Limit = size - len(docs)
		if match != nil || view != nil {
			q.Limit = min(max(2*q.Limit, 100), store.MaxPage)
		}
		page, err := r.deps.Store.List(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		examined += len(page.Records)
		fits, err := r.fitting(ctx, view, page.Records, match)
		if err != nil {
			return nil, nil, err
		}
		for i, rec := range page.Records {
			if !fits(rec) {
				continue
			}
			if full != nil {
				return docs, full, nil
			}
			access.Saw(ctx, rec)
			docs = append(docs, r.show(rec))
			if len(docs) < size {
				continue
			}
			if full = r.cursorAt(q, page, i); view == nil || full == nil {
				return docs, full, nil
			}
		}
		if q.After = page.Next; page.Next == nil {
			return docs, nil, nil
		}
	}
	return docs, q.After, nil
}

// cursorAt is the place of the record at i; nil when it is the last of all.
func (r *Resource[T]) cursorAt(q store.Query, page store.Page, i int) *store.Cursor {
	if i == len(page.Records)-1 {
		return page.Next
	}
	kind := r.Kind()
	index, _ := kind.Index(q.Index)
	rec := page.Records[i]
	return &store.Cursor{Key: kind.Value(rec, index.Keys[len(index.Keys)-1]), Name: rec.Name}
}

func (r *Resource[T]) listResponse(req protoreflect.Message, docs []T, token string) (proto.Message, error) {
	out, err := responseOf(req)
	if err != nil {
		return nil, err
	}
	fields := out.Descriptor().Fields()
	list := out.Mutable(fields.ByName(protoreflect.Name(r.plural))).List()
	for _, doc := range docs {
		list.Append(protoreflect.ValueOfMessage(doc.ProtoReflect()))
	}
	out.Set(fields.ByName("next_page_token"), protoreflect.ValueOfString(token))
	return out.Interface(), nil
}

func (r *Resource[T]) sealPageToken(ctx context.Context, at *store.Cursor, fingerprint []byte) (string, error) {
	if at == nil {
		return "", nil
	}
	t := &storagev1.PageToken{
		Principal:  r.principalHash(ctx),
		Request:    fingerprint,
		Name:       at.Name,
		ExpireTime: timestamppb.New(r.deps.Clock().Add(pageTokenLife)),
	}
	switch v := at.Key.(type) {
	case string:
		t.Cursor = &storagev1.Value{Kind: &storagev1.Value_Text{Text: v}}
	case int64:
		t.Cursor = &storagev1.Value{Kind: &storagev1.Value_Number{Number: v}}
	}
	return r.deps.Tokens.Seal(pageTokenUse, t)
}

func (r *Resource[T]) openPageToken(ctx context.Context, text string, fingerprint []byte) (*store.Cursor, error) {
	if text == "" {
		return nil, nil
	}
	var t storagev1.PageToken
	if err := r.deps.Tokens.Open(pageTokenUse, text, &t); err != nil {
		return nil, fault.Invalid("page_token", "PAGE_TOKEN_INVALID", "is not a token this service gave")
	}
	switch {
	case subtle.ConstantTimeCompare(t.GetPrincipal(), r.principalHash(ctx)) != 1:
		return nil, fault.Invalid("page_token", "PAGE_TOKEN_FOREIGN", "was given to another caller")
	case subtle.ConstantTimeCompare(t.GetRequest(), fingerprint) != 1:
		return nil, fault.Invalid("page_token", "PAGE_TOKEN_MISMATCH", "was given for another request: only page_size may differ between pages")
	case !r.deps.Clock().Before(t.GetExpireTime().AsTime()):
		return nil, fault.Invalid("page_token", "PAGE_TOKEN_EXPIRED", "has expired; start again from the first page")
	}
	c := &store.Cursor{Name: t.GetName()}
	switch v := t.GetCursor().GetKind().(type) {
	case *storagev1.Value_Text:
		c.Key = v.Text
	case *storagev1.Value_Number:
		c.Key = v.Number
	}
	return c, nil
}

func (r *Resource[T]) principalHash(ctx context.Context) []byte {
	sum := sha256.Sum256([]byte(r.deps.Principal(ctx)))
	return sum[:16]
}

// requestHash stands for everything in a list request that must stay the same
// from page to page.
func requestHash(m protoreflect.Message) []byte {
	c := proto.Clone(m.Interface()).ProtoReflect()
	for _, name := range []protoreflect.Name{"page_size", "page_token"} {
		c.Clear(c.Descriptor().Fields().ByName(name))
	}
	h := sha256.New()
	h.Write([]byte(c.Descriptor().FullName()))
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.Interface())
	if err != nil {
		return nil // cannot be: the message was just decoded
	}
	h.Write(raw)
	return h.Sum(nil)[:16]
}
