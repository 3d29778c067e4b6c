package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// cancelGrace is how long a cancelled run waits for its agent to have stopped.
const cancelGrace = 15 * time.Second

// attempt asks for one attempt of the current stage, waits for its end and enters it in the chain. A cancelled one answers with
// outcome cancelled; its success, should it come in time, is still a success.
func (r *taskRun) attempt(ctx workflow.Context) attemptEnd {
	r.task.Attempt++
	r.scheduled, r.signalled = workflow.Now(ctx), 0
	entry := sdk.Attempt{
		Stage: r.task.Stage, Attempt: r.task.Attempt, Role: r.stage().Role, AgentID: r.stage().AgentID,
		Model: r.stage().Model, StartedAt: r.scheduled,
	}
	r.task.Attempts = append(r.task.Attempts, entry)
	if r.left(ctx) <= 0 {
		return r.ended(ctx, failed(sdk.OutcomeNotTaken, sdk.CodeTotalTimeout, "the task's time was used up"), activities.AttemptReport{})
	}
	if r.written += r.weight(); r.written > maxWritten {
		return r.ended(ctx, failed(sdk.OutcomeNotTaken, sdk.CodeBudgetExceeded, "the task's attempts have filled the history that one run may have"), activities.AttemptReport{})
	}
	future := activities.ExecuteTask(ctx, r.attemptOptions(ctx), r.assignment())
	r.wait(ctx, future)
	if !future.IsReady() {
		calm, stop := workflow.NewDisconnectedContext(ctx)
		r.wait(calm, future, timer(calm, cancelGrace, "waiting for the agent to stop"))
		stop()
	}
	asked := ctx.Err() != nil
	if !future.IsReady() {
		r.cancelConfirmed(false)
		return r.ended(ctx, attemptEnd{outcome: sdk.OutcomeCancelled}, activities.AttemptReport{})
	}
	var report activities.AttemptReport
	err := future.Get(ctx, &report)
	end, report := readEnd(report, err, r.left(ctx) <= 0, asked)
	report = trimReport(report, r.task.Stage, r.task.Attempt)
	r.catchUp(end, report)
	if asked && end.outcome != sdk.OutcomeCompleted {
		r.cancelConfirmed(end.outcome != sdk.OutcomeLost && end.outcome != sdk.OutcomeTimedOut)
		end = attemptEnd{outcome: sdk.OutcomeCancelled}
	}
	return r.ended(ctx, end, report)
}

// ended closes the open entry of the chain and takes over what the attempt left behind.
func (r *taskRun) ended(ctx workflow.Context, end attemptEnd, report activities.AttemptReport) attemptEnd {
	now := workflow.Now(ctx)
	entry := r.openEntry()
	entry.EndedAt, entry.Outcome, entry.Error = &now, end.outcome, chainError(end.failure)
	if end.outcome != sdk.OutcomeNotTaken && end.outcome != sdk.OutcomeCancelled {
		r.enter(ctx, sdk.StatusRunning)
	}
	if report.AgentID != "" {
		entry.AgentID = report.AgentID
	}
	if report.StartedAt != nil {
		r.handlerStarted(ctx, *report.StartedAt)
	}
	if entry.AgentID != "" {
		r.task.AgentID = entry.AgentID
	}
	if report.Progress != nil {
		r.progressed(*report.Progress)
	}
	if len(report.Resume) > 0 {
		r.resume = report.Resume
	}
	if end.outcome != sdk.OutcomeCompleted && report.Spent != nil {
		r.spent = r.spent.Plus(*report.Spent)
	}
	switch {
	case end.outcome == sdk.OutcomeCompleted:
		r.complete(now, *report.Result)
	case end.outcome == sdk.OutcomeInputRequired:
		r.task.MaxAttempts++
		r.question = newQuestion(ctx, r, *report.InputRequired)
	case end.failure == nil:
	case effectOf(end.failure.Code, end.retryable) == effectSpare:
		r.task.MaxAttempts++
		if report.StartedAt == nil && end.outcome == sdk.OutcomeInterrupted && r.returned < maxReturned {
			r.returned++
		} else {
			r.spared++
		}
	default:
		r.used++
	}
	return end
}

// complete takes an agent's result over: status, degradation and missing figures are the run's to fill in, and what earlier attempts
// spent is added to what this one did.
func (r *taskRun) complete(now time.Time, result sdk.Result) {
	result.Status, result.Error, result.Degraded = sdk.StatusCompleted, nil, r.task.Degraded
	if result.Metrics.DurationMs <= 0 {
		result.Metrics.DurationMs = now.Sub(r.openEntry().StartedAt).Milliseconds()
	}
	result.Metrics = result.Metrics.Plus(r.spent)
	if result.Model == "" {
		result.Model = r.stage().Model
	}
	r.task.Result = &result
}

func (r *taskRun) cancelConfirmed(stopped bool) { r.task.CancelConfirmed = &stopped }

// openEntry is the chain's last entry: the attempt that runs, or ran last.
func (r *taskRun) openEntry() *sdk.Attempt { return &r.task.Attempts[len(r.task.Attempts)-1] }

// handlerStarted notes when the running attempt's handler began, by a clock that may differ from ours: it was after the attempt was
// asked for, and before now.
func (r *taskRun) handlerStarted(ctx workflow.Context, at time.Time) {
	if at.Before(r.scheduled) {
		at = r.scheduled
	}
	if now := workflow.Now(ctx); at.After(now) {
		at = now
	}
	r.openEntry().StartedAt = at
	if r.task.StartedAt == nil {
		r.task.StartedAt = &at
	}
}

func (r *taskRun) attemptOptions(ctx workflow.Context) workflow.ActivityOptions {
	s, left := r.stage(), r.left(ctx)
	queue := RoleQueue(r.in.Project, s.Role)
	if s.AgentID != "" {
		queue = AgentQueue(r.in.Project, s.Role, s.AgentID)
	}
	return workflow.ActivityOptions{
		TaskQueue:              queue,
		ScheduleToCloseTimeout: left,
		ScheduleToStartTimeout: min(milliseconds(s.Timeouts.QueueMs), left),
		StartToCloseTimeout:    min(milliseconds(s.Timeouts.AttemptMs), left),
		HeartbeatTimeout:       milliseconds(s.Timeouts.HeartbeatMs),
		WaitForCancellation:    true,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Priority:               temporal.Priority{PriorityKey: PriorityKey(r.task.Priority), FairnessKey: r.task.FairnessKey},
		Summary:                fmt.Sprintf("%s · attempt %d of %d", s.Role, r.task.Attempt, r.task.MaxAttempts),
	}
}

// assignment is what the agent gets. The task in it leaves the answers to the assignment's own field.
func (r *taskRun) assignment() sdk.Assignment {
	t := r.task
	t.Attempts = clip(t.Attempts)
	t.Answers = []sdk.Answer{}
	deadline := r.deadline
	return sdk.Assignment{
		Task: t, Attempt: t.Attempt, MaxAttempts: t.MaxAttempts, Stage: t.Stage, Model: r.stage().Model,
		Resume: r.resume, Answers: r.task.Answers, Deadline: &deadline,
	}
}

// weight is about how many bytes an attempt puts into history: its assignment, and what is written at its end. It depends on what
// was handed in alone, so that it stays the same when a shape grows a field.
func (r *taskRun) weight() int {
	size := 32<<10 + len(r.task.Input) + len(r.task.Description) + 2*len(r.resume)
	for _, a := range r.task.Answers {
		size += 2 * (len(a.Prompt) + len(a.Answer)) // once more in the memo
	}
	return size
}
