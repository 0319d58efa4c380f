// Package fault is how a service says what went wrong: a canonical code, a
// stable reason, and the fields at fault. The rpc package puts it on the wire.
package fault

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is the domain of every ErrorInfo.
const Domain = "rebound.dev"

// Violation is one field that broke a rule. Field is the path in the request, in
// snake_case; Description is for people and never repeats the value.
type Violation struct {
	Field       string
	Reason      string
	Description string
}

// Fault is an error that may be told to the caller.
type Fault struct {
	Code    codes.Code
	Reason  string
	Message string
	// Violations are the fields at fault, for INVALID_ARGUMENT.
	Violations []Violation
	// Metadata goes into ErrorInfo. Never a person's words.
	Metadata map[string]string
	// RetryAfter, when positive, goes into RetryInfo.
	RetryAfter time.Duration
	// Cause is for the log, never for the caller.
	Cause error
}

// Error is for the log.
func (f *Fault) Error() string {
	s := fmt.Sprintf("%s: %s: %s", f.Code, f.Reason, f.Message)
	if f.Cause != nil {
		s += ": " + f.Cause.Error()
	}
	return s
}

// At gives the same fault with field in place of the fields that it blames: what is a
// field of a document here may be an element of a list in the caller's request.
func (f *Fault) At(field string) *Fault {
	if len(f.Violations) == 0 {
		return f
	}
	moved := *f
	moved.Violations = make([]Violation, len(f.Violations))
	for i, v := range f.Violations {
		v.Field = field
		moved.Violations[i] = v
	}
	moved.Message = field + ": " + f.Violations[0].Description
	return &moved
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// GRPCStatus gives the fault as it goes on the wire.
func (f *Fault) GRPCStatus() *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: f.Reason, Domain: Domain, Metadata: f.Metadata}}
	if len(f.Violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range f.Violations {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: v.Field, Reason: v.Reason, Description: v.Description,
			})
		}
		details = append(details, bad)
	}
	if f.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.RetryAfter)})
	}
	st := status.New(f.Code, f.Message)
	with, err := st.WithDetails(details...)
	if err != nil {
		return st
	}
	return with
}

// Invalid is INVALID_ARGUMENT for one field.
func Invalid(field, reason, format string, args ...any) *Fault {
	return Invalids(Violation{Field: field, Reason: reason, Description: fmt.Sprintf(format, args...)})
}

// Invalids is INVALID_ARGUMENT for several fields; its reason is the first one's.
func Invalids(vs ...Violation) *Fault {
	return &Fault{
		Code:       codes.InvalidArgument,
		Reason:     vs[0].Reason,
		Message:    vs[0].Field + ": " + vs[0].Description,
		Violations: vs,
	}
}

// NotFound is NOT_FOUND for a resource name.
func NotFound(name string) *Fault {
	return &Fault{Code: codes.NotFound, Reason: "NOT_FOUND", Message: "there is no such resource", Metadata: map[string]string{"name": name}}
}

// Exists is ALREADY_EXISTS for a resource name.
func Exists(name string) *Fault {
	return &Fault{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Message: "there is such a resource already", Metadata: map[string]string{"name": name}}
}

// Stale is ABORTED: the etag is not current any more.
func Stale(name string) *Fault {
	return &Fault{Code: codes.Aborted, Reason: "ETAG_MISMATCH", Message: "the resource has changed since the etag was given", Metadata: map[string]string{"name": name}}
}

// Precondition is FAILED_PRECONDITION.
func Precondition(reason, format string, args ...any) *Fault {
	return &Fault{Code: codes.FailedPrecondition, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Denied is PERMISSION_DENIED.
func Denied(reason, format string, args ...any) *Fault {
	return &Fault{Code: codes.PermissionDenied, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Unauthenticated is UNAUTHENTICATED.
func Unauthenticated(reason, format string, args ...any) *Fault {
	return &Fault{Code: codes.Unauthenticated, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Unavailable is UNAVAILABLE, worth trying again after a while.
func Unavailable(cause error) *Fault {
	return &Fault{Code: codes.Unavailable, Reason: "UNAVAILABLE", Message: "the service cannot answer just now", RetryAfter: time.Second, Cause: cause}
}

// As finds a Fault in an error.
func As(err error) (*Fault, bool) {
	var f *Fault
	ok := errors.As(err, &f)
	return f, ok
}
