package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// What a run may hold, in bytes as it is encoded. Temporal refuses payloads of more than 2 MB and ends a run whose history passes 50 MB.
const (
	maxRecord  = 1900 << 10
	maxWritten = 40 << 20

	maxEpisodeRefs = 100
)

// maxChainMessage is how much of an error's text an entry of the chain keeps; the task's own error has all of it.
const maxChainMessage = 256

// The three ways a run ends. Each drains its signals after the last await and returns without another one; each carries the
// task's record in its close event, so that reading a finished task needs no worker.

func (r *taskRun) closeCompleted(ctx workflow.Context) (sdk.Task, error) {
	r.drain(ctx)
	r.closed(ctx, sdk.StatusCompleted)
	return r.record(), nil
}

func (r *taskRun) closeFailed(ctx workflow.Context, failure sdk.TaskError) (sdk.Task, error) {
	r.drain(ctx)
	r.closed(ctx, sdk.StatusFailed)
	r.task.Result = r.result(&failure)
	return sdk.Task{}, temporal.NewApplicationErrorWithOptions(failure.Message, string(failure.Code), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{r.record()},
	})
}

func (r *taskRun) closeCancelled(ctx workflow.Context) (sdk.Task, error) {
	r.drain(ctx)
	r.closed(ctx, sdk.StatusCancelled)
	if r.task.CancelConfirmed == nil {
		r.cancelConfirmed(true)
	}
	reason := r.reason
	if reason == "" {
		reason = "no reason was given"
	}
	r.task.Result = r.result(&sdk.TaskError{Code: sdk.CodeCancelled, Message: reason})
	return sdk.Task{}, temporal.NewCanceledError(r.record())
}

// result is the result of a task that did not complete.
func (r *taskRun) result(failure *sdk.TaskError) *sdk.Result {
	began := r.task.CreatedAt
	if r.task.StartedAt != nil {
		began = *r.task.StartedAt
	}
	return &sdk.Result{
		Status: r.task.Status, Error: failure, Degraded: r.task.Degraded,
		Metrics: sdk.Metrics{DurationMs: r.task.CompletedAt.Sub(began).Milliseconds()}.Plus(r.spent),
	}
}

// record is the task as it leaves the run: input and description stay in its first event.
func (r *taskRun) record() sdk.Task {
	t := r.task
	t.Input, t.Description = nil, ""
	if recordSize(t) > maxRecord {
		t.Attempts = clip(t.Attempts)
	}
	return t
}

// recordSize is about how many bytes a record takes, and not less: the parts that can be large, and what a chain's entry takes with
// the longest names and message.
func recordSize(t sdk.Task) int {
	const entry = 3*sdk.MaxMetadataKey + 2*sdk.MaxModel + maxChainMessage + 256
	size := 128<<10 + len(t.Attempts)*entry
	for _, a := range t.Answers {
		size += len(a.Prompt) + len(a.Answer)
	}
	if t.Result != nil {
		size += len(t.Result.Output) + len(t.Result.Reflection) + len(t.Result.QualityGate)
	}
	return size
}

// chainError is the short form of an error for the chain: a chain may have 600 entries, and all of them travel in one record.
func chainError(failure *sdk.TaskError) *sdk.TaskError {
	if failure == nil {
		return nil
	}
	return &sdk.TaskError{Code: failure.Code, Message: sdk.Cut(failure.Message, maxChainMessage)}
}
