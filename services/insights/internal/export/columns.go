// Package export writes insights, and reports on cohorts, as files: as lines of
// JSON, CSV or Parquet, in a zip file that says what is in it.
package export

import (
	"encoding/json"
	"slices"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rebound-hq/rebound/services/kit/localdate"
)

// valueType is what a column holds, by the name that manifests tell.
type valueType string

const (
	text      valueType = "string"
	boolean   valueType = "bool"
	integer   valueType = "int32"
	long      valueType = "int64"
	double    valueType = "double"
	timestamp valueType = "timestamp"
	date      valueType = "date"
	// document is what has no form of its own in a table, as JSON.
	document valueType = "json"
)

// column is one column of a table. All may be null: files that were written before
// there was a column have none of it.
type column struct {
	name string
	is   valueType
	list bool
	// value takes the column's value out of a message.
	value func(protoreflect.Message) (cell, error)
}

// typeName is what the column holds, as manifests tell.
func (c column) typeName() string {
	if c.list {
		return "list<" + string(c.is) + ">"
	}
	return string(c.is)
}

// cell is a value in a table; the zero cell is null.
type cell struct {
	set bool
	// n is a bool (0 or 1), an integer, milliseconds since 1970 or days since 1970.
	n int64
	f float64
	// s is a string or JSON.
	s    string
	list []cell
}

func textCell(s string) cell { return cell{set: true, s: s} }

// maxDepth is how many messages lie in one another at most in columns of their own;
// what lies deeper is JSON.
const maxDepth = 5

// flatten gives the columns of a message type, in the order of its fields. Those of
// a message in it begin with the name of its field.
func flatten(md protoreflect.MessageDescriptor) []column {
	var out []column
	var walk func(md protoreflect.MessageDescriptor, prefix string, path []protoreflect.FieldDescriptor)
	walk = func(md protoreflect.MessageDescriptor, prefix string, path []protoreflect.FieldDescriptor) {
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			k := typeOf(fd)
			c := column{name: prefix + string(fd.Name()), is: k, list: fd.IsList() && k != document, value: reader(append(slices.Clone(path), fd), k)}
			if k == document && fd.Message() != nil && fd.Cardinality() != protoreflect.Repeated && ours(fd.Message()) && len(path)+1 < maxDepth {
				walk(fd.Message(), c.name+"_", append(slices.Clone(path), fd))
				continue
			}
			out = append(out, c)
		}
	}
	walk(md, "", nil)
	return out
}

// ours tells message types whose fields have names that mean something alone from
// those of protobuf itself.
func ours(md protoreflect.MessageDescriptor) bool {
	return md.FullName().Parent() != "google.protobuf"
}

// typeOf is the type of a field's values.
func typeOf(fd protoreflect.FieldDescriptor) valueType {
	if fd.IsMap() {
		return document
	}
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.EnumKind:
		return text
	case protoreflect.BoolKind:
		return boolean
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return integer
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return long
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return double
	case protoreflect.MessageKind:
		switch fd.Message().FullName() {
		case "google.protobuf.Timestamp":
			return timestamp
		case "google.type.Date":
			return date
		}
	}
	return document
}

// reader takes the value at the end of a path out of a message.
func reader(path []protoreflect.FieldDescriptor, k valueType) func(protoreflect.Message) (cell, error) {
	way, last := path[:len(path)-1], path[len(path)-1]
	return func(m protoreflect.Message) (cell, error) {
		for _, fd := range way {
			if !m.Has(fd) {
				return cell{}, nil
			}
			m = m.Get(fd).Message()
		}
		switch {
		case last.HasPresence() && !m.Has(last):
			return cell{}, nil
		case k == document:
			return documentCell(m, last)
		case last.IsList():
			list := m.Get(last).List()
			c := cell{set: true, list: make([]cell, list.Len())}
			for i := range c.list {
				c.list[i] = cellOf(last, k, list.Get(i))
			}
			return c, nil
		}
		return cellOf(last, k, m.Get(last)), nil
	}
}

// cellOf is a value of a field. A text that is empty is null, and so is a date that
// does not exist.
func cellOf(fd protoreflect.FieldDescriptor, k valueType, v protoreflect.Value) cell {
	switch k {
	case boolean:
		if v.Bool() {
			return cell{set: true, n: 1}
		}
		return cell{set: true}
	case integer:
		return cell{set: true, n: v.Int()}
	case long:
		if fd.Kind() == protoreflect.Uint32Kind || fd.Kind() == protoreflect.Fixed32Kind {
			return cell{set: true, n: int64(v.Uint())}
		}
		return cell{set: true, n: v.Int()}
	case double:
		return cell{set: true, f: v.Float()}
	case timestamp:
		return cell{set: true, n: v.Message().Interface().(*timestamppb.Timestamp).AsTime().UnixMilli()}
	case date:
		d := v.Message().Interface().(*datepb.Date)
		if !localdate.Valid(d) {
			return cell{}
		}
		return cell{set: true, n: int64(localdate.Days(d))}
	}
	if fd.Enum() != nil {
		return textCell(enumName(fd.Enum(), v.Enum()))
	}
	return cell{set: v.String() != "", s: v.String()}
}

// enumName is a value as JSON shows it: by name, or by number when it has none.
func enumName(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	if value := ed.Values().ByNumber(n); value != nil {
		return string(value.Name())
	}
	return protoreflect.ValueOfInt32(int32(n)).String()
}

// documentCell is one field of a message as JSON.
func documentCell(m protoreflect.Message, fd protoreflect.FieldDescriptor) (cell, error) {
	if !m.Has(fd) { // an empty list or map
		return cell{}, nil
	}
	one := m.New()
	one.Set(fd, m.Get(fd))
	line, err := lineOf(one.Interface())
	if err != nil {
		return cell{}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return cell{}, err
	}
	return textCell(string(fields[fd.JSONName()])), nil
}

// lineJSON is the JSON of the API.
var lineJSON = protojson.MarshalOptions{EmitDefaultValues: true}

// lineOf is a message as the API shows it, on one line, always with the same bytes.
func lineOf(m proto.Message) ([]byte, error) {
	line, err := lineJSON.Marshal(m)
	if err != nil {
		return nil, err
	}
	return compact(line)
}
