package engine

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rolecall-dev/rolecall/sdk"
)

// retryAfter is what a caller is told when Temporal can not be reached or is overloaded.
const retryAfter = 2 * time.Second

// The refusals of any engine, whatever it keeps its runs in.

// NoSuchTask is the answer to an id that the project does not have.
func NoSuchTask() *sdk.Error {
	return sdk.Errorf(sdk.CodeNotFound, "there is no such task in this project, or it is older than what is kept")
}

// NoSuchSession is the answer to an id of a session that the project does not have.
func NoSuchSession() *sdk.Error {
	return sdk.Errorf(sdk.CodeNotFound, "there is no such session in this project, or it is older than what is kept")
}

// NoSuchPlan is the answer to an id of a plan that the project does not have.
func NoSuchPlan() *sdk.Error {
	return sdk.Errorf(sdk.CodeNotFound, "there is no such plan in this project, or it is older than what is kept")
}

// NoSuchParent is the answer to a parent's id that the project does not have.
func NoSuchParent(id string) *sdk.Error {
	return sdk.Errorf(sdk.CodeNotFound, "there is no task %s in this project that could be the parent, or it is older than what is kept", id)
}

// SameRequest is the answer to a creation whose id a task, a session or a plan has already: nil where that came from the same request, by
// the digests of both. One that was asked for without an idempotency key has no digest, and is like no other.
func SameRequest(kind, first, digest string) error {
	switch digest {
	case "":
		return sdk.Errorf(sdk.CodeConflict, "a %s with this id exists already", kind)
	case first:
		return nil
	default:
		return sdk.Errorf(sdk.CodeIdempotencyMismatch, "this Idempotency-Key created another %s before; use a new key for a new request", kind)
	}
}

// NotEnded is the answer to the retry of a task that has not ended.
func NotEnded() *sdk.Error {
	return sdk.Errorf(sdk.CodeConflict, "the task has not ended: wait for its end, or cancel it, before it is tried anew")
}

// HasEnded is the answer to an answer that comes too late. t may be older than that.
func HasEnded(t sdk.Task) *sdk.Error {
	if t.Status.Terminal() {
		return sdk.Errorf(sdk.CodeConflict, "the task is %s and asks for nothing any more", t.Status)
	}
	return sdk.Errorf(sdk.CodeConflict, "the task has ended and asks for nothing any more")
}

// Refused is a run's own refusal of a message, as callers get it.
func Refused(refusal *sdk.Error) *sdk.Error {
	if len(refusal.Faults) == 0 {
		return refusal
	}
	return &sdk.Error{Code: refusal.Code, Message: "the request is not valid", Faults: refusal.Faults}
}

// fault turns an error of Temporal into one of ours. The message of an internal one is the cause, for the log.
func fault(err error) *sdk.Error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	switch {
	case isNotFound(err):
		return NoSuchTask()
	case isNamespaceMissing(err):
		e := sdk.Errorf(sdk.CodeUnavailable, "Temporal does not know the namespace the service is set to")
		e.RetryAfter = retryAfter
		return e
	case isOverloaded(err):
		e := sdk.Errorf(sdk.CodeUnavailable, "Temporal has too much to do; try again")
		e.RetryAfter = retryAfter
		return e
	case isNotReady(err):
		e := sdk.Errorf(sdk.CodeUnavailable, "the run makes no step just now, as while its control worker is away; try again")
		e.RetryAfter = retryAfter
		return e
	case isUnreachable(err):
		e := sdk.Errorf(sdk.CodeUnavailable, "Temporal can not be reached; try again")
		e.RetryAfter = retryAfter
		return e
	default:
		return sdk.Errorf(sdk.CodeInternal, "%T: %v", err, err)
	}
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*serviceerror.NotFound](err)
	return ok
}

func isNamespaceMissing(err error) bool {
	_, ok := errors.AsType[*serviceerror.NamespaceNotFound](err)
	return ok
}

func isOverloaded(err error) bool {
	_, ok := errors.AsType[*serviceerror.ResourceExhausted](err)
	return ok || status.Code(err) == codes.ResourceExhausted
}

// isNotReady reports whether a run takes no update now, because the last tries of its workflow task failed or timed out.
func isNotReady(err error) bool {
	_, ok := errors.AsType[*serviceerror.WorkflowNotReady](err)
	return ok
}

func isUnreachable(err error) bool {
	if _, ok := errors.AsType[*serviceerror.Unavailable](err); ok {
		return true
	}
	if _, ok := errors.AsType[*serviceerror.DeadlineExceeded](err); ok {
		return true
	}
	if _, ok := errors.AsType[*serviceerror.Canceled](err); ok {
		return true
	}
	if _, ok := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled
}

// refusal is what a workflow's validator said no with, when err is such: its type is a code, its details are the faults.
func refusal(err error) (*sdk.Error, bool) {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return nil, false
	}
	code := sdk.Code(app.Type())
	if code != sdk.CodeInvalidInput && code != sdk.CodeConflict && code != sdk.CodePayloadTooLarge && code != sdk.CodeDelegationLimit &&
		code != sdk.CodeUnavailable && code != sdk.CodeRateLimited {
		return nil, false
	}
	e := sdk.Errorf(code, "%s", strings.TrimPrefix(app.Message(), string(code)+": "))
	if !app.HasDetails() || app.Details(&e.Faults) != nil {
		e.Faults = nil
	}
	if code == sdk.CodeUnavailable || code == sdk.CodeRateLimited {
		e.RetryAfter = retryAfter
	}
	return Refused(e), true
}
