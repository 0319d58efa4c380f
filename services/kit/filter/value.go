package filter

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"go.einride.tech/aip/filtering"
	expr "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rebound-hq/rebound/services/kit/localdate"
)

type kind int

const (
	text kind = iota + 1
	number
	boolean
	enum
	instant
	date
)

func kindOf(fd protoreflect.FieldDescriptor) kind {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return text
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.FloatKind, protoreflect.DoubleKind:
		return number
	case protoreflect.BoolKind:
		return boolean
	case protoreflect.EnumKind:
		return enum
	case protoreflect.MessageKind:
		switch fd.Message().FullName() {
		case "google.protobuf.Timestamp":
			return instant
		case "google.type.Date":
			return date
		}
	}
	return 0
}

// literalOf gives the value on the right as it was written.
func literalOf(e *expr.Expr) (string, bool) {
	switch k := e.GetExprKind().(type) {
	case *expr.Expr_ConstExpr:
		switch c := k.ConstExpr.GetConstantKind().(type) {
		case *expr.Constant_StringValue:
			return c.StringValue, true
		case *expr.Constant_Int64Value:
			return strconv.FormatInt(c.Int64Value, 10), true
		case *expr.Constant_DoubleValue:
			return strconv.FormatFloat(c.DoubleValue, 'g', -1, 64), true
		case *expr.Constant_BoolValue:
			return strconv.FormatBool(c.BoolValue), true
		}
	case *expr.Expr_IdentExpr:
		return k.IdentExpr.GetName(), true
	case *expr.Expr_CallExpr:
		if k.CallExpr.GetFunction() == filtering.FunctionTimestamp && len(k.CallExpr.GetArgs()) == 1 {
			return literalOf(k.CallExpr.GetArgs()[0])
		}
	}
	return "", false
}

// parse reads a literal as a value of the field: a string, a float64, a bool,
// an int64 (enum number or milliseconds), as valueOf gives them.
func parse(fd protoreflect.FieldDescriptor, path, literal string) (any, error) {
	switch kindOf(fd) {
	case number:
		n, err := strconv.ParseFloat(literal, 64)
		if err != nil {
			return nil, invalid("must compare %s with a number", path)
		}
		return n, nil
	case boolean:
		b, err := strconv.ParseBool(literal)
		if err != nil {
			return nil, invalid("must compare %s with true or false", path)
		}
		return b, nil
	case enum:
		return parseEnum(fd.Enum(), path, literal)
	case instant:
		t, err := time.Parse(time.RFC3339, literal)
		if err != nil {
			return nil, invalid("must compare %s with an RFC 3339 time in quotes", path)
		}
		return t.UnixMilli(), nil
	case date:
		if _, err := time.Parse(time.DateOnly, literal); err != nil {
			return nil, invalid("must compare %s with a date in quotes, as \"2026-11-23\"", path)
		}
	}
	return literal, nil
}

func parseEnum(ed protoreflect.EnumDescriptor, path, literal string) (any, error) {
	if v := EnumValue(ed, literal); v != nil {
		return int64(v.Number()), nil
	}
	return nil, invalid("must compare %s with a value of %s", path, ed.Name())
}

// EnumValue finds a value by its full name or by the part after the enum's
// prefix: OPEN for SETBACK_STATE_OPEN. Nil: there is none.
func EnumValue(ed protoreflect.EnumDescriptor, name string) protoreflect.EnumValueDescriptor {
	values := ed.Values()
	if v := values.ByName(protoreflect.Name(name)); v != nil {
		return v
	}
	prefix := strings.TrimSuffix(string(values.Get(0).Name()), "UNSPECIFIED")
	return values.ByName(protoreflect.Name(prefix + name))
}

// valueOf gives a field's value in the form parse gives literals; set is false
// when there is none to compare: an absent message or optional field.
func valueOf(fd protoreflect.FieldDescriptor, v protoreflect.Value, has bool) (value any, set bool) {
	set = has || !fd.HasPresence()
	switch kindOf(fd) {
	case number:
		switch n := v.Interface().(type) {
		case int32:
			return float64(n), set
		case int64:
			return float64(n), set
		case float32:
			return float64(n), set
		case float64:
			return n, set
		}
	case boolean:
		return v.Bool(), set
	case enum:
		return int64(v.Enum()), set
	case instant:
		if ts, ok := v.Message().Interface().(*timestamppb.Timestamp); ok && set {
			return ts.AsTime().UnixMilli(), true
		}
		return nil, false
	case date:
		if d, ok := v.Message().Interface().(*datepb.Date); ok && set {
			return localdate.Text(d), true
		}
		return nil, false
	}
	return v.String(), set
}

// compare orders two values of one kind; false comes before true.
func compare(a, b any) int {
	switch x := a.(type) {
	case string:
		y, _ := b.(string)
		return strings.Compare(x, y)
	case float64:
		y, _ := b.(float64)
		return cmp.Compare(x, y)
	case int64:
		y, _ := b.(int64)
		return cmp.Compare(x, y)
	case bool:
		y, _ := b.(bool)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
	}
	return 1
}
