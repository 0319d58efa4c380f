package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// apply does one write inside the transaction. The result carries what the
// contract names; an error is the file's failure and ends the group.
func (g *group) apply(ctx context.Context, p *prepared) (store.Result, error) {
	res := store.Result{Record: p.record}
	if p.err != nil {
		res.Err = p.err
		return res, nil //nolint:nilerr // the write fails alone, not the group
	}
	var err error
	switch p.op {
	case store.Insert:
		res, err = g.insert(ctx, p)
	case store.Replace:
		res, err = g.replace(ctx, p)
	case store.Delete:
		res, err = g.remove(ctx, p)
	}
	if err == nil && res.Err == nil && !res.Replayed {
		g.publish(p.events)
	}
	return res, err
}

func (g *group) insert(ctx context.Context, p *prepared) (store.Result, error) {
	before := g.revision
	r := p.record
	r.Revision = g.nextRevision(r)
	args := append([]any{r.Name, r.Parent, r.Owner, r.RequestID, r.Revision,
		r.CreateTime.UnixMilli(), r.UpdateTime.UnixMilli(), p.body, r.Sealed}, p.keys...)
	changed, err := affected(g.w.stmts[p.table.insert].ExecContext(ctx, args...))
	if err != nil {
		return store.Result{}, err
	}
	if changed == 1 {
		return store.Result{Record: normal(r)}, nil
	}
	g.revision = before
	if r.RequestID == "" {
		return store.Result{Record: p.record, Err: store.ErrExists}, nil
	}
	there, err := scan(p.table, g.w.stmts[p.table.get].QueryRowContext(ctx, r.Name).Scan)
	if err != nil {
		return store.Result{}, err
	}
	if there.RequestID != r.RequestID {
		return store.Result{Record: p.record, Err: store.ErrExists}, nil
	}
	return store.Result{Record: there, Replayed: true}, nil
}

func (g *group) replace(ctx context.Context, p *prepared) (store.Result, error) {
	before := g.revision
	r := p.record
	r.Revision = g.nextRevision(r)
	args := append([]any{r.Revision, r.UpdateTime.UnixMilli(), p.body, r.Sealed}, p.keys...)
	args = append(args, r.Name, p.record.Revision)
	// Mostly the caller has the record as it was, and nothing has to be read back: an
	// UPDATE that returns rows costs more.
	changed, err := affected(g.w.stmts[p.table.replaceSame].ExecContext(ctx, append(args, r.CreateTime.UnixMilli(), r.RequestID)...))
	if err != nil {
		return store.Result{}, err
	}
	if changed == 1 {
		return store.Result{Record: normal(r)}, nil
	}
	var created int64
	err = g.w.stmts[p.table.replace].QueryRowContext(ctx, args...).Scan(&created, &r.RequestID)
	if errors.Is(err, sql.ErrNoRows) {
		g.revision = before
		return g.missed(ctx, p)
	}
	if err != nil {
		return store.Result{}, err
	}
	r.CreateTime = time.UnixMilli(created)
	return store.Result{Record: normal(r)}, nil
}

func (g *group) remove(ctx context.Context, p *prepared) (store.Result, error) {
	changed, err := affected(g.w.stmts[p.table.remove].ExecContext(ctx, p.record.Name, p.record.Revision))
	if err != nil {
		return store.Result{}, err
	}
	if changed == 0 {
		return g.missed(ctx, p)
	}
	// The counter has passed the deleted record's revision already: whatever
	// gets this name next is above it.
	return store.Result{Record: p.record}, nil
}

// missed tells why a conditional write found nothing to write.
func (g *group) missed(ctx context.Context, p *prepared) (store.Result, error) {
	_, err := scan(p.table, g.w.stmts[p.table.get].QueryRowContext(ctx, p.record.Name).Scan)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.Result{Record: p.record, Err: store.ErrNotFound}, nil
	case err != nil:
		return store.Result{}, err
	}
	return store.Result{Record: p.record, Err: store.ErrConflict}, nil
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// normal brings a record's instants to the form in which reads give them.
func normal(r store.Record) store.Record {
	r.CreateTime = time.UnixMilli(r.CreateTime.UnixMilli()).UTC()
	r.UpdateTime = time.UnixMilli(r.UpdateTime.UnixMilli()).UTC()
	return r
}

// scan reads a record by the table's columns.
func scan(t *table, row func(...any) error) (store.Record, error) {
	r := store.Record{Kind: t.kind.Name}
	var created, updated int64
	var body []byte
	if err := row(&r.Name, &r.Parent, &r.Owner, &r.RequestID, &r.Revision, &created, &updated, &body, &r.Sealed); err != nil {
		return r, err
	}
	r.CreateTime, r.UpdateTime = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	var err error
	r.Body, err = t.decode(body)
	return r, err
}
