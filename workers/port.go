package workers

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/status"
)

// temporalPort is what an attempt needs of a Temporal client.
type temporalPort interface {
	RecordActivityHeartbeatWithOptions(ctx context.Context, opts client.RecordActivityHeartbeatOptions) error
	CompleteActivityWithOptions(ctx context.Context, opts client.CompleteActivityOptions) error
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
}

// reply is what Temporal's answer to a call about an attempt means for it.
type reply int

const (
	replyOK          reply = iota
	replyCancelled         // acknowledged, and the task's cancellation was requested
	replyInterrupted       // acknowledged, and an operator paused or reset the attempt
	replyGone              // the attempt, or its run, has ended: nobody wants to hear of it
	replyRefused           // it will be refused every time
	replyUnknown           // not known whether it arrived: Temporal is away or busy
)

// readReply classifies the error of a heartbeat, a signal or an answer.
func readReply(err error) reply {
	switch {
	case err == nil:
		return replyOK
	case temporal.IsCanceledError(err):
		return replyCancelled
	case errors.Is(err, activity.ErrActivityPaused), errors.Is(err, activity.ErrActivityReset):
		return replyInterrupted
	case is[*serviceerror.NotFound](err):
		return replyGone
	case is[*serviceerror.InvalidArgument](err), is[*serviceerror.PermissionDenied](err), is[*serviceerror.FailedPrecondition](err):
		return replyRefused
	case is[interface{ Status() *status.Status }](err), is[interface{ GRPCStatus() *status.Status }](err),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return replyUnknown
	default:
		return replyRefused // not even sent: it cannot be encoded, or is too large
	}
}

func is[E any](err error) bool {
	var target E
	return errors.As(err, &target)
}
