package engine

import (
	"context"
	"errors"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// RetryTask starts a new task from the request of the finished one in.RetryOf, as that was made: what became of it in fallback stages
// is not part of it. in has no request; digest is as in [Engine.CreateTask]. A task that has not ended is a conflict.
func (e *Engine) RetryTask(ctx context.Context, in workflows.TaskInput, digest string) (task sdk.Task, replayed bool, err error) {
	first, err := e.finishedInput(ctx, in.Project, in.RetryOf)
	if errors.Is(err, sdk.ErrNotFound) && digest != "" { // it is kept no longer; the task that was made from it may be
		task, err = e.replay(ctx, in.Project, in.ID, digest)
		return task, err == nil, err
	}
	if err != nil {
		return sdk.Task{}, false, err
	}
	in.Request, in.Model = first.Request, first.Model
	if err := in.Request.Validate(); err != nil { // a run that somebody else started
		return sdk.Task{}, false, err
	}
	return e.CreateTask(ctx, in, digest)
}

// finishedInput is what a task that has ended was started with, or would have been.
func (e *Engine) finishedInput(ctx context.Context, project, id string) (workflows.TaskInput, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflows.TaskWorkflowID(project, id), "")
	if isNotFound(err) {
		in, err := e.neverBegunInput(ctx, project, id)
		if err != nil {
			return workflows.TaskInput{}, fault(err)
		}
		return in, nil
	}
	if err != nil {
		return workflows.TaskInput{}, fault(err)
	}
	seen, err := e.decodeRun(resp)
	if err != nil {
		return workflows.TaskInput{}, fault(err)
	}
	if _, ended := endedStatus(seen.status); !ended {
		return workflows.TaskInput{}, NotEnded()
	}
	seen.project, seen.id = project, id
	in, err := e.firstTaskInput(ctx, seen)
	if err != nil {
		return workflows.TaskInput{}, fault(err)
	}
	return in, nil
}
