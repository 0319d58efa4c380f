package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	transferv1 "github.com/rebound-hq/rebound/proto/gen/go/rebound/transfer/v1"
	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/rpc"
)

// Fields of every portable resource that are treated in a way of their own.
const (
	nameField = "name"
	etagField = "etag"
)

// line writes a document down as it is the same wherever it comes from: names below
// the person, no etag, fields in the order of the proto, no space between.
func (k kind) line(doc proto.Message, owner string) (Record, error) {
	c := proto.Clone(doc)
	m := c.ProtoReflect()
	fields := m.Descriptor().Fields()
	name := strings.TrimPrefix(m.Get(fields.ByName(nameField)).String(), owner+"/")
	m.Set(fields.ByName(nameField), protoreflect.ValueOfString(name))
	m.Clear(fields.ByName(etagField))
	k.refs.shorten(m, owner+"/")
	dropImpossible(m)
	text, err := protojson.Marshal(c)
	if err != nil {
		return Record{}, errors.New("transfer: a document of the kind " + k.name + " cannot be written as JSON")
	}
	var out bytes.Buffer // protojson puts spaces where it likes, on purpose
	if err := json.Compact(&out, text); err != nil {
		return Record{}, errors.New("transfer: protojson did not write JSON")
	}
	return Record{Kind: k.name, Name: name, Data: out.String()}, nil
}

// dropImpossible drops instants and durations that do not exist: JSON has no form for
// them, and one must not keep a person from all the rest.
func dropImpossible(m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				dropImpossible(v.List().Get(i).Message())
			}
		case impossible(v.Message().Interface()):
			m.Clear(fd)
		default:
			dropImpossible(v.Message())
		}
		return true
	})
}

func impossible(m proto.Message) bool {
	switch m := m.(type) {
	case *timestamppb.Timestamp:
		return !m.IsValid()
	case *durationpb.Duration:
		return !m.IsValid()
	}
	return false
}

// parse reads a line into a document of a person. Errors are faults that do not
// repeat what is in the line.
func (k kind) parse(rec Record, owner string) (proto.Message, error) {
	doc := k.New()
	if err := protojson.Unmarshal([]byte(rec.Data), doc); err != nil {
		return nil, fault.Invalid("line", "LINE_INVALID", "must be the JSON of one resource of its kind, without fields that it does not have")
	}
	m := doc.ProtoReflect()
	name := m.Descriptor().Fields().ByName(nameField)
	if m.Get(name).String() != rec.Name {
		return nil, fault.Invalid("name", "NAME_INVALID", "must be the name of its record")
	}
	m.Set(name, protoreflect.ValueOfString(owner+"/"+rec.Name))
	m.Clear(m.Descriptor().Fields().ByName(etagField))
	return doc, k.refs.lengthen(m, owner+"/")
}

// same tells whether two documents are written down as the same line.
func (k kind) same(a, b proto.Message, owner string) (bool, error) {
	x, err := k.line(a, owner)
	if err != nil {
		return false, err
	}
	y, err := k.line(b, owner)
	return x.Data == y.Data, err
}

// refused makes an error about a document an outcome; one that is not about it
// comes back.
func refused(err error) (Outcome, error) {
	switch f := rpc.Fault(err); f.Code {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.NotFound:
		return Outcome{Result: transferv1.RestoreOutcome_RESTORE_RESULT_REFUSED, Reason: f.Reason}, nil
	}
	return Outcome{}, err
}

func isReason(err error, reason string) bool {
	f, ok := fault.As(err)
	return ok && f.Reason == reason
}
