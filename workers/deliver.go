package workers

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// deliver brings an answer to Temporal. While Temporal is away it goes on trying until the lease is over on the server's side too:
// the agent has stopped, so a late answer harms nobody, and one that is no longer wanted is refused there. After a lapse, when
// another agent may have the task, it tries once.
func (a *attempt) deliver(report activities.AttemptReport, answer error) {
	bound := max(time.Until(a.lease.expiry()), 0) + lateAnswerMargin
	if !a.lease.held() {
		bound = lapsedAnswerTry
	}
	a.lease.stop()
	ctx, cancel := context.WithTimeout(a.w.delivering, bound)
	defer cancel()
	refused := false
	for wait := time.Duration(0); ; {
		err := a.deliverOnce(ctx, report, answer)
		switch readReply(err) {
		case replyOK, replyCancelled, replyInterrupted:
			a.outcome, a.code = outcomeOf(report, answer)
			a.log.Debug("attempt answered", "success", answer == nil)
			return
		case replyGone:
			a.log.Info("the attempt had ended before its answer; it is dropped")
			return
		case replyRefused:
			a.log.Error("Temporal refuses the attempt's answer", "error", err)
			if refused {
				return
			}
			refused = true
			answer = refuse(sdk.CodeInvalidOutput, bare(report), "the engine refuses the attempt's answer")
		case replyUnknown:
			a.log.Warn("the attempt's answer could not be delivered yet", "error", err)
		}
		wait = nextRetry(wait)
		select {
		case <-ctx.Done():
			a.log.Error("the attempt's answer is given up: Temporal could not be reached in time", "error", err)
			return
		case <-time.After(wait):
		}
	}
}

// bare is a report without what may be too large for Temporal: who did what, how far it came, and what it has spent.
func bare(r activities.AttemptReport) activities.AttemptReport {
	rest := activities.AttemptReport{AgentID: r.AgentID, StartedAt: r.StartedAt, Progress: r.Progress, N: r.N, Spent: r.Spent}
	if rest.Spent == nil && r.Result != nil {
		rest.Spent = spending(r.Result.Metrics)
	}
	return rest
}

func (a *attempt) deliverOnce(ctx context.Context, report activities.AttemptReport, answer error) error {
	opts := client.CompleteActivityOptions{
		TaskToken: a.ref.token, Err: answer, WorkflowID: a.ref.workflowID,
		ActivityType: activities.ExecuteTaskName, WorkflowType: a.ref.workflowType, TaskQueue: a.ref.queue,
	}
	if answer == nil {
		opts.Result = report
	}
	call, cancel := context.WithTimeout(ctx, answerTry)
	defer cancel()
	return a.w.port.CompleteActivityWithOptions(call, opts)
}
