package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

func (r *taskRun) handleMessages(ctx workflow.Context) error {
	if err := ProvideInput.Handle(ctx, r.provideInput, r.checkInput); err != nil {
		return err
	}
	if err := DescribeTask.Handle(ctx, func() (sdk.Task, error) { return r.record(), nil }); err != nil {
		return err
	}
	return ListProgress.Handle(ctx, func() (ListProgressOutput, error) {
		return ListProgressOutput{Items: r.progress.list()}, nil
	})
}

// attemptStarted takes a worker's word that its handler runs. One of another attempt, or of one that has ended, is late.
func (r *taskRun) attemptStarted(ctx workflow.Context, in AttemptStartedInput) {
	if !r.current(in.Stage, in.Attempt) || r.openEntry().EndedAt != nil {
		return
	}
	if sdk.ValidID(in.AgentID) {
		r.openEntry().AgentID, r.task.AgentID = in.AgentID, in.AgentID
	}
	r.handlerStarted(ctx, in.StartedAt)
	r.started(ctx)
}

// taskProgressed takes a progress of the running attempt. One that comes again, out of turn or after the end is dropped.
func (r *taskRun) taskProgressed(in TaskProgressedInput) {
	if !r.current(in.Stage, in.Attempt) || r.openEntry().EndedAt != nil || in.N <= r.signalled {
		return
	}
	r.signalled = in.N
	in.Progress.Stage, in.Progress.Attempt = in.Stage, in.Attempt
	r.progressed(in.Progress.Trim())
}

// catchUp takes the signals that are in history before the end of an attempt and have not had their turn. What lies beyond the last
// number that the end reports is dropped: the attempt does not know of it.
func (r *taskRun) catchUp(end attemptEnd, report activities.AttemptReport) {
	for {
		in, ok := r.signals.progressed.ReceiveAsync()
		if !ok {
			return
		}
		if in.N <= report.N || end.outcome == sdk.OutcomeLost || end.outcome == sdk.OutcomeTimedOut {
			r.taskProgressed(in)
		}
	}
}

func (r *taskRun) cancelRequested(in CancelRequestedInput) {
	if r.reason == "" && len(in.Reason) <= sdk.MaxReason {
		r.reason = in.Reason
	}
}

// current reports whether a message speaks of the chain's last attempt.
func (r *taskRun) current(stage, attempt int) bool {
	return len(r.task.Attempts) > 0 && stage == r.task.Stage && attempt == r.task.Attempt && r.openEntry().Stage == stage
}

// progressed takes the newest progress over; overall never goes back.
func (r *taskRun) progressed(p sdk.Progress) {
	if r.task.Progress != nil {
		p.Overall = max(p.Overall, r.task.Progress.Overall)
	}
	p.Overall = max(p.Overall, p.Percentage)
	r.task.Progress = &p
	r.progress.add(p)
}

// refusal turns an error of ours into one that Temporal carries with its code and faults; nil stays nil.
func refusal(err error) error {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(e.Error(), string(e.Code), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{e.Faults},
	})
}
