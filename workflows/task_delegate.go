package workflows

import (
	"encoding/json"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// handleDelegation serves delegate-task. A task that was asked to stop takes no child any more. One that comes together with something
// else, of which the run is yet to tell, is refused to be asked for again: an earlier try of this workflow task may have told of that
// already, and the delegation would come before it now.
func (r *taskRun) handleDelegation(ctx workflow.Context) error {
	return DelegateTask.Handle(ctx, r.delegateTask, func(_ workflow.Context, in DelegateTaskInput) error {
		if ctx.Err() != nil {
			return refusal(ParentEnded())
		}
		if !in.CountOnly && r.unheard() {
			return refusal(ParentBusy())
		}
		return refusal(r.course.CheckDelegation(in))
	})
}

// delegateTask starts a child and answers when its run has started. The run of the child is not touched by a cancellation of this one: its
// end is, see childOptions.
func (r *taskRun) delegateTask(ctx workflow.Context, in DelegateTaskInput) (DelegateTaskOutput, error) {
	out := r.course.Stands()
	out.Digest, out.Nonce = in.Digest, in.Nonce
	if in.CountOnly {
		r.course.Count(in.Child.ID)
		return out, nil
	}
	d := r.course.Delegate(workflow.Now(ctx), in)
	calm, _ := workflow.NewDisconnectedContext(ctx)
	t := NewTask(d.Child, workflow.Now(ctx))
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(calm, childOptions(d.Child, t, in.Digest)), TaskWorkflow, d.Child)
	var run workflow.Execution
	err := child.GetChildWorkflowExecution().Get(calm, &run)
	r.course.Delegated(d, err == nil)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return out, refusal(sdk.Errorf(sdk.CodeConflict, "a task with this id exists already"))
	}
	if err != nil {
		return out, err
	}
	workflow.Go(calm, func(ctx workflow.Context) { r.course.ChildEnded(resultSize(ctx, child)) })
	out.RunID = run.RunID
	return out, nil
}

// resultSize waits for the end of a child and answers how many bytes its record has there.
func resultSize(ctx workflow.Context, child workflow.ChildWorkflowFuture) int {
	var record json.RawMessage
	if readChild(child.Get(ctx, &record), &record) != nil { // a run that was ended from outside has none
		return 0
	}
	return len(record)
}

// childOptions are how the run of a child is started: as any other task's, but that the end of its parent asks it to stop, unless it is
// detached.
func childOptions(in TaskInput, t sdk.Task, digest string) workflow.ChildWorkflowOptions {
	policy := enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL
	if in.Request.Detached {
		policy = enumspb.PARENT_CLOSE_POLICY_ABANDON
	}
	return workflow.ChildWorkflowOptions{
		WorkflowID: TaskWorkflowID(in.Project, in.ID), TaskQueue: ControlQueue, WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ParentClosePolicy: policy, Memo: StartMemo(in, t, digest), TypedSearchAttributes: StartAttributes(in.Project, t),
		StaticSummary: TaskSummary(t), Priority: temporal.Priority{PriorityKey: PriorityKey(t.Priority), FairnessKey: t.FairnessKey},
	}
}

// childrenStarted waits for the runs of children that were asked for: one that is asked for in the workflow task that closes its parent
// silently never starts. The task takes no more of them by then.
func (r *taskRun) childrenStarted(ctx workflow.Context) error {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	return workflow.Await(calm, func() bool { return workflow.AllHandlersFinished(ctx) })
}
