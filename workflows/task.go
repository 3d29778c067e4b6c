package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Task runs one task to its end. Its history is bounded in events: a failed attempt is about a dozen, a stage has at most 100 counted,
// 6 spared and 100 returned attempts, a task 20 questions, and workers space their progress signals by the task's age, about 700 in
// 30 days. It is bounded in bytes by maxWritten.
func Task(ctx workflow.Context, in TaskInput) (sdk.Task, error) {
	run := newTaskRun(ctx, in)
	if err := run.setUp(ctx); err != nil {
		return sdk.Task{}, err
	}
	return run.execute(ctx)
}

// taskRun is the state of one run. task is what everybody sees; the rest is what the run needs to decide.
type taskRun struct {
	in       TaskInput
	task     sdk.Task
	stages   []sdk.Stage
	deadline time.Time
	signals  signals

	used      int       // attempts of the stage that count
	spared    int       // lost and interrupted ones of the stage
	returned  int       // those of the stage that were given back before an agent had begun
	asked     int       // questions of the whole task
	written   int       // bytes that the attempts have put into history
	scheduled time.Time // when the last attempt was asked for
	signalled int       // the number of its last progress signal
	resume    []byte
	spent     sdk.Metrics // tokens and cost of the attempts that did not complete it
	reason    string      // of the cancellation
	question  *question
	progress  progressLog
	shown     shown
}

func newTaskRun(ctx workflow.Context, in TaskInput) *taskRun {
	created := workflow.GetInfo(ctx).WorkflowStartTime
	r := &taskRun{in: in, task: NewTask(in, created)}
	first := sdk.Stage{
		Role: r.task.Role, AgentID: in.Request.AgentID, Retry: &r.task.Retry,
		Timeouts: &sdk.StageTimeouts{
			QueueMs: r.task.Timeouts.QueueMs, AttemptMs: r.task.Timeouts.AttemptMs, HeartbeatMs: r.task.Timeouts.HeartbeatMs,
		},
	}
	r.shown = shown{status: r.task.Status, role: r.task.Role, agentID: r.task.AgentID}
	r.stages = append([]sdk.Stage{first}, r.task.Fallback...)
	r.deadline = created.Add(milliseconds(r.task.Timeouts.TotalMs))
	return r
}

// setUp registers every handler before the first await, so that no message can arrive unhandled.
func (r *taskRun) setUp(ctx workflow.Context) error {
	r.signals = newSignals(ctx)
	if err := r.handleMessages(ctx); err != nil {
		return err
	}
	r.describe(ctx)
	return nil
}

// refused is why the request can not be carried out, or nil: no client of ours would have sent it.
func (r *taskRun) refused() *sdk.TaskError {
	err := r.in.Request.Validate()
	if err == nil && !(sdk.ValidProject(r.in.Project) && sdk.ValidID(r.in.ID)) {
		err = sdk.Errorf(sdk.CodeInvalidInput, "project or id is not well-formed")
	}
	if err == nil {
		return nil
	}
	failure := sdk.TaskError{Code: sdk.CodeInvalidInput, Message: err.Error()}.Trim()
	return &failure
}

// execute makes attempts until one of them, the time or a cancellation ends the task.
func (r *taskRun) execute(ctx workflow.Context) (sdk.Task, error) {
	if failure := r.refused(); failure != nil {
		return r.closeFailed(ctx, *failure)
	}
	for {
		end := r.attempt(ctx)
		if end.outcome != sdk.OutcomeCompleted && ctx.Err() != nil {
			return r.closeCancelled(ctx)
		}
		m := next(r.standing(ctx), end)
		switch m.step {
		case stepComplete:
			return r.closeCompleted(ctx)
		case stepFail:
			return r.closeFailed(ctx, *end.failure)
		case stepFallback:
			r.fallBack(ctx)
		case stepRetry:
			r.backOff(ctx, m.delay)
		case stepAsk:
			if failure := r.ask(ctx); failure != nil {
				return r.closeFailed(ctx, *failure)
			}
		}
		if ctx.Err() != nil {
			return r.closeCancelled(ctx)
		}
	}
}

// stage is the current one.
func (r *taskRun) stage() sdk.Stage { return r.stages[r.task.Stage] }

func (r *taskRun) left(ctx workflow.Context) time.Duration { return r.deadline.Sub(workflow.Now(ctx)) }

func (r *taskRun) standing(ctx workflow.Context) standing {
	return standing{
		retry: *r.stage().Retry, used: r.used, spared: r.spared,
		lastStage: r.task.Stage == len(r.stages)-1, left: r.left(ctx),
	}
}

// fallBack moves to the next stage; whatever it answers is degraded.
func (r *taskRun) fallBack(ctx workflow.Context) {
	r.task.Stage++
	r.task.Attempt, r.used, r.spared, r.returned = 0, 0, 0, 0
	r.task.Degraded = true
	r.task.Role = r.stage().Role
	r.task.MaxAttempts = r.stage().Retry.MaxAttempts
	r.task.AgentID = r.stage().AgentID
	r.moved(ctx, sdk.StatusQueued)
}

// backOff waits before the next attempt of the stage.
func (r *taskRun) backOff(ctx workflow.Context, delay time.Duration) {
	now := workflow.Now(ctx)
	at := now.Add(delay)
	if delay > 0 {
		r.task.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingBackingOff, Since: now, NextAttemptAt: &at, Detail: "the last attempt failed; the next one follows"}
	}
	r.moved(ctx, sdk.StatusQueued)
	if delay > 0 {
		r.wait(ctx, timer(ctx, delay, "backing off"))
		r.task.WaitingFor = nil
	}
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
