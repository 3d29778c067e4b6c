package workflows

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// perform has the task done whose turn it is, in a run of its own, and waits for its end. One that is to be stopped is told why, and then
// cancelled.
func (r *sessionRun) perform(ctx workflow.Context, in TaskInput, digest string) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	leash, cancel := workflow.WithCancel(calm)
	defer cancel()
	child := r.start(leash, in, digest)
	if err := child.GetChildWorkflowExecution().Get(calm, nil); err != nil {
		r.notStarted(ctx, in.ID, err)
		return
	}
	r.describe(ctx)
	_ = workflow.Await(calm, func() bool { // nothing ends calm
		return child.IsReady() || r.talk.stop != nil || ctx.Err() != nil
	})
	if !child.IsReady() {
		r.over(ctx)
		reason := CancelRequestedInput{}
		if r.talk.stop != nil {
			reason.Reason = *r.talk.stop
		}
		_ = child.SignalChildWorkflow(calm, CancelRequested.Name, reason).Get(calm, nil) // one that has ended meanwhile needs no reason
		cancel()
	}
	record := recordOf(calm, child)
	r.talk.ended(workflow.Now(ctx), record)
	r.describe(ctx)
}

// notStarted says that a task has no run, or another one than this session's turn has made.
func (r *sessionRun) notStarted(ctx workflow.Context, id string, err error) {
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		workflow.GetLogger(ctx).Warn("a task of the session has had its run before", "task", id)
		r.talk.skipped(workflow.Now(ctx))
		return
	}
	workflow.GetLogger(ctx).Error("the run of a session's task was not started", "task", id, "error", err)
	r.talk.ended(workflow.Now(ctx), nil)
}

// recordDropped starts the runs that record the end of tasks which were cancelled before their turn.
func (r *sessionRun) recordDropped(ctx workflow.Context) {
	for {
		in, digest, ok := r.talk.nextDropped()
		if !ok {
			return
		}
		r.open++
		child := r.start(ctx, in, digest)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer func() { r.open-- }()
			if temporal.IsWorkflowExecutionAlreadyStartedError(child.GetChildWorkflowExecution().Get(ctx, nil)) {
				workflow.GetLogger(ctx).Warn("a cancelled task of the session has had its run before", "task", in.ID)
				return // it is not counted, as in notStarted
			}
			r.talk.count(recordOf(ctx, child))
		})
	}
}

// start starts the run of a task. It is that of a child whose end is asked for by the end of this run.
func (r *sessionRun) start(ctx workflow.Context, in TaskInput, digest string) workflow.ChildWorkflowFuture {
	t := NewTask(in, workflow.Now(ctx))
	options := childOptions(in, t, digest)
	options.ParentClosePolicy = enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL
	options.WaitForCancellation = true
	if client := r.talk.in.Config.ClientID; client != "" {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(options.TypedSearchAttributes.Copy(), AttrClient.ValueSet(client))
	}
	return workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), TaskWorkflow, in)
}

// recordOf waits for the end of a task's run and answers the record that it left; nil where it left none, as when it was ended from outside.
func recordOf(ctx workflow.Context, child workflow.ChildWorkflowFuture) *sdk.Task {
	var t sdk.Task
	if err := readChild(child.Get(ctx, &t), &t); err != nil {
		return nil
	}
	return &t
}

// readChild reads the record of a child into value, which holds it where err, that of its end, is nil. Its own error is that there is none.
func readChild(err error, value any) error {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return failed.Details(value)
	}
	if canceled, ok := errors.AsType[*temporal.CanceledError](err); ok {
		return canceled.Details(value)
	}
	return err
}
