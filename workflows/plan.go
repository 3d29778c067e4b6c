package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Plan runs one plan to its end: each of its tasks is a Task run below it. Its history is bounded in events: a task is about 12 of them, 22
// where it is cancelled, and there are at most 500 of them. It is bounded in bytes by maxPlanWritten, and its memos by their pace.
func Plan(ctx workflow.Context, in PlanInput) (sdk.Plan, error) {
	run := newPlanRunner(ctx, in)
	if err := run.setUp(ctx); err != nil {
		return sdk.Plan{}, err
	}
	return run.execute(ctx)
}

// planRunner is one run: how its plan goes, and what it needs for that on Temporal.
//
// What a workflow task tells may be in the log though the task is run again with more in it, so that a longer one has to tell the same first.
// Of what comes into one workflow task, only the first is known as such: what the run waited for. What follows from that is told at once.
// The rest is taken in an order of its own, and what follows from it is decided then, but told by a later workflow task.
type planRunner struct {
	course  *planCourse
	cancels SignalChannel[CancelRequestedInput]
	outbox  *outbox

	tasks  []*planTask // that run, in the order in which they were asked for
	behind bool        // there may be more tasks to ask for than one workflow task takes
	size   int         // bytes of the history that the last workflow task began with
	asked  int         // bytes of the tasks that it has asked for

	cancelled bool   // the run's cancellation was taken
	reasoned  bool   // the reason of one has come, or comes no more
	reason    string // of a cancellation

	told []sdk.Event // for the log
	held []sdk.Event // that follow from what was taken in an order of its own

	shown planShown
}

func newPlanRunner(ctx workflow.Context, in PlanInput) *planRunner {
	r := &planRunner{course: newPlanCourse(in, workflow.GetInfo(ctx).WorkflowStartTime)}
	r.outbox = &outbox{take: r.takeTold, story: story{
		project: in.Project, kind: activities.StoryPlan, id: in.ID,
		rest: func(part int) string {
			if part == 0 {
				return PlanEventsWorkflowID(in.Project, in.ID)
			}
			return PlanEventsPartID(in.Project, in.ID, part)
		},
	}}
	r.shown.status = r.course.record().Status
	return r
}

// setUp registers every handler before the first await, so that no message can arrive unhandled.
func (r *planRunner) setUp(ctx workflow.Context) error {
	if err := r.handleMessages(ctx); err != nil {
		return err
	}
	r.describe(ctx)
	r.listenForReason(ctx)
	r.outbox.start(ctx)
	return nil
}

// execute carries the plan out. One with a fault is over as soon as it has begun.
func (r *planRunner) execute(ctx workflow.Context) (sdk.Plan, error) {
	r.course.begin(workflow.Now(ctx))
	r.proceed(ctx)
	r.release()
	r.takeRest(ctx)
	for !r.course.over() {
		r.wait(ctx)
	}
	return r.close(ctx)
}

// wait waits for what comes next, and takes it and everything that has come with it.
func (r *planRunner) wait(ctx workflow.Context) {
	r.show(ctx)
	calm, stop := workflow.NewDisconnectedContext(ctx)
	defer stop() // of the timer of this wait
	watched := ctx
	if r.cancelled {
		watched = calm
	}
	var ends []workflow.Future
	for _, t := range r.tasks {
		ends = append(ends, t.run)
	}
	came := first(watched, append(ends, r.wakes(calm)...)...)
	r.begins(ctx)
	switch {
	case came == cancelled:
		r.cancel(ctx)
	case came < len(ends):
		r.ended(ctx, r.tasks[came])
	default: // another workflow task, which was all that was waited for
	}
	r.proceed(ctx)
	r.release()
	r.takeRest(ctx)
}

// wakes are what the run goes on for beside the ends of its tasks. The end of calm ends a timer of this wait alone.
func (r *planRunner) wakes(calm workflow.Context) (wakes []workflow.Future) {
	if len(r.held) > 0 || r.behind {
		for _, t := range r.tasks {
			if started := t.run.GetChildWorkflowExecution(); !started.IsReady() {
				wakes = append(wakes, started)
			}
		}
		if len(wakes) == 0 {
			wakes = append(wakes, workflow.NewTimer(calm, time.Millisecond))
		}
	}
	if r.shown.due != nil {
		wakes = append(wakes, r.shown.due)
	}
	return wakes
}

// begins says that another workflow task has begun: what was decided before is recorded. How large the history is now is not known: this
// workflow task may be run again with more in it.
func (r *planRunner) begins(ctx workflow.Context) {
	r.release()
	r.course.room(r.size + r.asked)
	r.size, r.asked = workflow.GetInfo(ctx).GetCurrentHistorySize(), 0
}

// takeRest takes what else is there: ends of tasks in the order in which these were asked for, then a cancellation.
func (r *planRunner) takeRest(ctx workflow.Context) {
	for !r.course.over() {
		if t := r.endedTask(); t != nil {
			r.ended(ctx, t)
		} else if ctx.Err() != nil && !r.cancelled {
			r.cancel(ctx)
		} else {
			return
		}
		r.proceed(ctx)
		r.held = append(r.held, r.takeEvents()...)
	}
}

// release lets the log have everything that was decided.
func (r *planRunner) release() {
	r.told = append(append(r.told, r.held...), r.takeEvents()...)
	r.held = nil
}

// takeEvents answers what the course tells since the last call. The memo says it too.
func (r *planRunner) takeEvents() []sdk.Event {
	events := r.course.takeEvents()
	r.shown.moved = r.shown.moved || len(events) > 0
	return events
}

// takeTold answers what the log is to have since the last call.
func (r *planRunner) takeTold() []sdk.Event {
	told := r.told
	r.told = nil
	return told
}

// close ends the run. Every task has ended by now, so that this workflow task has nothing more to take when it is run again but a
// cancellation, which comes after the ends of tasks: all there is can be told. It drains the signals after the last await and returns without
// another one; it carries the record of the plan in the close event, so that reading a finished plan needs no worker.
func (r *planRunner) close(ctx workflow.Context) (sdk.Plan, error) {
	r.course.close(workflow.Now(ctx))
	r.upsert(ctx)
	r.release()
	r.outbox.finish(ctx)
	r.drain()
	return endOfPlan(r.course.record())
}

// endOfPlan is how the run of a plan ends with which record.
func endOfPlan(record sdk.Plan) (sdk.Plan, error) {
	switch record.Status {
	case sdk.StatusFailed:
		return sdk.Plan{}, temporal.NewApplicationErrorWithOptions(record.Error.Message, string(record.Error.Code), temporal.ApplicationErrorOptions{
			NonRetryable: true, Details: []any{record},
		})
	case sdk.StatusCancelled:
		return sdk.Plan{}, temporal.NewCanceledError(record)
	default:
		return record, nil
	}
}
