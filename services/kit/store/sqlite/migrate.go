package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// layout is the version of what this package itself puts into the file.
const layout = 1

// metadata is what the file says about itself.
type metadata struct {
	id       string
	heads    []int64
	maxTimes []int64
	floors   []store.Floor
	revision int64
}

// eventsTable holds a row for the events that one transaction adds to one
// partition, under the id of the last of them. It needs no index but its own
// order.
const eventsTable = `CREATE TABLE IF NOT EXISTS events (
	id INTEGER NOT NULL PRIMARY KEY, first INTEGER NOT NULL,
	max_time INTEGER NOT NULL, payload BLOB NOT NULL)`

// migrate brings the file to the schema, in one transaction: either all of it
// or nothing.
func migrate(ctx context.Context, db *sql.DB, o Options, tables map[string]*table) (meta metadata, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return meta, fmt.Errorf("sqlite: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err = tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)"); err != nil {
		return meta, err
	}
	partitions, err := migrateMeta(ctx, tx, o, &meta)
	if err != nil {
		return meta, err
	}
	if _, err = tx.ExecContext(ctx, eventsTable); err != nil {
		return meta, err
	}
	for _, k := range o.Schema.Kinds {
		if err = migrateKind(ctx, tx, tables[k.Name]); err != nil {
			return meta, fmt.Errorf("sqlite: kind %s: %w", k.Name, err)
		}
	}
	if err = readHeads(ctx, tx, partitions, &meta); err != nil {
		return meta, err
	}
	if meta.floors, err = readFloors(ctx, tx, partitions); err != nil {
		return meta, err
	}
	return meta, tx.Commit()
}

func migrateMeta(ctx context.Context, tx *sql.Tx, o Options, meta *metadata) (partitions int, err error) {
	if o.Partitions == 0 {
		o.Partitions = store.DefaultPartitions
	}
	fresh := map[string]string{
		"id": "", "layout": strconv.Itoa(layout), "schema": strconv.Itoa(o.Schema.Version),
		"partitions": strconv.Itoa(o.Partitions), "revision": "0",
	}
	found := map[string]string{}
	for key, value := range fresh {
		var have string
		err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&have)
		if errors.Is(err, sql.ErrNoRows) {
			if key == "id" {
				value = o.NewID()
			}
			_, err = tx.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES (?, ?)", key, value)
			have = value
		}
		if err != nil {
			return 0, err
		}
		found[key] = have
	}
	number := func(key string) int64 {
		n, perr := strconv.ParseInt(found[key], 10, 64)
		if perr != nil {
			err = fmt.Errorf("sqlite: meta %s is not a number", key)
		}
		return n
	}
	have, schema := number("layout"), number("schema")
	meta.id, meta.revision = found["id"], number("revision")
	partitions = int(number("partitions"))
	switch {
	case err != nil:
		return 0, err
	case have > layout || schema > int64(o.Schema.Version):
		return 0, fmt.Errorf("%w: it has schema %d of layout %d, this release knows %d of %d", store.ErrNewerSchema, schema, have, o.Schema.Version, layout)
	case schema < int64(o.Schema.Version):
		_, err = tx.ExecContext(ctx, "UPDATE meta SET value = ? WHERE key = 'schema'", strconv.Itoa(o.Schema.Version))
	}
	return partitions, err
}

// migrateKind makes a kind's table, adds the columns of new keys and fills them
// from the bodies, and makes the indexes what is declared.
func migrateKind(ctx context.Context, tx *sql.Tx, t *table) error {
	if _, err := tx.ExecContext(ctx, t.create()); err != nil {
		return err
	}
	have, err := stringsOf(ctx, tx, "SELECT name FROM pragma_table_info(?)", strings.Trim(t.name, `"`))
	if err != nil {
		return err
	}
	added := false
	for _, key := range t.kind.Keys {
		if !have[strings.Trim(column(key.Name), `"`)] {
			added = true
			if _, err := tx.ExecContext(ctx, t.addColumn(key)); err != nil {
				return err
			}
		}
	}
	if added {
		if err := backfill(ctx, tx, t); err != nil {
			return err
		}
	}
	return migrateIndexes(ctx, tx, t)
}

// backfillBatch is how many records are held in memory at once.
const backfillBatch = 500

func backfill(ctx context.Context, tx *sql.Tx, t *table) error {
	sets := make([]string, len(t.kind.Keys))
	for i, key := range t.kind.Keys {
		sets[i] = column(key.Name) + " = ?"
	}
	update := fmt.Sprintf( //nolint:gosec // names were checked to be identifiers
		"UPDATE %s SET %s WHERE name = ?", t.name, strings.Join(sets, ", "))
	for after, first := "", true; ; first = false {
		names, bodies, err := nextBodies(ctx, tx, t, after, first)
		if err != nil {
			return err
		}
		for i, name := range names {
			m, err := t.decode(bodies[i])
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, update, append(t.keyValues(store.Record{Body: m}), name)...); err != nil {
				return err
			}
			after = name
		}
		if len(names) < backfillBatch {
			return nil
		}
	}
}

func nextBodies(ctx context.Context, tx *sql.Tx, t *table, after string, first bool) (names []string, bodies [][]byte, err error) {
	op := ">"
	if first {
		op = ">="
	}
	rows, err := tx.QueryContext(ctx, fmt.Sprintf("SELECT name, body FROM %s WHERE name %s ? ORDER BY name LIMIT %d", t.name, op, backfillBatch), after)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		var body []byte
		if err := rows.Scan(&name, &body); err != nil {
			return nil, nil, err
		}
		names, bodies = append(names, name), append(bodies, body)
	}
	return names, bodies, rows.Err()
}

func migrateIndexes(ctx context.Context, tx *sql.Tx, t *table) error {
	have, err := pairsOf(ctx, tx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?", strings.Trim(t.name, `"`))
	if err != nil {
		return err
	}
	for _, x := range t.kind.Indexes {
		if byName(x) {
			continue
		}
		name, create := t.index(x)
		if have[name] == create {
			delete(have, name)
			continue
		}
		if _, ok := have[name]; ok {
			if _, err := tx.ExecContext(ctx, `DROP INDEX "`+name+`"`); err != nil {
				return err
			}
			delete(have, name)
		}
		if _, err := tx.ExecContext(ctx, create); err != nil {
			return err
		}
	}
	for name := range have { // no longer declared
		if _, err := tx.ExecContext(ctx, `DROP INDEX "`+name+`"`); err != nil {
			return err
		}
	}
	return nil
}

func readHeads(ctx context.Context, tx *sql.Tx, partitions int, meta *metadata) error {
	meta.heads, meta.maxTimes = make([]int64, partitions), make([]int64, partitions)
	for p := range partitions {
		var id int64
		err := tx.QueryRowContext(ctx, lastRow, eventID(p, 0), eventID(p+1, 0)).Scan(&id, &meta.maxTimes[p])
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		meta.heads[p] = id - eventID(p, 0)
	}
	return nil
}

func stringsOf(ctx context.Context, tx *sql.Tx, text string, arg any) (map[string]bool, error) {
	pairs, err := pairsOf(ctx, tx, "SELECT name, '' FROM ("+text+")", arg)
	out := map[string]bool{}
	for name := range pairs {
		out[name] = true
	}
	return out, err
}

func pairsOf(ctx context.Context, tx *sql.Tx, text string, arg any) (out map[string]string, err error) {
	rows, err := tx.QueryContext(ctx, text, arg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = map[string]string{}
	for rows.Next() {
		var a, b string
		if err := rows.Scan(&a, &b); err != nil {
			return nil, err
		}
		out[a] = b
	}
	return out, rows.Err()
}
