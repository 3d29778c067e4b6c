package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	// trustSent is how long a task that has no run is taken to wait for its turn, without asking its session: a run is kept for at least a
	// day after its end.
	trustSent = 23 * time.Hour
	// sentTimeout is how long Temporal is given to say what became of an update that was done long ago.
	sentTimeout = time.Second
)

// waiting is a task without a run: one that waits for its turn in its session. What the session was sent is in what Temporal keeps of it, so
// that no worker is needed to say so.
func (e *Engine) waiting(ctx context.Context, project, id string) (sighting, error) {
	session, ok := workflows.ParseSessionTaskID(id)
	if !ok {
		return sighting{}, NoSuchTask()
	}
	seen, err := e.describeSession(ctx, project, session)
	if errors.Is(err, sdk.ErrNotFound) {
		return sighting{}, NoSuchTask()
	}
	if err != nil {
		return sighting{}, err
	}
	task, err := e.sentTask(ctx, seen, id)
	if err != nil {
		return sighting{}, err
	}
	task.Links = e.links(project, id, "")
	switch {
	case !seen.isOpen() && (!endedOutside(seen.status) || time.Since(task.CreatedAt) > trustSent): // it had its run, which is kept no longer
		return sighting{}, NoSuchTask()
	case !seen.isOpen():
		return sighting{task: neverBegun(task, seen)}, nil
	case time.Since(task.CreatedAt) > trustSent:
		queue, err := e.askQueue(project, session)
		if err == nil && !slices.Contains(queue, id) {
			return sighting{}, NoSuchTask()
		}
		task.Stale = err != nil
	}
	return sighting{task: task, unbegun: true}, nil
}

// sentTask is a task as its session was sent it: in this run, or in one before, which has handed it over.
func (e *Engine) sentTask(ctx context.Context, seen sessionRun, id string) (sdk.Task, error) {
	workflowID := workflows.TaskWorkflowID(seen.project, id)
	if t, ok := e.sent.get(workflowID); ok {
		return t, nil
	}
	t, ok, err := e.sentHere(ctx, seen, id)
	if err != nil {
		return sdk.Task{}, err
	}
	if ok {
		return e.sentNow(seen.project, t), nil
	}
	if err := e.keepCarried(ctx, seen); err != nil {
		return sdk.Task{}, err
	}
	if t, ok := e.sent.get(workflowID); ok {
		return t, nil
	}
	return sdk.Task{}, NoSuchTask()
}

// sentHere is a task that this run of the session was sent: what the update has answered.
func (e *Engine) sentHere(ctx context.Context, seen sessionRun, id string) (t sdk.Task, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sentTimeout)
	defer cancel()
	resp, err := e.temporal.WorkflowService().PollWorkflowExecutionUpdate(ctx, &workflowservice.PollWorkflowExecutionUpdateRequest{
		Namespace: e.cfg.Namespace,
		UpdateRef: &updatepb.UpdateRef{WorkflowExecution: seen.execution(), UpdateId: id},
		WaitPolicy: &updatepb.WaitPolicy{
			LifecycleStage: enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED,
		},
	})
	if isNotFound(err) {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	var out workflows.SendTaskOutput
	done := resp.GetOutcome().GetSuccess()
	if done == nil || e.cfg.DataConverter.FromPayloads(done, &out) != nil || out.Nonce == "" || out.Task.Status == "" { // it was sent before, to another run
		return t, false, nil
	}
	return out.Task, true, nil
}

// keepCarried keeps the tasks that a run of the session was handed over, for their readers.
func (e *Engine) keepCarried(ctx context.Context, seen sessionRun) error {
	in, err := e.firstSessionInput(ctx, seen)
	if err != nil {
		return err
	}
	for _, t := range workflows.CarriedTasks(in, seen.started) {
		e.sentNow(seen.project, t)
	}
	return nil
}

// firstSessionInput is what a run of a session was started with.
func (e *Engine) firstSessionInput(ctx context.Context, seen sessionRun) (in workflows.SessionInput, err error) {
	in, err = firstInput[workflows.SessionInput](ctx, e, workflows.SessionWorkflowID(seen.project, seen.id), seen.runID)
	in.Project, in.ID = seen.project, seen.id
	return in, err
}

func (r sessionRun) execution() *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: workflows.SessionWorkflowID(r.project, r.id), RunId: r.runID}
}

// askQueue asks a session's run which tasks wait. Queries take turns, as those for how a session stands do.
func (e *Engine) askQueue(project, session string) ([]string, error) {
	out, err := ask(e.life, e, e.queriesOfSessions, workflows.ListQueue, workflows.SessionWorkflowID(project, session))
	return out.TaskIDs, err
}

// neverBegun is a task whose session was ended from outside before its turn.
func neverBegun(t sdk.Task, seen sessionRun) sdk.Task {
	closed := seen.closed
	t.Status, t.WaitingFor, t.CompletedAt = sdk.StatusFailed, nil, &closed
	t.Result = &sdk.Result{Status: sdk.StatusFailed, Error: &sdk.TaskError{
		Code: sdk.CodeTerminated, Message: "the run of its session was ended from outside before its turn",
	}}
	return t
}

// cancelWaiting cancels a task that waits for its turn. Its session says so in a run of the task's own.
func (e *Engine) cancelWaiting(ctx context.Context, project, id, reason string) (task sdk.Task, accepted bool, err error) {
	task, err = e.look(ctx, project, id)
	if err != nil || task.Status.Terminal() {
		return task, false, err
	}
	session, _ := workflows.ParseSessionTaskID(id)
	err = e.temporal.SignalWorkflow(ctx, workflows.SessionWorkflowID(project, session), "", workflows.CancelRequested.Name,
		workflows.CancelRequestedInput{TaskID: id, Reason: reason})
	ended := isNotFound(err) // between the look and now
	if err != nil && !ended {
		return sdk.Task{}, false, fault(err)
	}
	task, err = e.look(ctx, project, id)
	return task, err == nil && !ended, err
}
