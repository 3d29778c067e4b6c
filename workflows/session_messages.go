package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

func (r *sessionRun) handleMessages(ctx workflow.Context) error {
	if err := SendTask.Handle(ctx, r.sendTask, r.checkTask); err != nil {
		return err
	}
	if err := CloseSession.Handle(ctx, r.closeSession, nil); err != nil {
		return err
	}
	if err := ListQueue.Handle(ctx, func() (ListQueueOutput, error) { return ListQueueOutput{TaskIDs: r.talk.waitingIDs()}, nil }); err != nil {
		return err
	}
	return DescribeSession.Handle(ctx, func() (sdk.Session, error) { return r.talk.record(), nil })
}

// checkTask is the validator of send-task.
func (r *sessionRun) checkTask(ctx workflow.Context, in SendTaskInput) error {
	if _, known := r.talk.key(in.TaskID); ctx.Err() != nil && !known {
		return refusal(SessionOver())
	}
	return refusal(r.talk.check(in))
}

// sendTask takes the task that checkTask let through.
func (r *sessionRun) sendTask(ctx workflow.Context, in SendTaskInput) (SendTaskOutput, error) {
	return r.talk.take(workflow.Now(ctx), in), nil
}

// closeSession has the session end; one that is about to is answered as it is.
func (r *sessionRun) closeSession(ctx workflow.Context, _ CloseSessionInput) (CloseSessionOutput, error) {
	r.closing(ctx, sdk.CloseRequested)
	return CloseSessionOutput{Session: r.talk.record()}, nil
}

// closing begins the end of the session, for everybody to see.
func (r *sessionRun) closing(ctx workflow.Context, reason sdk.CloseReason) {
	if r.talk.closing(reason) {
		r.upsert(ctx)
	}
}

// hear takes every signal that is there.
func (r *sessionRun) hear() {
	for {
		in, ok := r.cancels.ReceiveAsync()
		if !ok {
			return
		}
		r.talk.cancelTask(in)
	}
}

// attend takes signals whenever they come, and has the end of tasks recorded that were cancelled before their turn.
func (r *sessionRun) attend(ctx workflow.Context) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	workflow.Go(calm, func(ctx workflow.Context) {
		for {
			if err := workflow.Await(ctx, func() bool { return r.cancels.Len() > 0 || len(r.talk.dropped) > 0 }); err != nil {
				return
			}
			r.hear()
			r.recordDropped(ctx)
		}
	})
}
