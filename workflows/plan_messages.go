package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

func (r *planRunner) handleMessages(ctx workflow.Context) error {
	r.cancels = CancelRequested.Channel(ctx)
	return DescribePlan.Handle(ctx, func() (sdk.Plan, error) { return r.course.record(), nil })
}

// listenForReason takes the reason of a cancellation, which is sent just before it: what comes after it is none.
func (r *planRunner) listenForReason(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		s := workflow.NewSelector(ctx)
		s.AddReceive(r.cancels.ReceiveChannel, func(workflow.ReceiveChannel, bool) {
			if in, ok := r.cancels.ReceiveAsync(); ok {
				r.reason = in.Reason
			}
		})
		s.AddReceive(ctx.Done(), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
		s.Select(ctx)
		r.reasoned = true
	})
}

// cancel takes the cancellation of the run.
func (r *planRunner) cancel(ctx workflow.Context) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(calm, func() bool { return r.reasoned }) // it is, in this workflow task
	r.cancelled = true
	r.course.cancel(workflow.Now(ctx), r.reason)
	r.shown.moved = true
}

// drain takes every signal that is left and drops it, see [taskRun.drain].
func (r *planRunner) drain() {
	for {
		if _, ok := r.cancels.ReceiveAsync(); !ok {
			return
		}
	}
}
