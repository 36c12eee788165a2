package relay

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind sorts errors by what the caller can do about them. Handlers turn a
// kind into a status and a code in one place.
type Kind string

// The kinds of error. Their text is the machine-readable code of the API.
const (
	KindInvalidID       Kind = "INVALID_ID"
	KindInvalidRequest  Kind = "INVALID_REQUEST"
	KindValidation      Kind = "VALIDATION_FAILED"
	KindUnauthorized    Kind = "UNAUTHORIZED"
	KindForbidden       Kind = "FORBIDDEN"
	KindNotFound        Kind = "NOT_FOUND"
	KindConflict        Kind = "CONFLICT"
	KindGone            Kind = "GONE"
	KindNotReplayable   Kind = "EVENT_NOT_REPLAYABLE"
	KindReplayLimited   Kind = "REPLAY_RATE_LIMITED"
	KindTestFireLimited Kind = "TEST_FIRE_RATE_LIMITED"
	KindRateLimited     Kind = "RATE_LIMITED"
	KindTooLarge        Kind = "PAYLOAD_TOO_LARGE"
	KindUnavailable     Kind = "UNAVAILABLE"
	KindInternal        Kind = "INTERNAL"
)

// FieldError says what is wrong with one field of the input and what would be
// right.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is an error with a sentence that is safe to show. The cause is for
// the log only.
type Error struct {
	Kind       Kind
	Detail     string        // a full sentence for the caller; never SQL, paths or secrets
	Fields     []FieldError  // for KindValidation
	RetryAfter time.Duration // for the limits and KindUnavailable
	Cause      error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Kind))
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, " [%s: %s]", f.Field, f.Message)
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// KindOf is the kind of the outermost Error in err's chain, KindInternal if
// there is none, and empty for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// ErrNotFound is the one answer for what does not exist and for what belongs
// to another project.
var ErrNotFound = &Error{Kind: KindNotFound, Detail: "There is nothing with this id in this project."}

// Invalid makes a validation error from field faults, or nil if there are none.
func Invalid(fields ...FieldError) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{Kind: KindValidation, Detail: "Some fields are not valid.", Fields: fields}
}
