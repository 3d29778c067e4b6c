package sdk

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Code names a failure: the same word in a problem document, in a failed task, in the Go error and in Temporal's ApplicationError.
type Code string

// The codes of a refused request.
const (
	CodeInvalidJSON          Code = "invalid_json"
	CodeInvalidInput         Code = "invalid_input"
	CodeUnauthenticated      Code = "unauthenticated"
	CodeForbidden            Code = "forbidden"
	CodeNotFound             Code = "not_found"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeNotAcceptable        Code = "not_acceptable"
	CodeConflict             Code = "conflict"
	CodeLeaseLost            Code = "lease_lost"
	CodeHistoryExpired       Code = "history_expired"
	CodePayloadTooLarge      Code = "payload_too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeIdempotencyMismatch  Code = "idempotency_mismatch"
	CodeReservedType         Code = "reserved_type"
	CodeDelegationLimit      Code = "delegation_limit"
	CodeRateLimited          Code = "rate_limited"
	CodeInternal             Code = "internal"
	CodeUnavailable          Code = "unavailable"
)

// The codes of a failed task or attempt; an agent may add its own, lower-case with underscores. payload_too_large and
// invalid_input are used here too.
const (
	CodeAgentFailed    Code = "agent_failed"
	CodeAgentPanicked  Code = "agent_panicked"
	CodeWorkerLost     Code = "worker_lost"
	CodeInterrupted    Code = "interrupted"
	CodeQueueTimeout   Code = "queue_timeout"
	CodeAttemptTimeout Code = "attempt_timeout"
	CodeTotalTimeout   Code = "total_timeout"
	CodeInputTimeout   Code = "input_timeout"
	CodeNoAgent        Code = "no_agent"
	CodeInvalidOutput  Code = "invalid_output"
	CodeBudgetExceeded Code = "budget_exceeded"
	CodeTerminated     Code = "terminated"
	CodeEngineTimeout  Code = "engine_timeout"
	CodeCancelled      Code = "cancelled" // of a cancelled task or plan; the message is the reason
)

// The codes of a failed plan and of its steps, beside those of the tasks.
const (
	CodeStepFailed        Code = "step_failed"         // of a plan: a step failed or was cancelled
	CodeInvalidPlan       Code = "invalid_plan"        // of a plan: what the coordinator answered is none
	CodeQualityGateFailed Code = "quality_gate_failed" // of a step: its gate has no rework left
	CodeExpressionFailed  Code = "expression_failed"   // of a step or a plan: an expression has no value
)

// Reserved reports whether c is rolecall's own to give an attempt: for an agent that fails with it, agent_failed is put in its place.
func (c Code) Reserved() bool {
	switch c {
	case CodeWorkerLost, CodeInterrupted, CodeQueueTimeout, CodeAttemptTimeout, CodeTotalTimeout, CodeInputTimeout, CodeNoAgent,
		CodeCancelled, CodeTerminated, CodeEngineTimeout:
		return true
	default:
		return false
	}
}

// One sentinel per code of a refused request: errors.Is compares codes, so it holds for errors rebuilt from the wire.
var (
	ErrInvalidJSON          = &Error{Code: CodeInvalidJSON}
	ErrInvalidInput         = &Error{Code: CodeInvalidInput}
	ErrUnauthenticated      = &Error{Code: CodeUnauthenticated}
	ErrForbidden            = &Error{Code: CodeForbidden}
	ErrNotFound             = &Error{Code: CodeNotFound}
	ErrMethodNotAllowed     = &Error{Code: CodeMethodNotAllowed}
	ErrNotAcceptable        = &Error{Code: CodeNotAcceptable}
	ErrConflict             = &Error{Code: CodeConflict}
	ErrLeaseLost            = &Error{Code: CodeLeaseLost}
	ErrHistoryExpired       = &Error{Code: CodeHistoryExpired}
	ErrPayloadTooLarge      = &Error{Code: CodePayloadTooLarge}
	ErrUnsupportedMediaType = &Error{Code: CodeUnsupportedMediaType}
	ErrIdempotencyMismatch  = &Error{Code: CodeIdempotencyMismatch}
	ErrReservedType         = &Error{Code: CodeReservedType}
	ErrDelegationLimit      = &Error{Code: CodeDelegationLimit}
	ErrRateLimited          = &Error{Code: CodeRateLimited}
	ErrInternal             = &Error{Code: CodeInternal}
	ErrUnavailable          = &Error{Code: CodeUnavailable}
)

// Error is a refused or failed request. Message says what to do about it; Faults name every wrong field at once.
type Error struct {
	Code       Code
	Message    string
	Faults     []Fault
	Status     int           // the HTTP status; 0 when it was not learnt over HTTP
	Instance   string        // the request's id, to be found in the server's log
	RetryAfter time.Duration // how long to wait before trying again; 0 when the server did not say

	FirstSequence uint64 // with history_expired: the first event that is kept; else 0
	Cause         error  // what went wrong below, when there was no answer to rebuild the error from
}

// Fault is one wrong field: where (a JSON path such as $.timeouts.queueMs) and what.
type Fault struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// plainName is a name that needs no quotes in a path.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// FieldPath is how the path of a [Fault] goes on with the field of this name: .name, or ["a name"] for one that is not plain, which is cut
// at [MaxMetadataKey] bytes.
func FieldPath(name string) string {
	if plainName.MatchString(name) {
		return "." + name
	}
	return fmt.Sprintf("[%q]", Cut(name, MaxMetadataKey))
}

// Errorf makes an error of the given code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error implements error: the code, the message and every fault.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	for _, f := range e.Faults {
		s += "; " + f.Path + " " + f.Message
	}
	return s
}

// Is reports whether target is an [Error] of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Unwrap answers the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Error implements error, so that a failed task's error can be passed on and matched with errors.As.
func (e *TaskError) Error() string {
	return string(e.Code) + ": " + e.Message
}

// AgentError is how a [Handler] fails with more to say than an error's text. A plain error is a retryable agent_failed.
type AgentError struct {
	TaskError
	Retryable  bool
	RetryAfter time.Duration // before the next attempt, instead of the backoff; 0 leaves the backoff
	cause      error
}

// Retryable makes a handler's error one that another attempt may mend; code "" is agent_failed.
func Retryable(code Code, err error) *AgentError { return agentError(code, err, true) }

// Final makes a handler's error one that another attempt of the same stage would only repeat; code "" is agent_failed.
func Final(code Code, err error) *AgentError { return agentError(code, err, false) }

func agentError(code Code, err error, retryable bool) *AgentError {
	if code == "" {
		code = CodeAgentFailed
	}
	return &AgentError{TaskError: TaskError{Code: code, Message: err.Error()}, Retryable: retryable, cause: err}
}

// Unwrap answers the error it was made from.
func (e *AgentError) Unwrap() error { return e.cause }

// AsAgentError answers how a handler's error counts: itself when it is (or wraps) an [AgentError], else a retryable agent_failed.
func AsAgentError(err error) *AgentError {
	if ae, ok := errors.AsType[*AgentError](err); ok {
		return ae
	}
	return Retryable(CodeAgentFailed, err)
}
