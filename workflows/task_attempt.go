package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
)

// attempt asks for one attempt and waits for its end; a cancelled one is given time to stop.
func (r *taskRun) attempt(ctx workflow.Context) AttemptOutcome {
	future := activities.ExecuteTask(ctx, attemptOptions(r.course.Terms(workflow.Now(ctx))), r.course.Assignment())
	r.wait(ctx, future)
	if !future.IsReady() {
		calm, stop := workflow.NewDisconnectedContext(ctx)
		r.wait(calm, future, timer(calm, CancelGrace, "waiting for the agent to stop"))
		stop()
	}
	if !future.IsReady() {
		return AttemptOutcome{Cancelled: true, Unconfirmed: true}
	}
	outcome := AttemptOutcome{Cancelled: ctx.Err() != nil}
	outcome.Err = future.Get(ctx, &outcome.Report)
	// Signals that are in history before the end of the attempt and have not had their turn.
	for {
		in, ok := r.signals.progressed.ReceiveAsync()
		if !ok {
			return outcome
		}
		outcome.Progressed = append(outcome.Progressed, in)
	}
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
