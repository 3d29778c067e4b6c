package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// createChild has the run of a task's parent start it. How many tasks there are below a root is counted by the root's own run, which is
// asked first; where that has ended, see [Engine.count].
func (e *Engine) createChild(ctx context.Context, in workflows.TaskInput, digest string, born time.Time) (task sdk.Task, replayed bool, err error) {
	if digest != "" { // the same request again is answered also when its parent has ended since
		task, err := e.replay(ctx, in.Project, in.ID, digest)
		if err == nil || !errors.Is(err, sdk.ErrNotFound) {
			return task, err == nil, err
		}
	}
	parent, err := e.parent(ctx, in.Project, in.Request.ParentID)
	if err != nil {
		return sdk.Task{}, false, err
	}
	if root := parent.memo.Task.RootID; root != "" && root != parent.id {
		if err := e.count(ctx, parent, in.ID); err != nil {
			return sdk.Task{}, false, fault(err)
		}
	}
	ask := workflows.DelegateTaskInput{Child: in, Digest: digest, Nonce: rand.Text()}
	out, err := e.delegate(ctx, parent.id, ask)
	switch {
	case isNotFound(err) || endedMeanwhile(err):
		return sdk.Task{}, false, workflows.ParentEnded()
	case err != nil && digest != "" && errors.Is(fault(err), sdk.ErrConflict): // by another one of the same key, it may be
		if task, again := e.replay(ctx, in.Project, in.ID, digest); again == nil || errors.Is(again, sdk.ErrIdempotencyMismatch) {
			return task, again == nil, again
		}
	}
	if err != nil {
		return sdk.Task{}, false, fault(err)
	}
	echoes := out.Nonce != "" || out.Digest != "" // a control worker of an earlier version does not say whose asking it took
	if echoes && out.Nonce != ask.Nonce {         // another asking with this id was taken at the same time
		if err := SameRequest("task", out.Digest, digest); err != nil {
			return sdk.Task{}, false, err
		}
		task, err := e.replay(ctx, in.Project, in.ID, digest)
		return task, err == nil, err
	}
	in.RootID, in.Depth = out.RootID, out.Depth
	return e.begun(in.Project, withLists(workflows.NewTask(in, in.CreatedAt)), out.RunID, born), false, nil
}

// endedMeanwhile reports whether the run ended after it had accepted an update, and before that was done: a run does not end by itself
// before, so somebody terminated it.
func endedMeanwhile(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == "AcceptedUpdateCompletedWorkflow"
}

// parent is the run of a task that is to have a child.
func (e *Engine) parent(ctx context.Context, project, id string) (run, error) {
	r, err := e.relative(ctx, project, id)
	switch {
	case isNotFound(err):
		return run{}, NoSuchParent(id)
	case err != nil:
		return run{}, fault(err)
	case !r.takesChildren():
		return run{}, workflows.ParentEnded()
	case r.memo.Depth >= sdk.MaxDepth:
		return run{}, workflows.TooDeep()
	}
	return r, nil
}

// relative is the run of a task, with its memo.
func (e *Engine) relative(ctx context.Context, project, id string) (run, error) {
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflows.TaskWorkflowID(project, id), "")
	if err != nil {
		return run{}, err
	}
	r, err := e.decodeRun(resp)
	if err != nil {
		return run{}, err
	}
	r.project, r.id = project, id
	if r.memo == nil { // somebody else started it
		err = e.completeRequest(ctx, &r)
	}
	return r, err
}

// takesChildren reports whether the run of a task goes on, and was not asked to stop.
func (r run) takesChildren() bool {
	_, ended := endedStatus(r.status)
	return !ended && !r.cancelRequested
}

// count enters a task that is to be a child of parent in the count of their root, unless it is in it. Where the root has ended the tasks below
// it are counted as Temporal lists them, which may be a second old; what is created within that second is counted by the highest parent that
// goes on, from when it is asked first.
func (e *Engine) count(ctx context.Context, parent run, id string) error {
	root := parent.memo.Task.RootID
	if ended, err := e.countBy(ctx, parent.project, root, id); !ended {
		return err
	}
	resp, err := e.temporal.WorkflowService().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: e.cfg.Namespace, Query: familyQuery(parent.project, root),
	})
	if err != nil {
		return err
	}
	if resp.GetCount() >= sdk.MaxDescendants {
		return workflows.TooManyDescendants()
	}
	highest, err := e.highest(ctx, parent)
	if err != nil || highest == parent.id { // it counts its children itself
		return err
	}
	if ended, err := e.countBy(ctx, parent.project, highest, id); !ended {
		return err
	}
	return nil
}

// countBy enters a task in the count of another one; ended is that this one counts no more.
func (e *Engine) countBy(ctx context.Context, project, by, id string) (ended bool, err error) {
	_, err = e.delegate(ctx, by, workflows.DelegateTaskInput{Child: workflows.TaskInput{Project: project, ID: id}, CountOnly: true})
	return isNotFound(err) || errors.Is(err, sdk.ErrConflict) || endedMeanwhile(err), err
}

// highest is the id of the highest task above a child of parent that goes on. What Temporal keeps no more ends the way up.
func (e *Engine) highest(ctx context.Context, parent run) (id string, err error) {
	id = parent.id
	for range sdk.MaxDepth {
		next := parent.memo.Task.ParentID
		if next == "" || next == parent.memo.Task.RootID {
			return id, nil
		}
		parent, err = e.relative(ctx, parent.project, next)
		if isNotFound(err) {
			return id, nil
		}
		if err != nil {
			return "", err
		}
		if parent.takesChildren() {
			id = next
		}
	}
	return id, nil
}

// familyQuery chooses the tasks below a root: those that it has started, and they.
func familyQuery(project, root string) string {
	id := quote(workflows.TaskWorkflowID(project, root))
	return strings.Join(append(runsOf(workflows.TaskWorkflow, project), "RootWorkflowId = "+id, "WorkflowId != "+id), " AND ")
}

const (
	delegateTries = 10                    // of a child that comes together with something else of its parent
	delegateRest  = 20 * time.Millisecond // between them
)

// delegate asks a run to take a child, and again where it goes on from something else just then. Its refusal is an [sdk.Error]; any other
// error is Temporal's.
func (e *Engine) delegate(ctx context.Context, parent string, in workflows.DelegateTaskInput) (workflows.DelegateTaskOutput, error) {
	for try := 1; ; try++ {
		out, err := e.delegateOnce(ctx, parent, in)
		if refused, ok := errors.AsType[*sdk.Error](err); !ok || refused.Code != sdk.CodeUnavailable || try == delegateTries {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, err
		case <-time.After(delegateRest):
		}
	}
}

// delegateOnce asks once; the same child is asked for once.
func (e *Engine) delegateOnce(ctx context.Context, parent string, in workflows.DelegateTaskInput) (workflows.DelegateTaskOutput, error) {
	out, err := update(ctx, e.temporal, workflows.DelegateTask, client.UpdateWorkflowOptions{
		WorkflowID: workflows.TaskWorkflowID(in.Child.Project, parent), UpdateID: in.Child.ID,
	}, in)
	if refused, ok := refusal(err); ok {
		return out, refused
	}
	return out, err
}

// update sends an update and waits until it is done. opts name the run.
func update[In, Out any](ctx context.Context, api temporalAPI, u workflows.Update[In, Out], opts client.UpdateWorkflowOptions, in In) (out Out, err error) {
	opts.UpdateName, opts.Args, opts.WaitForStage = u.Name, []any{in}, client.WorkflowUpdateStageCompleted
	handle, err := api.UpdateWorkflow(ctx, opts)
	if err != nil {
		return out, err
	}
	err = handle.Get(ctx, &out)
	return out, err
}
