package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
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

// taskRun is one run: the course of its task, and what it needs to go it on Temporal.
type taskRun struct {
	course   *Course
	signals  signals
	outbox   *outbox
	open     workflow.Future   // of the attempt that runs; nil where none does
	begun    workflow.Settable // is settled when the attempt is seen to have begun; nil where nobody waits for that
	awaited  []workflow.Future // what the run waits for; the first of them that is there is what it goes on from
	question *question         // the open one
	reasoned bool              // the reason of a cancellation has come, or comes no more
	shown    shown
}

// question is what the wait for an answer waits for.
type question struct {
	ctx    workflow.Context
	settle workflow.Settable // by the update that answers it
	late   workflow.Future
}

func newTaskRun(ctx workflow.Context, in TaskInput) *taskRun {
	r := &taskRun{course: NewCourse(in, workflow.GetInfo(ctx).WorkflowStartTime)}
	r.reasoned = in.Cancelled != nil
	r.course.Breach = func(from, to sdk.Status) {
		workflow.GetLogger(ctx).Error("a step outside the lifecycle", "from", from, "to", to)
	}
	r.shown = shownOf(r.course.task)
	r.outbox = &outbox{story: storyOf(in), take: r.course.TakeEvents, holds: in.SessionID != "" || in.PlanID != ""} // of a session or a plan, which tells on after it
	return r
}

// setUp registers every handler before the first await, so that no message can arrive unhandled.
func (r *taskRun) setUp(ctx workflow.Context) error {
	r.signals = newSignals(ctx)
	if err := r.handleMessages(ctx); err != nil {
		return err
	}
	r.describe(ctx)
	r.listen(ctx)
	r.listenForReason(ctx)
	r.outbox.start(ctx)
	return nil
}

// execute goes the course: attempts, pauses and questions, until one of them, the time or a cancellation ends the task.
func (r *taskRun) execute(ctx workflow.Context) (sdk.Task, error) {
	step := r.course.Begin(workflow.Now(ctx))
	for {
		switch step.Kind {
		case StepAttempt:
			outcome := r.attempt(ctx)
			step = r.course.AttemptEnded(workflow.Now(ctx), outcome)
		case StepRest:
			r.moved(ctx)
			asked := r.rest(ctx, step.Delay)
			step = r.course.Rested(workflow.Now(ctx), asked)
		case StepAsk:
			asked := r.ask(ctx, step.Delay)
			step = r.course.Asked(workflow.Now(ctx), asked)
		case StepEnd:
			return r.close(ctx, step)
		}
	}
}

// rest waits between two attempts; true says that the run was asked to cancel before the time was over. Where there is no time, that is
// for the next attempt to see: a cancellation that came with the end of the last one was not there before.
func (r *taskRun) rest(ctx workflow.Context, d time.Duration) bool {
	if d <= 0 {
		return false
	}
	over, stop := deadline(ctx, d, "backing off")
	defer stop()
	return r.race(ctx, over) == cancelled
}

// ask waits for the answer to the open question, until it is late; true says that the run was asked to cancel before. One that is late from
// the first is waited for no more than a cancellation that came with it.
func (r *taskRun) ask(ctx workflow.Context, atMost time.Duration) bool {
	if atMost <= 0 {
		r.moved(ctx)
		return false
	}
	answered, settle := workflow.NewFuture(ctx)
	late, stop := deadline(ctx, atMost, "waiting for input")
	defer stop()
	r.question = &question{ctx: ctx, settle: settle, late: late}
	r.moved(ctx)
	first := r.race(ctx, answered, late)
	r.question = nil
	return first == cancelled
}

// close ends the run. The outcome is settled before the outbox is awaited: nothing that comes meanwhile changes it. It drains the signals
// after the last await and returns without another one; it carries the task's record in the close event, so that reading a finished task
// needs no worker.
func (r *taskRun) close(ctx workflow.Context, last Step) (sdk.Task, error) {
	if last.status == sdk.StatusCancelled {
		calm, _ := workflow.NewDisconnectedContext(ctx)
		_ = workflow.Await(calm, func() bool { return r.reasoned }) // it is, in this workflow task
	}
	r.course.Close(workflow.Now(ctx), last)
	r.upsert(ctx, nil)
	if err := r.childrenStarted(ctx); err != nil {
		return sdk.Task{}, err
	}
	r.outbox.finish(ctx)
	r.drain()
	record := r.course.Record()
	switch record.Status {
	case sdk.StatusFailed:
		failure := record.Result.Error
		return sdk.Task{}, temporal.NewApplicationErrorWithOptions(failure.Message, string(failure.Code), temporal.ApplicationErrorOptions{
			NonRetryable: true, Details: []any{record},
		})
	case sdk.StatusCancelled:
		return sdk.Task{}, temporal.NewCanceledError(record)
	default:
		return record, nil
	}
}
