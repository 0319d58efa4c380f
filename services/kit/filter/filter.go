// Package filter evaluates AIP-160 filters on messages. The grammar is parsed by
// a library; which fields may be named, how their values are written, and
// whether a message matches is decided here.
package filter

import (
	"fmt"
	"strings"

	"go.einride.tech/aip/filtering"
	expr "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	privacyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/privacy/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
)

// Limits of a filter.
const (
	// MaxBytes is the length of a filter.
	MaxBytes = 2048
	// MaxDepth is how deep its expressions may nest.
	MaxDepth = 32
)

// Matcher tells whether a message matches.
type Matcher func(m protoreflect.Message) bool

// Fields are the fields of one message type that filters may name.
type Fields struct {
	paths map[string][]protoreflect.FieldDescriptor
	// maps are those whose keys follow the path.
	maps  map[string][]protoreflect.FieldDescriptor
	names []string
}

// New declares filterable fields by dotted path: scalars, enums, timestamps,
// dates, or lists of them at the end of the path; or a map of texts, of which filters
// name the keys after another dot. A field that holds a person's
// words can be one only as a list of labels: texts are found by their words, not
// compared.
func New(md protoreflect.MessageDescriptor, paths ...string) (*Fields, error) {
	f := &Fields{paths: map[string][]protoreflect.FieldDescriptor{}, maps: map[string][]protoreflect.FieldDescriptor{}}
	for _, path := range paths {
		var chain []protoreflect.FieldDescriptor
		at := md
		for _, segment := range strings.Split(path, ".") {
			if at == nil {
				return nil, fmt.Errorf("filter: %s has no field %s", md.FullName(), path)
			}
			fd := at.Fields().ByName(protoreflect.Name(segment))
			if fd == nil {
				return nil, fmt.Errorf("filter: %s has no field %s", md.FullName(), path)
			}
			chain, at = append(chain, fd), fd.Message()
		}
		last := chain[len(chain)-1]
		if text, _ := proto.GetExtension(last.Options(), privacyv1.E_Text).(bool); text && !last.IsList() {
			return nil, fmt.Errorf("filter: %s.%s holds a person's words", md.FullName(), path)
		}
		if last.IsMap() && last.MapKey().Kind() == protoreflect.StringKind && last.MapValue().Kind() == protoreflect.StringKind {
			f.maps[path], f.names = chain, append(f.names, path+".<key>")
			continue
		}
		if kindOf(last) == 0 {
			return nil, fmt.Errorf("filter: %s.%s has a type that filters do not know", md.FullName(), path)
		}
		f.paths[path], f.names = chain, append(f.names, path)
	}
	return f, nil
}

// Compile turns a filter into a Matcher; an empty one into nil: all match.
// Errors are faults on the field "filter".
func (f *Fields) Compile(text string) (Matcher, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > MaxBytes {
		return nil, fault.Invalid("filter", "FILTER_TOO_LONG", "is longer than %d bytes", MaxBytes)
	}
	if nesting(text) > MaxDepth {
		return nil, fault.Invalid("filter", "FILTER_TOO_DEEP", "nests deeper than %d levels", MaxDepth)
	}
	var p filtering.Parser
	p.Init(text)
	parsed, err := p.Parse()
	if err != nil {
		return nil, invalid("is not a filter as of AIP-160")
	}
	return f.compile(parsed.GetExpr(), 0)
}

// Names gives the fields, and keys of maps, that a filter names which Compile takes.
func (f *Fields) Names(text string) map[string]bool {
	names := map[string]bool{}
	var p filtering.Parser
	p.Init(text)
	if parsed, err := p.Parse(); err == nil {
		named(parsed.GetExpr(), names)
	}
	return names
}

func named(e *expr.Expr, names map[string]bool) {
	call := e.GetCallExpr()
	switch call.GetFunction() {
	case filtering.FunctionAnd, filtering.FunctionFuzzyAnd, filtering.FunctionOr, filtering.FunctionNot:
		for _, arg := range call.GetArgs() {
			named(arg, names)
		}
	default:
		if len(call.GetArgs()) > 0 {
			if path, ok := pathOf(call.GetArgs()[0]); ok {
				names[path] = true
			}
		}
	}
}

// nesting is how deep the parentheses of a text go: the parser recurses, so it
// is held back before it starts.
func nesting(text string) int {
	deep, deepest := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			deep++
			deepest = max(deepest, deep)
		case ')':
			deep--
		}
	}
	return deepest
}

func invalid(format string, args ...any) error {
	return fault.Invalid("filter", "FILTER_INVALID", format, args...)
}

func (f *Fields) compile(e *expr.Expr, depth int) (Matcher, error) {
	if depth > 4*MaxDepth {
		return nil, fault.Invalid("filter", "FILTER_TOO_DEEP", "nests deeper than %d levels", MaxDepth)
	}
	call := e.GetCallExpr()
	if call == nil {
		return nil, invalid("must compare fields with values")
	}
	switch fn := call.GetFunction(); fn {
	case filtering.FunctionAnd, filtering.FunctionFuzzyAnd, filtering.FunctionOr:
		a, b, err := f.both(call, depth)
		if err != nil {
			return nil, err
		}
		if fn == filtering.FunctionOr {
			return func(m protoreflect.Message) bool { return a(m) || b(m) }, nil
		}
		return func(m protoreflect.Message) bool { return a(m) && b(m) }, nil
	case filtering.FunctionNot:
		if len(call.GetArgs()) != 1 {
			return nil, invalid("has a NOT without an operand")
		}
		a, err := f.compile(call.GetArgs()[0], depth+1)
		if err != nil {
			return nil, err
		}
		return func(m protoreflect.Message) bool { return !a(m) }, nil
	case filtering.FunctionEquals, filtering.FunctionNotEquals, filtering.FunctionLessThan, filtering.FunctionLessEquals,
		filtering.FunctionGreaterThan, filtering.FunctionGreaterEquals, filtering.FunctionHas:
		return f.comparison(fn, call.GetArgs())
	}
	return nil, invalid("uses an unknown function")
}

func (f *Fields) both(call *expr.Expr_Call, depth int) (a, b Matcher, err error) {
	if len(call.GetArgs()) != 2 {
		return nil, nil, invalid("has an operator without two operands")
	}
	if a, err = f.compile(call.GetArgs()[0], depth+1); err != nil {
		return nil, nil, err
	}
	b, err = f.compile(call.GetArgs()[1], depth+1)
	return a, b, err
}

// comparison compiles field, operator, value.
func (f *Fields) comparison(op string, args []*expr.Expr) (Matcher, error) {
	if len(args) != 2 {
		return nil, invalid("has an operator without two operands")
	}
	path, ok := pathOf(args[0])
	if !ok {
		return nil, invalid("must have a field on the left of %s", op)
	}
	if above, key, cut := cutLast(path); cut && f.maps[above] != nil {
		return keyComparison(op, f.maps[above], key, path, args[1])
	}
	chain, ok := f.paths[path]
	if !ok {
		return nil, fault.Invalid("filter", "FILTER_FIELD_UNKNOWN", "may only name %s", strings.Join(f.names, ", "))
	}
	last := chain[len(chain)-1]
	literal, ok := literalOf(args[1])
	if !ok {
		return nil, invalid("must have a value on the right of %s", op)
	}
	if op == filtering.FunctionHas && literal == "*" {
		return func(m protoreflect.Message) bool {
			at, ok := reach(m, chain)
			return ok && at.Has(last)
		}, nil
	}
	if last.IsList() != (op == filtering.FunctionHas) {
		return nil, invalid("must use : for lists, and only for them or with *")
	}
	want, err := parse(last, path, literal)
	if err != nil {
		return nil, err
	}
	test := operators[op]
	if last.IsList() {
		return func(m protoreflect.Message) bool { return contains(m, chain, want) }, nil
	}
	return func(m protoreflect.Message) bool {
		at, ok := reach(m, chain)
		if !ok {
			return op == filtering.FunctionNotEquals
		}
		got, set := valueOf(last, at.Get(last), at.Has(last))
		if !set {
			return op == filtering.FunctionNotEquals
		}
		return test(compare(got, want))
	}, nil
}

// keyComparison compiles the comparison of a map's value with a text. A key that is
// not there equals nothing.
func keyComparison(op string, chain []protoreflect.FieldDescriptor, key, path string, value *expr.Expr) (Matcher, error) {
	if op != filtering.FunctionEquals && op != filtering.FunctionNotEquals {
		return nil, invalid("must compare %s with = or !=", path)
	}
	want, ok := literalOf(value)
	if !ok {
		return nil, invalid("must have a value on the right of %s", op)
	}
	last, at := chain[len(chain)-1], protoreflect.ValueOfString(key).MapKey()
	return func(m protoreflect.Message) bool {
		holder, ok := reach(m, chain)
		equal := ok && holder.Get(last).Map().Has(at) && holder.Get(last).Map().Get(at).String() == want
		return equal == (op == filtering.FunctionEquals)
	}, nil
}

// cutLast cuts a path at its last dot.
func cutLast(path string) (above, last string, ok bool) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return "", path, false
}

var operators = map[string]func(order int) bool{
	filtering.FunctionEquals:        func(o int) bool { return o == 0 },
	filtering.FunctionNotEquals:     func(o int) bool { return o != 0 },
	filtering.FunctionLessThan:      func(o int) bool { return o < 0 },
	filtering.FunctionLessEquals:    func(o int) bool { return o <= 0 },
	filtering.FunctionGreaterThan:   func(o int) bool { return o > 0 },
	filtering.FunctionGreaterEquals: func(o int) bool { return o >= 0 },
	filtering.FunctionHas:           nil,
}

func contains(m protoreflect.Message, chain []protoreflect.FieldDescriptor, want any) bool {
	at, ok := reach(m, chain)
	if !ok {
		return false
	}
	last := chain[len(chain)-1]
	list := at.Get(last).List()
	for i := range list.Len() {
		if got, _ := valueOf(last, list.Get(i), true); compare(got, want) == 0 {
			return true
		}
	}
	return false
}

// reach walks to the message that holds the last field of a path.
func reach(m protoreflect.Message, chain []protoreflect.FieldDescriptor) (protoreflect.Message, bool) {
	for _, fd := range chain[:len(chain)-1] {
		if !m.Has(fd) {
			return nil, false
		}
		m = m.Get(fd).Message()
	}
	return m, true
}

func pathOf(e *expr.Expr) (string, bool) {
	switch k := e.GetExprKind().(type) {
	case *expr.Expr_IdentExpr:
		return k.IdentExpr.GetName(), true
	case *expr.Expr_SelectExpr:
		above, ok := pathOf(k.SelectExpr.GetOperand())
		return above + "." + k.SelectExpr.GetField(), ok
	}
	return "", false
}
