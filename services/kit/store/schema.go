package store

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
)

// KeyType is the type of an index key.
type KeyType int

const (
	// Text keys hold strings, compared byte by byte.
	Text KeyType = iota + 1
	// Number keys hold int64.
	Number
)

// Key is a value that is drawn from a body to order or find records by.
type Key struct {
	// Name is lower_snake_case and not one of the built-in ones.
	Name string
	Type KeyType
	// Of draws the value: a string or an int64 as Type says. It must not depend
	// on anything but the body.
	Of func(body proto.Message) Value
}

// Built-in keys, which need no declaration. KeyCreateTime and KeyUpdateTime are
// milliseconds since 1970.
const (
	KeyName       = "name"
	KeyParent     = "parent"
	KeyOwner      = "owner"
	KeyCreateTime = "create_time"
	KeyUpdateTime = "update_time"
)

// Index is a way to list records: equality on all keys but the last, order and
// range on the last, ties broken by name.
type Index struct {
	Name string
	// Keys are built-in or declared key names, at least one.
	Keys []string
}

// Kind declares one kind of record.
type Kind struct {
	// Name is the collection segment of resource names, such as "setbacks".
	Name string
	// New makes an empty body.
	New     func() proto.Message
	Keys    []Key
	Indexes []Index
}

// Schema is all kinds of one store.
type Schema struct {
	// Version of the schema, from 1. A store written by a newer version is
	// refused with ErrNewerSchema; one written by an older is upgraded: new keys
	// and indexes are filled in from the bodies.
	Version int
	Kinds   []Kind
}

// AbsentNumber stands for an absent field in a Number key.
const AbsentNumber int64 = math.MinInt64

// KeyType gives the type of a built-in or declared key; 0 when there is none.
func (k Kind) KeyType(name string) KeyType {
	switch name {
	case KeyName, KeyParent, KeyOwner:
		return Text
	case KeyCreateTime, KeyUpdateTime:
		return Number
	}
	for _, key := range k.Keys {
		if key.Name == name {
			return key.Type
		}
	}
	return 0
}

// Value gives the value of a built-in or declared key of a record.
func (k Kind) Value(r Record, name string) Value {
	switch name {
	case KeyName:
		return r.Name
	case KeyParent:
		return r.Parent
	case KeyOwner:
		return r.Owner
	case KeyCreateTime:
		return r.CreateTime.UnixMilli()
	case KeyUpdateTime:
		return r.UpdateTime.UnixMilli()
	}
	for _, key := range k.Keys {
		if key.Name == name {
			return key.Of(r.Body)
		}
	}
	return nil
}

// Index finds a declared index.
func (k Kind) Index(name string) (Index, bool) {
	i := slices.IndexFunc(k.Indexes, func(x Index) bool { return x.Name == name })
	if i < 0 {
		return Index{}, false
	}
	return k.Indexes[i], true
}

// Kind finds a declared kind.
func (s Schema) Kind(name string) (Kind, bool) {
	i := slices.IndexFunc(s.Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return s.Kinds[i], true
}

// Check says what is wrong with a schema, or nil.
func (s Schema) Check() error {
	if s.Version < 1 {
		return fmt.Errorf("%w: schema version %d", ErrInvalid, s.Version)
	}
	seen := map[string]bool{}
	for _, k := range s.Kinds {
		if k.Name == "" || k.New == nil || seen[k.Name] {
			return fmt.Errorf("%w: kind %q has no name or body, or is declared twice", ErrInvalid, k.Name)
		}
		seen[k.Name] = true
		for _, x := range k.Indexes {
			if len(x.Keys) == 0 {
				return fmt.Errorf("%w: index %s.%s has no keys", ErrInvalid, k.Name, x.Name)
			}
			for _, key := range x.Keys {
				if k.KeyType(key) == 0 {
					return fmt.Errorf("%w: index %s.%s has the undeclared key %q", ErrInvalid, k.Name, x.Name, key)
				}
			}
		}
	}
	return nil
}

// CheckNames says whether a record's name begins with its parent and its owner,
// as listing along names takes for granted.
func CheckNames(r Record) error {
	if r.Parent != "" && !strings.HasPrefix(r.Name, r.Parent+"/") || r.Name != r.Owner && !strings.HasPrefix(r.Name, r.Owner+"/") {
		return fmt.Errorf("%w: a name has to begin with its parent and its owner", ErrInvalid)
	}
	return nil
}

// Resolve checks a query against the schema and finds its kind and index.
func (s Schema) Resolve(q Query) (Kind, Index, error) {
	k, ok := s.Kind(q.Kind)
	if !ok {
		return Kind{}, Index{}, fmt.Errorf("%w: no kind %q", ErrInvalid, q.Kind)
	}
	x, ok := k.Index(q.Index)
	if !ok {
		return Kind{}, Index{}, fmt.Errorf("%w: no index %s.%s", ErrInvalid, q.Kind, q.Index)
	}
	if q.Limit < 1 || q.Limit > MaxPage {
		return Kind{}, Index{}, fmt.Errorf("%w: limit %d is not in 1..%d", ErrInvalid, q.Limit, MaxPage)
	}
	last := len(x.Keys) - 1
	if len(q.Prefix) != last {
		return Kind{}, Index{}, fmt.Errorf("%w: index %s.%s wants %d prefix values, got %d", ErrInvalid, q.Kind, q.Index, last, len(q.Prefix))
	}
	for i, v := range q.Prefix {
		if !fits(v, k.KeyType(x.Keys[i])) {
			return Kind{}, Index{}, fmt.Errorf("%w: key %s has the wrong type of value", ErrInvalid, x.Keys[i])
		}
	}
	bounds := []Value{q.From, q.Until}
	if q.After != nil {
		bounds = append(bounds, q.After.Key)
		if q.After.Key == nil {
			return Kind{}, Index{}, fmt.Errorf("%w: cursor without a value", ErrInvalid)
		}
	}
	for _, v := range bounds {
		if v != nil && !fits(v, k.KeyType(x.Keys[last])) {
			return Kind{}, Index{}, fmt.Errorf("%w: key %s has the wrong type of value", ErrInvalid, x.Keys[last])
		}
	}
	return k, x, nil
}

func fits(v Value, t KeyType) bool {
	switch v.(type) {
	case string:
		return t == Text
	case int64:
		return t == Number
	}
	return false
}

// PartitionOf gives the partition of an owner among n.
func PartitionOf(owner string, n int) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(owner)) // a hash's Write never fails
	return int(h.Sum64() % uint64(n))
}
