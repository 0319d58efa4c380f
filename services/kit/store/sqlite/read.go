package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// Get implements store.Documents.
func (s *Store) Get(ctx context.Context, kind, name string) (store.Record, error) {
	t, err := s.table(kind)
	if err != nil {
		return store.Record{}, err
	}
	st, err := s.reads.get(ctx, t.get)
	if err != nil {
		return store.Record{}, err
	}
	r, err := scan(t, st.QueryRowContext(unhurried(ctx), name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Record{}, store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, unavailable(err)
	}
	return r, nil
}

func (s *Store) table(kind string) (*table, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	t := s.tables[kind]
	if t == nil {
		return nil, fmt.Errorf("%w: no kind %q", store.ErrInvalid, kind)
	}
	return t, nil
}

// GetBatch implements store.Documents.
func (s *Store) GetBatch(ctx context.Context, kind string, names []string) (map[string]store.Record, error) {
	t, err := s.table(kind)
	if err != nil {
		return nil, err
	}
	if len(names) > store.MaxPage {
		return nil, fmt.Errorf("%w: %d names are more than %d", store.ErrInvalid, len(names), store.MaxPage)
	}
	out := make(map[string]store.Record, len(names))
	if len(names) == 0 {
		return out, nil
	}
	// Round up to a power of two, repeating the last name, so that few
	// statements are prepared.
	size := 1
	for size < len(names) {
		size *= 2
	}
	args := make([]any, size)
	for i := range args {
		args[i] = names[min(i, len(names)-1)]
	}
	text := fmt.Sprintf("SELECT %s FROM %s WHERE name IN (?%s)", t.columns, t.name, strings.Repeat(", ?", size-1))
	records, err := s.query(ctx, t, text, args, len(names))
	for _, r := range records {
		out[r.Name] = r
	}
	return out, err
}

// List implements store.Documents.
func (s *Store) List(ctx context.Context, q store.Query) (store.Page, error) {
	t, err := s.table(q.Kind)
	if err != nil {
		return store.Page{}, err
	}
	kind, index, err := s.schema.Resolve(q)
	if err != nil {
		return store.Page{}, err
	}
	text, args := t.list(index, q)
	records, err := s.query(ctx, t, text, append(args, q.Limit+1), q.Limit+1)
	if err != nil {
		return store.Page{}, err
	}
	page := store.Page{Records: records}
	if len(records) > q.Limit {
		page.Records = records[:q.Limit]
		last := records[q.Limit-1]
		page.Next = &store.Cursor{Key: kind.Value(last, index.Keys[len(index.Keys)-1]), Name: last.Name}
	}
	return page, nil
}

// list builds the statement of a query: its shape alone decides its text, so
// that there are few.
func (t *table) list(x store.Index, q store.Query) (string, []any) {
	if byName(x) {
		return t.listNames(x, q)
	}
	last := column(x.Keys[len(x.Keys)-1])
	above, direction := ">", "ASC"
	if q.Descending {
		above, direction = "<", "DESC"
	}
	var where []string
	var args []any
	add := func(cond string, values ...any) { where, args = append(where, cond), append(args, values...) }
	for i, v := range q.Prefix {
		add(column(x.Keys[i])+" = ?", v)
	}
	if q.From != nil {
		add(last+" >= ?", q.From)
	}
	if q.Until != nil {
		add(last+" < ?", q.Until)
	}
	order := fmt.Sprintf("%s %s, name %s", last, direction, direction)
	switch {
	case last == store.KeyName: // it breaks its own ties
		order = "name " + direction
		if q.After != nil {
			add("name "+above+" ?", q.After.Name)
		}
	case q.After != nil:
		add(fmt.Sprintf("(%s, name) %s (?, ?)", last, above), q.After.Key, q.After.Name)
	}
	condition := ""
	if len(where) > 0 {
		condition = " WHERE " + strings.Join(where, " AND ")
	}
	name, _ := t.index(x)
	return fmt.Sprintf(`SELECT %s FROM %s INDEXED BY "%s"%s ORDER BY %s LIMIT ?`, t.columns, t.name, name, condition, order), args
}

// listNames builds the statement of a query along the names of a parent or owner:
// one range of names, of all the bounds the tightest, since SQLite would use any
// one of them and look through the rest.
func (t *table) listNames(x store.Index, q store.Query) (string, []any) {
	prefix, _ := q.Prefix[0].(string)
	low, lowOp := prefix+"/", ">"
	high := prefix + "0" // what follows the slash
	if from, ok := q.From.(string); ok && from > low {
		low, lowOp = from, ">="
	}
	if until, ok := q.Until.(string); ok {
		high = min(high, until)
	}
	direction := "ASC"
	if q.Descending {
		direction = "DESC"
	}
	switch {
	case q.After == nil:
	case q.Descending:
		high = min(high, q.After.Name)
	case q.After.Name >= low:
		low, lowOp = q.After.Name, ">"
	}
	return fmt.Sprintf(`SELECT %s FROM %s INDEXED BY "%s" WHERE name %s ? AND name < ? AND %s = ? ORDER BY name %s LIMIT ?`,
		t.columns, t.name, t.nameIndex(), lowOp, column(x.Keys[0]), direction), []any{low, high, prefix}
}

func (s *Store) query(ctx context.Context, t *table, text string, args []any, size int) (out []store.Record, err error) {
	st, err := s.reads.get(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(unhurried(ctx), args...)
	if err != nil {
		return nil, unavailable(err)
	}
	defer func() {
		if cerr := rows.Close(); err == nil && cerr != nil {
			err = unavailable(cerr)
		}
	}()
	out = make([]store.Record, 0, size)
	for rows.Next() {
		r, err := scan(t, rows.Scan)
		if err != nil {
			return nil, unavailable(err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}
