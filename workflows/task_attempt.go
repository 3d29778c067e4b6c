package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
)

// attempt asks for one attempt and waits for its end; a cancelled one is given time to stop. What came first counts: an end that was
// there before the cancellation is the attempt's own.
func (r *taskRun) attempt(ctx workflow.Context) AttemptOutcome {
	if len(r.course.Needs()) > 0 {
		return r.seek(ctx)
	}
	return r.make(ctx, r.course.Terms(workflow.Now(ctx)))
}

// make asks for the attempt once.
func (r *taskRun) make(ctx workflow.Context, terms AttemptTerms) AttemptOutcome {
	r.open = activities.ExecuteTask(ctx, attemptOptions(terms), r.course.Assignment())
	asked := r.race(ctx, r.open) == cancelled
	return r.ended(ctx, asked)
}

// ended takes the end of the attempt that is open. asked says that the run's cancellation came before it: then it is waited for.
func (r *taskRun) ended(ctx workflow.Context, asked bool) AttemptOutcome {
	future := r.open
	if asked && !r.stopped(ctx, future) {
		return AttemptOutcome{Cancelled: true, Unconfirmed: true}
	}
	r.open = nil
	outcome := AttemptOutcome{Cancelled: asked}
	outcome.Err = future.Get(ctx, &outcome.Report)
	for { // those that stand before the end, and of which it knows
		in, ok := r.signals.progressed.ReceiveAsync()
		if !ok {
			return outcome
		}
		outcome.Progressed = append(outcome.Progressed, in)
	}
}

// stopped waits for a cancelled attempt to end, for as long as CancelGrace; false says that it has not.
func (r *taskRun) stopped(ctx workflow.Context, future workflow.Future) bool {
	late, stop := deadline(ctx, CancelGrace, "waiting for the agent to stop")
	defer stop()
	calm, _ := workflow.NewDisconnectedContext(ctx)
	if r.race(calm, future, late) == 0 {
		return true
	}
	// No report says which signals stand before the end of the grace. So all are taken that this workflow task has, and the next one,
	// which begins from what this one has recorded, takes none.
	for r.signals.started.Len()+r.signals.progressed.Len() > 0 {
		r.hear(ctx)
	}
	r.open = nil
	_ = workflow.NewTimer(calm, time.Millisecond).Get(calm, nil) // nothing ends calm
	return false
}

func attemptOptions(t AttemptTerms) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              t.Queue,
		ScheduleToCloseTimeout: t.Whole,
		ScheduleToStartTimeout: t.Queued,
		StartToCloseTimeout:    t.Running,
		HeartbeatTimeout:       t.Heartbeat,
		WaitForCancellation:    true,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Priority:               temporal.Priority{PriorityKey: t.Priority, FairnessKey: t.Fairness},
		Summary:                t.Summary,
	}
}
