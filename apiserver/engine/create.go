package engine

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// CreateTask starts the run of a task whose request is valid. With a digest, which is that of the canonical request, a task of
// the same id and digest is answered as replayed and one of another digest is refused as idempotency_mismatch; without one an id
// that is taken is a conflict. A task is created at the time of the engine's own clock. One whose request names a parent is created by
// the run of that task.
func (e *Engine) CreateTask(ctx context.Context, in workflows.TaskInput, digest string) (task sdk.Task, replayed bool, err error) {
	born := time.Now()
	in.Request, in.CreatedAt = in.Request.Resolve(), born.UTC().Round(0)
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	if in.Request.ParentID != "" {
		return e.createChild(ctx, in, digest, born)
	}
	created := withLists(workflows.NewTask(in, in.CreatedAt))
	run, err := e.temporal.ExecuteWorkflow(ctx, StartOptions(in, created, digest), workflows.TaskWorkflow, in)
	if _, taken := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); taken {
		task, err = e.replay(ctx, in.Project, in.ID, digest)
		return task, err == nil, err
	}
	if err != nil {
		return sdk.Task{}, false, fault(err)
	}
	return e.begun(in.Project, created, run.GetRunID(), born), false, nil
}

// begun is a task whose run has just started, kept for the next readers.
func (e *Engine) begun(project string, created sdk.Task, runID string, born time.Time) sdk.Task {
	e.keepTexts(runID, requestTexts{Input: created.Input, Description: created.Description})
	created.Links = e.links(project, created.ID, runID)
	e.remember(sighting{task: created, born: born}, project)
	return created
}

// remember lets the next readers have a task that was created just now, unless one has read it already.
func (e *Engine) remember(created sighting, project string) {
	workflowID := workflows.TaskWorkflowID(project, created.task.ID)
	if _, known := e.known(workflowID); !known {
		e.running.put(workflowID, created, taskBytes(created.task), time.Now())
	}
}

// StartOptions are how the run of a task is started: t is the task as it is created, digest as in [Engine.CreateTask]. The run's input is in.
func StartOptions(in workflows.TaskInput, t sdk.Task, digest string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.TaskWorkflowID(in.Project, in.ID),
		TaskQueue:                workflows.ControlQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		Memo:                     workflows.StartMemo(in, t, digest),
		TypedSearchAttributes:    workflows.StartAttributes(in.Project, t),
		StaticSummary:            workflows.TaskSummary(t),
		Priority:                 temporal.Priority{PriorityKey: workflows.PriorityKey(t.Priority), FairnessKey: t.FairnessKey},

		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
}

// replay answers the task that has the id already, when it came from the same request.
func (e *Engine) replay(ctx context.Context, project, id, digest string) (sdk.Task, error) {
	workflowID := workflows.TaskWorkflowID(project, id)
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return sdk.Task{}, fault(err)
	}
	first := ""
	if p, ok := resp.GetWorkflowExecutionInfo().GetMemo().GetFields()[workflows.MemoDigest]; ok {
		if err := e.cfg.DataConverter.FromPayload(p, &first); err != nil {
			return sdk.Task{}, fault(err)
		}
	}
	if err := SameRequest("task", first, digest); err != nil {
		return sdk.Task{}, err
	}
	found, err := e.taskOf(ctx, project, id, resp)
	if err != nil {
		return sdk.Task{}, fault(err)
	}
	return found.task, nil
}
