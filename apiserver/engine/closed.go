package engine

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
)

// closedTask is the task of a run that has ended. Its record is in the close event; where there is none, because the run was
// terminated, timed out or broke, the task is failed and built from what the run left in its memo. event may be nil.
func (e *Engine) closedTask(seen run, event *historypb.HistoryEvent) sdk.Task {
	if t, ok := e.record(event); ok {
		return seen.complete(t)
	}
	code, message := e.withoutRecord(seen.status, event, "task")
	if seen.status == enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED {
		return seen.cancelledTask()
	}
	return seen.brokenTask(code, message)
}

// withoutRecord says why a run has ended that left no record of what it is of. event may be nil.
func (e *Engine) withoutRecord(status enumspb.WorkflowExecutionStatus, event *historypb.HistoryEvent, of string) (sdk.Code, string) {
	if code, message, outside := endedFromOutside(status); outside {
		return code, message
	}
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return sdk.CodeInternal, "the run completed without a record of the " + of
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		code := sdk.CodeInternal
		err := e.failures.FailureToError(event.GetWorkflowExecutionFailedEventAttributes().GetFailure())
		if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && sdk.Code(app.Type()).Valid() {
			code = sdk.Code(app.Type())
		}
		return code, "the run failed without a record of the " + of + "; the Temporal UI shows why"
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return sdk.CodeCancelled, "the " + of + " was cancelled"
	default:
		return sdk.CodeInternal, "the run ended in a way that rolecall does not know"
	}
}

// endedFromOutside is the error of a run that was terminated or timed out in Temporal.
func endedFromOutside(s enumspb.WorkflowExecutionStatus) (code sdk.Code, message string, outside bool) {
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return sdk.CodeTerminated, "the run was terminated from outside", true
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return sdk.CodeEngineTimeout, "the run was timed out by Temporal", true
	default:
		return "", "", false
	}
}

// record is the task's record in a run's close event; false where there is none. event may be nil.
func (e *Engine) record(event *historypb.HistoryEvent) (sdk.Task, bool) {
	t, status, ok := recordIn[sdk.Task](e, event)
	return t, ok && t.Status == status && (t.Result != nil || status == sdk.StatusCancelled)
}

// recordIn is what a run left in its close event, and which status that is of; false where it left nothing. event may be nil.
func recordIn[T any](e *Engine, event *historypb.HistoryEvent) (record T, status sdk.Status, ok bool) {
	if completed := event.GetWorkflowExecutionCompletedEventAttributes(); completed != nil {
		err := e.cfg.DataConverter.FromPayloads(completed.GetResult(), &record)
		return record, sdk.StatusCompleted, err == nil
	}
	if failed := event.GetWorkflowExecutionFailedEventAttributes(); failed != nil {
		app, is := errors.AsType[*temporal.ApplicationError](e.failures.FailureToError(failed.GetFailure()))
		ok = is && app.Details(&record) == nil
		return record, sdk.StatusFailed, ok
	}
	if canceled := event.GetWorkflowExecutionCanceledEventAttributes(); canceled != nil {
		details := canceled.GetDetails()
		ok = len(details.GetPayloads()) > 0 && e.cfg.DataConverter.FromPayloads(details, &record) == nil
		return record, sdk.StatusCancelled, ok
	}
	return record, "", false
}

// complete fills a record up with what stays outside it.
func (r run) complete(t sdk.Task) sdk.Task {
	t.ID, t.CreatedAt = r.id, r.created()
	t.Input, t.Description = r.memo.Task.Input, r.memo.Task.Description
	if t.CompletedAt == nil {
		closed := r.closed
		t.CompletedAt = &closed
	}
	return withLists(t)
}

// brokenTask is the task of a run that ended without a record. Like every task that did not complete, it took from its start, or
// from its run's when no start is known, to its end.
func (r run) brokenTask(code sdk.Code, message string) sdk.Task {
	t := r.base()
	closed, began := r.closed, r.started
	if t.StartedAt != nil {
		began = *t.StartedAt
	}
	t.Status, t.CompletedAt, t.WaitingFor, t.InputRequest = sdk.StatusFailed, &closed, nil, nil
	t.Result = &sdk.Result{
		Status: sdk.StatusFailed, Error: &sdk.TaskError{Code: code, Message: message}, Degraded: t.Degraded,
		Metrics: sdk.Metrics{DurationMs: max(closed.Sub(began).Milliseconds(), 0)},
	}
	return withLists(t)
}

// cancelledTask is the task of a run that was cancelled and left no record.
func (r run) cancelledTask() sdk.Task {
	t := r.brokenTask(sdk.CodeCancelled, "the task was cancelled")
	t.Status, t.Result.Status = sdk.StatusCancelled, sdk.StatusCancelled
	return t
}

// withLists makes every list of a task one that is written as [] when it is empty.
func withLists(t sdk.Task) sdk.Task {
	if t.Attempts == nil {
		t.Attempts = []sdk.Attempt{}
	}
	if t.Answers == nil {
		t.Answers = []sdk.Answer{}
	}
	if t.Capabilities == nil {
		t.Capabilities = []string{}
	}
	if t.Fallback == nil {
		t.Fallback = []sdk.Stage{}
	}
	if t.Metadata == nil {
		t.Metadata = map[string]string{}
	}
	return t
}
