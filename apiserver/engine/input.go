package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	answerTries = 3                      // of an answer to a question that the log may have told of before its run recorded it, as when a worker dies
	answerRest  = 200 * time.Millisecond // between them
)

// ProvideInput answers the open question of a task. The run decides: an answer that does not fit is invalid_input, one to a
// question that is not open a conflict, and the same answer again is taken as before.
func (e *Engine) ProvideInput(ctx context.Context, project, id string, in workflows.ProvideInputInput) (sdk.Task, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	task, err := e.look(ctx, project, id)
	if err != nil {
		return sdk.Task{}, err
	}
	for try := 1; ; try++ {
		if task.Status.Terminal() {
			return sdk.Task{}, HasEnded(task)
		}
		err := e.answer(ctx, task, workflows.TaskWorkflowID(project, id), in)
		if err == nil {
			return e.look(ctx, project, id)
		}
		if try == answerTries || !errors.Is(err, sdk.ErrConflict) || !mayAsk(task, in.RequestID) {
			return sdk.Task{}, err
		}
		select {
		case <-ctx.Done():
			return sdk.Task{}, err
		case <-time.After(answerRest):
		}
		again, failed := e.look(ctx, project, id)
		if failed != nil {
			return sdk.Task{}, err
		}
		task = again
	}
}

// mayAsk reports whether a question is that of the task's attempt or of the next one, and was not seen to be open, answered or past: it
// may be about to be open.
func mayAsk(task sdk.Task, requestID string) bool {
	if task.InputRequest != nil && task.InputRequest.ID == requestID ||
		slices.ContainsFunc(task.Answers, func(a sdk.Answer) bool { return a.RequestID == requestID }) ||
		slices.ContainsFunc(task.Attempts, func(a sdk.Attempt) bool {
			return a.EndedAt != nil && workflows.QuestionID(a.Stage, a.Attempt) == requestID
		}) {
		return false
	}
	return slices.Contains([]string{
		workflows.QuestionID(task.Stage, task.Attempt), workflows.QuestionID(task.Stage, task.Attempt+1), workflows.QuestionID(task.Stage+1, 1),
	}, requestID)
}

// answer gives the run an answer, once.
func (e *Engine) answer(ctx context.Context, task sdk.Task, workflowID string, in workflows.ProvideInputInput) error {
	_, err := update(ctx, e.temporal, workflows.ProvideInput, client.UpdateWorkflowOptions{WorkflowID: workflowID}, in)
	if err == nil {
		return nil
	}
	if refused, ok := refusal(err); ok {
		return refused
	}
	if isNotFound(err) {
		return HasEnded(task)
	}
	return fault(err)
}
