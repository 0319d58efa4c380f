package sqlite

import (
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/rebound-hq/rebound/services/kit/store"
)

// identifier is what a kind, key or index may be called: names become part of
// statements.
var identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)

// table is how one kind lies in the file: a row per record, a column per
// declared key, an SQL index per declared index.
type table struct {
	kind    store.Kind
	name    string
	insert  string
	replace string
	// replaceSame does nothing unless create time and request id are as they are given.
	replaceSame string
	remove      string
	get         string
	columns     string
}

func newTable(k store.Kind) (*table, error) {
	names := []string{k.Name}
	for _, key := range k.Keys {
		names = append(names, key.Name)
	}
	for _, x := range k.Indexes {
		names = append(names, x.Name)
	}
	for _, n := range names {
		if !identifier.MatchString(n) {
			return nil, fmt.Errorf("%w: %q is no identifier", store.ErrInvalid, n)
		}
	}
	t := &table{kind: k, name: `"r_` + k.Name + `"`}
	t.columns = "name, parent, owner, request_id, revision, create_time, update_time, body, sealed"
	keyColumns, keySets, marks := "", "", strings.Repeat("?, ", 8)+"?"
	for _, key := range k.Keys {
		keyColumns += ", " + column(key.Name)
		keySets += ", " + column(key.Name) + " = ?"
		marks += ", ?"
	}
	t.insert = fmt.Sprintf("INSERT INTO %s (%s%s) VALUES (%s) ON CONFLICT (name) DO NOTHING", t.name, t.columns, keyColumns, marks)
	update := fmt.Sprintf("UPDATE %s SET revision = ?, update_time = ?, body = ?, sealed = ?%s WHERE name = ? AND revision = ?", t.name, keySets)
	t.replace = update + " RETURNING create_time, request_id"
	t.replaceSame = update + " AND create_time = ? AND request_id = ?"
	t.remove = fmt.Sprintf("DELETE FROM %s WHERE name = ? AND revision = ?", t.name)
	t.get = fmt.Sprintf("SELECT %s FROM %s WHERE name = ?", t.columns, t.name)
	return t, nil
}

// column is the column of a built-in or declared key.
func column(key string) string {
	switch key {
	case store.KeyName, store.KeyParent, store.KeyOwner, store.KeyCreateTime, store.KeyUpdateTime:
		return key
	}
	return `"k_` + key + `"`
}

// create is the statement that makes the table.
func (t *table) create() string {
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
		name TEXT NOT NULL PRIMARY KEY, parent TEXT NOT NULL, owner TEXT NOT NULL,
		request_id TEXT NOT NULL, revision INTEGER NOT NULL,
		create_time INTEGER NOT NULL, update_time INTEGER NOT NULL,
		body BLOB NOT NULL, sealed BLOB)`, t.name)
}

// addColumn is the statement that adds a declared key's column.
func (t *table) addColumn(key store.Key) string {
	typ := "TEXT NOT NULL DEFAULT ''"
	if key.Type == store.Number {
		typ = fmt.Sprintf("INTEGER NOT NULL DEFAULT (%d)", store.AbsentNumber)
	}
	return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", t.name, column(key.Name), typ)
}

// byName tells whether an index goes along all names of a parent or an owner:
// names begin with both, so the one that comes with the primary key serves it, and
// no write has to keep another.
func byName(x store.Index) bool {
	return len(x.Keys) == 2 && (x.Keys[0] == store.KeyParent || x.Keys[0] == store.KeyOwner) && x.Keys[1] == store.KeyName
}

// nameIndex is the index that comes with the primary key.
func (t *table) nameIndex() string { return "sqlite_autoindex_" + strings.Trim(t.name, `"`) + "_1" }

// index gives name and statement of a declared index that is not byName. The record's name, at its
// end, breaks ties.
func (t *table) index(x store.Index) (name, create string) {
	columns := make([]string, 0, len(x.Keys)+1)
	for _, key := range x.Keys {
		columns = append(columns, column(key))
	}
	if x.Keys[len(x.Keys)-1] != store.KeyName {
		columns = append(columns, "name")
	}
	name = "i_" + t.kind.Name + "_" + x.Name
	return name, fmt.Sprintf(`CREATE INDEX "%s" ON %s (%s)`, name, t.name, strings.Join(columns, ", "))
}

// keyValues draws the declared keys out of a record, in the order of the columns.
func (t *table) keyValues(r store.Record) []any {
	out := make([]any, len(t.kind.Keys))
	for i, key := range t.kind.Keys {
		out[i] = key.Of(r.Body)
	}
	return out
}

func (t *table) decode(body []byte) (proto.Message, error) {
	m := t.kind.New()
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("sqlite: a record of kind %s cannot be decoded: %w", t.kind.Name, err)
	}
	return m, nil
}
