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

// fault turns an error of Temporal into one of ours. The message of an internal one is the cause, for the log.
func fault(err error) *sdk.Error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	switch {
	case isNotFound(err):
		return sdk.Errorf(sdk.CodeNotFound, "there is no such task in this project, or it is older than what is kept")
	case isNamespaceMissing(err):
		e := sdk.Errorf(sdk.CodeUnavailable, "Temporal does not know the namespace the service is set to")
		e.RetryAfter = retryAfter
		return e
	case isOverloaded(err):
		e := sdk.Errorf(sdk.CodeUnavailable, "Temporal has too much to do; try again")
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
	if code != sdk.CodeInvalidInput && code != sdk.CodeConflict && code != sdk.CodePayloadTooLarge {
		return nil, false
	}
	e := sdk.Errorf(code, "%s", strings.TrimPrefix(app.Message(), string(code)+": "))
	var faults []sdk.Fault
	if app.HasDetails() && app.Details(&faults) == nil && len(faults) > 0 {
		e.Message, e.Faults = "the request is not valid", faults
	}
	return e, true
}
