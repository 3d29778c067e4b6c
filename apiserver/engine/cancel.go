package engine

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// CancelTask asks a task to stop and answers it as it stands; accepted is false, and nothing is changed, when it has ended.
// A task that was asked before is not asked again.
func (e *Engine) CancelTask(ctx context.Context, project, id, reason string) (task sdk.Task, accepted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	workflowID := workflows.TaskWorkflowID(project, id)
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if isNotFound(err) {
		return e.cancelWaiting(ctx, project, id, reason)
	}
	if err != nil {
		return sdk.Task{}, false, fault(err)
	}
	found, err := e.taskOf(ctx, project, id, resp)
	if err != nil {
		return sdk.Task{}, false, fault(err)
	}
	task = found.task
	if task.Status.Terminal() {
		return task, false, nil
	}
	if resp.GetWorkflowExtendedInfo().GetCancelRequested() {
		return task, true, nil
	}
	ended, err := e.askToStop(ctx, workflowID, resp.GetWorkflowExecutionInfo().GetExecution().GetRunId(), reason)
	if err != nil {
		return sdk.Task{}, false, fault(err)
	}
	task, err = e.look(ctx, project, id)
	return task, err == nil && !ended, err
}

// askToStop asks a run to stop; ended is that it had ended before.
func (e *Engine) askToStop(ctx context.Context, workflowID, runID, reason string) (ended bool, err error) {
	// The signal carries the reason, which Temporal's own request could not: nobody could read it there.
	err = e.temporal.SignalWorkflow(ctx, workflowID, runID, workflows.CancelRequested.Name, workflows.CancelRequestedInput{Reason: reason})
	if err == nil {
		err = e.temporal.CancelWorkflow(ctx, workflowID, runID)
		if _, asked := errors.AsType[*serviceerror.CancellationAlreadyRequested](err); asked {
			err = nil
		}
	}
	if isNotFound(err) { // between a describe and now
		return true, nil
	}
	return false, err
}
