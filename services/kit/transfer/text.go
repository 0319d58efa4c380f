package transfer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	datepb "google.golang.org/genproto/googleapis/type/date"
	"google.golang.org/genproto/googleapis/type/timeofday"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	privacyv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/privacy/v1"
	"github.com/rebound-hq/rebound/services/kit/localdate"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// shortText is the longest text, in characters, that is set in a line of its label.
const shortText = 120

// text writes a document down for people: a heading, when it was made and what it
// is called, and each field that is set. A text of several lines is quoted, so
// that whatever is in it does not look like something else.
func (k kind) text(rec store.Record, owner string, zone *time.Location) Record {
	m := proto.Clone(rec.Body).ProtoReflect()
	fields := m.Descriptor().Fields()
	name := strings.TrimPrefix(rec.Name, owner+"/")
	shorten(m, owner+"/")
	for _, done := range []protoreflect.Name{nameField, etagField, store.KeyCreateTime, store.KeyUpdateTime} {
		m.Clear(fields.ByName(done))
	}
	w := &textWriter{zone: zone}
	w.WriteString("### " + label(snake(string(m.Descriptor().Name()))))
	if fd := headline(m); fd != nil {
		w.WriteString(": " + m.Get(fd).String())
		m.Clear(fd)
	}
	w.WriteString("\n\n" + rec.CreateTime.In(zone).Format("15:04") + " · " + name + "\n\n")
	w.message(m, "")
	return Record{Kind: k.name, Name: name, Data: w.String(), CreateTime: rec.CreateTime}
}

// headline is the first text of a message, when it is a short one; nil otherwise.
func headline(m protoreflect.Message) protoreflect.FieldDescriptor {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Kind() != protoreflect.StringKind || fd.IsList() || !isText(fd) {
			continue
		}
		if text := m.Get(fd).String(); text != "" && isShort(text) {
			return fd
		}
		return nil
	}
	return nil
}

func isText(fd protoreflect.FieldDescriptor) bool {
	text, _ := proto.GetExtension(fd.Options(), privacyv1.E_Text).(bool)
	return text
}

func isShort(text string) bool {
	return utf8.RuneCountInString(text) <= shortText && !strings.ContainsAny(text, "\n\r")
}

// textWriter writes Markdown.
type textWriter struct {
	strings.Builder
	zone *time.Location
}

// message writes the fields of a message as items of a list.
func (w *textWriter) message(m protoreflect.Message, indent string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		name := label(string(fd.Name()))
		switch v := m.Get(fd); {
		case fd.IsMap():
			w.item(indent, name, strconv.Itoa(v.Map().Len()))
		case fd.IsList() && fd.Message() == nil && (!isText(fd) || isShort(w.joined(fd, v.List()))):
			w.item(indent, name, w.joined(fd, v.List()))
		case fd.IsList():
			for n := range v.List().Len() {
				w.field(fd, v.List().Get(n), fmt.Sprintf("%s %d", name, n+1), indent)
			}
		default:
			w.field(fd, v, name, indent)
		}
	}
}

// field writes one value.
func (w *textWriter) field(fd protoreflect.FieldDescriptor, v protoreflect.Value, name, indent string) {
	if value, ok := w.value(fd, v); ok {
		w.item(indent, name, value)
		return
	}
	if proto.Size(v.Message().Interface()) == 0 {
		return // there is nothing to tell
	}
	w.WriteString(indent + "- **" + name + "**\n")
	w.message(v.Message(), indent+"  ")
}

func (w *textWriter) item(indent, name, value string) {
	w.WriteString(indent + "- **" + name + "**")
	if isShort(value) {
		w.WriteString(": " + value + "\n")
		return
	}
	w.WriteString("\n\n")
	for line := range strings.Lines(strings.ReplaceAll(value, "\r", "")) {
		w.WriteString(indent + "  > " + strings.TrimSuffix(line, "\n") + "\n")
	}
	w.WriteString("\n")
}

func (w *textWriter) joined(fd protoreflect.FieldDescriptor, list protoreflect.List) string {
	parts := make([]string, list.Len())
	for i := range parts {
		parts[i], _ = w.value(fd, list.Get(i))
	}
	return strings.Join(parts, ", ")
}

// value is how people write a value; false for a message of our own.
func (w *textWriter) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) (string, bool) {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		if v.Bool() {
			return "yes", true
		}
		return "no", true
	case protoreflect.EnumKind:
		return enumText(fd.Enum(), v.Enum()), true
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), true
	case protoreflect.MessageKind, protoreflect.GroupKind:
		switch m := v.Message().Interface().(type) {
		case *timestamppb.Timestamp:
			return m.AsTime().In(w.zone).Format("2006-01-02 15:04"), true
		case *datepb.Date:
			return localdate.Text(m), true
		case *timeofday.TimeOfDay:
			return fmt.Sprintf("%02d:%02d", m.GetHours(), m.GetMinutes()), true
		case *durationpb.Duration:
			return m.AsDuration().String(), true
		}
		return "", false
	}
	return v.String(), true
}

// enumText is an enum value without its prefix, in words.
func enumText(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	v := ed.Values().ByNumber(n)
	if v == nil {
		return strconv.Itoa(int(n))
	}
	prefix := strings.ToUpper(snake(string(ed.Name()))) + "_"
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix)), "_", " ")
}

// snake turns UpperCamelCase into snake_case.
func snake(s string) string {
	var b strings.Builder
	for i, c := range s {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// label turns snake_case into words that begin with a capital.
func label(s string) string {
	s = strings.ReplaceAll(s, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}
