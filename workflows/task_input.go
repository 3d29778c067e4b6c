package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// question is what an agent asked; answered is settled by the update that answers it.
type question struct {
	request  sdk.InputRequest
	answered workflow.Future
	settle   workflow.Settable
}

func newQuestion(ctx workflow.Context, r *taskRun, in sdk.InputRequired) *question {
	now := workflow.Now(ctx)
	wait := min(milliseconds(r.task.Timeouts.InputMs), r.left(ctx))
	q := &question{request: sdk.InputRequest{
		ID: fmt.Sprintf("input-%d-%d", r.task.Stage, r.task.Attempt), Prompt: in.Prompt, Schema: in.Schema,
		AskedAt: now, ExpiresAt: now.Add(max(wait, 0)),
	}}
	q.answered, q.settle = workflow.NewFuture(ctx)
	return q
}

// ask waits for the answer to the open question. It answers nil when the answer came or the run was asked to cancel, else why
// the task fails.
func (r *taskRun) ask(ctx workflow.Context) *sdk.TaskError {
	q := r.question
	r.asked++
	if r.asked > sdk.MaxAnswers {
		return &sdk.TaskError{Code: sdk.CodeAgentFailed, Message: fmt.Sprintf("the agent asked more than %d questions", sdk.MaxAnswers)}
	}
	r.task.InputRequest = &q.request
	r.task.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingForInput, Since: q.request.AskedAt, Detail: q.request.Prompt}
	r.moved(ctx, sdk.StatusInputRequired)
	waiting, stop := workflow.WithCancel(ctx)
	r.wait(ctx, q.answered, timer(waiting, q.request.ExpiresAt.Sub(workflow.Now(ctx)), "waiting for input"))
	stop()
	r.question, r.task.InputRequest, r.task.WaitingFor = nil, nil, nil
	switch {
	case q.answered.IsReady() || ctx.Err() != nil:
		return nil
	case r.left(ctx) <= 0:
		return &sdk.TaskError{Code: sdk.CodeTotalTimeout, Message: "the task's time was used up while it waited for input"}
	default:
		return &sdk.TaskError{Code: sdk.CodeInputTimeout, Message: "nobody answered in time: " + q.request.Prompt}
	}
}

// checkInput is the validator of provide-input: it refuses an answer to a question that is not open, and one that does not fit.
// The same answer again is welcome.
func (r *taskRun) checkInput(_ workflow.Context, in ProvideInputInput) error {
	for _, a := range r.task.Answers {
		if a.RequestID != in.RequestID {
			continue
		}
		if sameJSON(a.Answer, in.Answer) {
			return nil
		}
		return refusal(sdk.Errorf(sdk.CodeConflict, "%s has been answered already, with something else", in.RequestID))
	}
	if r.task.InputRequest == nil {
		return refusal(sdk.Errorf(sdk.CodeConflict, "the task asks for nothing now"))
	}
	if r.task.InputRequest.ID != in.RequestID {
		return refusal(sdk.Errorf(sdk.CodeConflict, "the open question is %s, not %s", r.task.InputRequest.ID, in.RequestID))
	}
	return refusal(checkAnswer(r.task.InputRequest.Schema, in.Answer))
}

// provideInput takes the answer that checkInput let through.
func (r *taskRun) provideInput(ctx workflow.Context, in ProvideInputInput) (ProvideInputOutput, error) {
	if q := r.question; r.task.InputRequest != nil && r.task.InputRequest.ID == in.RequestID {
		at := workflow.Now(ctx)
		r.task.Answers = append(r.task.Answers, sdk.Answer{RequestID: in.RequestID, Prompt: q.request.Prompt, Answer: in.Answer, At: &at})
		r.task.InputRequest, r.task.WaitingFor = nil, nil
		q.settle.SetValue(time.Time{})
		r.moved(ctx, sdk.StatusQueued)
	}
	return ProvideInputOutput{Task: r.record()}, nil
}
