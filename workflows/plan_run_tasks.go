package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// maxAsked is with how many bytes of tasks that it asks for a workflow task leaves others to the next one. What it answers is one message
	// to Temporal, of at most 4 MB.
	maxAsked = 1 << 20
	// askWeight is about how many bytes the asking for a task is beside what the task is given.
	askWeight = 8 << 10
)

// planTask is a task whose run was asked for and has not ended.
type planTask struct {
	id     string
	run    workflow.ChildWorkflowFuture
	cancel workflow.CancelFunc
}

// proceed does what follows from everything that was taken: it has tasks stopped, and asks for others.
func (r *planRunner) proceed(ctx workflow.Context) {
	for {
		id, reason, ok := r.course.stop()
		if !ok {
			break
		}
		r.stop(ctx, id, reason)
	}
	for {
		if r.behind = r.asked >= maxAsked; r.behind {
			r.course.forget()
			return
		}
		in, ok := r.course.next(workflow.Now(ctx))
		if !ok {
			return
		}
		r.start(ctx, in)
	}
}

// start starts the run of a task. Its end is asked for by the end of this run, not by its cancellation: that comes with a reason.
func (r *planRunner) start(ctx workflow.Context, in TaskInput) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	leash, cancel := workflow.WithCancel(calm)
	options := childOptions(in, NewTask(in, workflow.Now(ctx)), "")
	options.WaitForCancellation = true
	run := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(leash, options), TaskWorkflow, in)
	r.tasks = append(r.tasks, &planTask{id: in.ID, run: run, cancel: cancel})
	r.asked += askWeight + len(in.Request.Input) + len(in.Request.Description)
	r.shown.moved = true
}

// stop has a task stopped that runs: it is told why, and then cancelled. One that has not begun yet is when it has.
func (r *planRunner) stop(ctx workflow.Context, id, reason string) {
	i := slices.IndexFunc(r.tasks, func(t *planTask) bool { return t.id == id })
	if i < 0 {
		return
	}
	t := r.tasks[i]
	calm, _ := workflow.NewDisconnectedContext(ctx)
	workflow.Go(calm, func(ctx workflow.Context) {
		if t.run.GetChildWorkflowExecution().Get(ctx, nil) != nil || t.run.IsReady() {
			return
		}
		why := CancelRequestedInput{Reason: reason}
		_ = t.run.SignalChildWorkflow(ctx, CancelRequested.Name, why).Get(ctx, nil) // one that has ended meanwhile needs no reason
		t.cancel()
	})
}

// endedTask is the first of the tasks whose run has ended; nil: none has.
func (r *planRunner) endedTask() *planTask {
	for _, t := range r.tasks {
		if t.run.IsReady() {
			return t
		}
	}
	return nil
}

// ended takes the end of a task's run, which is there.
func (r *planRunner) ended(ctx workflow.Context, t *planTask) {
	r.tasks = slices.DeleteFunc(r.tasks, func(other *planTask) bool { return other == t })
	t.cancel() // of nothing any more
	r.course.ended(workflow.Now(ctx), t.id, r.recordOf(ctx, t))
	r.shown.moved = true
}

// recordOf is the record that the run of a task left; nil where there is none, as when it never started, or was ended from outside.
func (r *planRunner) recordOf(ctx workflow.Context, t *planTask) *sdk.Task {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	if err := t.run.GetChildWorkflowExecution().Get(calm, nil); err != nil {
		workflow.GetLogger(ctx).Error("the run of a plan's task was not started", "task", t.id, "error", err)
		return nil
	}
	record := recordOf(calm, t.run)
	if record == nil {
		workflow.GetLogger(ctx).Warn("the run of a plan's task left no record", "task", t.id)
	}
	return record
}
