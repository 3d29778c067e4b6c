package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// ClaimTask waits for a task of a role, or for one that asks for this very agent: its own queue is asked for about a second, then the
// role's, in turn and never both at once, so that an agent gets one task, and each once at least. It is nil when none came, and when ctx has
// ended: what came then is given back.
func (e *Engine) ClaimTask(ctx context.Context, in activities.Claim) (*activities.Claimed, error) {
	defer e.leases.metrics.claiming(in.Role)()
	least := pollLeast
	if in.Addressed {
		least = 2 * pollLeast // one for each queue
	}
	until := time.Now().Add(max(in.Wait, least))
	own := in.Addressed
	for time.Until(until) > pollScrap && ctx.Err() == nil && e.life.Err() == nil {
		task, err := e.ask(ctx, in, own, time.Until(until))
		if err != nil {
			return nil, fault(err)
		}
		own = in.Addressed && !own
		if task == nil {
			continue
		}
		claimed, err := e.handOut(ctx, in, task)
		if claimed != nil || err != nil {
			return claimed, err
		}
	}
	return nil, nil
}

// ask waits for a task in the agent's own queue, or in its role's. Its own is passed over while too many of the project are asked.
func (e *Engine) ask(ctx context.Context, in activities.Claim, own bool, wait time.Duration) (*polledTask, error) {
	queue, most := workflows.RoleQueue(in.Project, in.Role), desksOfAProject
	switch {
	case own:
		queue, most, wait = workflows.AgentQueue(in.Project, in.Role, in.AgentID), ownDesks, pollLeast
	case in.Addressed:
		wait = min(wait, pollMost)
	}
	d, leave := e.desk(in.Project, in.Role, queue, most)
	switch {
	case d != nil:
		defer leave()
		return d.take(ctx, wait)
	case own:
		return nil, nil
	default:
		return nil, tooManyDesks()
	}
}

// ReturnAttempt gives an attempt back that its agent can not be told of.
func (e *Engine) ReturnAttempt(h activities.Hold) {
	e.attend(func() { e.returnToken(h.Role, h.Token) })
}

// pollQueue asks a queue for a task. Nothing cuts it short.
func (e *Engine) pollQueue(queue string, length time.Duration) (*polledTask, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.life), length+time.Second)
	defer cancel()
	task, err := e.temporal.WorkflowService().PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{
		Namespace: e.cfg.Namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}, Identity: leaseIdentity,
	})
	switch {
	case isLate(err), err == nil && len(task.GetTaskToken()) == 0:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return task, nil
}

// isLate reports whether a poll was over before Temporal said that it was.
func isLate(err error) bool {
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	return late || errors.Is(err, context.DeadlineExceeded)
}

// returnToken gives an attempt back that no agent has begun: it uses none of its stage's attempts.
func (e *Engine) returnToken(role sdk.Role, token []byte) {
	e.leases.metrics.givenBack(role)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.life), 2*e.cfg.CallTimeout)
	defer cancel()
	if err := e.failAttempt(ctx, token, leaseIdentity, interruption(activities.AttemptReport{})); err != nil && !isNotFound(err) {
		e.cfg.Logger.Warn("an attempt could not be given back; it is seen as lost after its heartbeat timeout", "error", err)
	}
}

// interruption is the failure of an attempt that somebody else is to go on with.
func interruption(report activities.AttemptReport) error {
	return temporal.NewApplicationErrorWithOptions(sdk.ErrInterruptedAttempt.Message, string(sdk.CodeInterrupted), temporal.ApplicationErrorOptions{
		Details: []any{report},
	})
}

func (e *Engine) failAttempt(ctx context.Context, token []byte, identity string, failure error) error {
	_, err := e.temporal.WorkflowService().RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: e.cfg.Namespace, TaskToken: token, Identity: identity, Failure: e.failures.ErrorToFailure(failure),
	})
	return err
}

// handOut makes a task that was polled the agent's, once Temporal has acknowledged a heartbeat that names it. It is nil when the task is
// none for an agent, or any more.
func (e *Engine) handOut(ctx context.Context, in activities.Claim, task *polledTask) (*activities.Claimed, error) {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*e.cfg.CallTimeout)
	defer cancel()
	claimed, refused := e.readTask(in, task)
	if refused != nil {
		report := activities.AttemptReport{AgentID: in.AgentID, Details: nil}
		err := e.failAttempt(detached, task.GetTaskToken(), in.AgentID, temporal.NewApplicationErrorWithOptions(refused.Message, string(refused.Code),
			temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{report}}))
		if err != nil && !isNotFound(err) {
			return nil, fault(err)
		}
		return nil, nil
	}
	state := e.leases.of(claimed.Hold)
	state.mu.Lock()
	defer state.mu.Unlock()
	began := claimed.Hold.StartedAt
	report := e.earlier(task.GetHeartbeatDetails())
	if len(report.Resume) > 0 {
		claimed.Assignment.Resume = report.Resume
	}
	report.AgentID, report.StartedAt, report.N, report.Result, report.InputRequired, report.Details = in.AgentID, &began, allSignals, nil, nil, nil
	beat, err := e.beat(detached, claimed.Hold, report)
	switch {
	case isNotFound(err):
		return nil, nil
	case err != nil:
		e.ReturnAttempt(claimed.Hold)
		return nil, fault(err)
	case beat.GetCancelRequested(), beat.GetActivityPaused(), beat.GetActivityReset(), ctx.Err() != nil:
		e.returnToken(in.Role, claimed.Hold.Token)
		return nil, nil
	}
	state.fresh, state.report, state.handed = true, report, said(report)
	e.leases.keep(claimed.Hold, state)
	claimed.ExpiresAt = began.Add(time.Duration(claimed.Hold.HeartbeatMs) * time.Millisecond)
	hold := claimed.Hold // the caller's from here on
	e.attend(func() { e.tellStarted(hold) })
	e.leases.metrics.handedOut(in.Role)
	return claimed, nil
}

// readTask reads the attempt out of what a poll brought. What can not be read will not be readable to anybody else.
func (e *Engine) readTask(in activities.Claim, task *polledTask) (*activities.Claimed, *sdk.Error) {
	project, id, ok := workflows.ParseTaskWorkflowID(task.GetWorkflowExecution().GetWorkflowId())
	stage, number, named := activities.ParseAttemptID(task.GetActivityId())
	if task.GetActivityType().GetName() != activities.ExecuteTaskName || !ok || !named || project != in.Project {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "agents over HTTP take attempts of tasks, by the activity %s, and nothing else", activities.ExecuteTaskName)
	}
	var assignment sdk.Assignment
	if err := e.cfg.DataConverter.FromPayloads(task.GetInput(), &assignment); err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "the assignment cannot be read")
	}
	if assignment.Task.ID != id || assignment.Stage != stage || assignment.Attempt != number {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "the assignment is of another attempt")
	}
	now := time.Now().UTC().Round(0)
	began := now
	if t := assignment.Task.StartedAt; t != nil {
		began = *t
	}
	length := task.GetHeartbeatTimeout().AsDuration()
	if length <= 0 {
		length = heartbeatWithout
	}
	return &activities.Claimed{Assignment: assignment, Hold: activities.Hold{
		Project: project, Role: in.Role, AgentID: in.AgentID, TaskID: id, RunID: task.GetWorkflowExecution().GetRunId(), Stage: stage, Attempt: number,
		Token: task.GetTaskToken(), StartedAt: now, TaskBegan: began, HeartbeatMs: length.Milliseconds(),
	}}, nil
}

// heartbeatWithout is how long a lease lasts of an activity that has no heartbeat timeout.
const heartbeatWithout = 30 * time.Second

// earlier is what an earlier execution of the same attempt reported: an operator reset it, and it is handed out again.
func (e *Engine) earlier(details *commonpb.Payloads) (report activities.AttemptReport) {
	if len(details.GetPayloads()) == 0 || e.cfg.DataConverter.FromPayloads(details, &report) != nil { // somebody else's may be anything
		return activities.AttemptReport{}
	}
	report.Resume = bytes.TrimSpace(report.Resume)
	if string(report.Resume) == "null" || sdk.CheckJSON(report.Resume, sdk.MaxResume) != nil {
		report.Resume = nil
	}
	return report
}

// tellStarted lets the run know that the agent has begun. Its end would say so too.
func (e *Engine) tellStarted(h activities.Hold) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.life), e.cfg.CallTimeout)
	defer cancel()
	err := e.temporal.SignalWorkflow(ctx, workflows.TaskWorkflowID(h.Project, h.TaskID), h.RunID, workflows.AttemptStarted.Name, workflows.AttemptStartedInput{
		Stage: h.Stage, Attempt: h.Attempt, AgentID: h.AgentID, StartedAt: h.StartedAt,
	})
	if err != nil && !isNotFound(err) {
		e.cfg.Logger.Debug("the start of an attempt was not told", "task", h.TaskID, "error", err)
	}
}

// beat sends a heartbeat of an attempt.
func (e *Engine) beat(ctx context.Context, h activities.Hold, report activities.AttemptReport) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	details, err := e.cfg.DataConverter.ToPayloads(report)
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	return e.temporal.WorkflowService().RecordActivityTaskHeartbeat(call, &workflowservice.RecordActivityTaskHeartbeatRequest{
		Namespace: e.cfg.Namespace, TaskToken: h.Token, Details: details, Identity: h.AgentID,
	})
}

// isSpent reports whether Temporal says that an attempt has ended, or knows nothing of it.
func isSpent(err error) bool {
	_, malformed := errors.AsType[*serviceerror.InvalidArgument](err)
	return isNotFound(err) || malformed
}
