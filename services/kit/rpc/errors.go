package rpc

import (
	"context"
	"errors"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rebound-hq/rebound/services/kit/fault"
	"github.com/rebound-hq/rebound/services/kit/privacy"
	"github.com/rebound-hq/rebound/services/kit/store"
)

// table says what becomes of errors that are no faults, first match first.
var table = []struct {
	is    error
	fault fault.Fault
}{
	{privacy.ErrErased, fault.Fault{Code: codes.NotFound, Reason: "NOT_FOUND", Message: "there is no such resource"}},
	{store.ErrNotFound, fault.Fault{Code: codes.NotFound, Reason: "NOT_FOUND", Message: "there is no such resource"}},
	{store.ErrExists, fault.Fault{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Message: "there is such a resource already"}},
	{store.ErrConflict, fault.Fault{Code: codes.Aborted, Reason: "ETAG_MISMATCH", Message: "the resource has changed meanwhile"}},
	{store.ErrTooLarge, fault.Fault{Code: codes.InvalidArgument, Reason: "RESOURCE_TOO_LARGE", Message: "the resource is too large"}},
	{store.ErrUnavailable, *fault.Unavailable(nil)},
	{store.ErrClosed, *fault.Unavailable(nil)},
	{store.ErrGone, *fault.Unavailable(nil)}, // trimmed just now: who comes back is told what is kept
	{context.Canceled, fault.Fault{Code: codes.Canceled, Reason: "CANCELLED", Message: "the caller has gone"}},
	{context.DeadlineExceeded, fault.Fault{Code: codes.DeadlineExceeded, Reason: "DEADLINE_EXCEEDED", Message: "the call took longer than it may"}},
}

// Fault gives any error of a handler the form that a caller may see. What is not
// known becomes INTERNAL, its cause for the log only.
func Fault(err error) *fault.Fault {
	if f, ok := fault.As(err); ok {
		return f
	}
	var invalid *protovalidate.ValidationError
	if errors.As(err, &invalid) && len(invalid.Violations) > 0 {
		return fromViolations(invalid)
	}
	for _, row := range table {
		if errors.Is(err, row.is) {
			f := row.fault
			f.Cause = err
			return &f
		}
	}
	if st, ok := status.FromError(err); ok && st.Code() != codes.Unknown {
		return fromStatus(st)
	}
	return &fault.Fault{Code: codes.Internal, Reason: "INTERNAL", Message: "something went wrong on our side", Cause: err}
}

// fromStatus keeps what another server or gRPC itself said.
func fromStatus(st *status.Status) *fault.Fault {
	f := &fault.Fault{Code: st.Code(), Reason: reasonOf(st.Code()), Message: st.Message()}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			f.Reason, f.Metadata = info.GetReason(), info.GetMetadata()
		}
	}
	return f
}

func reasonOf(c codes.Code) string {
	var b strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// fromViolations tells what broke the rules of the proto: the field, the rule,
// never the value.
func fromViolations(e *protovalidate.ValidationError) *fault.Fault {
	vs := make([]fault.Violation, len(e.Violations))
	for i, v := range e.Violations {
		field := protovalidate.FieldPathString(v.Proto.GetField())
		rule := strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(v.Proto.GetRuleId()))
		vs[i] = fault.Violation{Field: field, Reason: rule, Description: v.Proto.GetMessage()}
		if vs[i].Field == "" {
			vs[i].Field = "request"
		}
	}
	return fault.Invalids(vs...)
}

// statusOf is the fault as it goes on the wire, with the request's id.
func statusOf(f *fault.Fault, requestID string) error {
	st := f.GRPCStatus()
	if requestID == "" {
		return st.Err()
	}
	with, err := st.WithDetails(&errdetails.RequestInfo{RequestId: requestID})
	if err != nil {
		return st.Err()
	}
	return with.Err()
}
