package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

func (r *taskRun) handleMessages(ctx workflow.Context) error {
	if err := ProvideInput.Handle(ctx, r.provideInput, r.checkInput); err != nil {
		return err
	}
	if err := DescribeTask.Handle(ctx, func() (sdk.Task, error) { return r.course.Record(), nil }); err != nil {
		return err
	}
	return ListProgress.Handle(ctx, func() (ListProgressOutput, error) {
		return ListProgressOutput{Items: r.course.Progress()}, nil
	})
}

// attemptStarted takes a worker's word that its handler runs.
func (r *taskRun) attemptStarted(ctx workflow.Context, in AttemptStartedInput) {
	if r.course.AttemptStarted(workflow.Now(ctx), in) {
		r.upsert(ctx, nil)
	}
}

// checkInput is the validator of provide-input.
func (r *taskRun) checkInput(_ workflow.Context, in ProvideInputInput) error {
	return refusal(r.course.CheckInput(in))
}

// provideInput takes the answer that checkInput let through.
func (r *taskRun) provideInput(ctx workflow.Context, in ProvideInputInput) (ProvideInputOutput, error) {
	if r.course.ProvideInput(workflow.Now(ctx), in) {
		r.answered.SetValue(time.Time{})
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
