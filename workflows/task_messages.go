package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

func (r *taskRun) handleMessages(ctx workflow.Context) error {
	if err := ProvideInput.Handle(ctx, r.provideInput, r.checkInput); err != nil {
		return err
	}
	if err := r.handleDelegation(ctx); err != nil {
		return err
	}
	if err := DescribeTask.Handle(ctx, func() (sdk.Task, error) { return r.course.Record(), nil }); err != nil {
		return err
	}
	return ListProgress.Handle(ctx, func() (ListProgressOutput, error) {
		return ListProgressOutput{Items: r.course.Progress()}, nil
	})
}

// checkInput is the validator of provide-input. An answer that has come with the end of its time, or with a cancellation, is too late:
// those stand in history, and it does not yet.
func (r *taskRun) checkInput(ctx workflow.Context, in ProvideInputInput) error {
	asked := r.course.task.InputRequest
	if q := r.question; q != nil && asked != nil && asked.ID == in.RequestID && (q.late.IsReady() || q.ctx.Err() != nil) {
		return refusal(tooLate(in.RequestID))
	}
	return refusal(r.course.CheckInput(workflow.Now(ctx), in))
}

// provideInput takes the answer that checkInput let through.
func (r *taskRun) provideInput(ctx workflow.Context, in ProvideInputInput) (ProvideInputOutput, error) {
	if r.course.ProvideInput(workflow.Now(ctx), in) {
		r.question.settle.SetValue(true)
		r.moved(ctx)
	}
	return ProvideInputOutput{Task: r.course.Record()}, nil
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
